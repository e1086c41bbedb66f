//! Quotas, unusable directories, finished logs: errors that say what to do, and lose nothing.

use std::io::ErrorKind;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, record_batch};
use respool_log::{Access, Error, Log, LogOptions};

use crate::support::*;

fn numbers(from: i64) -> RecordBatch {
    batch_of(Arc::new(Int64Array::from_iter_values(from..from + 1000)))
}

#[test]
fn a_quota_is_never_exceeded_and_raising_it_lets_the_same_batch_in() -> Outcome {
    let directory = directory()?;
    let schema = numbers(0).schema();
    let log = Log::temporary(schema, options(&directory).capacity(Some(50_000)))?;
    let mut stored = 0;
    let error = loop {
        match log.append(&numbers(stored)) {
            Ok(()) => stored += 1,
            Err(e) => break e,
        }
    };
    assert!(stored >= 5 && log.bytes() <= 50_000);
    let Error::OutOfSpace {
        asked,
        used,
        capacity,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((*used, *capacity), (log.bytes(), 50_000));
    assert!(used + asked > 50_000);
    let text = error.to_string();
    assert!(
        text.contains("50000") && text.contains("capacity"),
        "{text}"
    );
    log.set_capacity(Some(60_000));
    log.append(&numbers(stored))?;
    assert_eq!(log.len(), stored as usize + 1);
    for record in 0..log.len() {
        assert_same(&log.read(record, None)?, &numbers(record as i64));
    }
    log.set_capacity(None);
    assert_eq!(log.capacity(), None);
    Ok(())
}

#[test]
fn a_persistent_log_stays_within_its_quota_until_it_is_finished() -> Outcome {
    for capacity in (6_000..40_000).step_by(997) {
        let directory = directory()?;
        let options = options(&directory)
            .capacity(Some(capacity))
            .segment_bytes(12_000);
        let log = Log::create(numbers(0).schema(), options)?;
        while log.append(&numbers(0)).is_ok() {}
        log.finish()?;
        assert!(log.bytes() <= capacity, "{} of {capacity}", log.bytes());
        let mut found = 0;
        for entry in std::fs::read_dir(directory.path())? {
            let entry = entry?;
            // Who writes is said in a few bytes that no quota counts.
            if entry.file_name() != "_lock" {
                found += entry.metadata()?.len();
            }
        }
        assert_eq!(found, log.bytes());
    }
    Ok(())
}

#[test]
fn a_directory_that_is_missing_or_a_file_is_refused_with_its_kind() -> Outcome {
    let directory = directory()?;
    let schema = numbers(0).schema();
    let missing = LogOptions::new(directory.path().join("missing"));
    let Err(Error::Io { source, path, .. }) = Log::temporary(schema.clone(), missing) else {
        panic!("a missing directory was taken")
    };
    assert_eq!(source.kind(), ErrorKind::NotFound);
    assert!(path.ends_with("missing"));
    let file = directory.path().join("file");
    std::fs::write(&file, "")?;
    let Err(Error::Io { source, .. }) = Log::temporary(schema, LogOptions::new(file)) else {
        panic!("a file was taken")
    };
    assert_eq!(source.kind(), ErrorKind::NotADirectory);
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn a_memory_file_system_is_refused_unless_allowed() -> Outcome {
    let shm = std::path::Path::new("/dev/shm");
    if !shm.is_dir() {
        return Ok(());
    }
    let schema = numbers(0).schema();
    let Err(Error::Tmpfs { path }) = Log::temporary(schema.clone(), LogOptions::new(shm)) else {
        panic!("a memory file system was taken")
    };
    assert_eq!(path, shm);
    let log = Log::temporary(schema, LogOptions::new(shm).allow_tmpfs(true))?;
    log.append(&numbers(1))?;
    assert_same(&log.read(0, None)?, &numbers(1));
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn a_temporary_log_has_no_name_while_it_lives() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(
        numbers(0).schema(),
        options(&directory)
            .segment_bytes(10_000)
            .access(Access::Read),
    )?;
    for i in 0..20 {
        log.append(&numbers(i))?;
    }
    assert_eq!(std::fs::read_dir(directory.path())?.count(), 0);
    let mut seen = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let link = std::fs::read_link(entry?.path()).unwrap_or_default();
        if link.starts_with(directory.path()) {
            assert!(link.to_string_lossy().ends_with("(deleted)"), "{link:?}");
            seen += 1;
        }
    }
    assert!(seen >= 10);
    Ok(())
}

#[test]
fn batches_outlive_the_log_they_were_read_from() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(numbers(0).schema(), options(&directory))?;
    log.append(&numbers(5))?;
    let batch = log.read(0, None)?;
    drop(log);
    assert_same(&batch, &numbers(5));
    Ok(())
}

#[test]
fn a_batch_larger_than_a_segment_gets_one_of_its_own() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(numbers(0).schema(), options(&directory).segment_bytes(100))?;
    for i in 0..5 {
        log.append(&numbers(i))?;
        assert_same(&log.read(i as usize, None)?, &numbers(i));
    }
    assert_eq!(log.num_rows(), 5000);
    assert!(log.is_zero_copy());
    Ok(())
}

#[test]
fn a_finished_log_takes_no_more_and_reads_on() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(numbers(0).schema(), options(&directory))?;
    log.append(&numbers(0))?;
    log.finish()?;
    log.finish()?;
    assert!(matches!(log.append(&numbers(1)), Err(Error::Finished)));
    assert_same(&log.read(0, None)?, &numbers(0));
    Ok(())
}

#[test]
fn a_batch_of_another_schema_is_refused_and_named() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(numbers(0).schema(), options(&directory))?;
    let other = record_batch!(("c", Utf8, ["x"]))?;
    let error = log.append(&other).unwrap_err().to_string();
    assert!(error.contains("\"c\"") && error.contains("Utf8"), "{error}");
    assert!(log.is_empty());
    Ok(())
}

#[test]
fn reading_without_maps_is_not_zero_copy_and_equal() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(
        numbers(0).schema(),
        options(&directory).access(Access::Read),
    )?;
    assert!(!log.is_zero_copy());
    log.append(&numbers(3))?;
    assert_same(&log.read(0, None)?, &numbers(3));
    Ok(())
}

#[test]
fn mapped_batches_point_into_the_file_aligned_to_64_bytes() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(numbers(0).schema(), options(&directory))?;
    log.append(&numbers(3))?;
    let (a, b) = (log.read(0, None)?, log.read(0, None)?);
    let address = |batch: &RecordBatch| batch.column(0).to_data().buffers()[0].as_ptr() as usize;
    assert_eq!(address(&a), address(&b));
    assert_eq!(address(&a) % 64, 0);
    Ok(())
}
