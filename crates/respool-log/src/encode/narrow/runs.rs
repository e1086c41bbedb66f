//! Runs of equal values.

use arrow_array::types::RunEndIndexType;
use arrow_array::{Array, ArrayRef, RunArray};
use arrow_buffer::{ArrowNativeType, ScalarBuffer};

/// The run ends and the values of the runs that a slice shows, counted from its beginning.
pub(in crate::encode) fn runs<R: RunEndIndexType>(
    array: &RunArray<R>,
) -> (ScalarBuffer<R::Native>, ArrayRef) {
    let ends = array.run_ends();
    if array.is_empty() {
        return (Vec::new().into(), array.values().slice(0, 0));
    }
    if ends.offset() == 0 && ends.max_value() == ends.len() {
        return (ends.inner().clone(), array.values().clone());
    }
    let first = ends.get_start_physical_index();
    let last = ends.get_end_physical_index();
    let offset = ends.offset();
    let len = ends.len();
    let rebuilt: Vec<R::Native> = ends
        .values()
        .iter()
        .skip(first)
        .take(last - first + 1)
        .map(|end| R::Native::usize_as((end.as_usize() - offset).min(len)))
        .collect();
    (
        rebuilt.into(),
        array.values().slice(first, last - first + 1),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int32Array;
    use arrow_array::types::Int32Type;

    use super::*;

    fn numbers(len: i32) -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(0..len))
    }

    #[test]
    fn runs_are_counted_from_the_beginning_of_the_slice() {
        let ends = Int32Array::from(vec![10, 20, 30]);
        let array = RunArray::<Int32Type>::try_new(&ends, &numbers(3)).unwrap();
        let (ends, values) = runs(&array.slice(12, 10));
        assert_eq!(ends.as_ref(), [8, 10]);
        assert_eq!(values.as_ref(), &Int32Array::from(vec![1, 2]) as &dyn Array);
    }
}
