//! Constants reduced to one of three kinds, and what they become in another type.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    Float16Array, Float32Array, Float64Array, LargeBinaryArray, LargeStringArray, StringArray,
    StringViewArray, make_array,
};
use arrow_buffer::{Buffer, i256};
use arrow_data::ArrayData;
use arrow_schema::{DataType, TimeUnit};

use super::leaf::{Half, IntoBytes, Kind, Leaf, Native, match_bytes, match_integers};

/// A constant reduced to what decides its place among others of its type.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    Integer(i256),
    Float(f64),
    Bytes(Box<[u8]>),
}

impl Key {
    /// The key of row `index` of a flat array; `None` for nulls and types without an order.
    pub(crate) fn of(array: &dyn Array, index: usize) -> Option<Self> {
        if array.is_null(index) {
            return None;
        }
        match_bytes!(Leaf::of(array)?,
            array => Some(Self::Bytes(array.value(index).into_bytes().into())),
            Leaf::Boolean(values) => Some(Self::Integer(i64::from(values.value(index)).widen())),
            Leaf::Float16(values) => values.get(index).map(|value| Self::Float(value.to_f64())),
            Leaf::Float32(values) => values.get(index).map(|&value| Self::Float(value.into())),
            Leaf::Float64(values) => values.get(index).map(|&value| Self::Float(value)),
            other => match_integers!(other,
                values => values.get(index).map(|value| Self::Integer(value.widen())),
                _ => None
            )
        )
    }

    /// Order within one kind: NaN equals itself and comes last, zeros are equal. `None` between kinds.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Float(a), Self::Float(b)) => Some(compare_floats(*a, *b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            _ => None,
        }
    }

    pub(crate) fn is_nan(&self) -> bool {
        matches!(self, Self::Float(value) if value.is_nan())
    }

    /// The key of the same value as a value of type `to`; `None` where that is not the same value.
    pub(crate) fn convert(&self, from: &DataType, to: &DataType) -> Option<Self> {
        match self {
            Self::Float(value) => match to {
                DataType::Float64 => Some(self.clone()),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the result is compared with the value"
                )]
                DataType::Float32 => same(f64::from(*value as f32), *value),
                DataType::Float16 => same(Half::from_f64(*value).to_f64(), *value),
                _ => None,
            },
            Self::Bytes(bytes) => match to {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                    std::str::from_utf8(bytes).ok().map(|_| self.clone())
                }
                DataType::FixedSizeBinary(width) => {
                    (usize::try_from(*width).ok() == Some(bytes.len())).then(|| self.clone())
                }
                _ => (Kind::of(to)? == Kind::Bytes).then(|| self.clone()),
            },
            Self::Integer(value) if from.is_integer() && to.is_floating() => {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "what rounding changes is refused"
                )]
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "floats made from 64-bit integers fit 128 bits"
                )]
                let rounded = value
                    .to_i128()
                    .map(|value| value as f64)
                    .filter(|float| *float as i128 == value.as_i128())?;
                Self::Float(rounded).convert(&DataType::Float64, to)
            }
            Self::Integer(value) => rescale(*value, from, to).map(Self::Integer),
        }
    }

    /// The key as an array of one value.
    pub(crate) fn to_array(&self, data_type: &DataType) -> Option<ArrayRef> {
        Some(match (self, data_type) {
            (Self::Integer(value), DataType::Boolean) => {
                Arc::new(BooleanArray::from(vec![*value != i256::ZERO]))
            }
            (Self::Integer(value), _) if Kind::of(data_type) == Some(Kind::Integer) => {
                let bytes = value.to_le_bytes();
                let bytes = bytes
                    .get(..data_type.primitive_width()?)
                    .filter(|_| fits(*value, data_type))?;
                let data = ArrayData::builder(data_type.clone())
                    .len(1)
                    .add_buffer(Buffer::from(bytes))
                    .build();
                make_array(data.ok()?)
            }
            (Self::Float(value), DataType::Float64) => Arc::new(Float64Array::from(vec![*value])),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "converted keys hold what the type can hold"
            )]
            (Self::Float(value), DataType::Float32) => {
                Arc::new(Float32Array::from(vec![*value as f32]))
            }
            (Self::Float(value), DataType::Float16) => {
                Arc::new(Float16Array::from(vec![Half::from_f64(*value)]))
            }
            (Self::Bytes(bytes), _) => bytes_array(bytes, data_type)?,
            _ => return None,
        })
    }
}

fn bytes_array(bytes: &[u8], data_type: &DataType) -> Option<ArrayRef> {
    let text = || std::str::from_utf8(bytes).ok();
    Some(match data_type {
        DataType::Utf8 => Arc::new(StringArray::from(vec![text()?])),
        DataType::LargeUtf8 => Arc::new(LargeStringArray::from(vec![text()?])),
        DataType::Utf8View => Arc::new(StringViewArray::from(vec![text()?])),
        DataType::Binary => Arc::new(BinaryArray::from(vec![bytes])),
        DataType::LargeBinary => Arc::new(LargeBinaryArray::from(vec![bytes])),
        DataType::BinaryView => Arc::new(BinaryViewArray::from(vec![bytes])),
        DataType::FixedSizeBinary(width) => Arc::new(
            FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some(bytes)].into_iter(), *width)
                .ok()?,
        ),
        _ => return None,
    })
}

/// NaN equals NaN and comes last; zeros are equal whatever their sign.
pub(crate) fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b)
        .unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

fn same(converted: f64, value: f64) -> Option<Key> {
    (compare_floats(converted, value) == Ordering::Equal).then_some(Key::Float(converted))
}

/// What an integer of some type counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Measure {
    Truth,
    /// Units of ten to the minus this.
    Number(i8),
    /// A point in time without a zone, in ticks of which a day has this many.
    Naive(i64),
    /// A point in time.
    Instant(i64),
    TimeOfDay(i64),
    Duration(i64),
}

impl Measure {
    fn of(data_type: &DataType) -> Option<Self> {
        let per_day = |unit: &TimeUnit| match unit {
            TimeUnit::Second => 86_400,
            TimeUnit::Millisecond => 86_400_000,
            TimeUnit::Microsecond => 86_400_000_000,
            TimeUnit::Nanosecond => 86_400_000_000_000,
        };
        Some(match data_type {
            DataType::Boolean => Self::Truth,
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => Self::Number(*scale),
            DataType::Date32 => Self::Naive(1),
            DataType::Date64 => Self::Naive(per_day(&TimeUnit::Millisecond)),
            DataType::Timestamp(unit, None) => Self::Naive(per_day(unit)),
            DataType::Timestamp(unit, Some(_)) => Self::Instant(per_day(unit)),
            DataType::Time32(unit) | DataType::Time64(unit) => Self::TimeOfDay(per_day(unit)),
            DataType::Duration(unit) => Self::Duration(per_day(unit)),
            integer if integer.is_integer() => Self::Number(0),
            _ => return None,
        })
    }

    /// The factor and divisor that turn counts of `self` into counts of `to`.
    fn ratio(self, to: Self) -> Option<(i256, i256)> {
        let power = |exponent: i16| i256::from(10_i64).checked_pow(u32::try_from(exponent).ok()?);
        match (self, to) {
            (Self::Truth, Self::Truth) => Some((i256::ONE, i256::ONE)),
            (Self::Number(from), Self::Number(to)) => {
                let digits = i16::from(to) - i16::from(from);
                Some((power(digits.max(0))?, power((-digits).max(0))?))
            }
            (Self::Naive(from), Self::Naive(to))
            | (Self::Instant(from), Self::Instant(to))
            | (Self::TimeOfDay(from), Self::TimeOfDay(to))
            | (Self::Duration(from), Self::Duration(to)) => Some((to.widen(), from.widen())),
            _ => None,
        }
    }
}

/// The integer that means the same in another type, when there is one.
fn rescale(value: i256, from: &DataType, to: &DataType) -> Option<i256> {
    let (factor, divisor) = Measure::of(from)?.ratio(Measure::of(to)?)?;
    let (quotient, rest) = value.checked_mul(factor)?.checked_div_rem(divisor)?;
    (rest == i256::ZERO && fits(quotient, to)).then_some(quotient)
}

/// Whether the native integer behind a type can hold the value.
fn fits(value: i256, data_type: &DataType) -> bool {
    match (data_type.primitive_width(), data_type.is_unsigned_integer()) {
        (Some(1), false) => i8::narrow(value).is_some(),
        (Some(2), false) => i16::narrow(value).is_some(),
        (Some(4), false) => i32::narrow(value).is_some(),
        (Some(8), false) => i64::narrow(value).is_some(),
        (Some(16), false) => i128::narrow(value).is_some(),
        (Some(1), true) => u8::narrow(value).is_some(),
        (Some(2), true) => u16::narrow(value).is_some(),
        (Some(4), true) => u32::narrow(value).is_some(),
        (Some(8), true) => u64::narrow(value).is_some(),
        (Some(32), _) => true,
        _ => data_type == &DataType::Boolean && (value == i256::ZERO || value == i256::ONE),
    }
}
