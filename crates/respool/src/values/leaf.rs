//! Flat arrays seen as few kinds of native values.
//!
//! Forty Arrow types hold four kinds of comparable values: truth values, integers (decimals, dates, times and
//! timestamps are integers with a meaning), floats and bytes. Everything that walks values by itself (the zones, the
//! lists of `IN`, the float comparisons) matches on [`Leaf`] instead of on [`DataType`].

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Decimal256Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32MillisecondType, Time32SecondType, Time64MicrosecondType,
    Time64NanosecondType, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray,
    StringArray, StringViewArray,
};
use arrow_buffer::{BooleanBuffer, i256};
use arrow_schema::{ArrowError, DataType, TimeUnit};

/// The half-precision float of the arrow crates.
pub(crate) type Half = <Float16Type as ArrowPrimitiveType>::Native;

/// The values of a flat array, without its validity.
#[derive(Debug)]
pub(crate) enum Leaf<'a> {
    Boolean(&'a BooleanBuffer),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Int128(&'a [i128]),
    Int256(&'a [i256]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float16(&'a [Half]),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Utf8(&'a StringArray),
    LargeUtf8(&'a LargeStringArray),
    Utf8View(&'a StringViewArray),
    Binary(&'a BinaryArray),
    LargeBinary(&'a LargeBinaryArray),
    BinaryView(&'a BinaryViewArray),
    FixedSizeBinary(&'a FixedSizeBinaryArray),
}

/// Runs one expression for every integer kind, another for what is none.
macro_rules! match_integers {
    ($leaf:expr, $values:ident => $integers:expr, $($rest:tt)+) => {
        match $leaf {
            Leaf::Int8($values) => $integers,
            Leaf::Int16($values) => $integers,
            Leaf::Int32($values) => $integers,
            Leaf::Int64($values) => $integers,
            Leaf::Int128($values) => $integers,
            Leaf::Int256($values) => $integers,
            Leaf::UInt8($values) => $integers,
            Leaf::UInt16($values) => $integers,
            Leaf::UInt32($values) => $integers,
            Leaf::UInt64($values) => $integers,
            $($rest)+
        }
    };
}
pub(crate) use match_integers;

/// Runs one expression for every kind of bytes, another for what is none.
macro_rules! match_bytes {
    ($leaf:expr, $array:ident => $bytes:expr, $($rest:tt)+) => {
        match $leaf {
            Leaf::Utf8($array) => $bytes,
            Leaf::LargeUtf8($array) => $bytes,
            Leaf::Utf8View($array) => $bytes,
            Leaf::Binary($array) => $bytes,
            Leaf::LargeBinary($array) => $bytes,
            Leaf::BinaryView($array) => $bytes,
            Leaf::FixedSizeBinary($array) => $bytes,
            $($rest)+
        }
    };
}
pub(crate) use match_bytes;

impl<'a> Leaf<'a> {
    /// The values of `array`, or `None` when the language does not compare its type.
    pub(crate) fn of(array: &'a dyn Array) -> Option<Self> {
        fn values<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<&[T::Native]> {
            array
                .as_primitive_opt::<T>()
                .map(|array| array.values().as_ref())
        }
        Some(match array.data_type() {
            DataType::Boolean => Self::Boolean(array.as_boolean_opt()?.values()),
            DataType::Int8 => Self::Int8(values::<Int8Type>(array)?),
            DataType::Int16 => Self::Int16(values::<Int16Type>(array)?),
            DataType::Int32 => Self::Int32(values::<Int32Type>(array)?),
            DataType::Int64 => Self::Int64(values::<Int64Type>(array)?),
            DataType::UInt8 => Self::UInt8(values::<UInt8Type>(array)?),
            DataType::UInt16 => Self::UInt16(values::<UInt16Type>(array)?),
            DataType::UInt32 => Self::UInt32(values::<UInt32Type>(array)?),
            DataType::UInt64 => Self::UInt64(values::<UInt64Type>(array)?),
            DataType::Float16 => Self::Float16(values::<Float16Type>(array)?),
            DataType::Float32 => Self::Float32(values::<Float32Type>(array)?),
            DataType::Float64 => Self::Float64(values::<Float64Type>(array)?),
            DataType::Decimal32(..) => Self::Int32(values::<Decimal32Type>(array)?),
            DataType::Decimal64(..) => Self::Int64(values::<Decimal64Type>(array)?),
            DataType::Decimal128(..) => Self::Int128(values::<Decimal128Type>(array)?),
            DataType::Decimal256(..) => Self::Int256(values::<Decimal256Type>(array)?),
            DataType::Date32 => Self::Int32(values::<Date32Type>(array)?),
            DataType::Date64 => Self::Int64(values::<Date64Type>(array)?),
            DataType::Time32(TimeUnit::Second) => Self::Int32(values::<Time32SecondType>(array)?),
            DataType::Time32(TimeUnit::Millisecond) => {
                Self::Int32(values::<Time32MillisecondType>(array)?)
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                Self::Int64(values::<Time64MicrosecondType>(array)?)
            }
            DataType::Time64(TimeUnit::Nanosecond) => {
                Self::Int64(values::<Time64NanosecondType>(array)?)
            }
            DataType::Timestamp(unit, _) => Self::Int64(match unit {
                TimeUnit::Second => values::<TimestampSecondType>(array)?,
                TimeUnit::Millisecond => values::<TimestampMillisecondType>(array)?,
                TimeUnit::Microsecond => values::<TimestampMicrosecondType>(array)?,
                TimeUnit::Nanosecond => values::<TimestampNanosecondType>(array)?,
            }),
            DataType::Duration(unit) => Self::Int64(match unit {
                TimeUnit::Second => values::<DurationSecondType>(array)?,
                TimeUnit::Millisecond => values::<DurationMillisecondType>(array)?,
                TimeUnit::Microsecond => values::<DurationMicrosecondType>(array)?,
                TimeUnit::Nanosecond => values::<DurationNanosecondType>(array)?,
            }),
            DataType::Utf8 => Self::Utf8(array.as_string_opt()?),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string_opt()?),
            DataType::Utf8View => Self::Utf8View(array.as_string_view_opt()?),
            DataType::Binary => Self::Binary(array.as_binary_opt()?),
            DataType::LargeBinary => Self::LargeBinary(array.as_binary_opt()?),
            DataType::BinaryView => Self::BinaryView(array.as_binary_view_opt()?),
            DataType::FixedSizeBinary(_) => {
                Self::FixedSizeBinary(array.as_fixed_size_binary_opt()?)
            }
            _ => return None,
        })
    }
}

/// Strings and binaries as what they are ordered by.
pub(crate) trait IntoBytes<'a> {
    fn into_bytes(self) -> &'a [u8];
}

impl<'a> IntoBytes<'a> for &'a str {
    fn into_bytes(self) -> &'a [u8] {
        self.as_bytes()
    }
}

impl<'a> IntoBytes<'a> for &'a [u8] {
    fn into_bytes(self) -> &'a [u8] {
        self
    }
}

/// The type of the values behind a dictionary or run-end encoding, any other type as it is.
pub(crate) fn decoded(data_type: &DataType) -> &DataType {
    match data_type {
        DataType::Dictionary(_, values) => values,
        DataType::RunEndEncoded(_, values) => values.data_type(),
        flat => flat,
    }
}

/// Whether values of this (decoded) type can be compared.
pub(crate) fn is_comparable(data_type: &DataType) -> bool {
    Kind::of(data_type).is_some()
}

/// The kind of values a type holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Integer,
    Float,
    Bytes,
}

impl Kind {
    pub(crate) fn of(data_type: &DataType) -> Option<Self> {
        Some(match data_type {
            DataType::Boolean => Self::Boolean,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Self::Float,
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Bytes,
            DataType::Time32(TimeUnit::Second | TimeUnit::Millisecond)
            | DataType::Time64(TimeUnit::Microsecond | TimeUnit::Nanosecond)
            | DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Timestamp(..)
            | DataType::Duration(_) => Self::Integer,
            integer if integer.is_integer() => Self::Integer,
            _ => return None,
        })
    }
}

/// A native integer of an Arrow array.
pub(crate) trait Native: Copy + Ord {
    fn widen(self) -> i256;
    /// The value in this width, or `None` when it does not fit.
    fn narrow(value: i256) -> Option<Self>;
}

macro_rules! native {
    ($($t:ty),+) => {$(
        impl Native for $t {
            fn widen(self) -> i256 {
                i256::from_i128(i128::from(self))
            }
            fn narrow(value: i256) -> Option<Self> {
                value.to_i128()?.try_into().ok()
            }
        }
    )+};
}
native!(i8, i16, i32, i64, i128, u8, u16, u32, u64);

impl Native for i256 {
    fn widen(self) -> i256 {
        self
    }
    fn narrow(value: i256) -> Option<Self> {
        Some(value)
    }
}

/// What to answer where values have no kind.
pub(crate) fn refused(what: &str, data_type: &DataType) -> ArrowError {
    ArrowError::NotYetImplemented(format!("{what} over values of type {data_type}"))
}
