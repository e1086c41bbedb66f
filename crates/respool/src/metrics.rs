//! What a cache did and what it holds.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A snapshot; sizes are bytes.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// Batches stored.
    pub batches: usize,
    /// Rows stored.
    pub rows: u64,
    /// Bytes that the stored batches show, wherever they are.
    pub bytes: u64,
    /// Times the source was asked: one for each batch and one for the end.
    pub pulls: u64,
    /// Time spent waiting for the source.
    pub source_time: Duration,
    /// Time spent storing what it gave.
    pub store_time: Duration,
    /// Batches with a copy on the heap.
    pub batches_in_memory: usize,
    /// Bytes held in memory: heap copies, copies in other encodings, and, where the budget is its own, batches that
    /// wait to be joined. What caches of one budget share counts for the one that had it first.
    pub memory_bytes: u64,
    /// The bound of the memory tier.
    pub memory_capacity: Option<u64>,
    /// Batches in the log.
    pub batches_in_log: usize,
    /// Bytes in the log's files, those of copies in other encodings among them.
    pub log_bytes: u64,
    /// The quota of the log.
    pub log_capacity: Option<u64>,
    /// Batches served from the heap.
    pub memory_hits: u64,
    /// Batches served from the log.
    pub log_reads: u64,
    /// Readers open now.
    pub readers: usize,
    /// Bytes of `memory_bytes` that copies in other encodings take.
    pub encoded_memory_bytes: u64,
    /// Bytes of `log_bytes` that they take.
    pub encoded_log_bytes: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pulls: AtomicU64,
    source_nanos: AtomicU64,
    store_nanos: AtomicU64,
    memory_hits: AtomicU64,
    log_reads: AtomicU64,
}

impl Counters {
    pub(crate) fn pulled(&self, took: Duration) {
        self.pulls.fetch_add(1, Relaxed);
        self.source_nanos.fetch_add(nanos(took), Relaxed);
    }

    pub(crate) fn stored(&self, took: Duration) {
        self.store_nanos.fetch_add(nanos(took), Relaxed);
    }

    pub(crate) fn memory_hit(&self) {
        self.memory_hits.fetch_add(1, Relaxed);
    }

    pub(crate) fn log_read(&self) {
        self.log_reads.fetch_add(1, Relaxed);
    }

    /// Adds the counters to what the caller knows.
    pub(crate) fn metrics(&self, held: &Metrics) -> Metrics {
        Metrics {
            pulls: self.pulls.load(Relaxed),
            source_time: Duration::from_nanos(self.source_nanos.load(Relaxed)),
            store_time: Duration::from_nanos(self.store_nanos.load(Relaxed)),
            memory_hits: self.memory_hits.load(Relaxed),
            log_reads: self.log_reads.load(Relaxed),
            ..held.clone()
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
