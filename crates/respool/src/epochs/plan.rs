//! `Plan`: what every epoch over a view has in common.

use std::fmt;

use super::index::Index;
use super::options::{EpochOptions, Shuffle, Tail};
use super::state::State;
use crate::error::Result;
use crate::ingest::Goal;
use crate::interrupt::{Interrupt, Uninterrupted, Watch};
use crate::sync::RwLock;
use crate::view::View;

/// About how many rows are shuffled together where nothing is said, and how many batches at least.
const WINDOW_ROWS: u64 = 1 << 18;
const WINDOW_BATCHES: u64 = 16;

/// What the steps of an epoch are made from.
pub(super) struct Plan {
    pub(super) view: View,
    pub(super) options: EpochOptions,
    pub(super) identity: [u8; 16],
    pub(super) index: RwLock<Index>,
}

impl Plan {
    /// Whether an epoch goes along with a source that may still be read.
    pub(super) fn is_followed(&self, epoch: u64) -> bool {
        self.options.follow && epoch == 0
    }

    /// Takes note of what has come.
    pub(super) fn look(&self) -> Result<()> {
        let is_whole = self.index.read().is_whole();
        if is_whole {
            return Ok(());
        }
        // Nobody is asked for leave with this lock held.
        self.index.write().extend(&self.view, &Uninterrupted)
    }

    /// Waits until so many rows are there, or all are; says how many are.
    ///
    /// # Errors
    /// What the source, the store or the interruption says.
    pub(super) fn reach(&self, rows: u64, interrupt: &dyn Interrupt) -> Result<(u64, bool)> {
        loop {
            self.look()?;
            let (there, is_whole, next) = {
                let index = self.index.read();
                (index.rows(), index.is_whole(), index.next())
            };
            if is_whole || there >= rows {
                return Ok((there, is_whole));
            }
            let next = self.view.selection().at_or_after(next).unwrap_or(next);
            let mut watch = Watch::new(interrupt);
            let store = self.view.store();
            store.advance(Goal::Batch(next), &mut watch)?;
            // Where the source failed, that is what comes next.
            store.find(next)?;
        }
    }

    pub(super) fn steps_of(&self, rows: u64) -> u64 {
        let each = self.options.batch_size as u64;
        match self.options.tail {
            Tail::Drop => rows / each,
            Tail::Pad => rows.div_ceil(each),
        }
    }

    /// Batches of a window, of an index that is whole.
    pub(super) fn window(&self, index: &Index) -> usize {
        self.options.window.unwrap_or_else(|| {
            let batches = index.len() as u64;
            let wanted = u128::from(WINDOW_ROWS) * u128::from(batches);
            let wanted = wanted.div_ceil(u128::from(index.rows().max(1)));
            let wanted = u64::try_from(wanted).unwrap_or(u64::MAX);
            let window = wanted.max(WINDOW_BATCHES).min(batches.max(1));
            usize::try_from(window).unwrap_or(usize::MAX)
        })
    }

    /// A place in an epoch.
    pub(super) fn state(&self, epoch: u64, steps_done: u64) -> State {
        let index = self.index.read();
        let shuffles = self.options.shuffle == Shuffle::Window;
        State {
            identity: self.identity,
            layout: index.layout(),
            seed: self.options.seed,
            epoch,
            rows_done: steps_done * self.options.batch_size as u64,
            batch_size: self.options.batch_size as u64,
            shuffle: self.options.shuffle,
            window: (index.is_whole() && shuffles).then(|| self.window(&index) as u64),
            follow: self.options.follow,
        }
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan")
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}
