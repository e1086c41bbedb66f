//! A log that was not finished goes on: nothing good is lost, nothing bad is kept, and what becomes of
//! it is a log like any other.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::DataType;
use respool_log::format::{ENTRY_LEN, EntryKind, Failure, Layout, scan};
use respool_log::{Error, Log, LogOptions, Quota, State};

use crate::reopened::{CODECS, assert_has};
use crate::support::*;

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true).segment_bytes(9_000)
}

/// Batches that share and replace dictionaries.
fn batches() -> Vec<RecordBatch> {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    (0..16)
        .map(|i| batch_of(sample(&data_type, 90, &mut Numbers::new(i / 3))))
        .collect()
}

/// Asserts that a complete log is one for other readers too, and has nothing that does not count.
fn assert_whole_files(path: &Path, model: &[RecordBatch]) {
    let index = scan(&std::fs::read(path.join("_index")).unwrap()).unwrap();
    assert_eq!(index.damage, None);
    let mut found = Vec::new();
    let mut names = vec![
        "_index".to_owned(),
        "_lock".to_owned(),
        "_manifest".to_owned(),
    ];
    for entry in &index.entries {
        let EntryKind::Seal {
            segment,
            len,
            layout,
            ..
        } = entry.kind
        else {
            continue;
        };
        let last = if layout == Layout::File { "" } else { "s" };
        let name = format!("{segment:08}.arrow{last}");
        let file = std::fs::File::open(path.join(&name)).unwrap();
        assert_eq!(file.metadata().unwrap().len(), len, "{name}");
        let read: Result<Vec<_>, _> = match layout {
            Layout::File => FileReader::try_new(file, None).unwrap().collect(),
            Layout::Stream => StreamReader::try_new(file, None).unwrap().collect(),
        };
        found.extend(read.unwrap());
        names.push(name);
    }
    assert_eq!(found.len(), model.len());
    for (found, batch) in found.iter().zip(model) {
        assert_same(found, batch);
    }
    let mut there: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    there.sort();
    assert_eq!(there, names);
}

#[test]
fn a_log_goes_on_where_it_was_left() -> Outcome {
    let model = batches();
    for compression in CODECS {
        for left in 0..=model.len() {
            let parent = directory()?;
            let path = parent.path().join("log");
            let options = at(&path).compression(compression);
            let mut log = Log::create(model[0].schema(), options)?;
            for (record, batch) in model.iter().enumerate() {
                if record == left || record == left + 3 {
                    drop(log);
                    log = Log::resume(at(&path))?;
                    assert_eq!(log.len(), record);
                }
                log.append(batch)?;
                for (record, batch) in model[..=record].iter().enumerate() {
                    assert_same(&log.read(record, None)?, batch);
                }
            }
            log.finish()?;
            assert_eq!(log.quota().used(), log.bytes());
            drop(log);
            let reader = Log::open(&path)?;
            assert_eq!(reader.state(), State::Complete);
            assert_has(&reader, &model);
            assert_whole_files(&path, &model);
            assert!(matches!(Log::resume(at(&path)), Err(Error::Finished)));
        }
    }
    Ok(())
}

#[test]
fn a_log_that_failed_goes_on_without_its_failure() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = Log::create(model[0].schema(), at(&path))?;
    for batch in &model[..7] {
        log.append(batch)?;
    }
    log.fail(&Failure {
        kind: String::new(),
        text: "no".to_owned(),
    })?;
    drop(log);
    Log::open(&path)?.write_sidecar("zones.0", b"of seven")?;
    let log = Log::resume(at(&path))?;
    assert_eq!(Log::open(&path)?.state(), State::Growing);
    for batch in &model[7..] {
        log.append(batch)?;
    }
    log.finish()?;
    drop(log);
    assert_has(&Log::open(&path)?, &model);
    assert_whole_files(&path, &model);
    Ok(())
}

#[test]
fn what_was_never_made_durable_is_verified_and_cut_where_it_is_bad() -> Outcome {
    let model = batches();
    for durable in [0, 5, 12] {
        for bad in 0..model.len() {
            let parent = directory()?;
            let path = parent.path().join("log");
            let options = LogOptions::new(&path).allow_tmpfs(true);
            let log = Log::create(model[0].schema(), options.clone())?;
            for (record, batch) in model.iter().enumerate() {
                log.append(batch)?;
                if record + 1 == durable {
                    log.flush()?;
                }
            }
            drop(log);
            let index = scan(&std::fs::read(path.join("_index"))?)?;
            let extent = index.entries.iter().find_map(|entry| match entry.kind {
                EntryKind::Batch { extent, .. } if entry.record == bad as u64 => Some(extent),
                _ => None,
            });
            let extent = extent.unwrap();
            let names = ["00000000.arrow", "_00000000.part", "_00000001.part"];
            let mut names = names.iter().filter(|name| {
                let number = format!("{:08}", extent.segment);
                name.contains(&number) && path.join(name).exists()
            });
            let file = path.join(names.next_back().unwrap());
            let mut bytes = std::fs::read(&file)?;
            bytes[extent.offset as usize + extent.metadata_len as usize] ^= 1;
            std::fs::write(&file, bytes)?;
            let reader = Log::open(&path)?;
            assert!(matches!(reader.read(bad, None), Err(Error::Corrupt { .. })));
            let left = if bad < durable { model.len() } else { bad };
            assert_eq!(reader.verify_tail()?, left);
            let log = Log::resume(options)?;
            assert_eq!(log.len(), left);
            if bad < durable {
                continue;
            }
            for batch in &model[left..] {
                log.append(batch)?;
            }
            log.finish()?;
            drop(log);
            assert_has(&Log::open(&path)?, &model);
            assert_whole_files(&path, &model);
        }
    }
    Ok(())
}

#[test]
fn a_log_that_has_a_writer_is_not_gone_on_with() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = Log::create(model[0].schema(), at(&path))?;
    log.append(&model[0])?;
    let begun = Instant::now();
    let error = Log::resume(at(&path)).unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(50));
    assert!(matches!(error, Error::Locked { owner: Some(_), .. }));
    log.append(&model[1])?;
    log.finish()?;
    assert_has(&Log::open(&path)?, &model[..2]);
    Ok(())
}

#[test]
fn a_quota_counts_what_is_there_and_refuses_what_is_more() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = Log::create(model[0].schema(), at(&path))?;
    for batch in &model[..5] {
        log.append(batch)?;
    }
    drop(log);
    let quota = Quota::new(Some(100));
    let log = Log::resume_within(at(&path), &quota)?;
    assert!(quota.used() > 10_000);
    let full = log.append(&model[5]).unwrap_err();
    assert!(matches!(full, Error::OutOfSpace { .. }));
    assert_same(&log.read(4, None)?, &model[4]);
    quota.set_capacity(None);
    log.append(&model[5])?;
    drop(log);
    assert_eq!(quota.used(), 0);
    Ok(())
}

#[test]
fn who_follows_a_log_sees_every_batch_once_and_the_end() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = Log::create(model[0].schema(), at(&path))?;
    let followers: Vec<_> = (0..3)
        .map(|_| {
            let reader = Arc::new(Log::open(&path).unwrap());
            let model = model.clone();
            std::thread::spawn(move || {
                let mut seen = 0;
                loop {
                    let progress = reader.wait(seen, Duration::from_secs(20)).unwrap();
                    let new = model.iter().enumerate().take(progress.len).skip(seen);
                    for (record, batch) in new {
                        assert_same(&reader.read(record, None).unwrap(), batch);
                    }
                    if seen == progress.len {
                        return (seen, progress.state);
                    }
                    seen = progress.len;
                }
            })
        })
        .collect();
    let mut log = Some(log);
    for (record, batch) in model.iter().enumerate() {
        std::thread::sleep(Duration::from_millis(3));
        log.as_ref().unwrap().append(batch)?;
        if record == 7 {
            log.as_ref().unwrap().flush()?;
        }
    }
    log.take().unwrap().finish()?;
    for follower in followers {
        assert_eq!(follower.join().unwrap(), (model.len(), State::Complete));
    }
    Ok(())
}

#[test]
fn who_follows_learns_of_a_timeout_a_failure_and_a_writer_that_is_gone() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = Log::create(model[0].schema(), at(&path))?;
    log.append(&model[0])?;
    let reader = Log::open(&path)?;
    let begun = Instant::now();
    let progress = reader.wait(1, Duration::from_millis(30))?;
    assert_eq!((progress.len, progress.state), (1, State::Growing));
    assert!(begun.elapsed() >= Duration::from_millis(30));
    drop(log);
    let progress = reader.wait(1, Duration::from_secs(20))?;
    assert_eq!((progress.len, progress.state), (1, State::Abandoned));
    // Somebody goes on, and the same reader follows.
    let log = Log::resume(at(&path))?;
    log.append(&model[1])?;
    let progress = reader.wait(1, Duration::from_secs(20))?;
    assert_eq!(progress.len, 2);
    assert_same(&reader.read(1, None)?, &model[1]);
    let failure = Failure {
        kind: "OSError".to_owned(),
        text: "gone".to_owned(),
    };
    log.fail(&failure)?;
    let progress = reader.wait(2, Duration::from_secs(20))?;
    assert_eq!(progress.state, State::Failed(failure));
    Ok(())
}

#[test]
fn a_follower_never_takes_an_entry_that_is_half_there() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = Log::create(model[0].schema(), at(&path))?;
    for batch in &model[..4] {
        log.append(batch)?;
    }
    let index = path.join("_index");
    let whole = std::fs::read(&index)?;
    let entries = scan(&whole)?.entries;
    for len in ENTRY_LEN..=whole.len() {
        let file = std::fs::OpenOptions::new().write(true).open(&index)?;
        file.set_len(len as u64)?;
        let reader = Log::open(&path)?;
        let complete = &entries[..len / ENTRY_LEN - 1];
        let batches = complete
            .iter()
            .filter(|entry| matches!(entry.kind, EntryKind::Batch { .. }));
        assert_eq!(reader.len(), batches.count());
        std::fs::write(&index, &whole)?;
        reader.refresh()?;
        assert_has(&reader, &model[..4]);
    }
    Ok(())
}

#[test]
fn entries_of_an_older_timeline_are_never_read() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let options = LogOptions::new(&path).allow_tmpfs(true);
    let log = Log::create(model[0].schema(), options.clone())?;
    for batch in &model[..9] {
        log.append(batch)?;
    }
    drop(log);
    let old = std::fs::read(path.join("_index"))?;
    let index = path.join("_index");
    // The second half is lost, and somebody goes on.
    let half = old.len() / 2 / ENTRY_LEN * ENTRY_LEN;
    std::fs::write(&index, &old[..half])?;
    let log = Log::resume(options)?;
    let kept = log.len();
    assert!(kept > 2 && kept < 9);
    log.append(&model[15])?;
    drop(log);
    let new = std::fs::read(&index)?;
    let mut want = model[..kept].to_vec();
    want.push(model[15].clone());
    // What is left of the old entries lies behind the new ones, at whatever place.
    for from in (half..old.len()).step_by(ENTRY_LEN) {
        std::fs::write(&index, [&new, &old[from..]].concat())?;
        let reader = Log::open(&path)?;
        assert_eq!(reader.state(), State::Abandoned);
        assert_has(&reader, &want);
    }
    Ok(())
}

#[test]
fn who_follows_a_log_that_was_cut_behind_it_is_told_and_reads_nothing_else() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let options = LogOptions::new(&path).allow_tmpfs(true);
    let log = Log::create(model[0].schema(), options.clone())?;
    for batch in &model[..6] {
        log.append(batch)?;
    }
    drop(log);
    let before = Log::open(&path)?;
    assert_has(&before, &model[..6]);
    // The last entries are lost, as no crash of a process loses them, and others take their places.
    let index = path.join("_index");
    let bytes = std::fs::read(&index)?;
    std::fs::write(&index, &bytes[..bytes.len() - 3 * ENTRY_LEN])?;
    let log = Log::resume(options)?;
    let kept = log.len();
    for batch in &model[10..16] {
        log.append(batch)?;
    }
    log.finish()?;
    let gone = before.refresh().unwrap_err();
    assert!(matches!(gone, Error::Corrupt { .. }), "{gone}");
    let reader = Log::open(&path)?;
    let want = [&model[..kept], &model[10..16]].concat();
    assert_has(&reader, &want);
    Ok(())
}

#[test]
fn a_tail_that_was_let_go_is_not_remembered_when_others_take_its_place() -> Outcome {
    let model = batches();
    let parent = directory()?;
    let path = parent.path().join("log");
    let options = LogOptions::new(&path).allow_tmpfs(true);
    let log = Log::create(model[0].schema(), options.clone())?;
    for batch in &model[..6] {
        log.append(batch)?;
    }
    drop(log);
    let index = scan(&std::fs::read(path.join("_index"))?)?;
    let extent = index.entries.iter().find_map(|entry| match entry.kind {
        EntryKind::Batch { extent, .. } if entry.record == 4 => Some(extent),
        _ => None,
    });
    let extent = extent.unwrap();
    let names = ["_00000000.part", "_00000001.part"];
    let file = path.join(names[extent.segment as usize]);
    let mut bytes = std::fs::read(&file)?;
    bytes[extent.offset as usize + extent.metadata_len as usize] ^= 1;
    std::fs::write(&file, bytes)?;
    let reader = Log::open(&path)?;
    assert_same(&reader.read(5, None)?, &model[5]);
    assert_eq!(reader.verify_tail()?, 4);
    let log = Log::resume(options)?;
    for batch in &model[10..13] {
        log.append(batch)?;
    }
    log.finish()?;
    assert_eq!(reader.refresh()?, State::Complete);
    assert_has(&reader, &[&model[..4], &model[10..13]].concat());
    Ok(())
}
