//! Dictionaries are written when they are new, and replaced without confusion.

use std::sync::Arc;

use arrow_array::types::{Int8Type, Int32Type};
use arrow_array::{ArrayRef, DictionaryArray, Int8Array, Int32Array, RecordBatch, StringArray};
use respool_log::{Access, Compression, Log};

use crate::support::*;

fn dictionary(keys: Int32Array, values: &ArrayRef) -> RecordBatch {
    let array = DictionaryArray::<Int32Type>::try_new(keys, values.clone()).unwrap();
    batch_of(Arc::new(array))
}

fn words(from: usize, to: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(
        (from..to).map(|i| format!("word {i:06}")),
    ))
}

#[test]
fn a_shared_dictionary_is_written_once() -> Outcome {
    let directory = directory()?;
    let values = words(0, 10_000);
    let batch = dictionary(Int32Array::from_iter_values(0..10_000), &values);
    let log = Log::temporary(batch.schema(), options(&directory))?;
    log.append(&batch)?;
    let first = log.bytes();
    log.append(&batch)?;
    // Equal by content, in other memory.
    log.append(&dictionary(
        Int32Array::from_iter_values(0..10_000),
        &words(0, 10_000),
    ))?;
    assert!(
        log.bytes() - first < 2 * (40_000 + 512),
        "{}",
        log.bytes() - first
    );
    for record in 0..3 {
        assert_same(&log.read(record, None)?, &batch);
    }
    Ok(())
}

#[test]
fn batches_that_share_a_dictionary_share_it_after_reading() -> Outcome {
    let directory = directory()?;
    let batch = dictionary(Int32Array::from_iter_values(0..100), &words(0, 100));
    let log = Log::temporary(batch.schema(), options(&directory))?;
    log.append(&batch)?;
    log.append(&batch)?;
    let values = |record| -> Result<_, Box<dyn std::error::Error>> {
        Ok(log.read(record, None)?.column(0).to_data().child_data()[0].clone())
    };
    assert!(values(0)?.ptr_eq(&values(1)?));
    Ok(())
}

#[test]
fn a_large_dictionary_is_not_cut_up_for_more_than_twice_its_size() -> Outcome {
    let directory = directory()?;
    let values = words(0, 100_000);
    let size = 100_000 * (11 + 4);
    let batches: Vec<_> = (0..500)
        .map(|i| {
            dictionary(
                Int32Array::from_iter_values((0..100).map(|k| (i * 197 + k * 31) % 100_000)),
                &values,
            )
        })
        .collect();
    let log = Log::temporary(batches[0].schema(), options(&directory))?;
    for batch in &batches {
        log.append(batch)?;
    }
    let records = 500 * (100 * 4 + 512);
    assert!(log.bytes() < 2 * size + records + 4096, "{}", log.bytes());
    for (record, batch) in batches.iter().enumerate() {
        assert_same(&log.read(record, None)?, batch);
    }
    Ok(())
}

#[test]
fn dictionaries_replaced_from_batch_to_batch_read_right_in_any_order() -> Outcome {
    for access in [Access::Auto, Access::Read] {
        for compression in [None, Some(Compression::Zstd)] {
            let directory = directory()?;
            let options = options(&directory).access(access).compression(compression);
            let batches: Vec<_> = (0..20)
                .map(|i| {
                    dictionary(
                        Int32Array::from_iter_values(0..50),
                        &words(i % 7, i % 7 + 50),
                    )
                })
                .collect();
            let log = Log::temporary(batches[0].schema(), options)?;
            for batch in &batches {
                log.append(batch)?;
            }
            let mut numbers = Numbers::new(3);
            for _ in 0..100 {
                let record = numbers.below(batches.len());
                assert_same(&log.read(record, None)?, &batches[record]);
            }
        }
    }
    Ok(())
}

#[test]
fn nested_dictionaries_replaced_inside_and_outside_read_right() -> Outcome {
    let directory = directory()?;
    let inner = arrow_schema::DataType::Dictionary(
        Box::new(arrow_schema::DataType::Int32),
        Box::new(arrow_schema::DataType::Utf8),
    );
    let outer = wrap(10, inner);
    let mut numbers = Numbers::new(5);
    let batches: Vec<_> = (0..20)
        .map(|_| batch_of(sample(&outer, 60, &mut numbers)))
        .collect();
    let log = Log::temporary(batches[0].schema(), options(&directory))?;
    for batch in &batches {
        log.append(batch)?;
        log.append(batch)?;
    }
    for record in (0..40).rev() {
        assert_same(&log.read(record, None)?, &batches[record / 2]);
    }
    Ok(())
}

#[test]
fn null_values_and_null_keys_of_a_dictionary_stay_null() -> Outcome {
    let directory = directory()?;
    let values: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("c")]));
    let keys = Int8Array::from(vec![Some(0), None, Some(1), Some(2)]);
    let array = DictionaryArray::<Int8Type>::try_new(keys, values)?;
    let batch = batch_of(Arc::new(array));
    assert_same(&round_trip(&batch, options(&directory))?, &batch);
    Ok(())
}

#[test]
fn a_dictionary_of_a_dictionary_is_refused_with_advice() {
    use arrow_schema::DataType::*;
    let inner = Dictionary(Box::new(Int8), Box::new(Utf8));
    let schema = arrow_schema::Schema::new(vec![field(
        "c",
        Dictionary(Box::new(Int8), Box::new(inner)),
    )]);
    let directory = directory().unwrap();
    let error = Log::temporary(Arc::new(schema), options(&directory)).unwrap_err();
    assert!(error.to_string().contains("cast the column"), "{error}");
}

/// The buffer of the texts of a batch's dictionary.
fn texts(batch: &RecordBatch) -> arrow_buffer::Buffer {
    batch.column(0).to_data().child_data()[0].buffers()[1].clone()
}

#[test]
fn only_the_batch_that_came_last_is_held() -> Outcome {
    for persistent in [false, true] {
        let directory = directory()?;
        let options = options(&directory);
        let equal = |from| {
            dictionary(
                Int32Array::from_iter_values(0..1000),
                &words(from, from + 1000),
            )
        };
        let schema = equal(0).schema();
        let log = if persistent {
            Log::create(schema, options)?
        } else {
            Log::temporary(schema, options)?
        };
        let mut before: Option<arrow_buffer::Buffer> = None;
        // Equal ones, others, none at all, and parts of large ones.
        for i in 0..12 {
            let batch = match i {
                0..4 => equal(0),
                4..6 => equal(i),
                6 => dictionary(Int32Array::from(vec![None; 10]), &words(0, 1000)),
                7 => equal(5),
                _ => dictionary(Int32Array::from_iter_values(0..10), &words(0, 90_000)),
            };
            log.append(&batch)?;
            if let Some(before) = before {
                assert_eq!(before.strong_count(), 1, "the batch before {i} is held");
            }
            before = Some(texts(&batch));
        }
        log.finish()?;
        assert_eq!(before.unwrap().strong_count(), 1);
        assert_eq!(log.held_bytes(), 0);
    }
    Ok(())
}

#[test]
fn an_empty_batch_does_not_make_a_shared_dictionary_be_written_again() -> Outcome {
    let directory = directory()?;
    let log = Log::temporary(
        dictionary(Int32Array::from(vec![0]), &words(0, 1)).schema(),
        options(&directory),
    )?;
    for i in 0..10 {
        let keys = if i % 2 == 0 {
            Int32Array::from_iter_values(0..1000)
        } else {
            Int32Array::from(vec![None; 10])
        };
        log.append(&dictionary(keys, &words(0, 1000)))?;
    }
    assert!(log.bytes() < 11_000 + 4_000 + 10 * 5_000, "{}", log.bytes());
    Ok(())
}

#[test]
fn what_is_held_on_the_heap_is_counted() -> Outcome {
    let values = words(0, 10_000);
    let size = 10_000 * (11 + 4);
    let batch = dictionary(Int32Array::from_iter_values(0..10_000), &values);
    for (access, compression, after_read) in [
        (Access::Map, None, 0),
        (Access::Read, None, size),
        (Access::Map, Some(Compression::Lz4), size),
    ] {
        let directory = directory()?;
        let options = options(&directory).access(access).compression(compression);
        let log = Log::temporary(batch.schema(), options)?;
        assert_eq!(log.held_bytes(), 0);
        log.append(&batch)?;
        let written = log.held_bytes();
        assert!((size..size + 1000).contains(&written), "{written}");
        log.append(&batch)?;
        assert_eq!(log.held_bytes(), written);
        log.read(1, None)?;
        let read = log.held_bytes() - written;
        // A decompressor may take more than it fills.
        assert!((after_read..=after_read * 3 / 2).contains(&read), "{read}");
        log.finish()?;
        assert_eq!(log.held_bytes(), read);
    }
    Ok(())
}
