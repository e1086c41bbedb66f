//! The n-th call fails, for every n: nothing that was stored is lost, and a retry succeeds.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use respool_log::format::scan;
use respool_log::storage::{FileStorage, Storage};
use respool_log::testing::{Fault, Faulty, MemoryStorage, Mode, Operation};
use respool_log::{Compression, Error, Log};

use crate::support::*;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

fn model() -> Vec<RecordBatch> {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    (0..10)
        .map(|i| batch_of(sample(&data_type, 500, &mut Numbers::new(i / 2))))
        .collect()
}

fn check(log: &Log, model: &[RecordBatch]) {
    assert_eq!(log.len(), model.len());
    for (record, batch) in model.iter().enumerate() {
        assert_same(&log.read(record, None).unwrap(), batch);
    }
}

/// Appends everything, healing the storage when it fails. Returns whether the fault fired.
fn run(storage: &Arc<Faulty>, errno: i32, compression: Option<Compression>) -> bool {
    let model = model();
    let directory = directory().unwrap();
    let options = options(&directory)
        .segment_bytes(12_000)
        .compression(compression);
    let begun = Log::with_storage(model[0].schema(), options.clone(), storage.clone());
    let log = match begun {
        Ok(log) => log,
        Err(e) => {
            assert_eq!(e.raw_os_error(), Some(errno), "{e}");
            return true;
        }
    };
    for (record, batch) in model.iter().enumerate() {
        for attempt in 0.. {
            assert!(attempt < 3, "batch {record} does not get in");
            match log.append(batch) {
                Ok(()) => break,
                Err(e) => {
                    assert_eq!(e.raw_os_error(), Some(errno), "{e}");
                    check(&log, &model[..record]);
                    // A lasting fault fails again, and is then repaired.
                    if attempt > 0 {
                        storage.heal();
                    }
                }
            }
        }
    }
    check(&log, &model);
    while let Err(e) = log.finish() {
        assert_eq!(e.raw_os_error(), Some(errno), "{e}");
        storage.heal();
    }
    check(&log, &model);
    storage.fired() > 0
}

#[test]
fn whichever_call_fails_nothing_is_lost() {
    let modes = [
        Mode::Once,
        Mode::Forever,
        Mode::ShortOnce,
        Mode::ShortForever,
    ];
    let mut fired = 0;
    for (mode, errno) in modes.into_iter().flat_map(|m| [(m, ENOSPC), (m, EIO)]) {
        for named in [false, true] {
            for call in 0.. {
                let inner = if named {
                    MemoryStorage::named()
                } else {
                    MemoryStorage::temporary()
                };
                let inner = Arc::new(inner);
                let fault = Fault {
                    call,
                    mode,
                    errno,
                    operations: vec![Operation::Create, Operation::Write, Operation::Rename],
                };
                let storage = Arc::new(Faulty::new(inner.clone(), Some(fault)));
                if !run(&storage, errno, None) {
                    break;
                }
                fired += 1;
                let index = inner.bytes("_index").unwrap_or_default();
                // Without entries it was the beginning of the log that failed.
                if let Some(scan) = scan(&index).ok().filter(|scan| !scan.entries.is_empty()) {
                    assert_eq!(scan.closed.map(|(_, totals)| totals.records), Some(10));
                    assert_eq!(scan.damage, None);
                }
            }
        }
    }
    assert!(fired > 100, "{fired} faults fired");
}

#[test]
fn a_fault_on_real_files_that_are_mapped_loses_nothing() -> Outcome {
    for call in 0.. {
        let directory = directory()?;
        let inner = FileStorage::temporary(&options(&directory))?;
        let fault = Fault {
            call,
            mode: Mode::ShortOnce,
            errno: ENOSPC,
            operations: vec![Operation::Create, Operation::Write],
        };
        let storage = Arc::new(Faulty::new(Arc::new(inner), Some(fault)));
        if !run(&storage, ENOSPC, Some(Compression::Lz4)) {
            return Ok(());
        }
    }
    Ok(())
}

#[test]
fn where_mapping_fails_records_are_read_instead() -> Outcome {
    let directory = directory()?;
    let inner = FileStorage::temporary(&options(&directory))?;
    assert!(!inner.refuses_maps());
    let fault = Fault {
        call: 0,
        mode: Mode::Forever,
        errno: 12,
        operations: vec![Operation::Map],
    };
    let storage = Arc::new(Faulty::new(Arc::new(inner), Some(fault)));
    let model = model();
    let log = Log::with_storage(model[0].schema(), options(&directory), storage.clone())?;
    assert!(log.is_zero_copy());
    for batch in &model {
        log.append(batch)?;
    }
    check(&log, &model);
    assert!(storage.fired() > 0 && !log.is_zero_copy());
    Ok(())
}

#[test]
fn a_failed_read_is_an_error_and_the_next_one_works() -> Outcome {
    let directory = directory()?;
    let fault = Fault {
        call: 0,
        mode: Mode::Once,
        errno: EIO,
        operations: vec![Operation::Read],
    };
    let inner = Arc::new(MemoryStorage::temporary());
    let storage = Arc::new(Faulty::new(inner, Some(fault)));
    let model = model();
    let log = Log::with_storage(model[0].schema(), options(&directory), storage)?;
    log.append(&model[0])?;
    let error = log.read(0, None).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(EIO));
    assert_same(&log.read(0, None)?, &model[0]);
    Ok(())
}

#[test]
fn the_first_failed_sync_is_final() -> Outcome {
    let directory = directory()?;
    for call in 0..3 {
        let fault = Fault {
            call,
            mode: Mode::Once,
            errno: EIO,
            operations: vec![Operation::Sync, Operation::SyncDirectory],
        };
        let inner = Arc::new(MemoryStorage::named());
        let storage = Arc::new(Faulty::new(inner, None));
        let model = model();
        let log = Log::with_storage(model[0].schema(), options(&directory), storage.clone())?;
        log.append(&model[0])?;
        storage.set(Some(fault));
        let first = log.flush().unwrap_err();
        assert!(matches!(first, Error::Unsynced { .. }), "{first}");
        storage.heal();
        assert_eq!(log.flush().unwrap_err().raw_os_error(), Some(EIO));
        assert_eq!(log.append(&model[1]).unwrap_err().raw_os_error(), Some(EIO));
        assert_eq!(log.finish().unwrap_err().raw_os_error(), Some(EIO));
        assert_same(&log.read(0, None)?, &model[0]);
    }
    Ok(())
}

#[test]
fn a_temporary_log_is_never_synced() -> Outcome {
    let directory = directory()?;
    let inner = FileStorage::temporary(&options(&directory))?;
    let storage = Arc::new(Faulty::new(Arc::new(inner), None));
    let model = model();
    let log = Log::with_storage(model[0].schema(), options(&directory), storage.clone())?;
    log.append(&model[0])?;
    log.flush()?;
    log.finish()?;
    let calls = storage.calls();
    assert!(!calls.is_empty());
    assert!(
        calls
            .iter()
            .all(|c| !matches!(c.operation, Operation::Sync | Operation::SyncDirectory))
    );
    Ok(())
}
