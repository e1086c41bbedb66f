//! A log is opened again as what it is, and gives what it was given.

use std::path::Path;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use respool_log::format::Failure;
use respool_log::{Access, Compression, Error, Log, LogOptions, LogReader, State};

use crate::support::*;

pub(crate) const CODECS: [Option<Compression>; 3] =
    [None, Some(Compression::Lz4), Some(Compression::Zstd)];

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true)
}

fn write(options: LogOptions, batches: &[RecordBatch]) -> Log {
    let log = Log::create(batches[0].schema(), options).unwrap();
    for batch in batches {
        log.append(batch).unwrap();
    }
    log
}

/// Asserts that a log has these batches, when it is first read and after, whole and in part.
pub(crate) fn assert_has(reader: &LogReader, model: &[RecordBatch]) {
    assert_eq!(reader.len(), model.len());
    let rows: usize = model.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(reader.num_rows(), rows as u64);
    let mut first_row = 0;
    for _ in 0..2 {
        for (record, batch) in model.iter().enumerate() {
            for column in 0..batch.num_columns() {
                let part = reader.read(record, Some(&[column])).unwrap();
                assert_same(&part, &batch.project(&[column]).unwrap());
            }
            assert_same(&reader.read(record, None).unwrap(), batch);
            let none = reader.read(record, Some(&[])).unwrap();
            assert_eq!(none.num_rows(), batch.num_rows());
        }
    }
    for (record, batch) in model.iter().enumerate() {
        let info = reader.info(record).unwrap();
        assert_eq!(
            (info.first_row, info.rows),
            (first_row, batch.num_rows() as u64)
        );
        first_row += info.rows;
    }
    let beyond = reader.read(model.len(), None).unwrap_err();
    assert!(matches!(beyond, Error::OutOfRange { .. }));
}

#[test]
fn every_type_comes_back_equal_from_a_log_that_is_opened_again() -> Outcome {
    for compression in CODECS {
        for (seed, data_type) in all_types().into_iter().enumerate() {
            let parent = directory()?;
            let path = parent.path().join("log");
            let mut numbers = Numbers::new(seed as u64);
            let arrays: Vec<_> = (0..2)
                .map(|_| sample(&data_type, 120, &mut numbers))
                .collect();
            let fields = vec![field("a", data_type.clone()), field("b", data_type)];
            let schema = std::sync::Arc::new(Schema::new(fields));
            let both = RecordBatch::try_new(schema, arrays)?;
            let model = [both.clone(), both.slice(7, 50), both.slice(0, 0)];
            write(at(&path).compression(compression), &model).finish()?;
            for access in [Access::Map, Access::Read] {
                let reader = LogReader::open_with(&at(&path).access(access))?;
                assert_eq!(reader.state(), State::Complete);
                assert_eq!(reader.schema(), &model[0].schema());
                assert_has(&reader, &model);
            }
        }
    }
    Ok(())
}

fn dictionaries() -> Vec<RecordBatch> {
    let inner = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let data_type = wrap(10, inner);
    (0..24)
        .map(|i| batch_of(sample(&data_type, 90, &mut Numbers::new(i / 3))))
        .collect()
}

#[test]
fn dictionaries_are_found_in_whatever_segment_and_between_whatever_entries() -> Outcome {
    let model = dictionaries();
    for segment_bytes in [1, 9_000, 1 << 20] {
        for every in [1, 2, 100] {
            let parent = directory()?;
            let path = parent.path().join("log");
            let options = at(&path).segment_bytes(segment_bytes);
            let log = Log::create(model[0].schema(), options)?;
            for (record, batch) in model.iter().enumerate() {
                log.append(batch)?;
                if record % every == 0 {
                    log.flush()?;
                    log.flush()?;
                }
            }
            assert_has(&Log::open(&path)?, &model);
            log.finish()?;
            let reader = Log::open(&path)?;
            assert_has(&reader, &model);
            // In any order.
            let reader = Log::open(&path)?;
            let mut numbers = Numbers::new(5);
            for _ in 0..100 {
                let record = numbers.below(model.len());
                assert_same(&reader.read(record, None)?, &model[record]);
            }
        }
    }
    Ok(())
}

#[test]
fn a_log_is_opened_as_what_has_become_of_it() -> Outcome {
    let model = dictionaries();
    let parent = directory()?;
    let path = |name: &str| parent.path().join(name);
    let log = write(at(&path("growing")), &model);
    assert_eq!(Log::open(path("growing"))?.state(), State::Growing);
    drop(log);
    let reader = Log::open(path("growing"))?;
    assert_eq!(reader.state(), State::Abandoned);
    assert_has(&reader, &model);
    assert_eq!(reader.verify_tail()?, model.len());

    let failure = Failure {
        kind: "ValueError".to_owned(),
        text: "the source has gone away\0\n".to_owned(),
    };
    let log = write(at(&path("failed")), &model);
    log.fail(&failure)?;
    assert!(matches!(log.append(&model[0]), Err(Error::Finished)));
    let reader = Log::open(path("failed"))?;
    assert_eq!(reader.state(), State::Failed(failure));
    assert_has(&reader, &model);

    // That it failed is proven also where the reason is lost.
    std::fs::write(path("failed/_failure"), "?")?;
    let State::Failed(failure) = Log::open(path("failed"))?.state() else {
        panic!("it had failed")
    };
    assert!(failure.text.contains("_failure is damaged at byte 0"));

    let log = write(at(&path("complete")), &model);
    log.finish()?;
    let shown = Log::open(path("complete"))?.shown_bytes();
    assert!(shown > 10_000);
    drop(log);
    let missing = Log::open(path("missing")).unwrap_err();
    assert!(missing.to_string().contains("missing"), "{missing}");
    std::fs::create_dir(path("empty"))?;
    let Error::Io { source, .. } = Log::open(path("empty")).unwrap_err() else {
        panic!("an empty directory is no log")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::NotFound);
    Ok(())
}

#[test]
fn what_the_owner_says_comes_back() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = &dictionaries()[0];
    let said = vec![("a".to_owned(), vec![1, 2]), ("b".to_owned(), vec![])];
    let options = at(&path)
        .key(Some(b"the key".to_vec()))
        .time_to_live(Some(Duration::from_mins(1)))
        .metadata(said.clone());
    let log = Log::create(batch.schema(), options)?;
    log.append_shown(batch, 4711)?;
    log.append_shown(batch, 1)?;
    log.finish()?;
    let reader = Log::open(&path)?;
    assert_eq!(reader.key(), Some(&b"the key"[..]));
    assert_eq!(reader.time_to_live(), Some(Duration::from_mins(1)));
    assert_eq!(reader.metadata(), said);
    assert_eq!(reader.shown_bytes(), 4712);
    assert_eq!(reader.info(0)?.shown_bytes, 4711);
    assert!(reader.created() > 1_700_000_000_000_000);
    Ok(())
}

#[test]
fn sidecars_are_kept_for_as_many_batches_as_there_were() -> Outcome {
    let model = dictionaries();
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = write(at(&path), &model[..2]);
    let reader = Log::open(&path)?;
    assert_eq!(reader.read_sidecar("zones.0")?, None);
    reader.write_sidecar("zones.0", b"first")?;
    reader.write_sidecar("zones.0", b"second")?;
    assert_eq!(reader.read_sidecar("zones.0")?, Some(b"second".to_vec()));
    log.append(&model[2])?;
    reader.refresh()?;
    assert_eq!(reader.read_sidecar("zones.0")?, None);
    reader.write_sidecar("codes.7", &[])?;
    log.finish()?;
    let reader = Log::open(&path)?;
    assert_eq!(reader.read_sidecar("codes.7")?, Some(vec![]));
    assert_eq!(reader.sidecars()?, ["codes.7", "zones.0"]);
    for bad in ["../x.y", "index", "a.b/c", "/etc.x", "a.\0"] {
        assert!(reader.write_sidecar(bad, b"").is_err(), "{bad}");
        assert!(reader.read_sidecar(bad).is_err(), "{bad}");
    }
    Ok(())
}

#[test]
fn a_second_writer_is_told_at_once_who_the_first_is() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = &dictionaries()[0];
    let _log = write(at(&path), std::slice::from_ref(batch));
    let begun = Instant::now();
    let error = Log::create(batch.schema(), at(&path)).unwrap_err();
    assert!(begun.elapsed() < Duration::from_millis(50));
    let text = error.to_string();
    let process = format!("process {}, host ", std::process::id());
    assert!(text.contains(&process), "{text}");
    Ok(())
}

#[test]
#[cfg(unix)]
fn what_others_may_have_written_is_not_opened() -> Outcome {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = &dictionaries()[0];
    write(at(&path), std::slice::from_ref(batch)).finish()?;
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let refused = || {
        let read = Log::open(&path).and_then(|reader| reader.read(0, None));
        matches!(read, Err(Error::Refused { .. }))
    };
    assert!(!refused());
    mode(&path, 0o777);
    assert!(refused());
    mode(&path, 0o700);
    for name in ["_manifest", "_index", "00000000.arrow"] {
        let file = path.join(name);
        mode(&file, 0o620);
        assert!(refused(), "{name}");
        mode(&file, 0o600);
        let elsewhere = parent.path().join(name);
        std::fs::rename(&file, &elsewhere)?;
        symlink(&elsewhere, &file)?;
        assert!(refused(), "{name}");
        std::fs::remove_file(&file)?;
        std::fs::rename(&elsewhere, &file)?;
    }
    assert!(!refused());
    let link = parent.path().join("link");
    symlink(&path, &link)?;
    assert!(matches!(Log::open(&link), Err(Error::Refused { .. })));
    Ok(())
}

#[test]
fn files_of_another_user_are_neither_opened_nor_removed() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = &dictionaries()[0];
    write(at(&path), std::slice::from_ref(batch)).finish()?;
    for name in ["", "_manifest", "_index", "00000000.arrow"] {
        let file = path.join(name);
        // Only root can give files away; others can't have this trouble in a test.
        if std::os::unix::fs::chown(&file, Some(1), None).is_err() {
            return Ok(());
        }
        let read = Log::open(&path).and_then(|reader| reader.read(0, None));
        let Err(Error::Refused { reason, .. }) = read else {
            panic!("a file of user 1 was opened")
        };
        assert!(reason.contains("user 1"), "{reason}");
        assert!(file.exists());
        std::os::unix::fs::chown(&file, Some(0), None)?;
    }
    Log::open(&path)?.read(0, None)?;
    Ok(())
}

#[test]
fn a_log_that_is_moved_while_it_is_written_and_read_is_the_same_log() -> Outcome {
    let model = dictionaries();
    let parent = directory()?;
    let (path, to) = (parent.path().join("log"), parent.path().join("moved"));
    let log = write(at(&path).segment_bytes(5_000), &model[..8]);
    let reader = Log::open(&path)?;
    std::fs::rename(&path, &to)?;
    for batch in &model[8..] {
        log.append(batch)?;
    }
    log.finish()?;
    assert_eq!(reader.refresh()?, State::Complete);
    assert_has(&reader, &model);
    assert_has(&Log::open(&to)?, &model);
    assert!(!path.exists());
    Ok(())
}

#[test]
fn one_column_of_a_hundred_is_verified_by_reading_that_column() -> Outcome {
    use respool_log::storage::FileStorage;
    use respool_log::testing::{Faulty, Operation};
    let parent = directory()?;
    let path = parent.path().join("log");
    let columns = (0..100).map(|c| {
        let numbers = arrow_array::Int64Array::from_iter_values((0..4000).map(|n| n * c));
        let column: arrow_array::ArrayRef = std::sync::Arc::new(numbers);
        (format!("c{c}"), column)
    });
    let batch = RecordBatch::try_from_iter(columns)?;
    write(at(&path), std::slice::from_ref(&batch)).finish()?;
    let options = at(&path).access(Access::Read);
    let inner = FileStorage::existing(&options)?;
    let faulty = std::sync::Arc::new(Faulty::new(std::sync::Arc::new(inner), None));
    let reader = LogReader::with_storage(&options, faulty.clone())?;
    let read = || -> u64 {
        let calls = faulty.calls().into_iter();
        let data = calls.filter(|c| c.operation == Operation::Read && !c.name.starts_with('_'));
        data.map(|call| call.len).sum()
    };
    let most = 4000 * 8 * 12 / 10;
    for column in [57, 57, 99] {
        let before = read();
        assert_same(
            &reader.read(0, Some(&[column]))?,
            &batch.project(&[column])?,
        );
        let bytes = read() - before;
        assert!((4000 * 8..=most).contains(&bytes), "{bytes}");
    }
    // A column that nobody asks for may be damaged.
    let file = path.join("00000000.arrow");
    let mut bytes = std::fs::read(&file)?;
    let last = bytes.len() * 99 / 100 - 4000;
    bytes[last] ^= 1;
    std::fs::write(&file, bytes)?;
    let reader = Log::open(&path)?;
    assert_same(&reader.read(0, Some(&[57]))?, &batch.project(&[57])?);
    assert!(matches!(reader.read(0, None), Err(Error::Corrupt { .. })));
    Ok(())
}
