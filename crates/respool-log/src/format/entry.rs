//! One entry of the index: where a message lies, that a segment is sealed, that the log is whole.

use super::bytes::{CRC, checked, put, stamp, take};
use super::{Damage, ENTRY_LEN, Extent};

/// How a segment is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Arrow IPC file: magic bytes, messages, footer.
    File,
    /// Arrow IPC stream: messages only, so that dictionaries may be replaced.
    Stream,
}

/// One entry of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A batch. It needs, of each dictionary id, the dictionary entry of the same segment that
    /// came last before it.
    Batch {
        /// The number of the record.
        record: u64,
        /// Its rows.
        rows: u64,
        /// How many dictionary entries of its segment stand before it.
        dictionaries: u32,
        /// Where it lies.
        extent: Extent,
    },
    /// A dictionary, written before the batches that need it.
    Dictionary {
        /// Its id in the schema of the segment.
        id: i64,
        /// How many values it has.
        values: u64,
        /// Where it lies.
        extent: Extent,
    },
    /// A segment was sealed: nothing is added to it any more.
    Seal {
        /// The number of the segment.
        segment: u32,
        /// How many batches it holds.
        batches: u64,
        /// Where its messages end.
        end: u64,
        /// The length of the file.
        len: u64,
        /// How it is laid out.
        layout: Layout,
    },
    /// The log is whole. The only proof of it, and the last entry.
    Close {
        /// How many batches the log has.
        batches: u64,
        /// How many rows they have.
        rows: u64,
    },
}

const BATCH: u8 = 1;
const DICTIONARY: u8 = 2;
const SEAL: u8 = 3;
const CLOSE: u8 = 4;

// The fields of an entry, one after the other.
const KIND: usize = 0;
const LAYOUT: usize = KIND + 1;
const RESERVED: usize = LAYOUT + 1;
const SEGMENT: usize = RESERVED + 2;
const NUMBER: usize = SEGMENT + 4;
const OFFSET: usize = NUMBER + 8;
const BODY: usize = OFFSET + 8;
const ROWS: usize = BODY + 8;
const METADATA: usize = ROWS + 8;
const DATA_CRC: usize = METADATA + 4;
const DICTIONARIES: usize = DATA_CRC + 4;
const ZERO: usize = DICTIONARIES + 4;
const _: () = assert!(ZERO + 8 == CRC);

impl Entry {
    /// The bytes of the entry.
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        match *self {
            Self::Batch {
                record,
                rows,
                dictionaries,
                extent,
            } => {
                put(&mut out, KIND, &[BATCH]);
                put(&mut out, NUMBER, &record.to_le_bytes());
                put(&mut out, ROWS, &rows.to_le_bytes());
                put(&mut out, DICTIONARIES, &dictionaries.to_le_bytes());
                put_extent(&mut out, extent);
            }
            Self::Dictionary { id, values, extent } => {
                put(&mut out, KIND, &[DICTIONARY]);
                put(&mut out, NUMBER, &id.to_le_bytes());
                put(&mut out, ROWS, &values.to_le_bytes());
                put_extent(&mut out, extent);
            }
            Self::Seal {
                segment,
                batches,
                end,
                len,
                layout,
            } => {
                put(&mut out, KIND, &[SEAL]);
                put(&mut out, LAYOUT, &[u8::from(layout == Layout::Stream)]);
                put(&mut out, SEGMENT, &segment.to_le_bytes());
                put(&mut out, NUMBER, &batches.to_le_bytes());
                put(&mut out, OFFSET, &end.to_le_bytes());
                put(&mut out, BODY, &len.to_le_bytes());
            }
            Self::Close { batches, rows } => {
                put(&mut out, KIND, &[CLOSE]);
                put(&mut out, NUMBER, &batches.to_le_bytes());
                put(&mut out, ROWS, &rows.to_le_bytes());
            }
        }
        stamp(&mut out);
        out
    }

    /// Reads an entry from the beginning of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = checked(bytes)?;
        let extent = Extent {
            segment: u32::from_le_bytes(take(bytes, SEGMENT)?),
            offset: u64::from_le_bytes(take(bytes, OFFSET)?),
            metadata_len: u32::from_le_bytes(take(bytes, METADATA)?),
            body_len: u64::from_le_bytes(take(bytes, BODY)?),
            crc: u32::from_le_bytes(take(bytes, DATA_CRC)?),
        };
        let number = u64::from_le_bytes(take(bytes, NUMBER)?);
        let rows = u64::from_le_bytes(take(bytes, ROWS)?);
        let [kind] = take(bytes, KIND)?;
        match kind {
            BATCH => Ok(Self::Batch {
                record: number,
                rows,
                dictionaries: u32::from_le_bytes(take(bytes, DICTIONARIES)?),
                extent: extent.checked()?,
            }),
            DICTIONARY => Ok(Self::Dictionary {
                id: number.cast_signed(),
                values: rows,
                extent: extent.checked()?,
            }),
            SEAL => Ok(Self::Seal {
                segment: extent.segment,
                batches: number,
                end: extent.offset,
                len: extent.body_len,
                layout: match take(bytes, LAYOUT)? {
                    [0] => Layout::File,
                    [1] => Layout::Stream,
                    _ => return Err(Damage::Value("layout")),
                },
            }),
            CLOSE => Ok(Self::Close {
                batches: number,
                rows,
            }),
            other => Err(Damage::Kind(other)),
        }
    }
}

fn put_extent(out: &mut [u8; ENTRY_LEN], extent: Extent) {
    put(out, SEGMENT, &extent.segment.to_le_bytes());
    put(out, OFFSET, &extent.offset.to_le_bytes());
    put(out, BODY, &extent.body_len.to_le_bytes());
    put(out, METADATA, &extent.metadata_len.to_le_bytes());
    put(out, DATA_CRC, &extent.crc.to_le_bytes());
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::format) fn entries() -> Vec<Entry> {
        let extent = Extent {
            segment: 3,
            offset: 0x1_0000_0040,
            metadata_len: 192,
            body_len: 0x2_0000_0000,
            crc: 0xdead_beef,
        };
        vec![
            Entry::Dictionary {
                id: 7,
                values: 9,
                extent,
            },
            Entry::Batch {
                record: 0,
                rows: 1 << 40,
                dictionaries: 1,
                extent,
            },
            Entry::Seal {
                segment: 3,
                batches: 1,
                end: 640,
                len: 1000,
                layout: Layout::Stream,
            },
            Entry::Close {
                batches: 1,
                rows: 1 << 40,
            },
        ]
    }

    #[test]
    fn entries_come_back_as_they_were() {
        for entry in entries() {
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
    }

    #[test]
    fn an_entry_that_is_cut_short_is_an_error() {
        for entry in entries() {
            let bytes = entry.encode();
            for len in 0..ENTRY_LEN {
                assert_eq!(Entry::decode(&bytes[..len]), Err(Damage::Truncated));
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for entry in entries() {
            for bit in 0..ENTRY_LEN * 8 {
                let mut bytes = entry.encode();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Entry::decode(&bytes), Err(Damage::Checksum), "bit {bit}");
            }
        }
    }
}
