//! Offsets of lists and of text.

use arrow_array::OffsetSizeTrait;
use arrow_buffer::{Buffer, OffsetBuffer};

/// The first and the last offset.
pub(in crate::encode) fn extent<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> (usize, usize) {
    (offsets.first().as_usize(), offsets.last().as_usize())
}

/// Offsets that begin at 0, if they do not.
pub(in crate::encode) fn rebased<O: OffsetSizeTrait>(offsets: &OffsetBuffer<O>) -> Option<Buffer> {
    let first = offsets.first();
    if first == O::zero() {
        return None;
    }
    let rebased: Vec<O> = offsets.iter().map(|&o| o - first).collect();
    Some(Buffer::from_vec(rebased))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_that_begin_at_zero_stay_where_they_are() {
        let offsets = OffsetBuffer::<i32>::new(vec![0, 2, 5, 9].into());
        assert!(rebased(&offsets).is_none());
        let slice = offsets.slice(1, 2);
        assert_eq!(extent(&slice), (2, 9));
        let rebased = rebased(&slice).unwrap();
        assert_eq!(rebased.typed_data::<i32>(), [0, 3, 7]);
    }
}
