//! What is known of a log and of its batches without reading them.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use respool_log::storage::FileStorage;
use respool_log::testing::{Call, Faulty, Operation};
use respool_log::{Log, LogOptions, LogReader};

use crate::support::*;

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true)
}

/// Batches that share and replace dictionaries.
fn batches() -> Vec<RecordBatch> {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    (0..16)
        .map(|i| batch_of(sample(&data_type, 90, &mut Numbers::new(i / 3))))
        .collect()
}

#[test]
fn the_index_is_read_once_by_who_asks_for_one_batch_after_the_other() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let model = batches();
    let log = Log::create(model[0].schema(), at(&path).segment_bytes(2 << 20))?;
    let batches = 3000;
    for record in 0..batches {
        log.append_shown(&model[record % model.len()], record as u64)?;
        if record % 7 == 0 {
            log.flush()?;
        }
    }
    log.finish()?;
    let entries = std::fs::metadata(path.join("_index"))?.len() / 64;
    assert!(entries > batches as u64 * 3 / 2, "{entries}");
    let options = at(&path);
    let inner = Arc::new(FileStorage::existing(&options)?);
    let faulty = Arc::new(Faulty::new(inner, None));
    let reader = LogReader::with_storage(&options, faulty.clone())?;
    let before = faulty.calls().len();
    let mut first_row = 0;
    for record in 0..batches {
        let info = reader.info(record)?;
        assert_eq!(
            (info.first_row, info.shown_bytes),
            (first_row, record as u64)
        );
        first_row += info.rows;
        let batch = reader.read(record, Some(&[0]))?;
        assert_eq!(batch.num_rows() as u64, info.rows);
    }
    let calls = faulty.calls();
    let is_index = |c: &&Call| c.name == "_index";
    let reads = calls[before..].iter().filter(is_index);
    let bytes: u64 = reads
        .filter(|c| c.operation == Operation::Read)
        .map(|c| c.len)
        .sum();
    // Once for the batches, and once for the dictionaries.
    assert!(
        bytes < entries * 64 * 5 / 2,
        "{bytes} bytes for {entries} entries"
    );
    Ok(())
}

#[test]
fn a_log_that_goes_on_tells_of_what_was_there_and_of_itself() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let model = batches();
    let temporary = Log::temporary(model[0].schema(), at(parent.path()))?;
    temporary.append_shown(&model[0], 7)?;
    assert_eq!((temporary.identity(), temporary.shown_bytes()), (None, 7));
    assert!(temporary.earlier().is_none());

    let log = Log::create(model[0].schema(), at(&path))?;
    assert!(log.earlier().is_none());
    for (record, batch) in model[..5].iter().enumerate() {
        log.append_shown(batch, 100 + record as u64)?;
    }
    log.append(&model[5])?;
    let (identity, shown) = (log.identity(), log.shown_bytes());
    assert!(identity.is_some() && shown > 510, "{shown}");
    drop(log);

    let log = Log::resume(at(&path))?;
    assert_eq!((log.identity(), log.shown_bytes()), (identity, shown));
    log.append_shown(&model[6], 1000)?;
    let earlier = log.earlier().unwrap();
    assert_eq!((earlier.len(), log.len()), (6, 7));
    let mut rows = 0;
    for (record, batch) in model[..6].iter().enumerate() {
        let info = earlier.info(record)?;
        assert_eq!((info.first_row, info.rows), (rows, batch.num_rows() as u64));
        assert!(record == 5 || info.shown_bytes == 100 + record as u64);
        rows += info.rows;
    }
    log.finish()?;
    let reader = Log::open(&path)?;
    assert_eq!(Some(reader.identity()), log.identity());
    assert_eq!(reader.shown_bytes(), log.shown_bytes());
    assert_eq!(log.shown_bytes(), shown + 1000);
    Ok(())
}
