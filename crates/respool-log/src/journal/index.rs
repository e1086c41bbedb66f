//! The index of a persistent log, as it is written.

use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::encode::{Kind, Plan};
use crate::format::{Entry, EntryKind, Extent, Walk};
use crate::storage::{StorageFile, Tail};

/// The index under way.
#[derive(Debug)]
pub(super) struct Index {
    tail: Tail,
    /// Where the entries that count end.
    walk: Walk,
    scratch: Vec<u8>,
}

impl Index {
    /// An index whose entries end where the walk has come to.
    pub(super) fn new(file: Arc<dyn StorageFile>, walk: Walk) -> Self {
        let mut tail = Tail::new(file);
        tail.commit(walk.len());
        Self {
            tail,
            walk,
            scratch: Vec::new(),
        }
    }

    /// What the entries say so far.
    pub(super) fn walk(&self) -> &Walk {
        &self.walk
    }

    /// Cuts off what an earlier failure left: entries that nobody counted must not be found behind
    /// those that come next. Says whether there was anything.
    pub(super) fn cut(&mut self) -> io::Result<bool> {
        let is_longer = self.tail.len() > 0;
        self.tail.cut()?;
        Ok(is_longer)
    }

    /// Writes and counts the entries of a plan that is on disk. Returns their length.
    pub(super) fn write_plan(&mut self, plan: &Plan, segment: u32, shown: u64) -> io::Result<u64> {
        let kinds = plan.messages.iter().map(|message| {
            let extent = Extent {
                segment,
                offset: message.offset,
                metadata_len: message.metadata_len,
                body_len: message.body_len,
                crc: message.crc,
            };
            match &message.kind {
                Kind::Batch => EntryKind::Batch {
                    rows: message.rows,
                    shown,
                    extent,
                },
                Kind::Dictionary(dictionary) => EntryKind::Dictionary {
                    id: dictionary.id.cast_unsigned(),
                    values: message.rows,
                    extent,
                },
            }
        });
        self.write(kinds)
    }

    /// Writes and counts one entry that stands by itself. Returns its length.
    pub(super) fn write_entry(&mut self, kind: EntryKind) -> io::Result<u64> {
        self.write(std::iter::once(kind))
    }

    fn write(&mut self, kinds: impl Iterator<Item = EntryKind>) -> io::Result<u64> {
        self.scratch.clear();
        let mut next = self.walk;
        for kind in kinds {
            let entry = Entry {
                record: next.totals.records,
                row: next.totals.rows,
                kind,
            };
            let bytes = entry.encode(&mut next.chain.clone());
            // Nothing is written that a reader would refuse.
            let step = next.step(&bytes);
            let read = step.map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
            if read != entry {
                let reason = "more rows or bytes than an entry can count";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
            }
            self.scratch.extend_from_slice(&bytes);
        }
        self.tail.write(&mut [IoSlice::new(&self.scratch)])?;
        let len = self.scratch.len() as u64;
        self.tail.commit(len);
        self.walk = next;
        Ok(len)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.tail.file().sync()
    }
}
