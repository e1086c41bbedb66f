//! A bit for each column of each record of a log, and one for the record.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locks::RwLock;

/// How many records have their bits in one block.
const BLOCK: usize = 512;

/// A bit for each column of each record, and one for the record, none of which is set at first.
#[derive(Debug)]
pub(crate) struct Bits {
    columns: usize,
    /// By block of records, a few words for each record: a bit for each column, and one for the rest.
    blocks: RwLock<HashMap<usize, Arc<[AtomicU64]>>>,
}

impl Bits {
    /// The bits of records of so many columns.
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

    /// The columns among those wanted that are not set, or nothing where all are, and the record is.
    pub(crate) fn look(
        &self,
        record: usize,
        wanted: impl Iterator<Item = usize>,
    ) -> Result<(), Vec<usize>> {
        let block = self.blocks.read().get(&(record / BLOCK)).map(Arc::clone);
        let has = |column| {
            let (word, mask) = self.place(record, column);
            let bits = block.as_ref().and_then(|block| block.get(word));
            bits.is_some_and(|bits| bits.load(Ordering::Acquire) & mask != 0)
        };
        let fresh: Vec<_> = wanted.filter(|&column| !has(column)).collect();
        if fresh.is_empty() && has(self.columns) {
            Ok(())
        } else {
            Err(fresh)
        }
    }

    /// Sets none.
    pub(crate) fn forget(&self) {
        self.blocks.write().clear();
    }

    /// Sets some columns of a record, and the record.
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
