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

/// Where the batches of a part of the stream are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Batches of this part.
    pub batches: usize,
    /// Those with a copy on the heap.
    pub in_memory: usize,
    /// Those that are only in the log; the others were let go.
    pub in_log: usize,
}

impl Store {
    /// Where the stored batches are, in the order of the stream, told for so many parts of it at most.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub(crate) fn places(&self, parts: usize) -> Result<Vec<Place>> {
        let state = self.look()?;
        let batches = state.slots.len();
        let parts = parts.min(batches);
        let mut places = vec![Place::default(); parts];
        // As wide: `usize` may overflow where a log has very many.
        let part = |batch: usize| {
            let part = batch as u128 * parts as u128 / batches.max(1) as u128;
            usize::try_from(part).unwrap_or(usize::MAX)
        };
        let first = |part: usize| {
            let first = (part as u128 * batches as u128).div_ceil(parts.max(1) as u128);
            usize::try_from(first).unwrap_or(usize::MAX)
        };
        let written = if state.log.is_some() { state.clean } else { 0 };
        for (number, place) in places.iter_mut().enumerate() {
            let (from, to) = (first(number), first(number + 1));
            place.batches = to - from;
            place.in_log = to.min(written).saturating_sub(from);
        }
        for (batch, _) in state.slots.held(0..usize::MAX) {
            if let Some(place) = places.get_mut(part(batch)) {
                place.in_memory += 1;
                if batch < written {
                    place.in_log -= 1;
                }
            }
        }
        Ok(places)
    }

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
                batches: if state.closed {
                    state.had
                } else {
                    state.slots.len()
                },
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
