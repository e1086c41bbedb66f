//! One thread's turn at the source: the whole way of a batch from there to its slot.

use std::sync::Arc;
use std::time::Instant;

use super::Goal;
use crate::error::{BoxError, Result, SourceFailure};
use crate::source::pull;
use crate::store::Store;
use crate::store::slots::End;
use crate::store::upstream::Upstream;
use crate::sync::now;

/// Who pulls. Dropping it, also by a panic, gives the turn to the next.
pub(super) struct Turn<'a> {
    pub(super) store: &'a Store,
    pub(super) upstream: Option<Upstream>,
    /// What is stored: nobody else adds to it.
    pub(super) batches: usize,
    pub(super) rows: u64,
}

impl<'a> Turn<'a> {
    pub(super) fn new(store: &'a Store, upstream: Upstream, batches: usize, rows: u64) -> Self {
        Self {
            store,
            upstream: Some(upstream),
            batches,
            rows,
        }
    }

    /// Pulls and stores until the goal is reached, the source ends, an error, or that time; returns what
    /// time it is. `waits_since`: when the caller began to wait for another process.
    pub(super) fn take(
        mut self,
        goal: Goal,
        until: Instant,
        waits_since: Option<Instant>,
    ) -> Result<Instant> {
        let mut time = now();
        loop {
            time = match self.upstream {
                Some(Upstream::Writer(_)) => {
                    self.follow(time, until, waits_since.unwrap_or(time))?
                }
                Some(Upstream::Source(_)) | None => self.step(time, until)?,
            };
            if self.upstream.is_none() || time >= until || goal.is_reached(self.batches, self.rows)
            {
                return Ok(time);
            }
        }
    }

    /// Stores what was pulled, or else pulls; returns when it was done, or when that time had come.
    fn step(&mut self, begun: Instant, until: Instant) -> Result<Instant> {
        let store = self.store;
        let Some(Upstream::Source(feed)) = &mut self.upstream else {
            return Ok(begun);
        };
        let mut pulled_at = begun;
        if feed.pending.is_empty() {
            if let Some(end) = feed.end.take() {
                self.end(end)?;
                return Ok(begun);
            }
            let pulled = pull(&mut *feed.source, &store.schema);
            // The source may have forked: in the child no lock is taken, not even to count what came.
            store.check_process()?;
            pulled_at = now();
            store.counters.pulled(pulled_at - begun);
            let pulled = match (&mut feed.again, pulled) {
                (Some(again), Ok(Some(batch))) if !again.is_done() => {
                    match again.rest(batch, store) {
                        Ok(None) => return Ok(pulled_at),
                        rest => rest.map_err(BoxError::from),
                    }
                }
                (Some(again), Ok(None)) => again.ended().map(|()| None).map_err(BoxError::from),
                (_, pulled) => pulled,
            };
            match pulled {
                Ok(Some(batch)) => {
                    feed.accept(batch, store.coalesce_rows, &store.schema, &store.budget);
                }
                end => {
                    let end = end.map(drop);
                    feed.join(&store.schema);
                    if feed.pending.is_empty() {
                        self.end(end)?;
                    } else {
                        feed.end = Some(end);
                    }
                    return Ok(pulled_at);
                }
            }
        }
        let Some(batch) = feed.pending.front() else {
            // Others are to be joined to it: a closed cache asks for no more of them.
            drop(store.look_open()?);
            return Ok(pulled_at);
        };
        match &mut feed.packer {
            None => store.push(self.batches, batch)?,
            Some(packer) => {
                let Some(kept) = packer.pack(batch, self.batches, until)? else {
                    // What is done of it stays.
                    return Ok(now());
                };
                store.push_packed(self.batches, batch, &kept)?;
                packer.stored();
            }
        }
        self.batches += 1;
        self.rows += batch.num_rows() as u64;
        feed.pending.pop_front();
        let stored_at = now();
        store.counters.stored(stored_at - pulled_at);
        Ok(stored_at)
    }

    /// Records the end and lets the source go, after those who wait were told.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked): the source is not the child's to let go.
    /// [`Error::Log`](crate::Error::Log) where a log with a name can't be ended: the next attempt tries again.
    pub(super) fn end(&mut self, end: Result<(), BoxError>) -> Result<()> {
        match self.store.conclude(&end) {
            Ok(true) => {}
            Ok(false) => self.store.let_go(),
            Err(error) => {
                if let Some(Upstream::Source(feed)) = &mut self.upstream {
                    feed.end = Some(end);
                }
                return Err(error);
            }
        }
        let mut state = self.store.look()?;
        let upstream = self.upstream.take();
        let (batches, rows) = (state.slots.len(), state.rows);
        // Of a closed cache nothing is stored any more: it is not complete, and nobody reads up to a failure.
        if !state.closed {
            state.end = match end {
                Ok(()) => End::Complete,
                Err(error) => End::Failed(Arc::new(SourceFailure::new(batches, rows, error))),
            };
        }
        state.puller = None;
        drop(state);
        self.store.advanced.notify_all();
        drop(upstream);
        Ok(())
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(upstream) = self.upstream.take() else {
            return;
        };
        let Ok(mut state) = self.store.look() else {
            // In a forked child: the source may wait for who is not there.
            Box::leak(Box::new(upstream));
            return;
        };
        state.puller = None;
        let unused = if state.closed {
            Some(upstream)
        } else {
            state.upstream.replace(upstream)
        };
        drop(state);
        self.store.advanced.notify_all();
        drop(unused);
    }
}
