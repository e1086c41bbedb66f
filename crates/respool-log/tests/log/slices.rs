//! A slice writes only what it shows.

use std::sync::Arc;

use arrow_array::builder::StringViewBuilder;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, DictionaryArray, Int32Array, ListViewArray, StringArray};
use arrow_schema::DataType;
use respool_log::Log;

use crate::support::*;

/// What a compact copy of an array takes.
fn shown(array: &ArrayRef) -> u64 {
    let data = array.to_data();
    let mut copy = arrow_data::transform::MutableArrayData::new(vec![&data], false, data.len());
    copy.try_extend(0, 0, data.len()).unwrap();
    copy.freeze().get_slice_memory_size().unwrap_or(0) as u64
}

fn has_dictionary(data_type: &DataType) -> bool {
    data_type.to_string().contains("Dictionary")
}

fn written(array: &ArrayRef) -> Result<u64, Box<dyn std::error::Error>> {
    let directory = directory()?;
    let batch = batch_of(array.clone());
    let log = Log::temporary(batch.schema(), options(&directory))?;
    log.append(&batch)?;
    assert_same(&log.read(0, None)?, &batch);
    Ok(log.bytes())
}

#[test]
fn ten_rows_of_a_hundred_thousand_write_only_ten_rows() -> Outcome {
    for (seed, data_type) in all_types().into_iter().enumerate() {
        let rows = 100_000;
        let array = sample(&data_type, rows, &mut Numbers::new(seed as u64));
        for start in [0, 50_001, rows - 10] {
            let slice = array.slice(start, 10);
            // What is shown is a few rows of values of at most 40 bytes.
            let shown = if has_dictionary(&data_type) {
                0
            } else {
                shown(&slice)
            };
            let allowed = shown + shown / 10 + 4096;
            let written = written(&slice)?;
            assert!(
                written <= allowed,
                "{data_type} at {start}: {written} bytes"
            );
        }
    }
    Ok(())
}

#[test]
fn a_slice_of_flat_columns_stays_within_a_tenth_and_four_kilobytes() -> Outcome {
    for (seed, data_type) in flat_types().into_iter().enumerate() {
        if matches!(data_type, DataType::Dictionary(..)) {
            continue;
        }
        let array = sample(&data_type, 100_000, &mut Numbers::new(seed as u64));
        for len in [10, 1_000, 30_000] {
            let slice = array.slice(40_000, len);
            let (written, shown) = (written(&slice)?, shown(&slice));
            let allowed = shown + shown / 10 + 4096;
            assert!(
                written <= allowed,
                "{data_type} {len}: {written} of {shown}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_view_array_is_collected_only_where_that_makes_it_smaller() -> Outcome {
    let mut views = StringViewBuilder::new().with_deduplicate_strings();
    for _ in 0..10_000 {
        views.append_value("one long string that every row shows, stored only once");
    }
    let array: ArrayRef = Arc::new(views.finish());
    // 16 bytes of view for each row; collecting would write the text 10,000 times.
    assert!(written(&array)? < 10_000 * 16 + 4096);
    Ok(())
}

#[test]
fn a_list_view_in_any_order_writes_what_it_shows() -> Outcome {
    let values: ArrayRef = Arc::new(Int32Array::from_iter_values(0..100_000));
    let offsets = vec![99_990, 0, 50_000];
    let sizes = vec![10, 5, 3];
    let item = field("item", DataType::Int32);
    let array = ListViewArray::try_new(item, offsets.into(), sizes.into(), values, None)?;
    assert!(written(&(Arc::new(array) as ArrayRef))? < 4096);
    Ok(())
}

#[test]
fn a_batch_takes_what_it_uses_of_a_large_dictionary() -> Outcome {
    let values: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..100_000).map(|i| format!("value number {i}")),
    ));
    let keys = Int32Array::from_iter([Some(99_999), None, Some(3), Some(3)]);
    let array: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::try_new(keys, values)?);
    assert!(written(&array)? < 4096);
    Ok(())
}
