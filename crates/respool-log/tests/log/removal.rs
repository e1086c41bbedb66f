//! A log is removed when nobody uses it: all of it, nothing else, and never half of it.

use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use arrow_array::{Int64Array, RecordBatch};
use respool_log::{Error, Log, LogOptions, LogReader, Removal, State};

use crate::child;
use crate::kills::copy;
use crate::reopened::assert_has;
use crate::support::*;

fn at(path: &Path) -> LogOptions {
    // A segment for each batch.
    LogOptions::new(path).allow_tmpfs(true).segment_bytes(1)
}

fn batches() -> Vec<RecordBatch> {
    let numbers = |i: i64| Int64Array::from_iter_values(i..i + 100);
    (0..4).map(|i| batch_of(Arc::new(numbers(i)))).collect()
}

fn write(path: &Path) -> Log {
    let model = batches();
    let log = Log::create(model[0].schema(), at(path)).unwrap();
    for batch in &model {
        log.append(batch).unwrap();
    }
    log
}

fn complete(path: &Path) {
    write(path).finish().unwrap();
}

fn is_missing<T>(tried: &respool_log::Result<T>) -> bool {
    matches!(tried, Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound)
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let mut names: Vec<_> = entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_log_is_kept_while_somebody_writes_or_reads_it() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = write(&path);
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    log.append(&batches()[0])?;
    drop(log);
    let first = Log::open(&path)?;
    let second = Log::open(&path)?;
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    drop(first);
    // It has opened no segment yet.
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    let mut model = batches();
    model.push(model[0].clone());
    assert_has(&second, &model);
    let batch = second.read(2, None)?;
    drop(second);
    let log = Log::resume(at(&path))?;
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    drop(log);
    assert_eq!(Log::remove(&path)?, Removal::Removed);
    assert!(!path.exists());
    // What points into its files stays what it was.
    assert_same(&batch, &model[2]);
    assert!(is_missing(&Log::remove(&path)));
    Ok(())
}

#[test]
fn nothing_goes_but_the_log() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let other = parent.path().join("other");
    complete(&other);
    complete(&path);
    let reader = Log::open(&path)?;
    reader.write_sidecar("zones.0", b"zones")?;
    drop(reader);
    let outside = parent.path().join("outside");
    std::fs::write(&outside, "kept")?;
    std::fs::write(path.join("notes.txt"), "kept")?;
    std::fs::write(path.join("1.arrow"), "kept")?;
    std::fs::create_dir(path.join("_mine"))?;
    std::fs::write(path.join("_mine/_file"), "kept")?;
    std::fs::create_dir(path.join("below"))?;
    complete(&path.join("below/log"));
    symlink(&outside, path.join("_link"))?;
    symlink(&other, path.join("_encoded"))?;
    assert_eq!(Log::remove(&path)?, Removal::Removed);
    let left = [
        "1.arrow",
        "_encoded",
        "_link",
        "_mine",
        "below",
        "notes.txt",
    ];
    assert_eq!(names(&path), left);
    assert_eq!(std::fs::read_to_string(&outside)?, "kept");
    assert_eq!(names(&path.join("_mine")), ["_file"]);
    assert_has(&Log::open(&other)?, &batches());
    assert_has(&Log::open(path.join("below/log"))?, &batches());
    Ok(())
}

#[test]
fn logs_below_go_with_it_and_keep_it() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let below = path.join("_encoded");
    complete(&path);
    let alone = Log::open(&path)?.file_bytes()?;
    let log = write(&below);
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    log.finish()?;
    drop(log);
    let reader = Log::open(&below)?;
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    assert_has(&reader, &batches());
    assert_has(&Log::open(&path)?, &batches());
    let both = Log::open(&path)?.file_bytes()?;
    assert_eq!(both, alone + reader.file_bytes()?);
    drop(reader);
    assert_eq!(Log::remove(&path)?, Removal::Removed);
    assert!(!path.exists());
    Ok(())
}

#[test]
fn what_is_no_log_stays() -> Outcome {
    let parent = directory()?;
    let path = |name: &str| parent.path().join(name);
    assert!(is_missing(&Log::remove(path("missing"))));
    std::fs::create_dir(path("empty"))?;
    assert!(is_missing(&Log::remove(path("empty"))));
    std::fs::create_dir(path("other"))?;
    for name in ["_manifest", "_index", "_lock", "00000000.arrow"] {
        std::fs::write(path("other").join(name), "of another program")?;
    }
    assert!(is_missing(&Log::remove(path("other"))));
    assert_eq!(names(&path("other")).len(), 4);
    assert!(path("empty").exists());
    complete(&path("log"));
    symlink(path("log"), path("link"))?;
    assert!(matches!(
        Log::remove(path("link")),
        Err(Error::Refused { .. })
    ));
    // Only root can give files away; others can't have this trouble in a test.
    if std::os::unix::fs::chown(path("log"), Some(1), None).is_ok() {
        assert!(matches!(
            Log::remove(path("log")),
            Err(Error::Refused { .. })
        ));
        std::os::unix::fs::chown(path("log"), Some(0), None)?;
    }
    assert_has(&Log::open(path("log"))?, &batches());
    Ok(())
}

#[test]
fn what_is_left_of_a_log_is_none_and_can_be_removed() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    for left in 1..6 {
        complete(&path);
        let mut names = names(&path);
        // The manifest goes first, the index and the lock last.
        names.sort_by_key(|name| ["_index", "_lock"].iter().position(|n| n == name));
        names.retain(|name| name != "_manifest");
        std::fs::remove_file(path.join("_manifest"))?;
        for name in &names[..names.len() - left] {
            std::fs::remove_file(path.join(name))?;
        }
        assert!(is_missing(&Log::open(&path)), "{left}");
        assert!(is_missing(&Log::resume(at(&path))), "{left}");
        assert_eq!(Log::remove(&path)?, Removal::Removed, "{left}");
        assert!(!path.exists());
    }
    // One that was never begun.
    std::fs::create_dir(&path)?;
    std::fs::write(path.join("_lock"), "")?;
    std::fs::write(path.join("_00000000.part"), "")?;
    assert_eq!(Log::remove(&path)?, Removal::Removed);
    Ok(())
}

#[test]
fn all_files_are_counted() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let log = write(&path);
    let reader = Log::open(&path)?;
    let sum = || -> u64 {
        let files = names(&path).into_iter().map(|name| path.join(name));
        files.map(|file| file.metadata().unwrap().len()).sum()
    };
    let growing = reader.file_bytes()?;
    assert_eq!(growing, sum());
    log.finish()?;
    reader.refresh()?;
    reader.write_sidecar("zones.0", &[7; 5000])?;
    let bytes = reader.file_bytes()?;
    assert!(bytes > growing + 5000, "{bytes}");
    assert_eq!(bytes, sum());
    // The log itself counts no sidecar, and no lock.
    let len = |name: &str| path.join(name).metadata().unwrap().len();
    assert_eq!(bytes, log.bytes() + len("_zones.0") + len("_lock"));
    Ok(())
}

#[test]
fn a_removal_that_is_killed_leaves_the_whole_log_or_none() -> Outcome {
    const SEGMENTS: usize = 200;
    if let Some(argument) = child::argument() {
        child::say("here it goes");
        Log::remove(argument)?;
        return Ok(());
    }
    let test = "removal::a_removal_that_is_killed_leaves_the_whole_log_or_none";
    let parent = directory()?;
    let (kept, path) = (parent.path().join("kept"), parent.path().join("log"));
    let batch = &batches()[0];
    let log = Log::create(batch.schema(), at(&kept))?;
    for _ in 0..SEGMENTS {
        log.append(batch)?;
    }
    log.finish()?;
    let mut halves = 0;
    for round in 0..16 {
        copy(&kept, &path);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))?;
        let mut remover = child::command(test, &path.display().to_string())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(remover.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("here it goes") {
            line.clear();
            assert_ne!(said.read_line(&mut line)?, 0);
        }
        std::thread::sleep(Duration::from_micros(round * 173));
        remover.kill()?;
        remover.wait()?;
        if !path.exists() {
            continue;
        }
        if names(&path).is_empty() {
            // Killed between its last two steps.
            std::fs::remove_dir(&path)?;
            continue;
        }
        match Log::open(&path) {
            Ok(reader) => {
                assert_eq!(reader.len(), SEGMENTS);
                for record in 0..SEGMENTS {
                    assert_same(&reader.read(record, None)?, batch);
                }
            }
            missing => {
                assert!(is_missing(&missing), "{missing:?}");
                halves += 1;
            }
        }
        assert_eq!(Log::remove(&path)?, Removal::Removed);
    }
    assert!(halves > 0);
    Ok(())
}

/// Opens a log that others make and remove all the time. Says whether it was there.
fn open(path: &Path, model: &[RecordBatch]) -> bool {
    let reader = match Log::open(path) {
        Ok(reader) => reader,
        missing => {
            assert!(is_missing(&missing), "{missing:?}");
            return false;
        }
    };
    let has = |reader: &LogReader| {
        let len = reader.len();
        for (record, batch) in model[..len].iter().enumerate() {
            assert_same(&reader.read(record, None).unwrap(), batch);
        }
        len
    };
    let before = has(&reader);
    std::thread::yield_now();
    let state = reader.refresh().unwrap();
    let after = has(&reader);
    assert!(after >= before);
    assert!(state != State::Complete || after == model.len());
    true
}

/// Says that it is over, also where a test stops.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_opens_a_log_that_is_removed_has_all_of_it_or_nothing() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let model = batches();
    let is_over = AtomicBool::new(false);
    let (opened, missed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut kept = 0;
    std::thread::scope(|scope| -> Outcome {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let counter = if open(&path, &model) {
                        &opened
                    } else {
                        &missed
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_micros(200));
                }
            });
        }
        let _over = Over(&is_over);
        for _ in 0..150 {
            complete(&path);
            while Log::remove(&path)? == Removal::InUse {
                kept += 1;
                std::thread::yield_now();
            }
            assert!(!path.exists());
        }
        Ok(())
    })?;
    let (opened, missed) = (opened.into_inner(), missed.into_inner());
    assert!(
        opened > 0 && missed > 0 && kept > 0,
        "{opened} {missed} {kept}"
    );
    Ok(())
}
