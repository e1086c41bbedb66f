//! A log begins whole or leaves nothing behind, and touches nothing that is not its own.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use respool_log::format::{Manifest, scan};
use respool_log::storage::{FileStorage, Storage};
use respool_log::testing::{Fault, Faulty, Mode, Operation};
use respool_log::{Error, Log, LogOptions};

use crate::support::*;

fn numbers() -> RecordBatch {
    batch_of(Arc::new(Int64Array::from_iter_values(0..10)))
}

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true)
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Begins a log whose n-th call fails; `None` once every call was reached.
fn begin_with_fault(path: &Path, call: u64, mode: Mode) -> Option<Error> {
    let fault = Fault {
        call,
        mode,
        errno: 5,
        operations: vec![
            Operation::Create,
            Operation::Rename,
            Operation::Write,
            Operation::Sync,
            Operation::SyncDirectory,
            Operation::SyncParent,
        ],
    };
    let storage = FileStorage::named(&at(path)).unwrap();
    let storage = Arc::new(Faulty::new(Arc::new(storage), Some(fault)));
    Log::with_storage(numbers().schema(), at(path), storage).err()
}

#[test]
fn whichever_call_fails_a_directory_that_was_made_is_gone() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let mut failed = 0;
    for mode in [Mode::Once, Mode::Forever, Mode::ShortOnce] {
        for call in 0.. {
            let Some(error) = begin_with_fault(&path, call, mode) else {
                break;
            };
            assert_eq!(error.raw_os_error(), Some(5));
            assert!(!path.exists(), "{mode:?} {call}: {:?}", names(&path));
            failed += 1;
        }
        std::fs::remove_dir_all(&path)?;
    }
    assert!(failed > 20, "{failed}");
    Ok(())
}

#[test]
fn whichever_call_fails_an_empty_directory_is_empty_again() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    std::fs::create_dir(&path)?;
    for call in 0.. {
        if begin_with_fault(&path, call, Mode::Once).is_none() {
            assert!(call > 5);
            break;
        }
        assert_eq!(names(&path), [""; 0], "call {call}");
    }
    Ok(())
}

#[test]
fn what_can_not_work_is_refused_before_anything_is_made() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let schema = numbers().schema();
    let small = at(&path).capacity(Some(100));
    let error = Log::create(schema.clone(), small).unwrap_err();
    assert!(matches!(error, Error::OutOfSpace { .. }), "{error}");
    assert!(!path.exists());
    let inner = wrap(10, arrow_schema::DataType::Utf8);
    let nested =
        arrow_schema::DataType::Dictionary(Box::new(arrow_schema::DataType::Int8), Box::new(inner));
    let refused = Arc::new(arrow_schema::Schema::new(vec![field("c", nested)]));
    Log::create(refused, at(&path)).unwrap_err();
    assert!(!path.exists());
    // The same place is good for a log that can work.
    Log::create(schema, at(&path))?;
    Ok(())
}

#[test]
#[cfg(target_os = "linux")]
fn a_memory_file_system_keeps_no_directory_of_a_log_that_it_refused() -> Outcome {
    if !Path::new("/dev/shm").is_dir() {
        return Ok(());
    }
    let parent = tempfile::tempdir_in("/dev/shm")?;
    let path = parent.path().join("log");
    let refused = Log::create(numbers().schema(), LogOptions::new(&path));
    assert!(matches!(refused, Err(Error::Tmpfs { .. })));
    assert!(!path.exists());
    Ok(())
}

#[test]
fn a_directory_of_somebody_else_stays_as_it_is() -> Outcome {
    let directory = directory()?;
    std::fs::write(directory.path().join("thesis.txt"), "long work")?;
    let Err(Error::Io { source, .. }) = Log::create(numbers().schema(), options(&directory)) else {
        panic!("a used directory was taken")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(names(directory.path()), ["thesis.txt"]);
    Ok(())
}

#[test]
fn a_second_log_in_the_same_storage_is_refused_and_the_first_goes_on() -> Outcome {
    let directory = directory()?;
    let storage = Arc::new(FileStorage::named(&options(&directory))?);
    let batch = numbers();
    let first = Log::with_storage(batch.schema(), options(&directory), storage.clone())?;
    first.append(&batch)?;
    let manifest = std::fs::read(directory.path().join("_manifest"))?;
    let second = Log::with_storage(batch.schema(), options(&directory), storage.clone());
    let Err(Error::Io { source, .. }) = second else {
        panic!("two logs in one place")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(directory.path().join("_manifest"))?, manifest);
    first.append(&batch)?;
    first.finish()?;
    let scan = scan(&std::fs::read(directory.path().join("_index"))?)?;
    let identity = Manifest::decode(&manifest)?.header.identity;
    assert_eq!(scan.header.identity, identity);
    let (_, totals) = scan.closed.unwrap();
    assert_eq!((totals.records, totals.rows), (2, 20));
    assert_eq!(names(directory.path()).len(), 4);
    Ok(())
}

#[test]
fn the_name_of_a_new_directory_is_made_durable_last() -> Outcome {
    let parent = directory()?;
    let options = at(&parent.path().join("log"));
    let storage = FileStorage::named(&options)?;
    let storage = Arc::new(Faulty::new(Arc::new(storage), None));
    let log = Log::with_storage(numbers().schema(), options, storage.clone())?;
    let calls: Vec<_> = storage.calls().into_iter().map(|c| c.operation).collect();
    let last: Vec<_> = calls.iter().rev().take(3).rev().copied().collect();
    assert_eq!(
        last,
        [
            Operation::Rename,
            Operation::SyncDirectory,
            Operation::SyncParent
        ]
    );
    assert!(storage.is_named());
    drop(log);
    Ok(())
}
