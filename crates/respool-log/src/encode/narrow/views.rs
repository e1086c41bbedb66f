//! Views of text and of bytes.

use arrow_buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

use super::WORTH;
use crate::Result;

/// Views of at most this many bytes hold their bytes themselves.
const INLINE: u32 = 12;

/// A data buffer of views is closed at this size: the format counts in signed 32 bits.
const VIEW_BUFFER: usize = 1 << 30;

/// Views and data buffers without the bytes that no view shows, if those are more than half.
pub(in crate::encode) fn views(
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

#[cfg(test)]
mod tests {
    use arrow_array::StringViewArray;

    use super::*;

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
}
