//! Constants and terms in bytes and back. A constant is saved without its type, which is that of its term.

use arrow_buffer::i256;
use arrow_schema::{DataType, Schema};

use super::key::Key;
use super::leaf::Kind;
use super::{Operator, Scalar, ScalarList, Term, Transform};
use crate::error::{Error, Result};
use crate::saved::{Decoder, Encoder, damaged};

const OPERATORS: [Operator; 6] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Lt,
    Operator::Le,
    Operator::Gt,
    Operator::Ge,
];

const CAST: u8 = 0;
const DATE: u8 = 1;
const YEAR: u8 = 2;

impl Operator {
    pub(crate) fn save(self, out: &mut Encoder) {
        let at = OPERATORS.iter().position(|operator| *operator == self);
        out.size(at.unwrap_or_default());
    }

    pub(crate) fn restored(from: &mut Decoder<'_>) -> Result<Self> {
        let operator = OPERATORS.get(from.size()?).copied();
        operator.ok_or_else(|| damaged("there is no such comparison"))
    }
}

impl Term {
    pub(crate) fn save(&self, out: &mut Encoder) -> Result<()> {
        out.size(self.column());
        out.list(self.path().iter(), |out, step| {
            out.size(*step);
            Ok(())
        })?;
        out.list(self.transforms(), |out, transform| {
            match transform {
                Transform::Cast(to) => {
                    out.byte(CAST);
                    out.data_type(to);
                }
                Transform::Date => out.byte(DATE),
                Transform::Year => out.byte(YEAR),
            }
            Ok(())
        })
    }

    /// A term over a schema.
    pub(crate) fn restored(from: &mut Decoder<'_>, schema: &Schema) -> Result<Self> {
        let column = from.size()?;
        let path = from.list(Decoder::size)?;
        let term = Self::new(schema, column, &path);
        let mut term =
            term.ok_or_else(|| damaged("a filter is over a column that is not there"))?;
        for transform in from.list(transform)? {
            term = term
                .with(transform)
                .ok_or_else(|| damaged("a filter casts a column to what it can't be"))?;
        }
        Ok(term)
    }
}

fn transform(from: &mut Decoder<'_>) -> Result<Transform> {
    Ok(match from.byte()? {
        CAST => Transform::Cast(from.field()?.data_type().clone()),
        DATE => Transform::Date,
        YEAR => Transform::Year,
        _ => return Err(damaged("there is no such function of a column")),
    })
}

impl Scalar {
    pub(crate) fn save(&self, out: &mut Encoder) {
        self.key().save(out);
    }

    /// A constant of a type.
    pub(crate) fn restored(from: &mut Decoder<'_>, data_type: &DataType) -> Result<Self> {
        let key = Key::restored(from, data_type)?;
        Self::of_key(key, data_type).ok_or_else(no_constant)
    }
}

impl ScalarList {
    pub(crate) fn save(&self, out: &mut Encoder) -> Result<()> {
        out.byte(u8::from(self.has_null()));
        out.list(self.keys().iter(), |out, key| {
            key.save(out);
            Ok(())
        })
    }

    /// Constants of a type.
    pub(crate) fn restored(from: &mut Decoder<'_>, data_type: &DataType) -> Result<Self> {
        let has_null = match from.byte()? {
            0 => false,
            1 => true,
            _ => return Err(no_constant()),
        };
        let keys = from.list(|from| Key::restored(from, data_type))?;
        Ok(Self::of_keys(data_type, keys, has_null))
    }
}

impl Key {
    fn save(&self, out: &mut Encoder) {
        match self {
            Self::Integer(value) => {
                let bytes = value.to_le_bytes();
                let filling = if value.is_negative() { 0xff } else { 0 };
                let mut needed: &[u8] = &bytes;
                // What only repeats the sign is left out.
                while let [rest @ .., last] = needed
                    && *last == filling
                    && rest.last().is_some_and(|sign| (sign ^ filling) < 0x80)
                {
                    needed = rest;
                }
                out.bytes(needed);
            }
            Self::Float(value) => out.bytes(&value.to_bits().to_le_bytes()),
            Self::Bytes(value) => out.bytes(value),
        }
    }

    /// The key of a value that the type can hold.
    fn restored(from: &mut Decoder<'_>, data_type: &DataType) -> Result<Self> {
        let bytes = from.bytes()?;
        let key = match Kind::of(data_type).ok_or_else(no_constant)? {
            Kind::Boolean | Kind::Integer => Self::Integer(integer(bytes)?),
            Kind::Float => {
                let bits = bytes.try_into().map_err(|_| no_constant())?;
                Self::Float(f64::from_bits(u64::from_le_bytes(bits)))
            }
            Kind::Bytes => Self::Bytes(bytes.into()),
        };
        key.convert(data_type, data_type).ok_or_else(no_constant)
    }
}

fn integer(bytes: &[u8]) -> Result<i256> {
    let last = bytes.last().ok_or_else(no_constant)?;
    let mut whole = if *last < 0x80 { [0; 32] } else { [0xff; 32] };
    let low = whole.get_mut(..bytes.len()).ok_or_else(no_constant)?;
    low.copy_from_slice(bytes);
    Ok(i256::from_le_bytes(whole))
}

fn no_constant() -> Error {
    damaged("a filter compares with what is no value of the column's type")
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::*;

    #[test]
    fn integers_take_as_many_bytes_as_they_need() -> Result<()> {
        let wide = i256::from_i128(i128::MIN).wrapping_mul(i256::from_i128(1 << 100));
        let small = [
            0,
            1,
            -1,
            127,
            128,
            -128,
            -129,
            255,
            256,
            i128::MAX,
            i128::MIN,
        ];
        let numbers = small.map(i256::from_i128).into_iter();
        let lengths = [1, 1, 1, 1, 2, 1, 2, 2, 2, 16, 16, 29, 32, 32];
        let all = numbers.chain([wide, i256::MAX, i256::MIN]);
        for (number, len) in all.zip(lengths) {
            let key = Key::Integer(number);
            let mut out = Encoder::default();
            key.save(&mut out);
            let bytes = out.finish()?;
            assert_eq!(bytes.len(), 8 + 1 + len, "{number}");
            let kind = DataType::Decimal256(76, 0);
            let read = Key::restored(&mut Decoder::new(&bytes)?, &kind)?;
            assert_eq!(read.compare(&key), Some(Ordering::Equal), "{number}");
            let narrow = Key::restored(&mut Decoder::new(&bytes)?, &DataType::Int8);
            assert_eq!(narrow.is_ok(), len == 1, "{number}");
        }
        Ok(())
    }
}
