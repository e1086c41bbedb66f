//! Whether the contents of a record are believed, and why.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

/// Why the contents of a record are believed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// This process encoded it.
    Own,
    /// All that is read of it was verified before.
    Verified(Verified),
    /// It is not: its metadata and these columns are, against the checksum of its entry.
    Unverified {
        crc: u32,
        rows: u64,
        fresh: &'a [usize],
    },
}

/// Says that columns of a record were verified: their checksums, their bounds, and one decoding in
/// which all was validated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verified(());

/// The bits of a log whose records are verified as they are first read. They are the only source of
/// [`Verified`].
#[derive(Debug)]
pub(crate) struct VerifiedBits {
    columns: usize,
    /// By block of records, a few words for each record: a bit for each column, and one for the rest.
    blocks: RwLock<HashMap<usize, Arc<[AtomicU64]>>>,
}

/// How many records have their bits in one block.
const BLOCK: usize = 512;

impl VerifiedBits {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            blocks: RwLock::default(),
        }
    }

    fn words(&self) -> usize {
        (self.columns + 1).div_ceil(64)
    }

    /// The bits of a column of a record: those of its block, the word and the mask.
    fn place(&self, record: usize, column: usize) -> (usize, u64) {
        let word = record % BLOCK * self.words() + column / 64;
        (word, 1 << (column % 64))
    }

    /// The columns among those wanted that were not verified, or the word that all were.
    pub(crate) fn look(
        &self,
        record: usize,
        wanted: impl Iterator<Item = usize>,
    ) -> Result<Verified, Vec<usize>> {
        let block = self.blocks.read().get(&(record / BLOCK)).map(Arc::clone);
        let has = |column| {
            let (word, mask) = self.place(record, column);
            let bits = block.as_ref().and_then(|block| block.get(word));
            bits.is_some_and(|bits| bits.load(Ordering::Acquire) & mask != 0)
        };
        let fresh: Vec<_> = wanted.filter(|&column| !has(column)).collect();
        if fresh.is_empty() && has(self.columns) {
            Ok(Verified(()))
        } else {
            Err(fresh)
        }
    }

    /// Forgets all: records may be replaced by others.
    pub(crate) fn forget(&self) {
        self.blocks.write().clear();
    }

    /// Takes note of columns of a record that were decoded as [`Trust::Unverified`] without an error.
    pub(crate) fn set(&self, record: usize, columns: &[usize]) {
        let known = self.blocks.read().get(&(record / BLOCK)).map(Arc::clone);
        let block = known.unwrap_or_else(|| {
            let mut blocks = self.blocks.write();
            let block = blocks.entry(record / BLOCK).or_insert_with(|| {
                let words = BLOCK * self.words();
                (0..words).map(|_| AtomicU64::new(0)).collect()
            });
            Arc::clone(block)
        });
        for &column in columns.iter().chain([&self.columns]) {
            let (word, mask) = self.place(record, column);
            if let Some(bits) = block.get(word) {
                bits.fetch_or(mask, Ordering::Release);
            }
        }
    }
}
