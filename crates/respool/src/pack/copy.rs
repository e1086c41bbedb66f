//! Copies of batches that would hold much more memory than they show.
//!
//! A ten-row slice of a large batch keeps the large batch's buffers alive; kept for ever, it would
//! cost them all. Such a batch is copied before it is kept.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, make_array};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::{ArrowError, DataType};
use arrow_select::dictionary::garbage_collect_any_dictionary;

/// A copy that holds what it shows and little more.
pub(crate) fn shrink(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .map(copied_array)
        .collect::<Result<Vec<_>, ArrowError>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns, &options)
}

/// A copy of a column that shares nothing with it; not of every type.
pub(super) fn copied_array(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    if !is_copied(data.data_type()) {
        return Ok(Arc::clone(array));
    }
    Ok(make_array(collected(copied(&data)?)?))
}

/// A copy of the rows; the bytes of views and the values of dictionaries are shared.
pub(super) fn copied_rows(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(make_array(copied(&array.to_data())?))
}

/// A gathered array without what it shares with its origin.
pub(crate) fn owned(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    Ok(make_array(collected(array.to_data())?))
}

fn copied(data: &ArrayData) -> Result<ArrayData, ArrowError> {
    let mut copy = MutableArrayData::new(vec![data], false, data.len());
    copy.try_extend(0, 0, data.len())?;
    Ok(copy.freeze())
}

/// Types whose rows [`MutableArrayData`] copies one for one; the others stay as they are.
fn is_copied(data_type: &DataType) -> bool {
    match data_type {
        DataType::RunEndEncoded(_, _)
        | DataType::Union(_, _)
        | DataType::ListView(_)
        | DataType::LargeListView(_) => false,
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _) => is_copied(field.data_type()),
        DataType::Struct(fields) => fields.iter().all(|field| is_copied(field.data_type())),
        _ => true,
    }
}

/// Drops what a copied array shares with its origin: the bytes of views, the values of dictionaries.
fn collected(data: ArrayData) -> Result<ArrayData, ArrowError> {
    match data.data_type() {
        DataType::Utf8View => {
            let array: ArrayRef = Arc::new(make_array(data).as_string_view().gc());
            Ok(array.to_data())
        }
        DataType::BinaryView => {
            let array: ArrayRef = Arc::new(make_array(data).as_binary_view().gc());
            Ok(array.to_data())
        }
        DataType::Dictionary(_, _) => {
            let array = make_array(data);
            let collected = garbage_collect_any_dictionary(array.as_any_dictionary())?;
            Ok(collected.to_data())
        }
        _ if data.child_data().is_empty() => Ok(data),
        _ => {
            let children = data
                .child_data()
                .iter()
                .cloned()
                .map(collected)
                .collect::<Result<Vec<_>, _>>()?;
            data.into_builder().child_data(children).build()
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int64Array, StringViewArray};

    use super::*;
    use crate::ledger::weigh::Weight;

    #[test]
    fn a_slice_is_copied_and_a_whole_batch_is_not() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let strings: ArrayRef = Arc::new(StringViewArray::from_iter_values(
            (0..10_000).map(|i| format!("a string longer than an inline view {i}")),
        ));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("s", strings)]).unwrap();
        assert!(!Weight::of(&batch).is_wasteful());
        let slice = batch.slice(5000, 10);
        assert!(Weight::of(&slice).is_wasteful());
        let small = shrink(&slice).unwrap();
        assert_eq!(small, slice);
        assert!(!Weight::of(&small).is_wasteful());
    }
}
