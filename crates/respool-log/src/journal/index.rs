//! The index of a persistent log, as it is written.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::encode::{Kind, Plan};
use crate::format::{ENTRY_LEN, Entry, Extent};
use crate::storage::{StorageFile, Tail};

/// The index under way.
#[derive(Debug)]
pub(super) struct Index {
    tail: Tail,
    /// Dictionary entries of the segment under way.
    dictionaries: u32,
    scratch: Vec<u8>,
}

impl Index {
    /// An index that has its header and nothing else.
    pub(super) fn new(file: Arc<dyn StorageFile>) -> Self {
        let mut tail = Tail::new(file);
        tail.commit(ENTRY_LEN as u64);
        Self {
            tail,
            dictionaries: 0,
            scratch: Vec::new(),
        }
    }

    /// Writes and counts the entries of a plan that is on disk. Returns their length.
    pub(super) fn write_plan(&mut self, plan: &Plan, segment: u32, record: u64) -> io::Result<u64> {
        self.scratch.clear();
        let mut dictionaries = self.dictionaries;
        for message in &plan.messages {
            let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
            for slice in plan.message_slices(message) {
                crc.update(&slice);
            }
            let extent = Extent {
                segment,
                offset: message.offset,
                metadata_len: message.metadata_len,
                body_len: message.body_len,
                crc: u32::try_from(crc.finalize()).unwrap_or(u32::MAX),
            };
            let entry = match &message.kind {
                Kind::Batch => Entry::Batch {
                    record,
                    rows: message.rows,
                    dictionaries,
                    extent,
                },
                Kind::Dictionary(dictionary) => {
                    dictionaries += 1;
                    Entry::Dictionary {
                        id: dictionary.id,
                        values: message.rows,
                        extent,
                    }
                }
            };
            self.scratch.extend_from_slice(&entry.encode());
        }
        let bytes = write(&mut self.tail, &self.scratch)?;
        self.dictionaries = dictionaries;
        Ok(bytes)
    }

    /// Writes and counts one entry that stands by itself. Returns its length.
    pub(super) fn write_entry(&mut self, entry: Entry) -> io::Result<u64> {
        let bytes = write(&mut self.tail, &entry.encode())?;
        if matches!(entry, Entry::Seal { .. }) {
            self.dictionaries = 0;
        }
        Ok(bytes)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.tail.file().sync()
    }
}

/// Writes and counts entries. What an earlier failure left goes first: entries that nobody counted
/// must not be found behind these.
fn write(tail: &mut Tail, entries: &[u8]) -> io::Result<u64> {
    tail.cut()?;
    tail.write(&mut [IoSlice::new(entries)])?;
    let len = entries.len() as u64;
    tail.commit(len);
    Ok(len)
}
