//! A view in other encodings has the same rows, within the bounds of its cache.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal64Type, UInt8Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, RecordBatch, RecordBatchIterator, StringArray,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};
use respool::{Cache, Options, Uninterrupted};

fn batches() -> Vec<RecordBatch> {
    (0..3_i128)
        .map(|batch| {
            let numbers = (0..100).map(|row| (row != 7).then_some(batch * 100 + row));
            let prices = numbers
                .collect::<Decimal128Array>()
                .with_precision_and_scale(15, 2)
                .unwrap();
            let modes = (0..100).map(|row| (row != 9).then_some(["air", "rail", "ship"][row % 3]));
            let notes = (0..100).map(|row| format!("a note on row {row} of batch {batch}"));
            RecordBatch::try_from_iter_with_nullable([
                ("price", Arc::new(prices) as ArrayRef, true),
                ("mode", Arc::new(modes.collect::<StringArray>()), true),
                ("note", Arc::new(StringArray::from_iter_values(notes)), true),
            ])
            .unwrap()
        })
        .collect()
}

fn filled(options: &Options) -> Cache {
    let batches = batches();
    let schema = batches[0].schema();
    let source = RecordBatchIterator::new(batches.into_iter().map(Ok::<_, ArrowError>), schema);
    let cache = Cache::new(source, options).unwrap();
    cache.ingest_all().unwrap();
    cache
}

#[test]
fn the_rows_are_the_same() {
    let cache = filled(&Options::new());
    let encoded = cache.view().encoded(&Uninterrupted).unwrap().unwrap();
    let text = DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8View));
    let types: Vec<DataType> = encoded
        .schema()
        .fields()
        .iter()
        .map(|field| field.data_type().clone())
        .collect();
    let price = DataType::Decimal64(15, 2);
    assert_eq!(types, [price, text, DataType::Utf8View]);
    let mut dictionaries: Vec<ArrayRef> = Vec::new();
    for (index, plain) in batches().iter().enumerate() {
        let batch = encoded
            .view()
            .batch(index, &Uninterrupted)
            .unwrap()
            .unwrap();
        assert_eq!(
            batch.column(0).as_primitive::<Decimal64Type>().null_count(),
            1
        );
        for (column, plain) in batch.columns().iter().zip(plain.columns()) {
            assert_eq!(&cast(column, plain.data_type()).unwrap(), plain);
        }
        dictionaries.push(Arc::clone(
            batch.column(1).as_dictionary::<UInt8Type>().values(),
        ));
    }
    assert!(
        dictionaries
            .iter()
            .all(|values| Arc::ptr_eq(values, &dictionaries[0]))
    );
}

#[test]
fn it_is_made_once_and_closed_with_its_cache() {
    let cache = filled(&Options::new());
    let first = cache.view().encoded(&Uninterrupted).unwrap().unwrap();
    cache.close().unwrap();
    assert!(first.snapshot().unwrap().is_closed);
    assert!(cache.view().encoded(&Uninterrupted).is_err());
}

#[test]
fn a_slice_is_encoded_by_itself() {
    let cache = filled(&Options::new());
    let encoded = cache.view().slice(50, Some(100)).encoded(&Uninterrupted);
    assert_eq!(encoded.unwrap().unwrap().snapshot().unwrap().rows, 100);
}

#[test]
fn nothing_to_convert() {
    let cache = filled(&Options::new());
    let encoded = cache.view().encoded(&Uninterrupted).unwrap().unwrap();
    let view = encoded.view().select(&["price", "note"]).unwrap();
    assert!(view.encoded(&Uninterrupted).unwrap().is_none());
}

#[test]
fn without_room_the_cache_stays_as_it_is() {
    let plain = filled(&Options::new());
    let held = plain.metrics().unwrap().memory_bytes;
    let cache = filled(&Options::new().with_memory_capacity(held + 100));
    assert!(cache.view().encoded(&Uninterrupted).is_err());
    assert_eq!(cache.metrics().unwrap().memory_bytes, held);
}

#[test]
fn what_is_not_complete_is_refused() {
    let batches = batches();
    let schema = batches[0].schema();
    let source = RecordBatchIterator::new(batches.into_iter().map(Ok::<_, ArrowError>), schema);
    let cache = Cache::new(source, &Options::new()).unwrap();
    assert!(cache.view().encoded(&Uninterrupted).is_err());
    assert_eq!(cache.snapshot().unwrap().batches, 0);
}

#[test]
fn encoding_is_no_reader_that_uses_batches_up() {
    let cache = filled(&Options::new().with_max_readers(2));
    let encoded = cache.view().encoded(&Uninterrupted).unwrap().unwrap();
    assert_eq!(encoded.snapshot().unwrap().batches, 3);
    assert_eq!(cache.metrics().unwrap().readers, 0);
    for index in 0..3 {
        let batch = cache.view().batch(index, &Uninterrupted).unwrap();
        assert_eq!(batch.unwrap(), batches()[index]);
    }
}

#[test]
fn a_part_is_left_as_it_is_while_the_source_may_need_the_room() {
    let batches = batches();
    let schema = batches[0].schema();
    let source = RecordBatchIterator::new(batches.into_iter().map(Ok::<_, ArrowError>), schema);
    let held = filled(&Options::new()).metrics().unwrap().memory_bytes;
    let options = Options::new().with_memory_capacity(held);
    let cache = Cache::new(source, &options).unwrap();
    let part = cache.view().slice(0, Some(150));
    part.batch(1, &Uninterrupted).unwrap();
    assert!(part.extent().unwrap().is_complete);
    assert!(part.encoded(&Uninterrupted).unwrap().is_none());
    assert_eq!(cache.ingest_all().unwrap(), 3);
}
