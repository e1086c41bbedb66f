//! What a log says of itself while it is written.

use std::path::Path;

use arrow_schema::SchemaRef;

use super::Log;
use crate::LogReader;
use crate::quota::Quota;

impl Log {
    /// The directory that the log is in.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// How many batches are stored.
    pub fn len(&self) -> usize {
        let before = self.earlier.as_ref().map_or(0, LogReader::len);
        before + self.published.len()
    }

    /// Whether no batch is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows the stored batches have together.
    pub fn num_rows(&self) -> u64 {
        self.published.rows()
    }

    /// The bytes that the rows of all batches showed when they were appended; of a temporary log those
    /// that [`append_shown`](Self::append_shown) was told, because it counts none itself.
    pub fn shown_bytes(&self) -> u64 {
        self.published.shown()
    }

    /// The bytes in use in the files of the log.
    pub fn bytes(&self) -> u64 {
        self.published.bytes()
    }

    /// The bytes of heap that the log holds beside its files, for as long as it lives: the
    /// dictionaries that it has to know again when it writes, which [`finish`](Self::finish) drops,
    /// and those that it decoded last. They are cheap to ask for.
    pub fn held_bytes(&self) -> u64 {
        let decoded = if self.is_zero_copy() {
            0
        } else {
            self.decoder.decoded_bytes()
        };
        let earlier = self.earlier.as_ref().map_or(0, LogReader::held_bytes);
        self.published.dictionary_bytes() + decoded + earlier
    }

    /// The quota that the log is within.
    pub fn quota(&self) -> &Quota {
        &self.quota
    }

    /// The quota in bytes, of all logs that share it.
    pub fn capacity(&self) -> Option<u64> {
        self.quota.capacity()
    }

    /// Changes the quota, for all logs that share it. One that is smaller than what is in use only stops
    /// the next append.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.quota.set_capacity(capacity);
    }

    /// Sixteen bytes that no other persistent log has, and that this one keeps.
    pub fn identity(&self) -> Option<[u8; 16]> {
        self.identity
    }

    /// The batches that were there when the log was [resumed](Self::resume), with all that is known of
    /// them; they have the same numbers in both.
    pub fn earlier(&self) -> Option<&LogReader> {
        self.earlier.as_ref()
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    /// Whether batches read from the log point into its files, so that they weigh almost nothing
    /// on the heap.
    pub fn is_zero_copy(&self) -> bool {
        !self.compressed && self.reach.maps()
    }
}
