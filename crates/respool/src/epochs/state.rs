//! A place in an epoch, to be saved and taken up again.

use super::options::Shuffle;

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
