//! The one producer: wait for a batch, or pull it.
//!
//! 1. One thread pulls at a time, with no lock held; who wants a stored batch never waits for it.
//! 2. What was pulled stays in the [`Feed`](crate::store::upstream::Feed) until its slot is published.
//!    Whatever fails in between, the next attempt goes on with that same batch.
//! 3. The end is sticky: after `Complete` or `Failed` the source is gone.
//! 4. Nobody pulls for longer than a time slice before others, and the interrupt, get their turn.

mod coalesce;
mod follow;
mod turn;

use std::time::Instant;

use self::turn::Turn;
use crate::error::{Error, Result};
use crate::interrupt::{SLICE, Watch};
use crate::store::Store;
use crate::store::slots::End;
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
}

impl Store {
    /// Returns once the goal is reached, pulling where nobody else does.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Reentrant`], [`Error::Forked`], [`Error::Interrupted`]; the store's
    /// where a batch can't be kept. Not the source's: that is the end, and found at its place.
    pub(crate) fn advance(&self, goal: Goal, watch: &mut Watch<'_>) -> Result<()> {
        self.advance_until(goal, None, watch)
    }

    /// As [`Store::advance`], but returns soon after the deadline in any case.
    pub(crate) fn advance_until(
        &self,
        goal: Goal,
        deadline: Option<Instant>,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let me = current_thread();
        let mut waits_since = None;
        loop {
            let mut state = self.look_open()?;
            let (batches, rows) = (state.slots.len(), state.rows);
            if goal.is_reached(batches, rows) || !matches!(state.end, End::Open) {
                return Ok(());
            }
            let time = match state.puller {
                Some(thread) if thread == me => return Err(Error::Reentrant),
                Some(_) => {
                    self.advanced.wait_for(&mut state, SLICE);
                    drop(state);
                    now()
                }
                None => {
                    let Some(upstream) = state.upstream.take() else {
                        return Err(Error::Closed);
                    };
                    state.puller = Some(me);
                    drop(state);
                    if matches!(upstream, Upstream::Writer(_)) {
                        waits_since.get_or_insert_with(now);
                    }
                    let until = deadline.map_or(watch.next(), |time| time.min(watch.next()));
                    // The turn ends before the interrupt is asked: a signal handler may read the cache.
                    Turn::new(self, upstream, batches, rows).take(goal, until, waits_since)?
                }
            };
            watch.look(time)?;
            // Looked at last: every call gets on by a batch or waits for one.
            if deadline.is_some_and(|deadline| time >= deadline) {
                return Ok(());
            }
        }
    }
}
