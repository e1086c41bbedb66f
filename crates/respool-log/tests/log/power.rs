//! The power goes at any call, and of what was not synced any part survives: what was acknowledged is
//! there, what is there is what was given, and nothing is called whole that is not.
//!
//! `RESPOOL_LONG=1` draws many more parts.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use respool_log::format::Failure;
use respool_log::testing::PowerStorage;
use respool_log::{Error, Log, LogOptions, LogReader, Quota, State};

use crate::support::*;

/// What the caller of a log was told before the power went.
#[derive(Debug, Default, Clone)]
struct Told {
    is_created: bool,
    /// Batches that a flush, or the end, has acknowledged.
    durable: usize,
    /// Batches of which the log has said that they are stored.
    appended: usize,
    is_ended: bool,
}

fn options() -> LogOptions {
    LogOptions::new("power").segment_bytes(7_000)
}

fn batches() -> Vec<RecordBatch> {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    (0..12)
        .map(|i| batch_of(sample(&data_type, 100, &mut Numbers::new(i / 2))))
        .collect()
}

/// Fills a log to its end, flushing now and then.
fn fill(log: &Log, model: &[RecordBatch], ends_well: bool, told: &mut Told) -> Result<(), Error> {
    told.is_created = true;
    for (record, batch) in model.iter().enumerate().skip(log.len()) {
        log.append(batch)?;
        told.appended = record + 1;
        if record % 4 == 2 {
            log.flush()?;
            told.durable = record + 1;
        }
    }
    if ends_well {
        log.finish()?;
    } else {
        log.fail(&Failure {
            kind: "ValueError".to_owned(),
            text: "no more".to_owned(),
        })?;
    }
    told.durable = model.len();
    told.is_ended = true;
    Ok(())
}

/// Opens what is left and holds it against what was told.
fn check(left: &Arc<PowerStorage>, model: &[RecordBatch], ends_well: bool, told: &Told) {
    let reader = match LogReader::with_storage(&options(), left.clone()) {
        Ok(reader) => reader,
        Err(e) => {
            assert!(!told.is_created, "it was created: {e}");
            return;
        }
    };
    // Before the tail is verified a batch is good or an error.
    assert!(reader.len() <= model.len());
    for (record, want) in model.iter().enumerate().take(reader.len()) {
        match reader.read(record, None) {
            Ok(batch) => assert_same(&batch, want),
            Err(e) => assert!(
                record >= told.durable,
                "batch {record} is acknowledged: {e}"
            ),
        }
    }
    let len = reader.verify_tail().unwrap();
    assert!(len >= told.durable, "{len} of {}", told.durable);
    assert!(len <= model.len());
    for (record, batch) in model.iter().enumerate().take(len) {
        assert_same(&reader.read(record, None).unwrap(), batch);
    }
    match reader.state() {
        State::Complete => assert!(ends_well && len == model.len()),
        State::Failed(failure) => {
            assert!(!ends_well && len == model.len());
            assert_eq!(failure.text, "no more");
        }
        State::Abandoned => assert!(!told.is_ended),
        State::Growing => panic!("nobody writes"),
    }
}

fn seeds() -> u64 {
    if std::env::var_os("RESPOOL_LONG").is_some() {
        200
    } else {
        6
    }
}

#[test]
fn the_power_goes_at_any_call_of_a_filling() -> Outcome {
    let model = batches();
    for ends_well in [true, false] {
        for call in 0.. {
            let storage = Arc::new(PowerStorage::default());
            storage.cut_at(call);
            let mut told = Told::default();
            let log = Log::with_storage(model[0].schema(), options(), storage.clone());
            let filled = log.and_then(|log| fill(&log, &model, ends_well, &mut told));
            for seed in 0..seeds() {
                check(&Arc::new(storage.after_cut(seed)), &model, ends_well, &told);
            }
            if !storage.is_cut() {
                filled?;
                assert!(call > 60, "{call}");
                break;
            }
        }
    }
    Ok(())
}

#[test]
fn the_power_goes_at_any_call_of_going_on_and_again_and_a_log_ends_whole() -> Outcome {
    let model = batches();
    let step = if std::env::var_os("RESPOOL_LONG").is_some() {
        1
    } else {
        5
    };
    let (mut gone_on, mut cut) = (0, 0);
    for first in (0..).step_by(step) {
        let storage = Arc::new(PowerStorage::default());
        storage.cut_at(first);
        let mut told = Told::default();
        let log = Log::with_storage(model[0].schema(), options(), storage.clone());
        let _cut = log.and_then(|log| fill(&log, &model, true, &mut told));
        if !storage.is_cut() {
            break;
        }
        for seed in 0..3 {
            for second in (0..).step_by(step) {
                let left = Arc::new(storage.after_cut(seed));
                if LogReader::with_storage(&options(), left.clone()).is_err() {
                    break;
                }
                left.cut_at(second);
                let mut told = told.clone();
                let log = Log::resume_storage(options(), &Quota::new(None), left.clone());
                match log {
                    Ok(log) => {
                        assert!(log.len() >= told.durable);
                        gone_on += 1;
                        fill(&log, &model, true, &mut told).ok();
                    }
                    Err(Error::Finished) => break,
                    Err(e) => assert!(left.is_cut(), "{e}"),
                }
                cut += u64::from(left.is_cut());
                for seed in 0..3 {
                    let left = Arc::new(left.after_cut(seed));
                    check(&left, &model, true, &told);
                    // And a third writer ends what the second could not.
                    match Log::resume_storage(options(), &Quota::new(None), left.clone()) {
                        Ok(log) => {
                            let mut told = told.clone();
                            fill(&log, &model, true, &mut told)?;
                        }
                        Err(Error::Finished) => {}
                        Err(e) => panic!("{first} {second} {seed}: {e}"),
                    }
                    let reader = LogReader::with_storage(&options(), left.clone())?;
                    assert_eq!(
                        (reader.state(), reader.len()),
                        (State::Complete, model.len())
                    );
                    for (record, batch) in model.iter().enumerate() {
                        assert_same(&reader.read(record, None)?, batch);
                    }
                }
                if !left.is_cut() {
                    break;
                }
            }
        }
    }
    assert!(gone_on > 100 && cut > 100, "{gone_on} {cut}");
    Ok(())
}
