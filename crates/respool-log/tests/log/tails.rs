//! What a failed write leaves past the committed end is gone before a segment or the log ends.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch};
use arrow_schema::{DataType, Schema};
use respool_log::testing::{Fault, Faulty, MemoryStorage, Mode, Operation};
use respool_log::{Log, LogOptions};

use crate::support::*;
use crate::whole::{assert_whole, segments};

const EIO: i32 = 5;

fn numbers(rows: i64) -> RecordBatch {
    batch_of(Arc::new(Int64Array::from_iter_values(0..rows)))
}

/// A fault that hits one call of an operation, counted from where it is set.
fn nth(operation: Operation, call: u64, mode: Mode) -> Fault {
    Fault {
        call,
        mode,
        errno: EIO,
        operations: vec![operation],
    }
}

struct Bench {
    memory: Arc<MemoryStorage>,
    faulty: Arc<Faulty>,
    log: Log,
}

fn bench(batch: &RecordBatch) -> Bench {
    let memory = Arc::new(MemoryStorage::named());
    let faulty = Arc::new(Faulty::new(memory.clone(), None));
    let options = LogOptions::new("memory");
    let log = Log::with_storage(batch.schema(), options, faulty.clone()).unwrap();
    Bench {
        memory,
        faulty,
        log,
    }
}

#[test]
fn a_segment_ends_where_its_footer_ends() -> Outcome {
    let (small, large) = (numbers(10), numbers(100_000));
    let b = bench(&small);
    b.log.append(&small)?;
    // The data gets in, its entry does not.
    b.faulty.set(Some(nth(Operation::Write, 1, Mode::Once)));
    b.log.append(&large).unwrap_err();
    b.log.finish()?;
    assert_whole(&b.memory, &[small]);
    Ok(())
}

#[test]
fn nothing_follows_the_closing_entry() -> Outcome {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let fields: Vec<_> = (0..9)
        .map(|i| field(&format!("c{i}"), data_type.clone()))
        .collect();
    let columns = (0..9)
        .map(|i| sample(&data_type, 50, &mut Numbers::new(i)))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?;
    let b = bench(&batch);
    // Half of the ten entries get in.
    b.faulty
        .set(Some(nth(Operation::Write, 1, Mode::ShortOnce)));
    b.log.append(&batch).unwrap_err();
    b.log.finish()?;
    assert_whole(&b.memory, &[]);
    Ok(())
}

#[test]
fn a_failed_cut_is_an_error_and_is_tried_again() -> Outcome {
    let (small, large) = (numbers(10), numbers(100_000));
    let b = bench(&small);
    b.log.append(&small)?;
    b.faulty.set(Some(nth(Operation::Write, 1, Mode::Once)));
    b.log.append(&large).unwrap_err();
    b.faulty.set(Some(nth(Operation::Truncate, 0, Mode::Once)));
    assert_eq!(b.log.finish().unwrap_err().raw_os_error(), Some(EIO));
    assert_same(&b.log.read(0, None)?, &small);
    b.log.append(&large)?;
    b.log.finish()?;
    assert_whole(&b.memory, &[small, large]);
    Ok(())
}

#[test]
fn batches_that_are_held_stay_as_they_are_when_a_tail_is_cut() -> Outcome {
    let directory = directory()?;
    let inner = respool_log::storage::FileStorage::named(&options(&directory))?;
    let faulty = Arc::new(Faulty::new(Arc::new(inner), None));
    let (small, large) = (numbers(10), numbers(100_000));
    let log = Log::with_storage(small.schema(), options(&directory), faulty.clone())?;
    log.append(&small)?;
    let held = log.read(0, None)?;
    assert!(log.is_zero_copy());
    let writes = Fault {
        call: 2,
        mode: Mode::Once,
        errno: EIO,
        operations: vec![Operation::Write],
    };
    faulty.set(Some(writes));
    log.append(&large).unwrap_err();
    log.finish()?;
    let cuts = faulty.calls();
    assert!(
        cuts.iter()
            .any(|call| call.operation == Operation::Truncate)
    );
    assert_same(&held, &small);
    assert_same(&log.read(0, None)?, &small);
    Ok(())
}

#[test]
fn an_empty_log_that_is_finished_twice_has_one_segment() -> Outcome {
    let batch = numbers(10);
    for call in 0..3 {
        let b = bench(&batch);
        b.faulty.set(Some(nth(Operation::Write, call, Mode::Once)));
        b.log.finish().unwrap_err();
        b.log.finish()?;
        b.log.finish()?;
        assert_whole(&b.memory, &[]);
        assert_eq!(segments(&b.memory), ["00000000.arrow"]);
    }
    Ok(())
}

#[test]
fn a_log_that_could_not_be_finished_takes_another_batch() -> Outcome {
    let batch = numbers(10);
    for before in [0, 1, 3] {
        for call in 0..3 {
            let b = bench(&batch);
            let mut model = vec![batch.clone(); before];
            for batch in &model {
                b.log.append(batch)?;
            }
            b.faulty
                .set(Some(nth(Operation::Write, call, Mode::ShortOnce)));
            b.log.finish().unwrap_err();
            b.faulty.heal();
            b.log.append(&batch)?;
            model.push(batch.clone());
            for (record, batch) in model.iter().enumerate() {
                assert_same(&b.log.read(record, None)?, batch);
            }
            b.log.finish()?;
            assert_whole(&b.memory, &model);
        }
    }
    Ok(())
}
