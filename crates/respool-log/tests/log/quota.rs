//! A quota that several logs share is never exceeded, and gets back what a log took.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use respool_log::testing::{Fault, Faulty, MemoryStorage, Mode, Operation};
use respool_log::{Error, Log, LogOptions, Quota};

use crate::support::*;

fn numbers(rows: i64) -> RecordBatch {
    batch_of(Arc::new(Int64Array::from_iter_values(0..rows)))
}

#[test]
fn logs_that_append_at_once_never_take_the_same_bytes() -> Outcome {
    for capacity in [200_000, 212_345, 1_000_003] {
        let directory = directory()?;
        let quota = Quota::new(Some(capacity));
        let logs: Vec<_> = (0..4)
            .map(|_| {
                let options = options(&directory).segment_bytes(30_000);
                Log::temporary_within(numbers(0).schema(), options, &quota)
            })
            .collect::<Result<_, _>>()?;
        std::thread::scope(|scope| {
            for (rows, log) in (100..).zip(&logs) {
                let quota = &quota;
                scope.spawn(move || {
                    let batch = numbers(rows);
                    let error = loop {
                        match log.append(&batch) {
                            Ok(()) => assert!(quota.used() <= capacity),
                            Err(e) => break e,
                        }
                    };
                    let Error::OutOfSpace {
                        asked,
                        used,
                        capacity: bound,
                        ..
                    } = error
                    else {
                        panic!("{error}")
                    };
                    assert_eq!(bound, capacity);
                    assert!(used <= capacity && used + asked > capacity);
                });
            }
        });
        let bytes: u64 = logs.iter().map(Log::bytes).sum();
        assert_eq!(quota.used(), bytes);
        assert!(bytes > capacity - 3000, "{bytes} of {capacity}");
        for log in &logs {
            assert_eq!(log.capacity(), Some(capacity));
        }
        drop(logs);
        assert_eq!(quota.used(), 0);
    }
    Ok(())
}

#[test]
fn a_persistent_log_has_its_end_reserved_whatever_others_take() -> Outcome {
    for capacity in (20_000..40_000).step_by(499) {
        let parent = directory()?;
        let quota = Quota::new(Some(capacity));
        let at = LogOptions::new(parent.path().join("log")).allow_tmpfs(true);
        let batch = numbers(100);
        let kept = Log::create_within(batch.schema(), at.segment_bytes(5_000), &quota)?;
        let greedy = Log::temporary_within(batch.schema(), options(&parent), &quota)?;
        for _ in 0..5 {
            kept.append(&batch)?;
        }
        while greedy.append(&numbers(1)).is_ok() {}
        kept.finish()?;
        assert!(quota.used() <= capacity);
        assert_eq!(quota.used(), kept.bytes() + greedy.bytes());
        drop((kept, greedy));
        assert_eq!(quota.used(), 0);
    }
    Ok(())
}

#[test]
fn the_quota_of_a_log_is_that_of_all_that_share_it() -> Outcome {
    let directory = directory()?;
    let quota = Quota::new(None);
    // The capacity of the options does not count beside a quota.
    let options = options(&directory).capacity(Some(1));
    let a = Log::temporary_within(numbers(1).schema(), options.clone(), &quota)?;
    let b = Log::temporary_within(numbers(1).schema(), options, &quota)?;
    a.append(&numbers(1000))?;
    a.set_capacity(Some(a.bytes() + 10));
    assert_eq!(b.capacity(), Some(a.bytes() + 10));
    let error = b.append(&numbers(1)).unwrap_err();
    let Error::OutOfSpace { used, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(used, a.bytes());
    quota.set_capacity(None);
    b.append(&numbers(1))?;
    assert_eq!(quota.used(), a.bytes() + b.bytes());
    Ok(())
}

#[test]
fn what_a_failed_append_left_on_disk_stays_charged_until_it_is_gone() -> Outcome {
    for named in [false, true] {
        let memory = if named {
            MemoryStorage::named()
        } else {
            MemoryStorage::temporary()
        };
        let storage = Arc::new(Faulty::new(Arc::new(memory), None));
        let options = LogOptions::new("memory");
        let log = Log::with_storage(numbers(1).schema(), options, storage.clone())?;
        log.append(&numbers(10))?;
        let before = log.quota().used();
        storage.set(Some(Fault {
            call: 0,
            mode: Mode::ShortOnce,
            errno: 28,
            operations: vec![Operation::Write],
        }));
        log.append(&numbers(100_000)).unwrap_err();
        assert!(log.quota().used() > before + 400_000);
        log.append(&numbers(10))?;
        assert!(log.quota().used() > before + 400_000);
        log.finish()?;
        assert_eq!(log.quota().used(), log.bytes());
        let cut = storage.calls();
        assert!(cut.iter().any(|call| call.operation == Operation::Truncate));
    }
    Ok(())
}

#[test]
fn a_log_that_could_not_begin_takes_nothing() -> Outcome {
    let parent = directory()?;
    let quota = Quota::new(Some(100));
    let options = LogOptions::new(parent.path().join("log")).allow_tmpfs(true);
    Log::create_within(numbers(1).schema(), options, &quota).unwrap_err();
    assert_eq!(quota.used(), 0);
    Ok(())
}
