//! Casts of single values: which of them kernels round or truncate without an error, and how it is seen.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float16Type, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_cast::{can_cast_types, cast};
use arrow_ord::cmp::distinct;
use arrow_schema::{ArrowError, DataType, TimeUnit};

use super::text;

/// How a value that was changed is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// None is: the new type holds every value, or the kernel says where it does not.
    None,
    /// Cast back, it is another one.
    Back,
    /// Cast to this type and back, it is another one; what else the cast does changes none.
    Through(DataType),
    /// Both cast to this type, they differ.
    As(DataType),
    /// It became infinite.
    Finite,
    /// The text has digits beyond that scale.
    Scale(i8),
    /// The text has more digits of a second, or a zone where there is room for none.
    Moment { digits: usize, is_zoned: bool },
    /// It became NULL.
    Null,
}

impl Check {
    /// For a cast between types that are neither nested nor encoded.
    pub(super) fn of(from: &DataType, to: &DataType) -> Self {
        use DataType as T;
        match (from, to) {
            (T::Null, _) => Self::None,
            (_, T::Null) => Self::Null,
            (from, to) if from.is_string() => Self::of_text(to),
            (_, to) if to.is_string() => Self::None,
            (from, to) if from.is_numeric() && to.is_numeric() => Self::of_numbers(from, to),
            // Whether it is zero is asked for, or the date, and no more.
            (_, T::Boolean)
            | (T::Boolean, _)
            | (T::Date32, T::Date64 | T::Timestamp(_, _))
            | (T::Timestamp(_, _), T::Date32) => Self::None,
            (from, T::Binary | T::LargeBinary | T::BinaryView) if is_binary(from) => Self::None,
            (T::Date64, T::Timestamp(TimeUnit::Second, _)) => {
                Self::Through(T::Timestamp(TimeUnit::Second, None))
            }
            (T::Date64, T::Timestamp(_, _)) => Self::None,
            (T::Timestamp(unit, zone), T::Timestamp(other, _)) => {
                Self::coarser(*unit, *other, || T::Timestamp(*other, zone.clone()))
            }
            (T::Timestamp(unit, zone), T::Date64) => {
                Self::coarser(*unit, TimeUnit::Millisecond, || {
                    T::Timestamp(TimeUnit::Millisecond, zone.clone())
                })
            }
            (T::Timestamp(_, _), T::Time32(_) | T::Time64(_)) => {
                Self::As(T::Time64(TimeUnit::Nanosecond))
            }
            (T::Time32(unit) | T::Time64(unit), T::Time32(other) | T::Time64(other))
            | (T::Duration(unit), T::Duration(other)) => {
                if digits(*unit) > digits(*other) {
                    Self::Back
                } else {
                    Self::None
                }
            }
            (from, to) if from.is_integer() && to.is_temporal() => Self::None,
            (from, to) if from.is_temporal() && to.is_integer() => Self::None,
            (from, to) if is_compared(from) && can_cast_types(to, from) => Self::Back,
            _ => Self::Null,
        }
    }

    fn of_text(to: &DataType) -> Self {
        use DataType as T;
        match to {
            T::Decimal32(_, scale)
            | T::Decimal64(_, scale)
            | T::Decimal128(_, scale)
            | T::Decimal256(_, scale) => Self::Scale(*scale),
            T::Timestamp(unit, zone) => Self::Moment {
                digits: digits(*unit),
                is_zoned: zone.is_some(),
            },
            T::Date64 => Self::Moment {
                digits: digits(TimeUnit::Millisecond),
                is_zoned: false,
            },
            // Not a time zone, but AM and PM.
            T::Time32(unit) | T::Time64(unit) => Self::Moment {
                digits: digits(*unit),
                is_zoned: true,
            },
            _ => Self::None,
        }
    }

    fn of_numbers(from: &DataType, to: &DataType) -> Self {
        match (scale(from), scale(to)) {
            // Integers are decimals of scale 0; those that run over are errors of the kernel.
            (Some(from), Some(to)) if from <= to => Self::None,
            (Some(_), Some(_)) => Self::Back,
            (Some(_), None) if from.is_integer() => {
                if integer_bits(from) <= mantissa_bits(to) {
                    Self::None
                } else {
                    Self::Back
                }
            }
            (None, Some(_)) if to.is_integer() => Self::Back,
            (None, Some(_)) => Self::None,
            (_, None) => match (from, to) {
                (DataType::Float32 | DataType::Float16, DataType::Float64)
                | (DataType::Float16, DataType::Float32) => Self::None,
                _ => Self::Finite,
            },
        }
    }

    fn coarser(from: TimeUnit, to: TimeUnit, through: impl FnOnce() -> DataType) -> Self {
        if digits(from) > digits(to) {
            Self::Through(through())
        } else {
            Self::None
        }
    }
}

fn is_binary(kind: &DataType) -> bool {
    use DataType as T;
    matches!(
        kind,
        T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_)
    )
}

/// Whether two columns of the type can be compared.
fn is_compared(kind: &DataType) -> bool {
    kind.is_primitive() || is_binary(kind)
}

/// `None` for floats.
fn scale(kind: &DataType) -> Option<i8> {
    use DataType as T;
    match kind {
        T::Decimal32(_, scale)
        | T::Decimal64(_, scale)
        | T::Decimal128(_, scale)
        | T::Decimal256(_, scale) => Some(*scale),
        _ if kind.is_integer() => Some(0),
        _ => None,
    }
}

fn integer_bits(kind: &DataType) -> usize {
    let bits = 8 * kind.primitive_width().unwrap_or(8);
    bits - usize::from(kind.is_signed_integer())
}

/// Bits of the integers that a float holds, every one of them.
fn mantissa_bits(kind: &DataType) -> usize {
    match kind {
        DataType::Float16 => 11,
        DataType::Float32 => 24,
        _ => 53,
    }
}

/// Digits of a fraction of a second.
fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// The first row whose value was changed.
pub(super) fn first_lost(from: &ArrayRef, to: &ArrayRef) -> Result<Option<usize>, ArrowError> {
    let kind = from.data_type();
    match Check::of(kind, to.data_type()) {
        Check::None => Ok(None),
        Check::Back => first_difference(from, &cast(to, kind)?),
        Check::Through(other) => first_difference(from, &cast(&cast(from, &other)?, kind)?),
        Check::As(other) => first_difference(&cast(from, &other)?, &cast(to, &other)?),
        Check::Finite => {
            let [from, to] = [from, to].map(|numbers| cast(numbers, &DataType::Float64));
            let (from, to) = (from?, to?);
            let mut pairs = from
                .as_primitive::<Float64Type>()
                .iter()
                .zip(to.as_primitive::<Float64Type>());
            Ok(pairs.position(|pair| {
                matches!(pair, (Some(from), Some(to)) if to.is_infinite() && !from.is_infinite())
            }))
        }
        Check::Scale(scale) => text::first(from, |number| text::is_rounded(number, scale)),
        Check::Moment { digits, is_zoned } => text::first(from, |time| {
            text::is_finer(time, digits) || (!is_zoned && text::is_zoned(time))
        }),
        Check::Null => {
            let (from, to) = (from.logical_nulls(), to.logical_nulls());
            let Some(to) = to else {
                return Ok(None);
            };
            let was_there = |row: &usize| from.as_ref().is_none_or(|from| from.is_valid(*row));
            Ok((0..to.len()).find(|row| to.is_null(*row) && was_there(row)))
        }
    }
}

/// The first row where the columns differ: NULL is NULL, NaN is NaN, and zero has no sign.
fn first_difference(one: &ArrayRef, other: &ArrayRef) -> Result<Option<usize>, ArrowError> {
    let differences = distinct(&unsigned_zeros(one), &unsigned_zeros(other))?;
    let first = differences.values().set_indices().next();
    Ok(first)
}

fn unsigned_zeros(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Float16 => {
            let zero = <Float16Type as arrow_array::ArrowPrimitiveType>::Native::default();
            Arc::new(
                column
                    .as_primitive::<Float16Type>()
                    .unary::<_, Float16Type>(|x| x + zero),
            )
        }
        DataType::Float32 => Arc::new(
            column
                .as_primitive::<Float32Type>()
                .unary::<_, Float32Type>(|x| x + 0.0),
        ),
        DataType::Float64 => Arc::new(
            column
                .as_primitive::<Float64Type>()
                .unary::<_, Float64Type>(|x| x + 0.0),
        ),
        _ => Arc::clone(column),
    }
}
