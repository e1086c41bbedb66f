//! What a slice shows, without what it hides.
//!
//! Every function returns `None` where the array is already as small as it should be, so that the
//! common case, a batch that is not a slice, is written from where it lies.

use arrow_array::types::RunEndIndexType;
use arrow_array::{Array, ArrayRef, OffsetSizeTrait, RunArray, UnionArray, make_array};
use arrow_buffer::{ArrowNativeType, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::transform::MutableArrayData;
use arrow_schema::ArrowError;

use crate::Result;

/// Below this many hidden bytes nothing is rebuilt: padding alone costs as much.
pub(super) const WORTH: u64 = 1024;

/// Views of at most this many bytes hold their bytes themselves.
const INLINE: u32 = 12;

/// A data buffer of views is closed at this size: the format counts in signed 32 bits.
const VIEW_BUFFER: usize = 1 << 30;

/// The first and the last offset.
pub(super) fn extent<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (usize, usize) {
    (offsets.first().as_usize(), offsets.last().as_usize())
}

/// Offsets that begin at 0, if they do not.
pub(super) fn rebased<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> Option<Buffer> {
    let first = offsets.first();
    if first == O::zero() {
        return None;
    }
    let rebased: Vec<O> = offsets.iter().map(|&o| o - first).collect();
    Some(Buffer::from_vec(rebased))
}

/// Views and data buffers without the bytes that no view shows, if those are more than half.
pub(super) fn views(
    views: &ScalarBuffer<u128>,
    buffers: &[Buffer],
    nulls: Option<&NullBuffer>,
) -> Result<Option<(ScalarBuffer<u128>, Vec<Buffer>)>> {
    let total: u64 = buffers.iter().map(|b| b.len() as u64).sum();
    if total < WORTH {
        return Ok(None);
    }
    let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
    let is_valid = |i: usize| nulls.is_none_or(|nulls| nulls.is_valid(i));
    let mut shown = 0u64;
    for (i, &view) in views.iter().enumerate() {
        let len = low(view);
        if len > INLINE && is_valid(i) {
            shown += u64::from(len);
        }
    }
    if shown.saturating_mul(2) >= total {
        return Ok(None);
    }
    let mut rebuilt = Vec::with_capacity(views.len());
    let mut closed: Vec<Buffer> = Vec::new();
    let mut open: Vec<u8> =
        Vec::with_capacity(usize::try_from(shown).unwrap_or(0).min(VIEW_BUFFER));
    for (i, &view) in views.iter().enumerate() {
        let len = low(view);
        if !is_valid(i) {
            rebuilt.push(0);
        } else if len <= INLINE {
            rebuilt.push(view);
        } else {
            let start = low(view >> 96) as usize;
            let bytes = buffers
                .get(low(view >> 64) as usize)
                .and_then(|buffer| buffer.get(start..start + len as usize))
                .ok_or_else(|| {
                    ArrowError::InvalidArgumentError(format!("view {i} points out of its buffer"))
                })?;
            if open.len() + bytes.len() > VIEW_BUFFER && !open.is_empty() {
                closed.push(Buffer::from_vec(std::mem::take(&mut open)));
            }
            let place = ((open.len() as u128) << 96) | ((closed.len() as u128) << 64);
            rebuilt.push(place | (view & u128::from(u64::MAX)));
            open.extend_from_slice(bytes);
        }
    }
    if !open.is_empty() {
        closed.push(Buffer::from_vec(open));
    }
    Ok(Some((rebuilt.into(), closed)))
}

/// The low 32 bits.
fn low(view: u128) -> u32 {
    let [a, b, c, d, ..] = view.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A list-view over no more values than it shows.
pub(super) struct ListView {
    pub(super) offsets: Buffer,
    pub(super) sizes: Buffer,
    pub(super) values: ArrayRef,
}

/// Cuts the values of a list-view to the range it shows, or gathers them if that range is
/// more than twice as long as what is shown.
pub(super) fn list_view<O: OffsetSizeTrait>(
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

/// Copies ranges of an array one after the other.
fn gather(values: &ArrayRef, pieces: &[(usize, usize)]) -> Result<ArrayRef> {
    let data = values.to_data();
    let len = pieces.iter().map(|(start, end)| end - start).sum();
    let mut gathered = MutableArrayData::new(vec![&data], false, len);
    for &(start, end) in pieces {
        gathered.try_extend(0, start, end)?;
    }
    Ok(make_array(gathered.freeze()))
}

/// The offsets and the children of a dense union, without the values it does not show.
pub(super) fn dense_union(
    union: &UnionArray,
    offsets: &ScalarBuffer<i32>,
) -> Result<Option<(Buffer, Vec<ArrayRef>)>> {
    #[derive(Clone, Copy)]
    struct Used {
        shown: usize,
        start: usize,
        end: usize,
    }
    let slot = |id: i8| usize::from(id.cast_unsigned());
    let mut used = [Used {
        shown: 0,
        start: usize::MAX,
        end: 0,
    }; 256];
    for (&id, &offset) in union.type_ids().iter().zip(offsets.iter()) {
        let at = offset.as_usize();
        if let Some(used) = used.get_mut(slot(id)) {
            used.shown += 1;
            used.start = used.start.min(at);
            used.end = used.end.max(at + 1);
        }
    }
    let whole = union.fields().iter().all(|(id, _)| {
        used.get(slot(id)).is_some_and(|used| {
            used.start.min(used.end) == 0
                && used.end == union.child(id).len()
                && used.shown.saturating_mul(2) >= used.end
        })
    });
    if whole {
        return Ok(None);
    }
    let mut pieces: Vec<Vec<(usize, usize)>> = vec![Vec::new(); 256];
    let mut rebuilt: Vec<i32> = Vec::with_capacity(offsets.len());
    for (&id, &offset) in union.type_ids().iter().zip(offsets.iter()) {
        let at = offset.as_usize();
        let (Some(used), Some(pieces)) = (used.get(slot(id)), pieces.get_mut(slot(id))) else {
            continue;
        };
        if used.shown.saturating_mul(2) < used.end - used.start {
            rebuilt.push(i32::usize_as(pieces.len()));
            pieces.push((at, at + 1));
        } else {
            rebuilt.push(i32::usize_as(at - used.start));
        }
    }
    let mut children = Vec::with_capacity(union.fields().len());
    for (id, _) in union.fields().iter() {
        let child = union.child(id);
        let used = used.get(slot(id)).copied();
        let pieces = pieces.get(slot(id));
        let (Some(used), Some(pieces)) = (used, pieces) else {
            continue;
        };
        children.push(if pieces.is_empty() {
            let start = used.start.min(used.end);
            child.slice(start, used.end - start)
        } else {
            gather(child, pieces)?
        });
    }
    Ok(Some((Buffer::from_vec(rebuilt), children)))
}

/// The run ends and the values of the runs that a slice shows, counted from its beginning.
pub(super) fn runs<R: RunEndIndexType>(array: &RunArray<R>) -> (ScalarBuffer<R::Native>, ArrayRef) {
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

    use arrow_array::types::Int32Type;
    use arrow_array::{Int32Array, RunArray, StringViewArray};

    use super::*;

    fn numbers(len: i32) -> ArrayRef {
        Arc::new(Int32Array::from_iter_values(0..len))
    }

    #[test]
    fn offsets_that_begin_at_zero_stay_where_they_are() {
        let offsets = OffsetBuffer::<i32>::new(vec![0, 2, 5, 9].into());
        assert!(rebased(&offsets).is_none());
        let slice = offsets.slice(1, 2);
        assert_eq!(extent(&slice), (2, 9));
        let rebased = rebased(&slice).unwrap();
        assert_eq!(rebased.typed_data::<i32>(), [0, 3, 7]);
    }

    #[test]
    fn views_are_collected_when_less_than_half_is_shown() {
        let text = |i: usize| format!("a value that is not inline, number {i}");
        let array = StringViewArray::from_iter_values((0..100).map(text));
        let few = array.slice(10, 5);
        let (short, buffers) = views(few.views(), few.data_buffers(), None)
            .unwrap()
            .unwrap();
        let copy = StringViewArray::new(short, buffers, None);
        assert_eq!(copy, few);
        let most = array.slice(0, 60);
        let kept = views(most.views(), most.data_buffers(), None).unwrap();
        assert!(kept.is_none());
    }

    #[test]
    fn views_of_nulls_that_point_nowhere_are_cleared() {
        let array = StringViewArray::from_iter_values(["x".repeat(5000), "y".repeat(20)]);
        let mut raw = array.views().to_vec();
        raw[0] = u128::MAX;
        let nulls = NullBuffer::from(vec![false, true]);
        let collected = views(&raw.into(), array.data_buffers(), Some(&nulls));
        let (views, buffers) = collected.unwrap().unwrap();
        assert_eq!(views[0], 0);
        assert_eq!(buffers[0].as_slice(), "y".repeat(20).as_bytes());
    }

    #[test]
    fn a_view_that_points_out_of_its_buffer_is_an_error() {
        let array = StringViewArray::from_iter_values(["x".repeat(5000)]);
        let raw = vec![u128::from(20u32) | (7 << 64)];
        assert!(views(&raw.into(), array.data_buffers(), None).is_err());
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

    #[test]
    fn runs_are_counted_from_the_beginning_of_the_slice() {
        let ends = Int32Array::from(vec![10, 20, 30]);
        let array = RunArray::<Int32Type>::try_new(&ends, &numbers(3)).unwrap();
        let (ends, values) = runs(&array.slice(12, 10));
        assert_eq!(ends.as_ref(), [8, 10]);
        assert_eq!(values.as_ref(), &Int32Array::from(vec![1, 2]) as &dyn Array);
    }
}
