//! What is said to be durable was synced before it was said.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use respool_log::format::scan;
use respool_log::testing::{Call, Fault, Faulty, MemoryStorage, Mode, Operation};
use respool_log::{Error, Log, LogOptions};

use crate::support::*;
use crate::whole::segments;

fn numbers() -> RecordBatch {
    batch_of(Arc::new(Int64Array::from_iter_values(0..1000)))
}

fn log(storage: &Arc<Faulty>) -> Log {
    let options = LogOptions::new("memory").segment_bytes(20_000);
    let log = Log::with_storage(numbers().schema(), options, storage.clone()).unwrap();
    for _ in 0..10 {
        log.append(&numbers()).unwrap();
    }
    log
}

#[test]
fn the_closing_entry_is_written_when_all_else_is_synced() -> Outcome {
    let memory = Arc::new(MemoryStorage::named());
    let storage = Arc::new(Faulty::new(memory.clone(), None));
    let log = log(&storage);
    log.finish()?;
    let calls = storage.calls();
    let last = |which: &dyn Fn(&Call) -> bool| calls.iter().rposition(which);
    let close = last(&|c| c.operation == Operation::Write && c.name == "_index").unwrap();
    let before = &calls[..close];
    let mut names = segments(&memory);
    assert!(names.len() > 3);
    names.push("_index".to_owned());
    for name in names {
        let of = |operation| {
            // A segment was written and synced under its first name.
            let part = format!("_{}.part", name.trim_end_matches(".arrow"));
            let call = |c: &Call| c.operation == operation && (c.name == name || c.name == part);
            before.iter().rposition(call)
        };
        assert!(of(Operation::Sync) > of(Operation::Write), "{name}");
    }
    let created = before
        .iter()
        .rposition(|c| c.operation == Operation::Create);
    let directory = before
        .iter()
        .rposition(|c| c.operation == Operation::SyncDirectory);
    assert!(directory > created);
    // And the entry itself is durable when finish returns.
    assert!(last(&|c| c.operation == Operation::Sync && c.name == "_index") > Some(close));
    Ok(())
}

#[test]
fn a_log_that_could_not_be_synced_is_never_called_whole() -> Outcome {
    for call in 0.. {
        let memory = Arc::new(MemoryStorage::named());
        let storage = Arc::new(Faulty::new(memory.clone(), None));
        let log = log(&storage);
        storage.set(Some(Fault {
            call,
            mode: Mode::Once,
            errno: 5,
            operations: vec![Operation::Sync, Operation::SyncDirectory],
        }));
        let finished = log.finish();
        if storage.fired() == 0 {
            finished?;
            assert!(call > 5);
            return Ok(());
        }
        assert!(matches!(finished, Err(Error::Unsynced { .. })));
        assert!(matches!(log.finish(), Err(Error::Unsynced { .. })));
        assert!(matches!(
            log.append(&numbers()),
            Err(Error::Unsynced { .. })
        ));
        for record in 0..10 {
            assert_same(&log.read(record, None)?, &numbers());
        }
        let closed = scan(&memory.bytes("_index").unwrap())?.closed;
        let mut syncs = storage.calls();
        syncs.retain(|c| matches!(c.operation, Operation::Sync | Operation::SyncDirectory));
        let last = syncs.last().unwrap();
        // The last sync is that of the closing entry, behind data that is durable.
        assert!(closed.is_none() || last.name == "_index", "call {call}");
    }
    Ok(())
}
