//! The order of an epoch: see [the module](super), which says it exactly.

use std::ops::Range;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use super::index::Index;
use super::options::Shuffle;
use crate::error::{Error, Result};

/// Numbers that are the same for ever, for a key and a stream.
struct Draws(ChaCha8Rng);

impl Draws {
    fn new(key: [u8; 32], stream: u64) -> Self {
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A number below `n`, which is not 0, each as likely.
    fn below(&mut self, n: u32) -> u32 {
        loop {
            let product = u64::from(self.0.next_u32()) * u64::from(n);
            let [low, high] = halves(product);
            // The division is only needed where `low` is among the least `n`.
            if low >= n || low >= n.wrapping_neg() % n {
                return high;
            }
        }
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        // Nobody has a list of more.
        let len = u32::try_from(list.len()).unwrap_or(u32::MAX);
        for i in (1..len).rev() {
            let j = self.below(i + 1);
            list.swap(i as usize, j as usize);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it takes the halves")]
fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// A row of a window: which of its batches, and which row of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) batch: u32,
    pub(super) row: u32,
}

/// The order of one epoch.
#[derive(Debug)]
pub(super) struct Order {
    key: [u8; 32],
    /// Places in the index; `None` for the order of the source.
    batches: Option<Vec<u32>>,
    /// Batches of a window.
    width: usize,
    /// Rows up to the end of each window; of an order of the source, the index has them.
    ends: Vec<u64>,
    /// Whether rows are shuffled within windows.
    mixes: bool,
}

impl Order {
    /// The order of the source.
    pub(super) fn of_source() -> Self {
        Self {
            key: [0; 32],
            batches: None,
            width: 1,
            ends: Vec::new(),
            mixes: false,
        }
    }

    /// # Errors
    /// [`Error::InvalidArgument`] where there are more batches than 32-bit numbers.
    pub(super) fn new(
        shuffle: Shuffle,
        width: usize,
        (identity, seed, epoch): ([u8; 16], u64, u64),
        index: &Index,
    ) -> Result<Self> {
        if shuffle == Shuffle::Nothing {
            return Ok(Self::of_source());
        }
        let mut key = [0; 32];
        let (first, rest) = key.split_at_mut(16);
        first.copy_from_slice(&identity);
        rest[..8].copy_from_slice(&seed.to_le_bytes());
        rest[8..].copy_from_slice(&epoch.to_le_bytes());
        let count = u32::try_from(index.len())
            .map_err(|_| Error::invalid("more than 4,294,967,295 batches can't be shuffled"))?;
        let mut batches: Vec<u32> = (0..count).collect();
        Draws::new(key, 0).shuffle(&mut batches);
        let mixes = shuffle == Shuffle::Window;
        let width = if mixes { width } else { 1 };
        let mut rows = 0;
        let ends = batches.chunks(width).map(|window| {
            let each = window.iter().map(|at| index.rows_of(*at as usize));
            rows += each.sum::<u64>();
            rows
        });
        let ends = ends.collect();
        Ok(Self {
            key,
            batches: Some(batches),
            width,
            ends,
            mixes,
        })
    }

    /// How many windows there are.
    pub(super) fn windows(&self, index: &Index) -> usize {
        match self.batches {
            None => index.len(),
            Some(_) => self.ends.len(),
        }
    }

    /// The window that has a row of the epoch.
    pub(super) fn window_of(&self, row: u64, index: &Index) -> usize {
        match self.batches {
            None => index.of_row(row),
            Some(_) => self.ends.partition_point(|end| *end <= row),
        }
    }

    /// The rows of a window.
    pub(super) fn rows(&self, window: usize, index: &Index) -> Range<u64> {
        if self.batches.is_none() {
            let start = index.start(window);
            return start..start + index.rows_of(window);
        }
        let at = |window: usize| self.ends.get(window).copied().unwrap_or(0);
        let start = window.checked_sub(1).map_or(0, at);
        start..at(window).max(start)
    }

    /// The places in the index of the batches of a window; none where there is no such window.
    pub(super) fn batches(&self, window: usize, index: &Index) -> Vec<usize> {
        match &self.batches {
            None => (window < index.len())
                .then_some(window)
                .into_iter()
                .collect(),
            Some(batches) => {
                let mut windows = batches.chunks(self.width);
                let batches = windows.nth(window).unwrap_or_default();
                batches.iter().map(|at| *at as usize).collect()
            }
        }
    }

    /// The rows of a window in their order, for batches of so many rows; `None` where they are in order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where there are more than 32-bit numbers.
    pub(super) fn picks(&self, window: usize, rows: &[usize]) -> Result<Option<Vec<Pick>>> {
        if !self.mixes {
            return Ok(None);
        }
        let all: u64 = rows.iter().map(|rows| *rows as u64).sum();
        if u32::try_from(all).is_err() {
            return Err(Error::invalid(format!(
                "the rows of a window are shuffled together, and {all} are too many: take fewer batches (window=)"
            )));
        }
        let mut picks = Vec::with_capacity(rows.iter().sum());
        for (batch, rows) in (0..).zip(rows) {
            let rows = u32::try_from(*rows).unwrap_or(0);
            picks.extend((0..rows).map(|row| Pick { batch, row }));
        }
        Draws::new(self.key, window as u64 + 1).shuffle(&mut picks);
        Ok(Some(picks))
    }
}
