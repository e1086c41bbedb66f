//! Bounds seen through a function that keeps order.

use arrow_buffer::i256;
use arrow_schema::DataType;

use super::bounds::Bounds;
use crate::values::{Cast, Native, Transform, date, year};

impl Bounds {
    /// The bounds of the results, `Unknown` where a value near the bounds would make the transform fail.
    pub(crate) fn through(&self, transform: &Transform, from: &DataType) -> Self {
        match transform {
            _ if matches!(self, Self::Empty) => Self::Empty,
            Transform::Cast(to) => {
                Cast::between(from, to).map_or(Self::Unknown, |cast| cast_bounds(cast, self))
            }
            Transform::Date => map_integers(self, |ticks| date(from, ticks).ok().map(i64::from)),
            Transform::Year => map_integers(self, |ticks| year(from, ticks).ok().map(i64::from)),
        }
    }
}

fn cast_bounds(cast: Cast, bounds: &Bounds) -> Bounds {
    match cast {
        Cast::Same => bounds.clone(),
        Cast::Multiply(factor) => map_integers(bounds, |value| value.checked_mul(factor)),
        Cast::Float64 => map_to_float(bounds, to_f64),
        Cast::Float32 => map_to_float(bounds, to_f32),
        Cast::Decimal(scale) => {
            // Engines disagree about the last digits of this quotient; bounds may be wider than exact.
            let quotient = |value| to_f64(value) / 10_f64.powi(i32::from(scale));
            let steps = 8;
            match map_to_float(bounds, quotient) {
                Bounds::Float(min, max) => Bounds::Float(
                    (0..steps).fold(min, |value, _| value.next_down()),
                    (0..steps).fold(max, |value, _| value.next_up()),
                ),
                other => other,
            }
        }
    }
}

fn map_integers(bounds: &Bounds, map: impl Fn(i64) -> Option<i64>) -> Bounds {
    let Bounds::Integer(min, max) = bounds else {
        return Bounds::Unknown;
    };
    match (map(*min), map(*max)) {
        (Some(min), Some(max)) => Bounds::Integer(min, max),
        _ => Bounds::Unknown,
    }
}

fn map_to_float(bounds: &Bounds, map: impl Fn(i256) -> f64) -> Bounds {
    match bounds {
        Bounds::Integer(min, max) => Bounds::Float(map(min.widen()), map(max.widen())),
        Bounds::Wide(range) => Bounds::Float(map(range.0), map(range.1)),
        _ => Bounds::Unknown,
    }
}

/// Correctly rounded for what fits 128 bits, a few units of the last place off beyond.
#[expect(
    clippy::cast_precision_loss,
    reason = "rounding keeps the order of values, which is what bounds need"
)]
fn to_f64(value: i256) -> f64 {
    value.to_i128().map_or_else(
        || {
            let (low, high) = value.to_parts();
            (high as f64).mul_add(2_f64.powi(128), low as f64)
        },
        |value| value as f64,
    )
}

/// The integer rounded once to 24 bits: not by way of `f64`, which would round twice.
#[expect(
    clippy::cast_precision_loss,
    reason = "rounding keeps the order of values, which is what bounds need"
)]
fn to_f32(value: i256) -> f64 {
    f64::from(value.as_i128() as f32)
}
