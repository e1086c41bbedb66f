//! One look at a store: numbers that belong together.

use respool_log::Quota;

use super::Store;
use super::records::Records;
use super::slots::{End, State};
use crate::error::Result;
use crate::metrics::Metrics;

/// What a cache has at one moment.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// Batches stored.
    pub batches: usize,
    /// Rows stored.
    pub rows: u64,
    /// Bytes that the stored batches show, wherever they are.
    pub bytes: u64,
    /// How the source ended, if it did.
    pub end: End,
    /// Whether the cache was closed.
    pub is_closed: bool,
    /// Whether readers use batches up: what `max_readers` of them have passed is gone, for want of a log.
    pub is_used_up_by_readers: bool,
    /// Batches below this number are gone.
    pub(crate) released: usize,
}

impl Snapshot {
    /// Whether the source said end and every batch was stored; whether all can still be read says
    /// [`Extent::is_complete`](crate::Extent::is_complete).
    pub fn is_complete(&self) -> bool {
        matches!(self.end, End::Complete)
    }

    /// Whether the source will not be asked again: it said end, or it failed.
    pub fn is_ended(&self) -> bool {
        !matches!(self.end, End::Open)
    }
}

impl Store {
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        Ok(self.snapshot_of(&*self.look()?))
    }

    pub(crate) fn snapshot_of(&self, state: &State) -> Snapshot {
        Snapshot {
            batches: state.slots.len(),
            rows: state.rows,
            bytes: state.bytes,
            end: state.end.clone(),
            is_closed: state.closed,
            is_used_up_by_readers: self.max_readers.is_some() && state.log.is_none(),
            released: state.released,
        }
    }

    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub(crate) fn metrics(&self) -> Result<Metrics> {
        let (mut metrics, log) = {
            let state = self.look()?;
            let mut metrics = Metrics {
                batches: state.slots.len(),
                rows: state.rows,
                bytes: state.bytes,
                readers: state.readers.open,
                ..Metrics::default()
            };
            for (_, heap) in state.slots.held(0..usize::MAX) {
                metrics.batches_in_memory += 1;
                metrics.memory_bytes += heap.cost();
            }
            (metrics, state.log.clone())
        };
        if self.shares_budget {
            metrics.memory_bytes += *self.held_by_log.lock();
        } else {
            // What waits to be joined is in there too.
            metrics.memory_bytes = self.budget.used();
        }
        metrics.memory_capacity = self.budget.capacity();
        if let Some(log) = log {
            metrics.batches_in_log = log.len();
            metrics.log_bytes = log.bytes();
            metrics.log_capacity = log.quota().and_then(Quota::capacity);
        }
        for store in self.derived() {
            let log = {
                let state = store.look()?;
                let held = state.slots.held(0..usize::MAX);
                metrics.encoded_memory_bytes += held.map(|(_, heap)| heap.cost()).sum::<u64>();
                state.log.clone()
            };
            metrics.encoded_log_bytes += log.as_ref().map_or(0, Records::bytes);
        }
        metrics.log_bytes += metrics.encoded_log_bytes;
        if self.shares_budget {
            metrics.memory_bytes += metrics.encoded_memory_bytes;
        }
        Ok(self.counters.metrics(&metrics))
    }
}
