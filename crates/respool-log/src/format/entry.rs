//! One entry of the index: where a message lies, that a segment is sealed, that the log has ended.

use super::bytes::{CRC, put, put_u48, take, take_u48};
use super::{Chain, Damage, ENTRY_LEN, Extent};

/// How a segment is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Arrow IPC file: magic bytes, messages, footer.
    File,
    /// Arrow IPC stream: messages only, so that dictionaries may be replaced.
    Stream,
}

/// How a log has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It has everything.
    Complete,
    /// What it was filled from failed; why is in a file of its own.
    Failed,
}

/// What a log holds up to some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Batches.
    pub records: u64,
    /// Their rows.
    pub rows: u64,
    /// The bytes that they showed when they were appended.
    pub shown: u64,
}

/// One entry of the index. What it holds is told apart by [`EntryKind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The number of the record for a batch, and of the next batch for every other kind.
    pub record: u64,
    /// The first row of the batch, or of the next one.
    pub row: u64,
    /// What it says.
    pub kind: EntryKind,
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A batch. It needs, of each dictionary id, the dictionary entry of the same segment that
    /// came last before it.
    Batch {
        /// Its rows.
        rows: u64,
        /// The bytes that its rows showed when it was appended.
        shown: u64,
        /// Where it lies.
        extent: Extent,
    },
    /// A dictionary, written before the batch that needs it and provisional until then.
    Dictionary {
        /// Its id in the schema of the segment.
        id: u64,
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
        /// What all batches up to here showed.
        shown: u64,
        /// Where its messages end.
        end: u64,
        /// The length of the file.
        len: u64,
        /// How it is laid out.
        layout: Layout,
        /// The slot of the seal before, 0 if there is none.
        last_seal: u64,
    },
    /// Everything before it is on the disk.
    Durable {
        /// What all batches up to here showed.
        shown: u64,
        /// The slot of the last seal, 0 if there is none.
        last_seal: u64,
    },
    /// The log has ended. The only proof of it, and the last entry.
    Close {
        /// How it has ended.
        status: Status,
        /// What all batches showed.
        shown: u64,
        /// The slot of the last seal, 0 if there is none.
        last_seal: u64,
    },
    /// A kind that a reader need not know.
    Other(u8),
}

const BATCH: u8 = 1;
const DICTIONARY: u8 = 2;
const SEAL: u8 = 3;
const CLOSE: u8 = 4;
const DURABLE: u8 = 5;

/// Kinds from here on may be skipped by a reader that does not know them.
const SKIPPABLE: u8 = 128;

// The fields of an entry, one after the other.
const KIND: usize = 0;
const DETAIL: usize = KIND + 1;
const RESERVED: usize = DETAIL + 1;
const SEGMENT: usize = RESERVED + 2;
const RECORD: usize = SEGMENT + 4;
const OFFSET: usize = RECORD + 8;
const BODY: usize = OFFSET + 8;
const ROW: usize = BODY + 8;
const METADATA: usize = ROW + 8;
const DATA_CRC: usize = METADATA + 4;
const COUNT: usize = DATA_CRC + 4;
const SHOWN: usize = COUNT + 6;
const _: () = assert!(SHOWN + 6 == CRC);
/// Where seals, durable and closing entries have the slot of the seal before.
const LAST_SEAL: usize = METADATA;
/// Where dictionaries have their id.
const ID: usize = SHOWN;

impl Entry {
    /// The bytes of the entry, which goes on from `chain`.
    pub fn encode(&self, chain: &mut Chain) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        put(&mut out, RECORD, &self.record.to_le_bytes());
        put(&mut out, ROW, &self.row.to_le_bytes());
        let (kind, detail) = match self.kind {
            EntryKind::Batch {
                rows,
                shown,
                extent,
            } => {
                put_u48(&mut out, COUNT, rows);
                put_u48(&mut out, SHOWN, shown);
                put_extent(&mut out, extent);
                (BATCH, 0)
            }
            EntryKind::Dictionary { id, values, extent } => {
                put_u48(&mut out, COUNT, values);
                put_u48(&mut out, ID, id);
                put_extent(&mut out, extent);
                (DICTIONARY, 0)
            }
            EntryKind::Seal {
                segment,
                batches,
                shown,
                end,
                len,
                layout,
                last_seal,
            } => {
                put(&mut out, SEGMENT, &segment.to_le_bytes());
                put(&mut out, OFFSET, &end.to_le_bytes());
                put(&mut out, BODY, &len.to_le_bytes());
                put(&mut out, LAST_SEAL, &last_seal.to_le_bytes());
                put_u48(&mut out, COUNT, batches);
                put_u48(&mut out, SHOWN, shown);
                (SEAL, u8::from(layout == Layout::Stream))
            }
            EntryKind::Durable { shown, last_seal } => {
                put(&mut out, LAST_SEAL, &last_seal.to_le_bytes());
                put_u48(&mut out, SHOWN, shown);
                (DURABLE, 0)
            }
            EntryKind::Close {
                status,
                shown,
                last_seal,
            } => {
                put(&mut out, LAST_SEAL, &last_seal.to_le_bytes());
                put_u48(&mut out, SHOWN, shown);
                (CLOSE, u8::from(status == Status::Failed))
            }
            EntryKind::Other(kind) => (kind, 0),
        };
        put(&mut out, KIND, &[kind]);
        put(&mut out, DETAIL, &[detail]);
        chain.stamp(&mut out);
        out
    }

    /// Reads an entry that goes on from `chain` from the beginning of `bytes`.
    pub fn decode(bytes: &[u8], chain: &mut Chain) -> Result<Self, Damage> {
        let bytes = chain.follow(bytes)?;
        let u64_at = |at| take(bytes, at).map(u64::from_le_bytes);
        let u32_at = |at| take(bytes, at).map(u32::from_le_bytes);
        let [kind] = take(bytes, KIND)?;
        let [detail] = take(bytes, DETAIL)?;
        let extent = || {
            Extent {
                segment: u32_at(SEGMENT)?,
                offset: u64_at(OFFSET)?,
                metadata_len: u32_at(METADATA)?,
                body_len: u64_at(BODY)?,
                crc: u32_at(DATA_CRC)?,
            }
            .checked()
        };
        let shown = take_u48(bytes, SHOWN)?;
        let kind = match kind {
            BATCH => EntryKind::Batch {
                rows: take_u48(bytes, COUNT)?,
                shown,
                extent: extent()?,
            },
            DICTIONARY => EntryKind::Dictionary {
                id: take_u48(bytes, ID)?,
                values: take_u48(bytes, COUNT)?,
                extent: extent()?,
            },
            SEAL => EntryKind::Seal {
                segment: u32_at(SEGMENT)?,
                batches: take_u48(bytes, COUNT)?,
                shown,
                end: u64_at(OFFSET)?,
                len: u64_at(BODY)?,
                layout: match detail {
                    0 => Layout::File,
                    1 => Layout::Stream,
                    _ => return Err(Damage::Value("layout")),
                },
                last_seal: u64_at(LAST_SEAL)?,
            },
            DURABLE => EntryKind::Durable {
                shown,
                last_seal: u64_at(LAST_SEAL)?,
            },
            CLOSE => EntryKind::Close {
                status: match detail {
                    0 => Status::Complete,
                    1 => Status::Failed,
                    _ => return Err(Damage::Value("status")),
                },
                shown,
                last_seal: u64_at(LAST_SEAL)?,
            },
            SKIPPABLE.. => EntryKind::Other(kind),
            unknown => return Err(Damage::Kind(unknown)),
        };
        Ok(Self {
            record: u64_at(RECORD)?,
            row: u64_at(ROW)?,
            kind,
        })
    }

    /// The number of the record, or of the next one, of an entry that is not checked.
    pub(crate) fn peek_record(bytes: &[u8]) -> Result<u64, Damage> {
        take(bytes, RECORD).map(u64::from_le_bytes)
    }

    /// Whether an entry that is not checked says that it is a dictionary.
    pub(crate) fn peek_is_dictionary(bytes: &[u8]) -> bool {
        bytes.first() == Some(&DICTIONARY)
    }

    /// Whether an entry that is not checked says that it is a batch.
    pub(crate) fn peek_is_batch(bytes: &[u8]) -> bool {
        bytes.first() == Some(&BATCH)
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
    use super::super::header::tests::header;
    use super::super::{INDEX_MAGIC, MAX_U48};
    use super::*;

    /// The entries of a log of one batch, in order.
    pub(in crate::format) fn entries() -> Vec<Entry> {
        let extent = |offset| Extent {
            segment: 0,
            offset,
            metadata_len: 192,
            body_len: 0x2_0000_0000,
            crc: 0xdead_beef,
        };
        let first = 0x1_0000_0040;
        let second = first + 192 + 0x2_0000_0000;
        let end = second + 192 + 0x2_0000_0000;
        let entry = |record, row, kind| Entry { record, row, kind };
        vec![
            entry(
                0,
                0,
                EntryKind::Dictionary {
                    id: 7,
                    values: 9,
                    extent: extent(first),
                },
            ),
            entry(
                0,
                0,
                EntryKind::Batch {
                    rows: 1 << 40,
                    shown: 77,
                    extent: extent(second),
                },
            ),
            entry(
                1,
                1 << 40,
                EntryKind::Durable {
                    shown: 77,
                    last_seal: 0,
                },
            ),
            entry(
                1,
                1 << 40,
                EntryKind::Seal {
                    segment: 0,
                    batches: 1,
                    shown: 77,
                    end,
                    len: end + 100,
                    layout: Layout::Stream,
                    last_seal: 0,
                },
            ),
            entry(1, 1 << 40, EntryKind::Other(200)),
            entry(
                1,
                1 << 40,
                EntryKind::Close {
                    status: Status::Failed,
                    shown: 77,
                    last_seal: 4,
                },
            ),
        ]
    }

    pub(in crate::format) fn chain() -> Chain {
        Chain::behind(&header().encode(INDEX_MAGIC)).unwrap()
    }

    #[test]
    fn entries_come_back_as_they_were() {
        let (mut writing, mut reading) = (chain(), chain());
        for entry in entries() {
            let bytes = entry.encode(&mut writing);
            assert_eq!(Entry::decode(&bytes, &mut reading), Ok(entry));
            assert_eq!(writing, reading);
        }
    }

    #[test]
    fn an_entry_that_is_cut_short_is_an_error() {
        for entry in entries() {
            let bytes = entry.encode(&mut chain());
            for len in 0..ENTRY_LEN {
                let decoded = Entry::decode(&bytes[..len], &mut chain());
                assert_eq!(decoded, Err(Damage::Truncated));
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for entry in entries() {
            for bit in 0..ENTRY_LEN * 8 {
                let mut bytes = entry.encode(&mut chain());
                bytes[bit / 8] ^= 1 << (bit % 8);
                let decoded = Entry::decode(&bytes, &mut chain());
                assert_eq!(decoded, Err(Damage::Checksum), "bit {bit}");
            }
        }
    }

    #[test]
    fn an_entry_behind_another_one_does_not_fit() {
        let mut old = chain();
        for entry in entries() {
            let mut new = old;
            let bytes = entry.encode(&mut old);
            entries()[2].encode(&mut new);
            if entry != entries()[2] {
                assert_eq!(Entry::decode(&bytes, &mut new), Err(Damage::Checksum));
            }
        }
    }

    #[test]
    fn a_kind_that_must_be_known_is_an_error_and_others_are_skipped() {
        for kind in 0..=255 {
            let entry = Entry {
                record: 3,
                row: MAX_U48,
                kind: EntryKind::Other(kind),
            };
            let decoded = Entry::decode(&entry.encode(&mut chain()), &mut chain());
            match kind {
                128.. => assert_eq!(decoded, Ok(entry)),
                1 | 2 => assert!(matches!(decoded, Err(Damage::Value(_)))),
                3..=5 => assert!(decoded.is_ok()),
                _ => assert_eq!(decoded, Err(Damage::Kind(kind))),
            }
        }
    }
}
