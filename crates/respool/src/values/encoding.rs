//! Dictionaries and runs: one layer of encoding, seen through or taken off.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt64Array, downcast_run_array};
use arrow_buffer::{ArrowNativeType, RunEndBuffer};
use arrow_schema::{ArrowError, DataType};
use arrow_select::take::take;

use super::leaf::refused;

/// Asks each distinct value once where the array is a dictionary or runs.
pub(crate) fn through_encoding(
    array: &ArrayRef,
    leaf: &dyn Fn(&ArrayRef) -> Result<BooleanArray, ArrowError>,
) -> Result<BooleanArray, ArrowError> {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let (keys, values) = (dictionary.keys(), dictionary.values());
        if keys.null_count() == keys.len() {
            return Ok(BooleanArray::new_null(keys.len()));
        }
        // A batch that shows a small part of a large dictionary is cheaper to decode.
        if values.len() > 2 * keys.len() {
            return leaf(&take(values.as_ref(), keys, None)?);
        }
        return Ok(take(&leaf(values)?, keys, None)?.as_boolean().clone());
    }
    if matches!(array.data_type(), DataType::RunEndEncoded(..)) {
        let array = array.as_ref();
        return downcast_run_array!(
            array => {
                let answers = leaf(array.values())?;
                let runs = runs_of_rows(array.run_ends());
                Ok(take(&answers, &runs, None)?.as_boolean().clone())
            },
            other => Err(refused("runs", other))
        );
    }
    leaf(array)
}

/// One layer of encoding less.
pub(crate) fn decode(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        return take(dictionary.values().as_ref(), dictionary.keys(), None);
    }
    if matches!(array.data_type(), DataType::RunEndEncoded(..)) {
        let array = array.as_ref();
        return downcast_run_array!(
            array => take(array.values().as_ref(), &runs_of_rows(array.run_ends()), None),
            other => Err(refused("runs", other))
        );
    }
    Ok(ArrayRef::clone(array))
}

fn runs_of_rows<R: ArrowNativeType>(run_ends: &RunEndBuffer<R>) -> UInt64Array {
    physical_indices(run_ends)
        .map(|run| run as u64)
        .collect::<Vec<_>>()
        .into()
}

/// The run of every row of a (sliced) run-end buffer.
pub(crate) fn physical_indices<R: ArrowNativeType>(
    run_ends: &RunEndBuffer<R>,
) -> impl Iterator<Item = usize> + '_ {
    let first = if run_ends.is_empty() {
        0
    } else {
        run_ends.get_start_physical_index()
    };
    let mut from = run_ends.offset();
    let end = from + run_ends.len();
    run_ends
        .values()
        .iter()
        .enumerate()
        .skip(first)
        .flat_map(move |(run, run_end)| {
            let to = run_end.as_usize().min(end);
            let rows = to.saturating_sub(from);
            from = from.max(to);
            std::iter::repeat_n(run, rows)
        })
}
