//! The validation of the commonest columns: numbers, and strings of ASCII.
//!
//! The arrow crates validate an array value by value, which for strings takes longer than all else of
//! a first read. What is valid by the looks of whole buffers is not looked at value by value.

use std::ops::Range;

use arrow_schema::DataType;

/// What a column says of itself, and where its buffers are in the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    pub(super) len: usize,
    pub(super) nulls: usize,
    pub(super) buffers: &'a [Range<usize>],
}

impl Column<'_> {
    /// Whether the column is valid in every respect that reading it relies on. `false` says nothing.
    pub(super) fn is_valid(&self, data_type: &DataType, body: &[u8]) -> bool {
        let bytes = |buffer: usize| self.buffers.get(buffer).and_then(|b| body.get(b.clone()));
        let Some(validity) = bytes(0) else {
            return false;
        };
        if self.nulls > 0 && count_zeros(validity, self.len) != Some(self.nulls) {
            return false;
        }
        match data_type {
            DataType::Utf8 => {
                let used = bytes(1).zip(bytes(2));
                let used = used.and_then(|(offsets, values)| self.used(offsets, values));
                used.is_some_and(<[u8]>::is_ascii)
            }
            DataType::Binary => {
                let used = bytes(1).zip(bytes(2));
                used.is_some_and(|(offsets, values)| self.used(offsets, values).is_some())
            }
            // The values of a dictionary have to be looked at.
            DataType::Dictionary(..) => false,
            other => {
                let needed = other
                    .primitive_width()
                    .and_then(|width| width.checked_mul(self.len));
                bytes(1)
                    .zip(needed)
                    .is_some_and(|(values, needed)| values.len() >= needed)
            }
        }
    }

    /// The values that offsets point at, if all of them are in order and within.
    fn used<'a>(&self, offsets: &[u8], values: &'a [u8]) -> Option<&'a [u8]> {
        let (offsets, _) = offsets.as_chunks::<4>();
        let offsets = offsets.get(..self.len.checked_add(1)?)?;
        let number = |bytes: &[u8; 4]| i32::from_le_bytes(*bytes);
        let pairs = offsets.iter().zip(offsets.iter().skip(1));
        // Without a way out in the middle this runs over many offsets at once.
        let falls = pairs.fold(0u32, |falls, (a, b)| {
            falls | u32::from(number(a) > number(b))
        });
        let first = usize::try_from(number(offsets.first()?)).ok()?;
        let last = usize::try_from(number(offsets.last()?)).ok()?;
        values.get(first..last).filter(|_| falls == 0)
    }
}

/// How many of the first `len` bits are zero, if there are so many.
fn count_zeros(bits: &[u8], len: usize) -> Option<usize> {
    let (whole, rest) = bits.split_at_checked(len / 8)?;
    let mut ones: usize = whole.iter().map(|byte| byte.count_ones() as usize).sum();
    if !len.is_multiple_of(8) {
        let mask = (1u8 << (len % 8)) - 1;
        ones += (rest.first()? & mask).count_ones() as usize;
    }
    Some(len - ones)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(offsets: &[i32], values: &[u8], nulls: usize, validity: &[u8]) -> bool {
        let offsets_bytes: Vec<_> = offsets.iter().flat_map(|o| o.to_le_bytes()).collect();
        let (mut body, mut buffers) = (Vec::new(), Vec::new());
        for part in [validity, &offsets_bytes, values] {
            let start = body.len();
            body.extend_from_slice(part);
            buffers.push(start..body.len());
        }
        let column = Column {
            len: offsets.len().saturating_sub(1),
            nulls,
            buffers: &buffers,
        };
        column.is_valid(&DataType::Utf8, &body)
    }

    #[test]
    fn strings_are_valid_where_offsets_rise_and_letters_are_ascii() {
        assert!(strings(&[0, 1, 1, 3], b"abc", 0, &[]));
        assert!(strings(&[1, 2], b"abc", 0, &[]));
        assert!(strings(&[0], b"", 0, &[]));
        assert!(strings(&[0, 1, 1, 3], b"abc", 1, &[0b101]));
        for (offsets, values) in [
            (&[0, 2, 1, 3][..], &b"abc"[..]),
            (&[0, 1, 2, 4], b"abc"),
            (&[-1, 0, 1, 2], b"abc"),
            (&[0, 1, 2, 3], b"ab\xff"),
            (&[0, i32::MIN, i32::MAX, 3], b"abc"),
            (&[], b"abc"),
        ] {
            assert!(!strings(offsets, values, 0, &[]), "{offsets:?}");
        }
        for (nulls, validity) in [(1, &[][..]), (1, &[0b111]), (2, &[0b101]), (3, &[0b1_1000])] {
            let is_valid = strings(&[0, 1, 1, 3], b"abc", nulls, validity);
            assert_eq!(is_valid, nulls == 3, "{nulls} {validity:?}");
        }
    }

    #[test]
    fn numbers_are_valid_where_there_are_enough_bytes() {
        for (len, bytes, is_valid) in [(4, 32, true), (5, 32, false), (usize::MAX, 32, false)] {
            let column = Column {
                len,
                nulls: 0,
                buffers: &[0..0, 0..bytes],
            };
            assert_eq!(column.is_valid(&DataType::Int64, &[0; 32]), is_valid);
        }
    }
}
