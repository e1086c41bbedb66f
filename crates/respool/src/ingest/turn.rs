//! One thread's turn at the upstream: the whole way of a batch from there to its slot.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arrow_schema::SchemaRef;

use super::Goal;
use crate::error::{BoxError, Error, Result, SourceFailure};
use crate::events::{Event, EventKind, Outbox};
use crate::source::{Source, pull};
use crate::store::Store;
use crate::store::ahead::Ahead;
use crate::store::slots::End;
use crate::store::upstream::{Answer, Upstream};
use crate::sync::now;

/// Who stores, and pulls unless somebody else is to. Dropping it, also by a panic, gives the turn to the next.
pub(super) struct Turn<'a> {
    pub(super) store: &'a Store,
    pub(super) upstream: Option<Upstream>,
    /// What is stored: nobody else adds to it.
    pub(super) batches: usize,
    pub(super) rows: u64,
    /// Whether the source is asked here, or by a thread that reads it ahead.
    asks: bool,
}

/// What a turn goes on with.
enum Step {
    /// Something was done by that time.
    Done(Instant),
    /// Nothing is to be done but to ask the source, which somebody else does.
    Nothing,
}

/// Asks a source, with no lock held.
pub(super) fn ask(source: &mut dyn Source, schema: &SchemaRef, asked: Instant) -> Answer {
    let pulled = pull(source, schema);
    Answer {
        pulled,
        asked,
        took: now() - asked,
    }
}

impl<'a> Turn<'a> {
    pub(super) fn new(
        store: &'a Store,
        upstream: Upstream,
        (batches, rows): (usize, u64),
        asks: bool,
    ) -> Self {
        Self {
            store,
            upstream: Some(upstream),
            batches,
            rows,
            asks,
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
                Some(Upstream::Source(_)) | None => match self.step(goal, time, until)? {
                    Step::Done(time) => time,
                    Step::Nothing => return Ok(time),
                },
            };
            let is_told = self.store.outbox.as_ref().is_some_and(Outbox::is_due);
            if self.upstream.is_none()
                || time >= until
                || is_told
                || goal.is_reached(self.batches, self.rows)
            {
                return Ok(time);
            }
        }
    }

    /// Stores what was pulled, or else pulls; tells when it was done, or when that time had come.
    fn step(&mut self, goal: Goal, begun: Instant, until: Instant) -> Result<Step> {
        let store = self.store;
        let is_waited_for = goal.is_near() || store.waiting.load(Ordering::Relaxed) > 0;
        let Some(Upstream::Source(feed)) = &mut self.upstream else {
            return Ok(Step::Done(begun));
        };
        let mut began_to_store = begun;
        if feed.pending.is_empty() {
            if let Some(end) = feed.end.take() {
                self.end(end)?;
                return Ok(Step::Done(begun));
            }
            let given_at = feed.given_at(store.batch_rows, self.batches == 0);
            if is_waited_for && feed.answer.is_none() && given_at.is_some_and(|time| time <= begun)
            {
                feed.join(&store.schema);
            } else {
                let answer = match (feed.answer.take(), &mut feed.source) {
                    (Some(answer), _) => answer,
                    (None, Some(source)) if self.asks => ask(&mut **source, &store.schema, begun),
                    (None, _) => return Ok(Step::Nothing),
                };
                // The source may have forked: in the child no lock is taken, not even to count what came.
                store.check_process()?;
                store.counters.pulled(answer.took);
                if let Some(outbox) = &store.outbox {
                    outbox.waited(answer.took);
                }
                began_to_store = answer.asked + answer.took;
                if let Some(time) = self.take_in(answer)? {
                    return Ok(Step::Done(time));
                }
            }
        }
        let Some(Upstream::Source(feed)) = &mut self.upstream else {
            return Ok(Step::Done(begun));
        };
        let Some(next) = feed.pending.front() else {
            // Others are to be joined to it: a closed cache asks for no more of them.
            drop(store.look_open()?);
            return Ok(Step::Done(began_to_store));
        };
        match &mut feed.packer {
            None => {
                let pushed = store.push(self.batches, next);
                pushed.inspect_err(|error| store.note_error(self.batches, error))?;
            }
            Some(packer) => {
                let Some(kept) = packer.pack(&next.batch, self.batches, until)? else {
                    // What is done of it stays.
                    return Ok(Step::Done(now()));
                };
                let pushed = store.push_packed(self.batches, &next.batch, &kept);
                pushed.inspect_err(|error| store.note_error(self.batches, error))?;
                packer.stored();
            }
        }
        self.batches += 1;
        self.rows += next.batch.num_rows() as u64;
        feed.pending.pop_front();
        let stored_at = now();
        store.counters.stored(stored_at - began_to_store);
        Ok(Step::Done(stored_at))
    }

    /// Takes in what the source said; returns when that was said where nothing is to be stored of it.
    fn take_in(&mut self, answer: Answer) -> Result<Option<Instant>> {
        let store = self.store;
        let Some(Upstream::Source(feed)) = &mut self.upstream else {
            return Ok(None);
        };
        let Answer {
            pulled,
            asked,
            took,
        } = answer;
        let pulled = match (&mut feed.again, pulled) {
            (Some(again), Ok(Some(batch))) if !again.is_done() => match again.rest(batch, store) {
                Ok(None) => return Ok(Some(asked + took)),
                rest => rest.map_err(BoxError::from),
            },
            (Some(again), Ok(None)) => again.ended().map(|()| None).map_err(BoxError::from),
            (_, pulled) => pulled,
        };
        match pulled {
            Ok(Some(batch)) => {
                feed.accept(batch, asked, store.batch_rows, &store.schema, &store.budget);
                Ok(None)
            }
            end => {
                let end = end.map(drop);
                feed.join(&store.schema);
                if feed.pending.is_empty() {
                    self.end(end)?;
                } else {
                    feed.end = Some(end);
                }
                Ok(Some(asked + took))
            }
        }
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
                self.store.note_error(self.batches, &error);
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
        state.ahead = None;
        let told = match &state.end {
            _ if state.closed => None,
            End::Open => None,
            End::Complete => Some((EventKind::End, None)),
            End::Failed(failure) => Some((EventKind::Error, Some(failure.error().to_string()))),
        };
        let bytes = state.bytes;
        drop(state);
        if let Some((kind, error)) = told {
            self.store.note(|| Event {
                batches,
                rows,
                bytes,
                error,
                ..Event::new(kind, batches)
            });
        }
        self.store.advanced.notify_all();
        if let Some(bell) = &self.store.bell {
            bell.stop();
        }
        drop(upstream);
        Ok(())
    }
}

impl Store {
    /// Takes note that a batch could not be stored; a cache that is closed has lost nothing by it.
    fn note_error(&self, batch: usize, error: &Error) {
        if !matches!(error, Error::Closed | Error::Forked) {
            self.note(|| Event {
                batches: 0,
                error: Some(error.to_string()),
                ..Event::new(EventKind::Error, batch)
            });
        }
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
        // Whoever reads ahead may have waited for the turn, or for room.
        let is_due = state.ahead.as_ref().is_some_and(Ahead::works);
        drop(state);
        self.store.advanced.notify_all();
        if let Some(bell) = self.store.bell.as_ref().filter(|_| is_due) {
            bell.ring();
        }
        drop(unused);
    }
}
