//! A projected read gives the columns asked for, and touches no others.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use respool_log::testing::{Faulty, MemoryStorage, Operation};
use respool_log::{Access, Compression, Error, Log};

use crate::support::*;

/// A batch with a column of every type.
fn wide(rows: usize, seed: u64) -> RecordBatch {
    let mut numbers = Numbers::new(seed);
    let columns: Vec<ArrayRef> = all_types()
        .iter()
        .map(|t| sample(t, rows, &mut numbers))
        .collect();
    let fields: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

#[test]
fn any_columns_in_any_order_come_back() -> Outcome {
    let directory = directory()?;
    for access in [Access::Map, Access::Read] {
        for compression in [None, Some(Compression::Lz4)] {
            let batch = wide(50, 9);
            let options = options(&directory).access(access).compression(compression);
            let log = Log::temporary(batch.schema(), options)?;
            log.append(&batch)?;
            assert_same(&log.read(0, None)?, &batch);
            let columns = batch.num_columns();
            for column in 0..columns {
                let back = log.read(0, Some(&[column]))?;
                assert_same(&back, &batch.project(&[column])?);
            }
            let mut numbers = Numbers::new(1);
            for _ in 0..20 {
                let some: Vec<_> = (0..numbers.below(6))
                    .map(|_| numbers.below(columns))
                    .collect();
                assert_same(&log.read(0, Some(&some))?, &batch.project(&some)?);
            }
        }
    }
    Ok(())
}

#[test]
fn a_column_or_record_that_does_not_exist_is_an_error() -> Outcome {
    let directory = directory()?;
    let batch = wide(5, 2);
    let log = Log::temporary(batch.schema(), options(&directory))?;
    log.append(&batch)?;
    let columns = batch.num_columns();
    assert!(matches!(
        log.read(0, Some(&[columns])),
        Err(Error::OutOfRange { what: "column", .. })
    ));
    assert!(matches!(
        log.read(1, None),
        Err(Error::OutOfRange { what: "record", .. })
    ));
    Ok(())
}

#[test]
fn an_unmapped_read_of_one_column_reads_only_its_bytes() -> Outcome {
    let directory = directory()?;
    let storage = Arc::new(Faulty::new(Arc::new(MemoryStorage::temporary()), None));
    let mut numbers = Numbers::new(4);
    let types = [
        arrow_schema::DataType::Int64,
        arrow_schema::DataType::Utf8View,
        wrap(0, arrow_schema::DataType::Utf8),
        arrow_schema::DataType::Int8,
    ];
    let columns = types.iter().map(|t| sample(t, 100_000, &mut numbers));
    let names = ["a", "b", "c", "d"];
    let batch = RecordBatch::try_from_iter(names.into_iter().zip(columns))?;
    let log = Log::with_storage(batch.schema(), options(&directory), storage.clone())?;
    log.append(&batch)?;
    let before = storage.calls().len();
    let back = log.read(0, Some(&[3]))?;
    assert_eq!(back.column(0), batch.column(3));
    let read: u64 = storage.calls()[before..]
        .iter()
        .filter(|call| call.operation == Operation::Read)
        .map(|call| call.len)
        .sum();
    // The metadata names the many small buffers of the views; all columns are 6 MB.
    assert!(read < 200_000, "{read} bytes read");
    Ok(())
}
