//! The range of a column's values.

use arrow_buffer::i256;

use crate::values::Native;

/// Byte bounds longer than this are cut.
const MAX_BOUND_LEN: usize = 64;

/// The range that holds every value of a batch that is neither null nor NaN.
///
/// Bounds may be wider than the values, never narrower. Integers are the stored ones: days, ticks, unscaled decimals.
#[derive(Clone, Debug, PartialEq)]
pub enum Bounds {
    /// The type has no order here: anything may be in the batch.
    Unknown,
    /// There is no such value: all are null or NaN.
    Empty,
    /// Truth values (0 and 1), integers, decimals and times that fit 64 bits.
    Integer(i64, i64),
    /// Integers and decimals beyond 64 bits.
    Wide(Box<(i256, i256)>),
    /// Floats of any width. Zeros carry no sign that matters.
    Float(f64, f64),
    /// Strings and binaries, ordered by their bytes.
    Bytes(Box<ByteBounds>),
}

/// The range of strings or binaries; long ones are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteBounds {
    /// No value sorts before this one.
    pub min: Box<[u8]>,
    /// No value sorts after this one; `None` when no bounded text can say that.
    pub max: Option<Box<[u8]>>,
    /// Whether `min` and `max` are values of the batch, not cut ones.
    pub exact: bool,
}

impl Bounds {
    /// The most compact form of a range of integers.
    pub(crate) fn integers(min: i256, max: i256) -> Self {
        match (i64::narrow(min), i64::narrow(max)) {
            (Some(min), Some(max)) => Self::Integer(min, max),
            _ => Self::Wide(Box::new((min, max))),
        }
    }

    pub(super) fn bytes(min: &[u8], max: &[u8]) -> Self {
        let exact = min.len() <= MAX_BOUND_LEN && max.len() <= MAX_BOUND_LEN;
        let max = match max.get(..MAX_BOUND_LEN) {
            Some(head) if max.len() > MAX_BOUND_LEN => successor(head),
            _ => Some(max.into()),
        };
        let min = min.get(..MAX_BOUND_LEN).unwrap_or(min).into();
        Self::Bytes(Box::new(ByteBounds { min, max, exact }))
    }
}

/// The smallest byte string greater than all that start with `prefix`, or `None` when there is none.
pub(crate) fn successor(prefix: &[u8]) -> Option<Box<[u8]>> {
    let (last, head) = prefix
        .iter()
        .rposition(|&byte| byte != u8::MAX)
        .and_then(|end| {
            let (last, head) = prefix.get(..=end)?.split_last()?;
            Some((*last, head))
        })?;
    let mut bytes = head.to_vec();
    bytes.push(last + 1);
    Some(bytes.into())
}
