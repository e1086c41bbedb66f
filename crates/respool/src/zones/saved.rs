//! The zones of a column in bytes, to be kept beside a log.
//!
//! All numbers are little-endian. After the version and the number of the column (`u32`) come groups up to the end, one for each path below the column:
//! the length of the path and its numbers (`u32`), the number of batches (`u64`), and for each of these a kind
//! of bounds, 255 where nothing is known; then rows, nulls (`u64`), whether there is a NaN, and the bounds.

use arrow_buffer::i256;

use super::bounds::{Bounds, ByteBounds};
use super::zone::Zone;

const VERSION: u8 = 1;
const UNKNOWN_ZONE: u8 = 255;

/// The zones of one path below a column, by batch.
pub(super) type Group = (Vec<usize>, Vec<Option<Zone>>);

pub(super) fn encoded<'a>(
    column: usize,
    groups: impl IntoIterator<Item = (&'a Vec<usize>, &'a Vec<Option<Zone>>)>,
) -> Vec<u8> {
    let mut out = vec![VERSION];
    put_number(&mut out, column);
    for (path, zones) in groups {
        put_number(&mut out, path.len());
        for step in path {
            put_number(&mut out, *step);
        }
        out.extend((zones.len() as u64).to_le_bytes());
        for zone in zones {
            match zone {
                None => out.push(UNKNOWN_ZONE),
                Some(zone) => zone.encode(&mut out),
            }
        }
    }
    out
}

/// `None` where the bytes are not what [`encoded`] gives of that column, or speak of more than so many batches.
pub(super) fn decoded(bytes: &[u8], column: usize, batches: usize) -> Option<Vec<Group>> {
    let mut rest = Rest(bytes);
    if rest.byte()? != VERSION || rest.number()? != column {
        return None;
    }
    let mut groups = Vec::new();
    while !rest.0.is_empty() {
        let steps = rest.number()?;
        let path = (0..steps).map(|_| rest.number()).collect::<Option<_>>()?;
        let count = usize::try_from(rest.u64()?).ok()?;
        if count > batches {
            return None;
        }
        let mut zones = Vec::new();
        for _ in 0..count {
            let kind = rest.byte()?;
            let is_known = kind != UNKNOWN_ZONE;
            zones.push(if is_known {
                Some(rest.zone(kind)?)
            } else {
                None
            });
        }
        groups.push((path, zones));
    }
    Some(groups)
}

fn put_number(out: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    out.extend(number.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len());
    out.extend(bytes);
}

impl Zone {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self.bounds() {
            Bounds::Unknown => 0,
            Bounds::Empty => 1,
            Bounds::Integer(..) => 2,
            Bounds::Wide(_) => 3,
            Bounds::Float(..) => 4,
            Bounds::Bytes(_) => 5,
        });
        out.extend(self.rows().to_le_bytes());
        out.extend(self.null_count().to_le_bytes());
        out.push(u8::from(self.has_nan()));
        match self.bounds() {
            Bounds::Unknown | Bounds::Empty => {}
            Bounds::Integer(min, max) => {
                out.extend(min.to_le_bytes());
                out.extend(max.to_le_bytes());
            }
            Bounds::Wide(range) => {
                out.extend(range.0.to_le_bytes());
                out.extend(range.1.to_le_bytes());
            }
            Bounds::Float(min, max) => {
                out.extend(min.to_le_bytes());
                out.extend(max.to_le_bytes());
            }
            Bounds::Bytes(bounds) => {
                put_bytes(out, &bounds.min);
                out.push(u8::from(bounds.max.is_some()));
                put_bytes(out, bounds.max.as_deref().unwrap_or_default());
                out.push(u8::from(bounds.exact));
            }
        }
    }
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<usize> {
        usize::try_from(u32::from_le_bytes(self.take()?)).ok()
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn bytes(&mut self) -> Option<Box<[u8]>> {
        let len = self.number()?;
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes.into())
    }

    /// A zone with that kind of bounds.
    fn zone(&mut self, kind: u8) -> Option<Zone> {
        let (rows, nulls, has_nan) = (self.u64()?, self.u64()?, self.flag()?);
        let bounds = match kind {
            0 => Bounds::Unknown,
            1 => Bounds::Empty,
            2 => Bounds::Integer(
                self.take().map(i64::from_le_bytes)?,
                self.take().map(i64::from_le_bytes)?,
            ),
            3 => Bounds::Wide(Box::new((
                self.take().map(i256::from_le_bytes)?,
                self.take().map(i256::from_le_bytes)?,
            ))),
            4 => Bounds::Float(
                self.take().map(f64::from_le_bytes)?,
                self.take().map(f64::from_le_bytes)?,
            ),
            5 => {
                let (min, has_max, max) = (self.bytes()?, self.flag()?, self.bytes()?);
                Bounds::Bytes(Box::new(ByteBounds {
                    min,
                    max: has_max.then_some(max),
                    exact: self.flag()?,
                }))
            }
            _ => return None,
        };
        Some(Zone::new(rows, nulls, bounds, has_nan))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        ArrayRef, Decimal256Array, Float64Array, Int64Array, NullArray, StringArray,
    };

    use super::*;

    fn zones() -> Vec<Option<Zone>> {
        let long = "x".repeat(200);
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(-5)])),
            Arc::new(Float64Array::from(vec![1.5, f64::NAN])),
            Arc::new(StringArray::from(vec!["a", &long])),
            Arc::new(StringArray::from(vec!["\u{10ffff}".repeat(60)])),
            Arc::new(Decimal256Array::from(vec![i256::MAX, i256::MIN])),
            Arc::new(NullArray::new(3)),
        ];
        let mut zones: Vec<_> = arrays.iter().map(|array| Some(Zone::of(array))).collect();
        zones.insert(2, None);
        zones
    }

    #[test]
    fn every_kind_of_zone_comes_back() {
        let groups = [(vec![], zones()), (vec![3, 0], zones())];
        let bytes = encoded(3, groups.iter().map(|(path, zones)| (path, zones)));
        assert_eq!(decoded(&bytes, 3, 7), Some(groups.to_vec()));
        assert_eq!(decoded(&bytes, 3, 6), None);
        assert_eq!(decoded(&bytes, 4, 7), None);
    }

    #[test]
    fn other_bytes_are_nothing_and_no_panic() {
        let bytes = encoded(0, [(&vec![1], &zones())]);
        for end in 1..bytes.len() {
            let _nothing = decoded(&bytes[..end], 0, 100);
            for flip in [1, 128, 255] {
                let mut bytes = bytes.clone();
                bytes[end] ^= flip;
                let _anything = decoded(&bytes, 0, 100);
            }
        }
        assert_eq!(decoded(&[], 0, 100), None);
        assert_eq!(decoded(&[2, 0, 0, 0, 0], 0, 100), None);
        // A length that is not there takes no memory.
        assert_eq!(decoded(&[1, 0, 0, 0, 0, 255, 255, 255, 255], 0, 100), None);
    }
}
