//! The distinct strings of a column, as they come. A quarter of the file is tests.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ByteArrayType, UInt8Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, DictionaryArray, GenericByteArray, PrimitiveArray, StringViewArray,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType};

/// A dictionary is worth it where it is this many times shorter than a batch: each batch converts it.
const SHORTER: usize = 8;

/// So many values are few, however short the batches.
const FEW: usize = 64;

/// The most values that the numbers tell apart.
const NUMBERED: usize = 1 << 16;

/// The most bytes of all values.
const BYTES: usize = 1 << 20;

/// Bytes of an end.
const END: usize = size_of::<u64>();

/// How many values of one hash are looked at before there are too many: strings that are alike at both ends.
const ALIKE: usize = 64;

/// Strings by their numbers, the same for every batch, and the numbers of the rows of one batch.
#[derive(Default)]
pub(super) struct Dictionary {
    bytes: Vec<u8>,
    /// Where each value ends.
    ends: Vec<usize>,
    /// Each number at a place that its value's hash leads to.
    table: Vec<Option<Slot>>,
    /// The values as an array, until one is added.
    values: Option<ArrayRef>,
    numbers: Vec<u16>,
    /// Rows of the largest batch.
    most_rows: usize,
}

/// What tells most values apart: the length and both ends.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ends {
    first: u64,
    last: u64,
    len: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    ends: Ends,
    number: u16,
}

impl Dictionary {
    pub(super) fn data_type(&self) -> DataType {
        let number = if self.is_small() {
            DataType::UInt8
        } else {
            DataType::UInt16
        };
        DataType::Dictionary(Box::new(number), Box::new(DataType::Utf8View))
    }

    /// Rows of the batch that have numbers.
    pub(super) fn rows(&self) -> usize {
        self.numbers.len()
    }

    pub(super) fn restart(&mut self) {
        self.numbers = Vec::new();
    }

    /// Numbers rows of a column of strings; `false` where there are too many values.
    pub(super) fn add(&mut self, array: &ArrayRef, rows: Range<usize>) -> bool {
        self.most_rows = self.most_rows.max(array.len());
        if self.numbers.is_empty() {
            self.numbers.reserve_exact(array.len());
        }
        let nulls = array.nulls();
        match array.data_type() {
            DataType::Utf8 => self.number_all(array.as_string::<i32>(), nulls, rows),
            DataType::LargeUtf8 => self.number_all(array.as_string::<i64>(), nulls, rows),
            _ => {
                let strings = array.as_string_view();
                self.number_each(|row| strings.value(row).as_bytes(), nulls, rows)
            }
        }
    }

    fn number_all<T: ByteArrayType>(
        &mut self,
        strings: &GenericByteArray<T>,
        nulls: Option<&NullBuffer>,
        rows: Range<usize>,
    ) -> bool {
        self.number_each(|row| strings.value(row).as_ref(), nulls, rows)
    }

    fn number_each<'a>(
        &mut self,
        value: impl Fn(usize) -> &'a [u8],
        nulls: Option<&NullBuffer>,
        rows: Range<usize>,
    ) -> bool {
        let most = (self.most_rows / SHORTER).clamp(FEW, NUMBERED);
        let Some(nulls) = nulls else {
            for row in rows {
                let Some(number) = self.number(value(row), most) else {
                    return false;
                };
                self.numbers.push(number);
            }
            return true;
        };
        for row in rows {
            if nulls.is_null(row) {
                self.numbers.push(0);
                continue;
            }
            let Some(number) = self.number(value(row), most) else {
                return false;
            };
            self.numbers.push(number);
        }
        true
    }

    /// The number of a value, which is added if it is new.
    #[inline]
    fn number(&mut self, value: &[u8], most: usize) -> Option<u16> {
        let ends = Ends::of(value);
        let hash = ends.hash();
        for tried in 0..ALIKE {
            let place = place(hash, tried, self.table.len());
            match place.and_then(|place| self.table.get(place)) {
                Some(Some(slot)) if slot.ends == ends && self.is_between(slot.number, value) => {
                    return Some(slot.number);
                }
                Some(Some(_)) => {}
                Some(None) | None => break,
            }
        }
        self.insert(value, ends, most)
    }

    /// Whether a value that has the same ends is the same in between.
    #[inline]
    fn is_between(&self, number: u16, value: &[u8]) -> bool {
        value.len() <= 2 * END || self.value(number.into()) == value
    }

    fn insert(&mut self, value: &[u8], ends: Ends, most: usize) -> Option<u16> {
        let number = u16::try_from(self.ends.len()).ok()?;
        if self.ends.len() >= most || self.bytes.len() + value.len() > BYTES {
            return None;
        }
        if self.table.len() <= 2 * self.ends.len() {
            let places = (4 * self.ends.len()).next_power_of_two().max(256);
            let known = std::mem::replace(&mut self.table, vec![None; places]);
            for slot in known.into_iter().flatten() {
                self.settle(slot)?;
            }
        }
        self.settle(Slot { ends, number })?;
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
        self.values = None;
        Some(number)
    }

    fn settle(&mut self, slot: Slot) -> Option<()> {
        let hash = slot.ends.hash();
        for tried in 0..ALIKE {
            let place = place(hash, tried, self.table.len())?;
            let found = self.table.get_mut(place)?;
            if found.is_none() {
                *found = Some(slot);
                return Some(());
            }
        }
        None
    }

    fn value(&self, number: usize) -> &[u8] {
        let from = number
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let to = self.ends.get(number).copied().unwrap_or_default();
        self.bytes
            .get(from.copied().unwrap_or_default()..to)
            .unwrap_or_default()
    }

    /// The column of the batch whose rows have numbers.
    pub(super) fn finish(&mut self, nulls: Option<NullBuffer>) -> Result<ArrayRef, ArrowError> {
        let values = self.values()?;
        let numbers = std::mem::take(&mut self.numbers);
        if !self.is_small() {
            let numbers = PrimitiveArray::<UInt16Type>::new(numbers.into(), nulls);
            return Ok(Arc::new(DictionaryArray::try_new(numbers, values)?));
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 256 numbers")]
        let numbers: Vec<u8> = numbers.into_iter().map(|number| number as u8).collect();
        let numbers = PrimitiveArray::<UInt8Type>::new(numbers.into(), nulls);
        Ok(Arc::new(DictionaryArray::try_new(numbers, values)?))
    }

    fn is_small(&self) -> bool {
        self.ends.len() <= 1 << 8
    }

    fn values(&mut self) -> Result<ArrayRef, ArrowError> {
        if let Some(values) = &self.values {
            return Ok(Arc::clone(values));
        }
        let strings: Vec<&str> = (0..self.ends.len())
            .map(|number| std::str::from_utf8(self.value(number)))
            .collect::<Result<_, _>>()
            .map_err(|error| ArrowError::InvalidArgumentError(error.to_string()))?;
        let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(strings));
        self.values = Some(Arc::clone(&values));
        Ok(values)
    }
}

/// The place to look at in a table, whose length is a power of two.
fn place(hash: u64, tried: usize, places: usize) -> Option<usize> {
    let mask = places.checked_sub(1)?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is left picks a place as well"
    )]
    let first = hash as usize;
    Some(first.wrapping_add(tried) & mask)
}

impl Ends {
    #[inline]
    fn of(value: &[u8]) -> Self {
        let len = value.len();
        let (first, last) = if let Some((first, last)) = both_ends::<8>(value) {
            (u64::from_le_bytes(first), u64::from_le_bytes(last))
        } else if let Some((first, last)) = both_ends::<4>(value) {
            let (first, last) = (u32::from_le_bytes(first), u32::from_le_bytes(last));
            (u64::from(first) | u64::from(last) << 32, 0)
        } else if let [first, .., last] | [first @ last] = value {
            let middle = value.get(len / 2).copied().unwrap_or_default();
            (u64::from(u32::from_le_bytes([*first, middle, *last, 0])), 0)
        } else {
            (0, 0)
        };
        Self { first, last, len }
    }

    #[inline]
    fn hash(self) -> u64 {
        let mixed = (self.first ^ self.len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ self
                .last
                .rotate_left(23)
                .wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

#[inline]
fn both_ends<const N: usize>(value: &[u8]) -> Option<([u8; N], [u8; N])> {
    Some((*value.first_chunk()?, *value.last_chunk()?))
}

#[cfg(test)]
mod tests {
    use arrow_array::StringArray;

    use super::*;

    fn numbered(dictionary: &mut Dictionary, strings: Vec<Option<String>>) -> Option<ArrayRef> {
        let strings: ArrayRef = Arc::new(StringArray::from(strings));
        dictionary.restart();
        let fits = dictionary.add(&strings, 0..strings.len());
        fits.then(|| dictionary.finish(strings.nulls().cloned()).unwrap())
    }

    fn strings(from: usize, to: usize, times: usize) -> Vec<Option<String>> {
        let each = |i: usize| (i % 7 != 3).then(|| format!("value {i}"));
        (0..times).flat_map(|_| (from..to).map(each)).collect()
    }

    #[test]
    fn numbers_get_longer_and_earlier_ones_stay() {
        let mut dictionary = Dictionary::default();
        let first = numbered(&mut dictionary, strings(0, 200, 10)).unwrap();
        assert_eq!(
            dictionary.data_type(),
            first.data_type().clone(),
            "of one byte"
        );
        let second = numbered(&mut dictionary, strings(100, 500, 10)).unwrap();
        assert_eq!(second.data_type(), &dictionary.data_type());
        assert_ne!(second.data_type(), first.data_type());
        for (array, expected) in [
            (first, strings(0, 200, 10)),
            (second, strings(100, 500, 10)),
        ] {
            let shown = arrow_cast::cast(&array, &DataType::Utf8).unwrap();
            assert_eq!(shown.as_string::<i32>(), &StringArray::from(expected));
        }
    }

    #[test]
    fn too_many_are_no_dictionary() {
        assert!(numbered(&mut Dictionary::default(), strings(0, 1000, 8)).is_some());
        assert!(numbered(&mut Dictionary::default(), strings(0, 1000, 6)).is_none());
        let long = vec![Some("x".repeat(BYTES + 1))];
        assert!(numbered(&mut Dictionary::default(), long).is_none());
    }

    #[test]
    fn strings_that_are_alike_at_both_ends_don_t_take_for_ever() {
        let alike = |i| Some(format!("beginning {i:06} and the end"));
        let few = (0..5).cycle().take(1000).map(alike).collect();
        assert!(numbered(&mut Dictionary::default(), few).is_some());
        let many = (0..100).cycle().take(10_000).map(alike).collect();
        assert!(numbered(&mut Dictionary::default(), many).is_none());
    }
}
