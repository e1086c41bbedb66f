//! The one producer: wait for a batch, or pull it.
//!
//! 1. One thread pulls at a time, with no lock held; who wants a stored batch never waits for it.
//! 2. What was pulled stays in the [`Feed`](crate::store::upstream::Feed) until its slot is published.
//!    Whatever fails in between, the next attempt goes on with that same batch.
//! 3. The end is sticky: after `Complete` or `Failed` the source is gone.
//! 4. Nobody pulls for longer than a time slice before others, and the interrupt, get their turn.
//! 5. Where a thread reads ahead, who waits for a batch leaves the asking to it, and takes the turn only to store
//!    what is there.

mod ahead;
mod follow;
mod shape;
mod turn;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use self::turn::Turn;
use crate::error::{Error, Result};
use crate::interrupt::{SLICE, Watch};
use crate::store::Store;
use crate::store::ahead::Thread;
use crate::store::slots::{End, State};
use crate::store::upstream::Upstream;
use crate::sync::{current_thread, now};

/// What a caller waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// That batch, or the end.
    Batch(usize),
    /// So many rows, or the end.
    Rows(u64),
    /// The end.
    End,
}

impl Goal {
    fn is_reached(self, batches: usize, rows: u64) -> bool {
        match self {
            Self::Batch(index) => index < batches,
            Self::Rows(wanted) => wanted <= rows,
            Self::End => false,
        }
    }

    /// Whether the next rows may be all that is waited for.
    fn is_near(self) -> bool {
        !matches!(self, Self::End)
    }
}

/// What a caller does next.
enum Move {
    /// Waits, for so long at most.
    Wait(Duration),
    /// Takes the turn; whether to ask the source too.
    Turn(Upstream, bool),
    /// Begins the thread that reads ahead.
    Call,
}

impl Store {
    /// Returns once the goal is reached, pulling where nobody else does.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Reentrant`], [`Error::Forked`], [`Error::Interrupted`]; the store's
    /// where a batch can't be kept. Not the source's: that is the end, and found at its place.
    pub(crate) fn advance(self: &Arc<Self>, goal: Goal, watch: &mut Watch<'_>) -> Result<()> {
        self.advance_until(goal, None, watch)
    }

    /// As [`Store::advance`], but returns soon after the deadline in any case.
    pub(crate) fn advance_until(
        self: &Arc<Self>,
        goal: Goal,
        deadline: Option<Instant>,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let mut waits_since = None;
        let mut waiting = None;
        loop {
            let mut state = self.look_open()?;
            let stored = (state.slots.len(), state.rows);
            if let (Goal::Batch(index), Some(ahead)) = (goal, &mut state.ahead)
                && ahead.ask(index)
                && ahead.works()
                && let Some(bell) = &self.bell
            {
                bell.ring();
            }
            if goal.is_reached(stored.0, stored.1) || !matches!(state.end, End::Open) {
                return Ok(());
            }
            if goal.is_near() && waiting.is_none() {
                waiting = Some(Waiting::new(self));
            }
            let time = match self.next_move(&mut state, goal)? {
                Move::Wait(time) => {
                    self.advanced.wait_for(&mut state, time);
                    drop(state);
                    now()
                }
                Move::Call => {
                    drop(state);
                    self.read_ahead();
                    continue;
                }
                Move::Turn(upstream, asks) => {
                    state.puller = Some(current_thread());
                    drop(state);
                    if matches!(upstream, Upstream::Writer(_)) {
                        waits_since.get_or_insert_with(now);
                    }
                    let until = deadline.map_or(watch.next(), |time| time.min(watch.next()));
                    // The turn ends before the interrupt is asked: a signal handler may read the cache.
                    let taken =
                        Turn::new(self, upstream, stored, asks).take(goal, until, waits_since);
                    self.tell();
                    taken?
                }
            };
            watch.look(time)?;
            // Looked at last: every call gets on by a batch or waits for one.
            if deadline.is_some_and(|deadline| time >= deadline) {
                return Ok(());
            }
        }
    }

    /// # Errors
    /// [`Error::Closed`], [`Error::Reentrant`].
    fn next_move(&self, state: &mut State, goal: Goal) -> Result<Move> {
        let me = current_thread();
        if state.puller == Some(me) || state.reads_ahead == Some(me) {
            return Err(Error::Reentrant);
        }
        if state.puller.is_some() {
            return Ok(Move::Wait(SLICE));
        }
        let mut is_left_to_thread = false;
        if let (Goal::Batch(_), Some(ahead)) = (goal, &mut state.ahead) {
            if ahead.thread == Thread::Unborn {
                ahead.thread = Thread::Works;
                return Ok(Move::Call);
            }
            // A listener that this thread tells may read too, and would wait for itself.
            let is_here = self.bell.as_ref().is_some_and(|bell| bell.is_here());
            is_left_to_thread = ahead.works() && !is_here;
        }
        if let Some(Upstream::Source(feed)) = &state.upstream {
            let is_away = feed.source.is_none();
            if (is_away || is_left_to_thread) && !feed.has_something() {
                // Small batches wait to be joined to what the source gives: not for long.
                let is_first = state.slots.len() == 0;
                let given_at = feed.given_at(self.batch_rows, is_first);
                let given_in = given_at
                    .filter(|_| goal.is_near())
                    .map(|time| time.saturating_duration_since(now()));
                match given_in {
                    Some(Duration::ZERO) => {}
                    Some(time) => return Ok(Move::Wait(time.min(SLICE))),
                    None => return Ok(Move::Wait(SLICE)),
                }
            }
        }
        let upstream = state.upstream.take().ok_or(Error::Closed)?;
        Ok(Move::Turn(upstream, !is_left_to_thread))
    }
}

/// That somebody waits for the next rows.
struct Waiting<'a>(&'a Store);

impl<'a> Waiting<'a> {
    fn new(store: &'a Store) -> Self {
        store.waiting.fetch_add(1, Ordering::Relaxed);
        Self(store)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
