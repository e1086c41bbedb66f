//! What an epoch is asked to be.

use std::str::FromStr;

use crate::ahead::Within;
use crate::error::{Error, Result};

/// What is shuffled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shuffle {
    /// Batches, and rows within windows of some batches.
    Window,
    /// Batches; their rows stay in order.
    Batches,
    /// Nothing.
    Nothing,
}

impl Shuffle {
    /// Its name, as in a saved state.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Window => Some("window"),
            Self::Batches => Some("batches"),
            Self::Nothing => None,
        }
    }
}

impl FromStr for Shuffle {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "window" => Ok(Self::Window),
            "batches" => Ok(Self::Batches),
            other => Err(Error::invalid(format!(
                "shuffle is \"window\", \"batches\" or None, not {other:?}"
            ))),
        }
    }
}

/// What becomes of rows at the end that fill no step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// They are left out.
    Drop,
    /// The step is filled up from the beginning of the epoch.
    Pad,
}

impl FromStr for Tail {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "drop" => Ok(Self::Drop),
            "pad" => Ok(Self::Pad),
            other => Err(Error::invalid(format!(
                "tail is \"drop\" or \"pad\", not {other:?}"
            ))),
        }
    }
}

/// How a view is read in epochs.
#[derive(Clone, Debug)]
pub struct EpochOptions {
    /// Rows of a step, of all ranks together.
    pub batch_size: usize,
    /// One order for each.
    pub seed: u64,
    /// What is shuffled.
    pub shuffle: Shuffle,
    /// Batches of a window; `None` for as many as have about 262,144 rows, and 16 at least.
    pub window: Option<usize>,
    /// Which part of each step is read.
    pub rank: usize,
    /// How many parts there are.
    pub world_size: usize,
    /// What becomes of rows at the end that fill no step.
    pub tail: Tail,
    /// Steps that are made ahead, by a thread of its own; without any, each when it is asked for.
    pub prefetch: usize,
    /// Whether the first epoch is in the order of the source, which may still be read.
    pub follow: bool,
    /// What the thread runs; see [`ReadAhead::within`](crate::ReadAhead::within).
    pub within: Within,
}

impl EpochOptions {
    /// Steps of so many rows, for one rank.
    pub fn new(batch_size: usize) -> Self {
        Self {
            batch_size,
            seed: 0,
            shuffle: Shuffle::Window,
            window: None,
            rank: 0,
            world_size: 1,
            tail: Tail::Drop,
            prefetch: 2,
            follow: false,
            within: |work| work(),
        }
    }

    /// Rows that one rank has of each step.
    pub(super) fn part(&self) -> usize {
        self.batch_size / self.world_size
    }

    /// # Errors
    /// [`Error::InvalidArgument`].
    pub(super) fn check(&self) -> Result<()> {
        let Self {
            batch_size,
            rank,
            world_size,
            ..
        } = self;
        if *world_size == 0 {
            return Err(Error::invalid("world_size is at least 1"));
        }
        if rank >= world_size {
            return Err(Error::invalid(format!(
                "rank is from 0 to {}, not {rank}",
                world_size - 1
            )));
        }
        if *batch_size == 0 || !batch_size.is_multiple_of(*world_size) {
            return Err(Error::invalid(format!(
                "batch_size counts the rows of all ranks together, so it is a multiple of world_size ({world_size}), \
                 not {batch_size}"
            )));
        }
        // A list of rows is made for each step.
        if u32::try_from(self.part()).is_err() {
            return Err(Error::invalid(format!(
                "a step has at most 4,294,967,295 rows of each rank, and a batch_size of {batch_size} is more"
            )));
        }
        if self.window == Some(0) {
            return Err(Error::invalid("window is at least 1 batch"));
        }
        Ok(())
    }
}
