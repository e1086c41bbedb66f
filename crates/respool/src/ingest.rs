//! The one producer: pull a batch, store it, wake who waits, remember the failure.
//!
//! 1. One thread pulls at a time, with no lock held; who wants a stored batch never waits for it.
//! 2. A batch that was pulled stays in `Feed::pending` until its slot is published. Whatever fails in
//!    between, the next attempt goes on with that same batch.
//! 3. The end is sticky: after `Complete` or `Failed` the source is gone.
//!
//! The whole way of a batch from the source to its slot is in this file, to be read from top to bottom.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use arrow_array::RecordBatch;
use respool_log::Log;

use crate::cache::Shared;
use crate::compact::compact;
use crate::error::{Error, Result, SourceFailure};
use crate::interrupt::{Interrupt, SLICE};
use crate::ledger::{Charged, Full};
use crate::options::WritePolicy;
use crate::source::pull;
use crate::state::{End, Feed};
use crate::weigh::{PER_COLUMN, Weight};

impl Shared {
    /// Returns once batch `index` is stored or the end is known, pulling where nobody else does.
    pub(crate) fn advance(&self, index: usize, interrupt: &dyn Interrupt) -> Result<()> {
        self.advance_until(index, None, interrupt)
    }

    /// As [`Shared::advance`], but returns soon after the deadline in any case.
    pub(crate) fn advance_until(
        &self,
        index: usize,
        deadline: Option<Instant>,
        interrupt: &dyn Interrupt,
    ) -> Result<()> {
        self.check_process()?;
        loop {
            let mut state = self.state.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            if index < state.slots.len() || !matches!(state.end, End::Open) {
                return Ok(());
            }
            match state.puller {
                Some(thread) if thread == thread::current().id() => return Err(Error::Reentrant),
                Some(_) => {
                    let waited = self.advanced.wait_for(&mut state, SLICE);
                    drop(state);
                    if waited.timed_out() {
                        interrupt.check().map_err(Error::Interrupted)?;
                    }
                }
                None => {
                    let Some(feed) = state.feed.take() else {
                        return Err(Error::Closed);
                    };
                    state.puller = Some(thread::current().id());
                    let next = state.slots.len();
                    drop(state);
                    let mut turn = Turn {
                        shared: self,
                        feed: Some(feed),
                    };
                    turn.take(next..=index, deadline)?;
                }
            }
            // Looked at last: every call gets on by a batch or waits for one.
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(());
            }
        }
    }

    /// Stores batch `index`; nothing is published yet.
    fn store(
        &self,
        index: usize,
        batch: &RecordBatch,
        weight: &Weight,
    ) -> Result<Option<Arc<Charged>>> {
        let log = {
            let state = self.state.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            state.log.clone()
        };
        match (log, self.write_policy) {
            (None, _) => match self.charge(batch, weight) {
                Ok(heap) => Ok(Some(heap)),
                Err(Full {
                    asked,
                    used,
                    capacity,
                }) => Err(Error::MemoryFull {
                    asked,
                    used,
                    capacity,
                }),
            },
            (Some(log), WritePolicy::OnInsertion) => {
                append(&log, index, batch)?;
                Ok(self.admit(index, batch, weight))
            }
            (Some(log), WritePolicy::OnEviction) => loop {
                match self.charge(batch, weight) {
                    Ok(heap) => break Ok(Some(heap)),
                    Err(full) if full.asked <= full.capacity && self.clean_oldest(&log)? => {}
                    Err(_) => {
                        while self.clean_oldest(&log)? {}
                        append(&log, index, batch)?;
                        break Ok(self.admit(index, batch, weight));
                    }
                }
            },
        }
    }

    /// Moves the oldest dirty batch into the log; `false` where there is none.
    fn clean_oldest(&self, log: &Log) -> Result<bool> {
        let (oldest, heap) = {
            let state = self.state.lock();
            let Some(slot) = state.slots.get(state.clean) else {
                return Ok(false);
            };
            let Some(heap) = slot.heap.clone() else {
                return Err(Error::Closed);
            };
            (state.clean, heap)
        };
        append(log, oldest, heap.batch())?;
        drop(heap);
        let freed = {
            let mut state = self.state.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            state.clean = oldest + 1;
            state
                .slots
                .get_mut(oldest)
                .and_then(|slot| slot.heap.take())
        };
        drop(freed);
        Ok(true)
    }

    /// Enters the batch in the ledger, copied first where it would hold much more than it shows.
    fn charge(&self, batch: &RecordBatch, weight: &Weight) -> Result<Arc<Charged>, Full> {
        if weight.is_wasteful()
            && self.ledger.cost(weight) > 2 * weight.shown + PER_COLUMN * batch.num_columns() as u64
            // What can't be copied is kept as it is, and counted as it is.
            && let Ok(copy) = compact(batch)
        {
            let weight = Weight::of(&copy);
            return self.ledger.charge(copy, &weight).map(Arc::new);
        }
        self.ledger.charge(batch.clone(), weight).map(Arc::new)
    }

    /// Keeps a heap copy of a batch that is in the log, if the memory tier has room or makes some.
    fn admit(&self, index: usize, batch: &RecordBatch, weight: &Weight) -> Option<Arc<Charged>> {
        let tier = self.tier.read().clone();
        let Some(tier) = tier else {
            return self.charge(batch, weight).ok();
        };
        match self.charge(batch, weight) {
            Ok(heap) => {
                tier.propose(index, heap.cost());
                Some(heap)
            }
            Err(full) if full.asked > full.capacity => None,
            Err(full) => {
                tier.propose(index, full.asked);
                let evicted = tier.settle();
                self.give_up(&evicted);
                if evicted.contains(&index) {
                    return None;
                }
                let heap = self.charge(batch, weight).ok();
                if heap.is_none() {
                    tier.forget(index);
                }
                heap
            }
        }
    }

    /// Keeps a copy of a batch that a reader had to decode.
    pub(crate) fn keep_copy(&self, index: usize, batch: &RecordBatch) {
        let weight = &Weight::of(batch);
        if let Some(heap) = self.admit(index, batch, weight) {
            let mut state = self.state.lock();
            if let Some(slot) = state.slots.get_mut(index)
                && slot.heap.is_none()
            {
                slot.heap = Some(heap);
            }
        }
    }

    /// Drops the heap copies of clean batches that the memory tier gave up.
    pub(crate) fn give_up(&self, evicted: &[usize]) {
        if evicted.is_empty() {
            return;
        }
        let freed: Vec<_> = {
            let mut state = self.state.lock();
            let clean = state.clean;
            evicted
                .iter()
                .filter(|index| **index < clean)
                .filter_map(|index| {
                    state
                        .slots
                        .get_mut(*index)
                        .and_then(|slot| slot.heap.take())
                })
                .collect()
        };
        drop(freed);
    }
}

/// Record `index` of the log; a record that is there already is not written twice.
fn append(log: &Log, index: usize, batch: &RecordBatch) -> Result<()> {
    if log.len() <= index {
        log.append(batch)?;
    }
    Ok(())
}

/// One thread's turn at the source. Dropping it, also by a panic, gives the turn to the next.
struct Turn<'a> {
    shared: &'a Shared,
    feed: Option<Feed>,
}

impl Turn<'_> {
    /// Pulls and stores these batches, until the end, an error or the deadline.
    fn take(&mut self, batches: RangeInclusive<usize>, deadline: Option<Instant>) -> Result<()> {
        let mut begun = Instant::now();
        for index in batches {
            begun = self.take_one(index, begun)?;
            if self.feed.is_none() || deadline.is_some_and(|deadline| begun >= deadline) {
                break;
            }
        }
        Ok(())
    }

    /// Pulls and stores batch `index`, or learns the end; returns when it was done.
    fn take_one(&mut self, index: usize, begun: Instant) -> Result<Instant> {
        let shared = self.shared;
        let Some(feed) = &mut self.feed else {
            return Ok(begun);
        };
        let mut pulled_at = begun;
        if feed.pending.is_none() {
            let pulled = pull(&mut *feed.source, &shared.schema);
            pulled_at = Instant::now();
            shared.counters.pulled(pulled_at - begun);
            match pulled {
                Ok(Some(batch)) => feed.pending = Some(batch),
                Ok(None) => {
                    self.end(|_, _| End::Complete);
                    return Ok(pulled_at);
                }
                Err(error) => {
                    self.end(|batches, rows| {
                        End::Failed(Arc::new(SourceFailure::new(batches, rows, error)))
                    });
                    return Ok(pulled_at);
                }
            }
        }
        let Some(batch) = &feed.pending else {
            return Ok(pulled_at);
        };
        let weight = Weight::of(batch);
        let heap = shared.store(index, batch, &weight)?;
        {
            let mut state = shared.state.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            state.push(heap, batch.num_rows(), weight.shown);
            if let Some(log) = &state.log {
                state.clean = log.len();
            }
        }
        feed.pending = None;
        shared.advanced.notify_all();
        let stored_at = Instant::now();
        shared.counters.stored(stored_at - pulled_at);
        Ok(stored_at)
    }

    /// Records the end and lets the source go, after those who wait were told.
    fn end(&mut self, end: impl FnOnce(usize, u64) -> End) {
        let feed = self.feed.take();
        {
            let mut state = self.shared.state.lock();
            let (batches, rows) = (state.slots.len(), state.rows);
            state.end = end(batches, rows);
            state.puller = None;
        }
        self.shared.advanced.notify_all();
        drop(feed);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let feed = self.feed.take();
        let unused = {
            let mut state = self.shared.state.lock();
            if feed.is_some() {
                state.puller = None;
            }
            if state.closed {
                feed
            } else {
                if feed.is_some() {
                    state.feed = feed;
                }
                None
            }
        };
        self.shared.advanced.notify_all();
        drop(unused);
    }
}
