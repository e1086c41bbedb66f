//! Where a replay of a view is.

/// Where a reader is. It can be saved, and taken up by another reader of the same view of the same batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Number of the next batch to look at, as in the cache.
    pub batch: usize,
    /// For a slice of a filtered view, or of some batches: rows that were shown before that batch.
    pub passed: u64,
}
