//! Lists whose offsets and sizes may point anywhere.

use arrow_array::{Array, ArrayRef, OffsetSizeTrait};
use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};

use super::gather::gather;
use crate::Result;

/// A list-view over no more values than it shows.
pub(in crate::encode) struct ListView {
    pub(in crate::encode) offsets: Buffer,
    pub(in crate::encode) sizes: Buffer,
    pub(in crate::encode) values: ArrayRef,
}

/// Cuts the values of a list-view to the range it shows, or gathers them if that range is
/// more than twice as long as what is shown.
pub(in crate::encode) fn list_view<O: OffsetSizeTrait>(
    offsets: &ScalarBuffer<O>,
    sizes: &ScalarBuffer<O>,
    nulls: Option<&NullBuffer>,
    values: &ArrayRef,
) -> Result<Option<ListView>> {
    let is_shown = |i: usize, size: O| size > O::zero() && nulls.is_none_or(|n| n.is_valid(i));
    let mut shown = 0usize;
    let (mut start, mut end) = (usize::MAX, 0);
    for (i, (&offset, &size)) in offsets.iter().zip(sizes.iter()).enumerate() {
        if is_shown(i, size) {
            shown += size.as_usize();
            start = start.min(offset.as_usize());
            end = end.max(offset.as_usize() + size.as_usize());
        }
    }
    let start = start.min(end);
    if start == 0 && end == values.len() && shown.saturating_mul(2) >= end {
        return Ok(None);
    }
    let gathers = shown.saturating_mul(2) < end - start;
    let mut starts: Vec<O> = Vec::with_capacity(offsets.len());
    let mut lengths: Vec<O> = Vec::with_capacity(offsets.len());
    let mut pieces = Vec::new();
    let mut next = 0usize;
    for (i, (&offset, &size)) in offsets.iter().zip(sizes.iter()).enumerate() {
        if !is_shown(i, size) {
            starts.push(O::zero());
            lengths.push(O::zero());
            continue;
        }
        let at = offset.as_usize();
        if gathers {
            starts.push(O::usize_as(next));
            next += size.as_usize();
            pieces.push((at, at + size.as_usize()));
        } else {
            starts.push(O::usize_as(at - start));
        }
        lengths.push(size);
    }
    let values = if gathers {
        gather(values, &pieces)?
    } else {
        values.slice(start, end - start)
    };
    Ok(Some(ListView {
        offsets: Buffer::from_vec(starts),
        sizes: Buffer::from_vec(lengths),
        values,
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::Int32Array;

    use super::*;

    fn numbers(len: i32) -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(0..len))
    }

    #[test]
    fn list_views_are_cut_or_gathered() {
        let cut = list_view::<i32>(
            &vec![50, 52].into(),
            &vec![2, 3].into(),
            None,
            &numbers(100),
        );
        let cut = cut.unwrap().unwrap();
        assert_eq!(cut.offsets.typed_data::<i32>(), [0, 2]);
        assert_eq!(cut.values.len(), 5);
        let far = list_view::<i32>(&vec![90, 0].into(), &vec![2, 3].into(), None, &numbers(100));
        let far = far.unwrap().unwrap();
        assert_eq!(far.offsets.typed_data::<i32>(), [0, 2]);
        assert_eq!(far.sizes.typed_data::<i32>(), [2, 3]);
        let want: ArrayRef = Arc::new(Int32Array::from(vec![90, 91, 0, 1, 2]));
        assert_eq!(&far.values, &want);
    }
}
