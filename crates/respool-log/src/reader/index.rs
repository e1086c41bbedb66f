//! The index of a log that is read: entries are found where they are, and none is kept.
//!
//! It is read, not mapped: a writer that goes on after a crash may cut it, and what a map shows then
//! is a signal.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::locks::Mutex;

use crate::format::{Chain, Damage, ENTRY_LEN, Entry, EntryKind, Extent};
use crate::storage::{StorageFile, read_all};
use crate::{Error, Result};

/// How many entries are read at once, in the hope that the next is among them.
const CHUNK: u64 = 256;

/// How many entries are looked at one after the other before the next are found by bisection.
const NEAR: u64 = 64;

/// How many threads go through a log without taking their entries from each other.
const THREADS: usize = 8;

/// The file, and the entries that were read last.
#[derive(Debug)]
pub(super) struct IndexFile {
    file: Arc<dyn StorageFile>,
    pub(super) path: PathBuf,
    /// By thread: each is at another place.
    chunks: [Mutex<Chunk>; THREADS],
}

/// The number of this thread, which few others have.
fn thread() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: usize = NEXT.fetch_add(1, Ordering::Relaxed) % THREADS);
    // A thread that ends has no number any more.
    NUMBER.try_with(|number| *number).unwrap_or(0)
}

#[derive(Debug, Default)]
struct Chunk {
    first: u64,
    bytes: Vec<u8>,
    /// The batch that was found last, and its number.
    last: Option<(u64, Found)>,
}

/// Entries that are read many at a time.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    index: &'a IndexFile,
    next: u64,
    high: u64,
    bytes: Vec<u8>,
    at: usize,
}

impl Entries<'_> {
    /// The bytes of the next entry.
    pub(super) fn next(&mut self) -> Result<Option<[u8; ENTRY_LEN]>> {
        if self.at >= self.bytes.len() {
            let count = (CHUNK * 16).min(self.high.saturating_sub(self.next));
            self.bytes = self.index.read(self.next, count)?;
            (self.next, self.at) = (self.next + count, 0);
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += ENTRY_LEN;
        Ok(rest.first_chunk().copied())
    }
}

/// A batch that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) slot: u64,
    pub(super) rows: u64,
    pub(super) shown: u64,
    pub(super) first_row: u64,
    pub(super) extent: Extent,
}

impl Chunk {
    fn entry(&self, slot: u64) -> Option<&[u8; ENTRY_LEN]> {
        let at = usize::try_from(slot.checked_sub(self.first)?).ok()?;
        let bytes = self.bytes.get(at.checked_mul(ENTRY_LEN)?..)?;
        bytes.first_chunk()
    }
}

impl IndexFile {
    pub(super) fn new(file: Arc<dyn StorageFile>, path: PathBuf) -> Self {
        Self {
            file,
            path,
            chunks: Default::default(),
        }
    }

    pub(super) fn len(&self) -> Result<u64> {
        self.file.size().map_err(|e| self.unreadable(e))
    }

    /// Reads `count` entries from a slot on.
    pub(super) fn read(&self, slot: u64, count: u64) -> Result<Vec<u8>> {
        let len = usize::try_from(count * ENTRY_LEN as u64).unwrap_or(0);
        let mut bytes = vec![0; len];
        let read = read_all(self.file.as_ref(), &mut bytes, slot * ENTRY_LEN as u64);
        read.map_err(|e| self.unreadable(e))?;
        Ok(bytes)
    }

    /// The bytes of the entries from a slot up to another, one after the other.
    pub(super) fn entries(&self, low: u64, high: u64) -> Entries<'_> {
        Entries {
            index: self,
            next: low,
            high,
            bytes: Vec::new(),
            at: 0,
        }
    }

    /// Forgets the entries that were read last: they may be replaced by others.
    pub(super) fn forget(&self) {
        for chunk in &self.chunks {
            *chunk.lock() = Chunk::default();
        }
    }

    /// The entry of a slot, held against the one before it.
    pub(super) fn entry(&self, slot: u64) -> Result<Entry> {
        let before = slot
            .checked_sub(1)
            .ok_or_else(|| self.damage(slot, Damage::Value("slot")))?;
        let bytes = self.read(before, 2)?;
        self.decode(slot, &bytes)
    }

    /// The entry of a slot, given its bytes behind those of the one before.
    pub(super) fn decode(&self, slot: u64, bytes: &[u8]) -> Result<Entry> {
        let mut chain = Chain::behind(bytes).map_err(|e| self.damage(slot, e))?;
        let entry = bytes.get(ENTRY_LEN..).unwrap_or_default();
        Entry::decode(entry, &mut chain).map_err(|e| self.damage(slot, e))
    }

    fn mine(&self) -> &Mutex<Chunk> {
        let [first, ..] = &self.chunks;
        self.chunks.get(thread()).unwrap_or(first)
    }

    /// Finds a batch among the entries from slot `low` up to `high`, the first of which has the
    /// record number `first` or a lower one.
    pub(super) fn find(&self, record: u64, first: u64, low: u64, high: u64) -> Result<Found> {
        let mut chunk = self.mine().lock();
        // Whoever asks what a batch is reads it next.
        match chunk.last {
            Some((last, found)) if last == record && (low..high).contains(&found.slot) => {
                return Ok(found);
            }
            _ => {}
        }
        let slot = self.search(&mut chunk, record, first, low, high)?;
        let entry = *self.peek(&mut chunk, slot, high)?;
        let mut bytes = [0; 2 * ENTRY_LEN];
        let (before, behind) = bytes.split_at_mut(ENTRY_LEN);
        behind.copy_from_slice(&entry);
        before.copy_from_slice(self.peek(&mut chunk, slot - 1, high)?);
        let entry = self.decode(slot, &bytes)?;
        match entry.kind {
            EntryKind::Batch {
                rows,
                shown,
                extent,
            } if entry.record == record => {
                let found = Found {
                    slot,
                    rows,
                    shown,
                    first_row: entry.row,
                    extent,
                };
                chunk.last = Some((record, found));
                Ok(found)
            }
            _ => Err(self.damage(slot, Damage::Value("record number"))),
        }
    }

    /// The last slot whose record number is no higher: looked for where it would be if there were
    /// batches only, and a little behind, where dictionaries move it; then by bisection.
    fn search(
        &self,
        chunk: &mut Chunk,
        record: u64,
        first: u64,
        low: u64,
        high: u64,
    ) -> Result<u64> {
        let least = match chunk.last {
            Some((last, found)) if last < record && (low..high).contains(&found.slot) => {
                found.slot + (record - last)
            }
            _ => low + record.saturating_sub(first),
        };
        for slot in least..high.min(least + NEAR) {
            let bytes = self.peek(chunk, slot, high)?;
            match Entry::peek_record(bytes) {
                Ok(found) if found > record => break,
                Ok(found) if found == record && Entry::peek_is_batch(bytes) => return Ok(slot),
                _ => {}
            }
        }
        let (mut low, mut high) = (if least < high { least } else { low }, high);
        let end = high;
        while low + 1 < high {
            let middle = low.midpoint(high);
            let bytes = self.peek(chunk, middle, end)?;
            match Entry::peek_record(bytes) {
                Ok(found) if found <= record => low = middle,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The bytes of a slot below `end`, which nobody checks.
    fn peek<'a>(&self, chunk: &'a mut Chunk, slot: u64, end: u64) -> Result<&'a [u8; ENTRY_LEN]> {
        if chunk.entry(slot).is_none() {
            // With the one before the first, against which that is held.
            let first = (slot - slot % CHUNK).saturating_sub(1);
            let count = (CHUNK + 1).min(end.saturating_sub(first));
            chunk.bytes = self.read(first, count)?;
            chunk.first = first;
        }
        let missing = || self.damage(slot, Damage::Truncated);
        chunk.entry(slot).ok_or_else(missing)
    }

    /// The slots from `low` up to `high` that have dictionaries, and their entries.
    pub(super) fn dictionaries(
        &self,
        mut low: u64,
        high: u64,
        mut found: impl FnMut(u64, Entry),
    ) -> Result<()> {
        while low < high {
            let count = (CHUNK * 16).min(high - low);
            let bytes = self.read(low - 1, count + 1)?;
            for (slot, pair) in (low..).zip(bytes.windows(2 * ENTRY_LEN).step_by(ENTRY_LEN)) {
                if pair.get(ENTRY_LEN..).is_some_and(Entry::peek_is_dictionary) {
                    found(slot, self.decode(slot, pair)?);
                }
            }
            low += count;
        }
        Ok(())
    }

    pub(super) fn damage(&self, slot: u64, damage: Damage) -> Error {
        Error::damage(&self.path, slot * ENTRY_LEN as u64, damage)
    }

    fn unreadable(&self, e: io::Error) -> Error {
        if e.kind() == io::ErrorKind::UnexpectedEof {
            let end = self.file.size().unwrap_or_default();
            return Error::damage(&self.path, end, Damage::Truncated);
        }
        Error::io("cannot read", &self.path, e)
    }
}
