//! Reading.

use std::ops::Range;
use std::sync::Arc;

use arrow_schema::FieldRef;

use super::{MAGIC, VERSION, fields};
use crate::error::{Error, Result};

/// What is left to read.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    rest: &'a [u8],
    fields: Vec<FieldRef>,
}

/// Says that bytes are not what was saved of a view of that cache.
pub(crate) fn damaged(why: &str) -> Error {
    Error::invalid(format!("cannot restore a view from these bytes: {why}"))
}

fn cut_off() -> Error {
    damaged("they are cut off")
}

impl<'a> Decoder<'a> {
    /// # Errors
    /// [`Error::InvalidArgument`], as for everything here, where the bytes are not what was saved.
    pub(crate) fn new(bytes: &'a [u8]) -> Result<Self> {
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| damaged("they do not begin as those of a view do"))?;
        let mut decoder = Self {
            rest,
            fields: Vec::new(),
        };
        match decoder.byte()? {
            VERSION => {}
            other => {
                return Err(damaged(&format!(
                    "they have version {other}, and this respool reads version {VERSION}"
                )));
            }
        }
        decoder.fields = fields::decode(decoder.bytes()?)?;
        Ok(decoder)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        let (byte, rest) = self.rest.split_first().ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(crate) fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits.leading_zeros() < shift {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(damaged("a number has more than 64 bits"))
    }

    pub(crate) fn size(&mut self) -> Result<usize> {
        let size = usize::try_from(self.number()?);
        size.map_err(|_| damaged("a number is larger than this computer counts"))
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.size()?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or_else(cut_off)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| damaged("a text is not UTF-8"))
    }

    pub(crate) fn range(&mut self) -> Result<Range<u64>> {
        let (start, len) = (self.number()?, self.number()?);
        let end = start.checked_add(len);
        Ok(start..end.ok_or_else(|| damaged("a range ends behind all numbers"))?)
    }

    pub(crate) fn field(&mut self) -> Result<FieldRef> {
        let number = self.size()?;
        let field = self.fields.get(number).map(Arc::clone);
        field.ok_or_else(|| damaged("a field is not listed"))
    }

    /// A list of items that have a byte each, at least: a length that is none ends with the bytes.
    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let len = self.size()?;
        let mut items = Vec::new();
        for _ in 0..len {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// Checks that everything was read.
    pub(crate) fn end(self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(damaged("something follows them"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::*;

    #[test]
    fn numbers_come_back_and_take_little() -> Result<()> {
        let numbers = [
            0,
            1,
            127,
            128,
            16_383,
            16_384,
            1 << 63,
            u64::MAX - 1,
            u64::MAX,
        ];
        let mut out = Encoder::default();
        for number in numbers {
            out.number(number);
        }
        out.range(&(5..u64::MAX));
        out.bytes("é".as_bytes());
        let bytes = out.finish()?;
        let mut from = Decoder::new(&bytes)?;
        for number in numbers {
            assert_eq!(from.number()?, number);
        }
        assert_eq!((from.range()?, from.text()?), (5..u64::MAX, "é"));
        from.end()?;
        assert_eq!(bytes.len(), 8 + 3 + 2 + 2 + 3 + 3 * 10 + 11 + 3);
        Ok(())
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let read = |bytes: &[u8]| {
            let fields = Vec::new();
            Decoder {
                rest: bytes,
                fields,
            }
            .number()
            .map_err(|e| e.to_string())
        };
        assert_eq!(read(&[0xff, 0]), Ok(127));
        let nines = [0xff; 9];
        assert_eq!(read(&[&nines[..], &[1]].concat()), Ok(u64::MAX));
        for bytes in [&[&nines[..], &[2]].concat(), &vec![0x80; 11]] {
            assert!(read(bytes).is_err_and(|error| error.contains("64 bits")));
        }
        assert!(read(&[0x80]).is_err_and(|error| error.contains("cut off")));
    }
}
