//! Functions that keep order, never fail on values in range and make no nulls, so a zone can be seen through them.

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, TimeUnit};
use std::sync::Arc;

use super::leaf::Kind;

/// A function of one value that is monotone and total.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transform {
    /// A cast that keeps order: integers to wider integers or to floats, `f32` to `f64`, decimals to `f64`, dates to
    /// naive timestamps, strings and binaries to their other layouts.
    Cast(DataType),
    /// The day of a date or naive timestamp, as `Date32`.
    Date,
    /// The calendar year of a date or naive timestamp, as `Int32`.
    Year,
}

/// Days further than this from 1970 have no year here: engines disagree about them.
const MAX_DAYS: i64 = 90_000_000;

impl Transform {
    /// The type it makes of `from`, or `None` where it does not keep order or may fail.
    pub(crate) fn result(&self, from: &DataType) -> Option<DataType> {
        match self {
            Self::Cast(to) => Cast::between(from, to).map(|_| to.clone()),
            Self::Date => ticks_per_day(from).map(|_| DataType::Date32),
            Self::Year => ticks_per_day(from).map(|_| DataType::Int32),
        }
    }

    /// Every value of `array` (which is flat) transformed; a value out of range is an error.
    pub(crate) fn apply(&self, array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let from = array.data_type();
        match self {
            Self::Cast(to) => match Cast::between(from, to) {
                Some(Cast::Same | Cast::Float64 | Cast::Float32 | Cast::Decimal(_)) => {
                    checked_cast(array, to)
                }
                Some(Cast::Multiply(factor)) => {
                    let ticks = ticks(array)?.try_unary::<_, Int64Type, ArrowError>(|value| {
                        value
                            .checked_mul(factor)
                            .ok_or_else(|| out_of_range(from, value))
                    })?;
                    checked_cast(&(Arc::new(ticks) as ArrayRef), to)
                }
                None => Err(ArrowError::CastError(format!(
                    "a cast from {from} to {to} does not keep order"
                ))),
            },
            Self::Date => {
                let dates: PrimitiveArray<Date32Type> =
                    ticks(array)?.try_unary(|value| date(from, value))?;
                Ok(Arc::new(dates))
            }
            Self::Year => {
                let years: PrimitiveArray<Int32Type> =
                    ticks(array)?.try_unary(|value| year(from, value))?;
                Ok(Arc::new(years))
            }
        }
    }
}

/// How a cast that keeps order changes the values.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cast {
    /// Not at all, only their layout.
    Same,
    Float64,
    Float32,
    /// From a decimal of this scale to `f64`.
    Decimal(i8),
    Multiply(i64),
}

impl Cast {
    pub(crate) fn between(from: &DataType, to: &DataType) -> Option<Self> {
        use DataType::{
            Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, FixedSizeBinary, Float16,
            Float32, Float64, Timestamp,
        };
        let width = |data_type: &DataType| data_type.primitive_width().unwrap_or(0);
        match (from, to) {
            _ if from == to => Kind::of(from).map(|_| Self::Same),
            _ if from.is_integer() && to.is_integer() => {
                let widens = width(to) > width(from);
                (widens && (to.is_signed_integer() || from.is_unsigned_integer()))
                    .then_some(Self::Same)
            }
            (_, Float64) if from.is_integer() => Some(Self::Float64),
            (_, Float32) if from.is_integer() => Some(Self::Float32),
            (Float16, Float32 | Float64) | (Float32, Float64) => Some(Self::Same),
            (
                Decimal32(_, scale)
                | Decimal64(_, scale)
                | Decimal128(_, scale)
                | Decimal256(_, scale),
                Float64,
            ) => Some(Self::Decimal(*scale)),
            (Date32, Date64 | Timestamp(_, None)) => Some(Self::Multiply(ticks_per_day(to)?)),
            (Date64, Timestamp(TimeUnit::Millisecond, None)) => Some(Self::Multiply(1)),
            (Date64, Timestamp(TimeUnit::Microsecond, None)) => Some(Self::Multiply(1_000)),
            (Date64, Timestamp(TimeUnit::Nanosecond, None)) => Some(Self::Multiply(1_000_000)),
            _ if is_text(from) && is_text(to) => Some(Self::Same),
            _ if is_binary(from) && is_binary(to) && !matches!(to, FixedSizeBinary(_)) => {
                Some(Self::Same)
            }
            _ => None,
        }
    }
}

fn is_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_binary(data_type: &DataType) -> bool {
    use DataType::{Binary, BinaryView, FixedSizeBinary, LargeBinary};
    matches!(
        data_type,
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_)
    )
}

/// Ticks of a date or naive timestamp in a day.
fn ticks_per_day(data_type: &DataType) -> Option<i64> {
    Some(match data_type {
        DataType::Date32 => 1,
        DataType::Timestamp(TimeUnit::Second, None) => 86_400,
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, None) => 86_400_000,
        DataType::Timestamp(TimeUnit::Microsecond, None) => 86_400_000_000,
        DataType::Timestamp(TimeUnit::Nanosecond, None) => 86_400_000_000_000,
        _ => return None,
    })
}

fn out_of_range(from: &DataType, value: i64) -> ArrowError {
    ArrowError::ComputeError(format!("a value of type {from} is out of range: {value}"))
}

fn days(from: &DataType, ticks: i64) -> Result<i64, ArrowError> {
    ticks_per_day(from)
        .map(|per_day| ticks.div_euclid(per_day))
        .ok_or_else(|| out_of_range(from, ticks))
}

pub(crate) fn date(from: &DataType, ticks: i64) -> Result<i32, ArrowError> {
    i32::try_from(days(from, ticks)?).map_err(|_| out_of_range(from, ticks))
}

/// The proleptic Gregorian year, by counting in eras of 400 years that begin on the first of March.
pub(crate) fn year(from: &DataType, ticks: i64) -> Result<i32, ArrowError> {
    let days = days(from, ticks)?;
    if !(-MAX_DAYS..=MAX_DAYS).contains(&days) {
        return Err(out_of_range(from, ticks));
    }
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let starts_in_january = i64::from(day_of_year >= 306);
    i32::try_from(era * 400 + year_of_era + starts_in_january)
        .map_err(|_| out_of_range(from, ticks))
}

/// Dates and times as 64-bit integers.
fn ticks(array: &ArrayRef) -> Result<PrimitiveArray<Int64Type>, ArrowError> {
    let integers = if array.data_type() == &DataType::Date32 {
        checked_cast(array, &DataType::Int32)?
    } else {
        array.clone()
    };
    Ok(checked_cast(&integers, &DataType::Int64)?
        .as_primitive::<Int64Type>()
        .clone())
}

fn checked_cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(
        array,
        to,
        &CastOptions {
            safe: false,
            ..CastOptions::default()
        },
    )
}
