//! What is known of one column of one batch without looking at it again.

use arrow_array::Array;
use arrow_buffer::NullBuffer;

use super::bounds::Bounds;
use super::extremes::encoded_bounds;

/// Smallest and largest value, null count and presence of NaN of one column of one batch.
///
/// ```
/// use arrow_array::Int64Array;
/// use respool::zones::{Bounds, Zone};
///
/// let zone = Zone::of(&Int64Array::from(vec![Some(3), None, Some(-1)]));
/// assert_eq!(zone.bounds(), &Bounds::Integer(-1, 3));
/// assert_eq!((zone.rows(), zone.null_count()), (3, 1));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    rows: u64,
    null_count: u64,
    bounds: Bounds,
    has_nan: bool,
}

/// The zone of a whole column: [`Zone::of`] as a function.
pub fn zone_of(array: &dyn Array) -> Zone {
    Zone::of(array)
}

impl Zone {
    pub(super) fn new(rows: u64, null_count: u64, bounds: Bounds, has_nan: bool) -> Self {
        Self {
            rows,
            null_count,
            bounds,
            has_nan,
        }
    }

    /// Reads `array` once. A type without an order gets its null count and [`Bounds::Unknown`].
    pub fn of(array: &dyn Array) -> Self {
        Self::of_masked(array, None)
    }

    /// The zone of `array` where the rows that `parents` marks as null are null, whatever the array says.
    pub(crate) fn of_masked(array: &dyn Array, parents: Option<&NullBuffer>) -> Self {
        let valid = NullBuffer::union(array.logical_nulls().as_ref(), parents);
        let null_count = valid.as_ref().map_or(0, NullBuffer::null_count);
        let valid = valid.filter(|_| null_count > 0);
        let (bounds, has_nan) = if null_count == array.len() {
            (Bounds::Empty, false)
        } else {
            encoded_bounds(array, valid.as_ref())
        };
        Self {
            rows: array.len() as u64,
            null_count: null_count as u64,
            bounds,
            has_nan,
        }
    }

    /// Rows of the batch, nulls included.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows that are null.
    pub fn null_count(&self) -> u64 {
        self.null_count
    }

    /// Whether some value is NaN.
    pub fn has_nan(&self) -> bool {
        self.has_nan
    }

    /// The range of the other values.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }
}
