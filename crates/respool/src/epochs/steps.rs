//! `Steps`: one epoch, read once from some place on.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use super::making::Maker;
use super::plan::Plan;
use super::room::Room;
use super::shape::Made;
use super::state::differs;
use crate::error::{Error, Result};
use crate::fork::Process;
use crate::interrupt::{Interrupt, Uninterrupted};

/// The steps of one epoch, for one rank. Dropping it ends the thread that makes steps ahead.
pub struct Steps {
    plan: Arc<Plan>,
    /// Absent once it is dropped.
    room: Option<Arc<Room>>,
    epoch: u64,
    /// Steps that were given.
    done: u64,
    /// Those that came back, as they could not be handed on.
    returned: VecDeque<Made>,
    process: Process,
}

impl Steps {
    pub(super) fn new(plan: Arc<Plan>, maker: Maker, epoch: u64, done: u64) -> Self {
        let room = Room::new(maker, done, plan.options.prefetch);
        Self {
            room: Some(room),
            plan,
            epoch,
            done,
            returned: VecDeque::new(),
            process: Process::here(),
        }
    }

    /// The next step; `None` at the end of the epoch. Of a source that is followed, waits for what it is made of.
    ///
    /// # Errors
    /// What the source, the store or a kernel says, at its place: the next call tries again;
    /// [`Error::Interrupted`]; [`Error::Forked`].
    pub fn next_step(&mut self, interrupt: &dyn Interrupt) -> Result<Option<Made>> {
        if !self.process.is_here() {
            return Err(Error::Forked);
        }
        if let Some(made) = self.returned.pop_front() {
            self.done += 1;
            return Ok(Some(made));
        }
        let Some(end) = self.end(interrupt)? else {
            return Ok(None);
        };
        let room = self.room.as_ref().ok_or(Error::Closed)?;
        let made = room.next(end, self.plan.options.within, interrupt)?;
        self.done += 1;
        Ok(Some(made))
    }

    /// Takes back a step that could not be handed on: the next call gives it again.
    pub fn put_back(&mut self, made: Made) {
        self.returned.push_back(made);
        self.done = self.done.saturating_sub(1);
    }

    /// Steps of the epoch that were given, those before it was taken up too.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// The first step that can't be made yet; `None` where the next one is behind the last.
    fn end(&self, interrupt: &dyn Interrupt) -> Result<Option<u64>> {
        let plan = &self.plan;
        let (rows, is_whole) = if plan.is_followed(self.epoch) {
            let each = plan.options.batch_size as u64;
            plan.reach(self.done.saturating_add(1).saturating_mul(each), interrupt)?
        } else {
            let index = plan.index.read();
            (index.rows(), true)
        };
        let end = if is_whole {
            plan.steps_of(rows)
        } else {
            rows / plan.options.batch_size as u64
        };
        if is_whole && self.done > end {
            // A place that was saved while the source had more: to end here would show a part as the whole.
            let done = self.done.saturating_mul(plan.options.batch_size as u64);
            return Err(differs("rows_done", &done, &rows));
        }
        Ok((self.done < end).then_some(end))
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        let Some(room) = self.room.take() else { return };
        if self.process.is_here() {
            // It is waited for as long as a step takes; nothing is said to whoever drops it.
            let _waited = room.close(&Uninterrupted);
        } else {
            // The thread is the parent's, and may have had its locks.
            Box::leak(Box::new(room));
        }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps")
            .field("epoch", &self.epoch)
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
