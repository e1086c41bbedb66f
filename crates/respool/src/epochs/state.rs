//! A place in an epoch, to be saved and taken up again.

use std::fmt;

use super::options::Shuffle;
use crate::error::{Error, Result};

/// Everything that a place depends on. Its size does not depend on the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// What the rows are of.
    pub identity: [u8; 16],
    /// How many rows each batch has, as a sum; `None` while more come.
    pub layout: Option<u64>,
    /// The seed.
    pub seed: u64,
    /// The number of the epoch.
    pub epoch: u64,
    /// Rows of the epoch that were delivered, those of all ranks.
    pub rows_done: u64,
    /// Rows of a step.
    pub batch_size: u64,
    /// What is shuffled.
    pub shuffle: Shuffle,
    /// Batches of a window; `None` while that is not known.
    pub window: Option<u64>,
    /// Whether the first epoch is in the order of the source.
    pub follow: bool,
}

impl State {
    /// Whether a place that was saved is one in what `ours` is a place in. What was not known at either time is not
    /// compared.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] with the name of what differs.
    pub(super) fn check(&self, ours: &Self) -> Result<()> {
        if self.identity != ours.identity {
            return Err(Error::invalid(
                "this state is of another identity: of a log that is not this one, or of other rows of it",
            ));
        }
        if let (Some(theirs), Some(ours)) = (self.layout, ours.layout)
            && theirs != ours
        {
            return Err(Error::invalid(
                "this state is of another layout: the batches there had other numbers of rows",
            ));
        }
        if self.seed != ours.seed {
            return Err(differs("seed", &self.seed, &ours.seed));
        }
        if self.batch_size != ours.batch_size {
            return Err(differs("batch_size", &self.batch_size, &ours.batch_size));
        }
        if self.shuffle != ours.shuffle {
            let name = |shuffle: Shuffle| shuffle.name().unwrap_or("None");
            return Err(differs("shuffle", &name(self.shuffle), &name(ours.shuffle)));
        }
        if let (Some(theirs), Some(ours)) = (self.window, ours.window)
            && theirs != ours
        {
            return Err(differs("window", &theirs, &ours));
        }
        if self.follow != ours.follow {
            return Err(differs("follow", &self.follow, &ours.follow));
        }
        if !self.rows_done.is_multiple_of(ours.batch_size) {
            let wanted = "a multiple of batch_size";
            return Err(differs("rows_done", &self.rows_done, &wanted));
        }
        Ok(())
    }
}

pub(super) fn differs(what: &str, theirs: &dyn fmt::Debug, ours: &dyn fmt::Debug) -> Error {
    Error::invalid(format!(
        "this state is of another {what}: {theirs:?}, and here it is {ours:?}"
    ))
}
