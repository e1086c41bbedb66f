//! A log of thousands of segments keeps few files open, and every segment readable.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use respool_log::{Access, Log, LogOptions};

use crate::support::*;

const SEGMENTS: usize = 3000;
/// Of a log that is synced from time to time.
const FEWER: usize = 400;

fn numbers(from: usize) -> RecordBatch {
    let from = from as i64;
    batch_of(Arc::new(Int64Array::from_iter_values(from..from + 1000)))
}

/// How many descriptors of this process point into a directory.
fn open_files(directory: &Path) -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    links.filter(|link| link.starts_with(directory)).count()
}

/// Fills a log with a segment for each batch, and reads them all: after it is full, and some of
/// them on the way.
fn check(log: &Log, directory: &Path, segments: usize, most: usize) -> Outcome {
    for i in 0..segments {
        log.append(&numbers(i))?;
        if i % 100 == 0 {
            assert_same(&log.read(i / 2, None)?, &numbers(i / 2));
            let open = open_files(directory);
            assert!(open <= most, "{open} open files after {i} batches");
        }
    }
    for i in 0..segments {
        assert_same(&log.read(i, None)?, &numbers(i));
        assert_same(&log.read(i, Some(&[0]))?, &numbers(i));
    }
    let open = open_files(directory);
    assert!(open <= most, "{open} open files");
    Ok(())
}

fn segments_of_one_batch(directory: &tempfile::TempDir) -> LogOptions {
    options(directory).segment_bytes(10_000)
}

#[test]
fn a_mapped_temporary_log_keeps_one_file_open() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(numbers(0).schema(), segments_of_one_batch(&directory))?;
    // Where address space is limited, full segments are not mapped for this.
    let most = if is_limited() { 256 } else { 1 };
    check(&log, directory.path(), SEGMENTS, most)?;
    assert!(log.is_zero_copy());
    Ok(())
}

#[test]
fn a_temporary_log_without_maps_has_fewer_and_larger_segments() -> Outcome {
    let directory = directory()?;
    let options = segments_of_one_batch(&directory).access(Access::Read);
    let log = Log::temporary(numbers(0).schema(), options)?;
    check(&log, directory.path(), SEGMENTS, 256)
}

#[test]
fn a_persistent_log_opens_its_segments_again_by_name() -> Outcome {
    for access in [Access::Auto, Access::Read] {
        let directory = directory()?;
        let options = segments_of_one_batch(&directory).access(access);
        let log = Log::create(numbers(0).schema(), options)?;
        check(&log, directory.path(), FEWER, 48)?;
        assert!(std::fs::read_dir(directory.path())?.count() >= FEWER);
        log.finish()?;
        // The directory, its use, the lock and the index.
        assert!(open_files(directory.path()) <= 4);
        for i in 0..FEWER {
            assert_same(&log.read(i, None)?, &numbers(i));
        }
    }
    Ok(())
}

#[test]
fn a_segment_that_was_replaced_is_not_read() -> Outcome {
    let directory = directory()?;
    let options = segments_of_one_batch(&directory);
    let log = Log::create(numbers(0).schema(), options)?;
    for i in 0..3 {
        log.append(&numbers(i))?;
    }
    log.finish()?;
    let path = directory.path().join("00000001.arrow");
    std::fs::remove_file(&path)?;
    std::fs::write(&path, "short")?;
    assert!(log.read(1, None).is_err());
    assert_same(&log.read(2, None)?, &numbers(2));
    Ok(())
}

/// Whether the address space of this process is limited.
fn is_limited() -> bool {
    std::env::var_os("RESPOOL_TEST_LIMITED").is_some()
}

/// Runs the other tests of this file again, in a process with limits.
fn run_with(limits: &str, limited: bool) -> Outcome {
    let mut command = Command::new("sh");
    let program = std::env::current_exe()?;
    let script = format!("ulimit {limits} && exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(program);
    command.args(["--test-threads=1", "descriptors::a_"]);
    if limited {
        command.env("RESPOOL_TEST_LIMITED", "1");
    }
    let output = command.output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    assert!(text.contains("4 passed"), "{text}");
    Ok(())
}

#[test]
fn three_hundred_descriptors_are_enough() -> Outcome {
    run_with("-n 300", false)
}

#[test]
fn limited_address_space_is_not_spent_on_segments_that_nobody_reads() -> Outcome {
    run_with("-n 300 && ulimit -v 8000000", true)
}
