//! What comes out equals what went in.

use std::sync::Arc;

use crate::support::*;
use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{Schema, SchemaRef};
use respool_log::{Access, Compression};

#[test]
fn every_type_comes_back_equal_whole_and_sliced() -> Outcome {
    let directory = directory()?;
    for (seed, data_type) in all_types().into_iter().enumerate() {
        let array = sample(&data_type, 200, &mut Numbers::new(seed as u64));
        for (offset, len) in [(0, 200), (0, 0), (3, 17), (8, 64), (150, 50), (200, 0)] {
            let batch = batch_of(array.slice(offset, len));
            let back = round_trip(&batch, options(&directory))
                .map_err(|e| format!("{data_type} {offset}+{len}: {e}"))?;
            assert_same(&back, &batch);
        }
    }
    Ok(())
}

#[test]
fn every_type_comes_back_equal_compressed_and_unmapped() -> Outcome {
    let directory = directory()?;
    let variants = [
        options(&directory).compression(Some(Compression::Lz4)),
        options(&directory).compression(Some(Compression::Zstd)),
        options(&directory).access(Access::Read),
        options(&directory)
            .access(Access::Read)
            .compression(Some(Compression::Lz4)),
    ];
    for (seed, data_type) in all_types().into_iter().enumerate() {
        let array = sample(&data_type, 100, &mut Numbers::new(seed as u64));
        for options in &variants {
            for batch in [batch_of(array.clone()), batch_of(array.slice(5, 70))] {
                assert_same(&round_trip(&batch, options.clone())?, &batch);
            }
        }
    }
    Ok(())
}

#[test]
fn a_slice_of_a_slice_comes_back_equal() -> Outcome {
    let directory = directory()?;
    for (seed, data_type) in all_types().into_iter().enumerate() {
        let array = sample(&data_type, 100, &mut Numbers::new(seed as u64));
        let batch = batch_of(array.slice(7, 80).slice(9, 50));
        assert_same(&round_trip(&batch, options(&directory))?, &batch);
    }
    Ok(())
}

#[test]
fn a_batch_without_columns_keeps_its_row_count() -> Outcome {
    let directory = directory()?;
    let schema: SchemaRef = Arc::new(Schema::empty());
    let rows = RecordBatchOptions::new().with_row_count(Some(42));
    let batch = RecordBatch::try_new_with_options(schema, vec![], &rows)?;
    let back = round_trip(&batch, options(&directory))?;
    assert_eq!(back.num_rows(), 42);
    Ok(())
}
