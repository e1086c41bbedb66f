//! What a log says of itself.

use std::path::PathBuf;
use std::time::Duration;

use arrow_schema::SchemaRef;

use super::{LogReader, compression};
use crate::format::Totals;
use crate::options::Compression;
use crate::{Error, Result};

impl LogReader {
    /// How many batches there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.totals().records).unwrap_or(usize::MAX)
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows the batches have together.
    pub fn num_rows(&self) -> u64 {
        self.totals().rows
    }

    /// The bytes that the rows of all batches showed when they were appended.
    pub fn shown_bytes(&self) -> u64 {
        self.totals().shown
    }

    pub(crate) fn totals(&self) -> Totals {
        self.known.read().walk.totals
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    /// The directory of the log.
    pub fn directory(&self) -> PathBuf {
        self.storage.path("")
    }

    /// The bytes of the files of the log as they are now: segments, index, sidecars and all, and those
    /// of logs in directories of it whose names begin with `_`. Asks the file system for each of them.
    pub fn file_bytes(&self) -> Result<u64> {
        let bytes = self.storage.total_bytes();
        bytes.map_err(|e| Error::io("cannot look at", self.directory(), e))
    }

    /// Sixteen bytes that no other log has.
    pub fn identity(&self) -> [u8; 16] {
        self.manifest.header.identity
    }

    /// What the owner of the log knows it by.
    pub fn key(&self) -> Option<&[u8]> {
        self.manifest.key.as_deref()
    }

    /// When the log was created, in microseconds since 1970.
    pub fn created(&self) -> u64 {
        self.manifest.created
    }

    /// For how long the log is good, as its owner says.
    pub fn time_to_live(&self) -> Option<Duration> {
        self.manifest.time_to_live.map(Duration::from_micros)
    }

    /// What else the owner says of the log.
    pub fn metadata(&self) -> &[(String, Vec<u8>)] {
        &self.manifest.metadata
    }

    /// How the buffers are compressed.
    pub fn compression(&self) -> Option<Compression> {
        compression(&self.manifest.header)
    }

    /// Whether batches point into the files, so that they weigh almost nothing on the heap.
    pub fn is_zero_copy(&self) -> bool {
        self.manifest.header.codec == 0 && self.segments.maps()
    }

    /// The bytes of heap that the dictionaries take that were decoded last.
    pub fn held_bytes(&self) -> u64 {
        if self.is_zero_copy() {
            0
        } else {
            self.decoder.decoded_bytes()
        }
    }
}
