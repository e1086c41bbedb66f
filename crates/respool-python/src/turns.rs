//! One thread at a time, without a lock held while it works.

use std::thread::{self, ThreadId};

use respool::fork::Process;
use respool::locks::{Condvar, Mutex};
use respool::{Error, Interrupt, SLICE};

use crate::signals::Signals;

/// Something that threads use in turn. Who waits does so in slices and sees signals; who has it already,
/// further up its own stack, is told so.
pub(crate) struct Turns<T> {
    turn: Mutex<Turn<T>>,
    /// Signalled when a turn ends.
    done: Condvar,
    process: Process,
}

enum Turn<T> {
    /// Boxed, as it goes out and back at every turn.
    Free(Box<T>),
    Taken(ThreadId),
    Gone,
}

impl<T> Turns<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            turn: Mutex::new(Turn::Free(Box::new(inner))),
            done: Condvar::new(),
            process: Process::here(),
        }
    }

    /// Works with it; `None` where it was taken away. To be called detached.
    ///
    /// # Errors
    /// Those of the work; [`Error::Reentrant`] where this thread has it already; [`Error::Interrupted`],
    /// [`Error::Forked`].
    pub(crate) fn with<R>(
        &self,
        work: impl FnOnce(&mut T) -> Result<R, Error>,
    ) -> Result<Option<R>, Error> {
        let Some(inner) = self.take()? else {
            return Ok(None);
        };
        let mut held = Held {
            turns: self,
            inner: Some(inner),
        };
        held.inner.as_deref_mut().map(work).transpose()
    }

    /// Takes it for good; `None` where somebody did before. To be called detached.
    ///
    /// # Errors
    /// As [`Turns::with`].
    pub(crate) fn take_away(&self) -> Result<Option<T>, Error> {
        let taken = self.take();
        if matches!(taken, Ok(Some(_))) {
            self.give_back(Turn::Gone);
        }
        Ok(taken?.map(|inner| *inner))
    }

    /// Takes it away without waiting: who works with it drops it when the work is done. `None` there, where somebody
    /// took it away before, and where it is the parent's. To be called detached.
    pub(crate) fn dismiss(&self) -> Option<T> {
        // A child of a fork: somebody who is not here may have the lock.
        self.check_process().ok()?;
        let was = std::mem::replace(&mut *self.turn.lock(), Turn::Gone);
        self.done.notify_all();
        match was {
            Turn::Free(inner) => Some(*inner),
            Turn::Taken(_) | Turn::Gone => None,
        }
    }

    /// Whether it was taken away.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn is_gone(&self) -> Result<bool, Error> {
        self.check_process()?;
        Ok(matches!(*self.turn.lock(), Turn::Gone))
    }

    fn check_process(&self) -> Result<(), Error> {
        if self.process.is_here() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    fn take(&self) -> Result<Option<Box<T>>, Error> {
        let me = thread::current().id();
        loop {
            self.check_process()?;
            let mut turn = self.turn.lock();
            match &*turn {
                Turn::Gone => return Ok(None),
                Turn::Taken(thread) if *thread == me => return Err(Error::Reentrant),
                Turn::Taken(_) => {
                    self.done.wait_for(&mut turn, SLICE);
                    drop(turn);
                    Signals.check().map_err(Error::Interrupted)?;
                }
                Turn::Free(_) => {
                    if let Turn::Free(inner) = std::mem::replace(&mut *turn, Turn::Taken(me)) {
                        return Ok(Some(inner));
                    }
                }
            }
        }
    }

    fn give_back(&self, turn: Turn<T>) {
        if self.check_process().is_err() {
            // The child of a fork in the middle of a turn: somebody who is not here may have the lock.
            Box::leak(Box::new(turn));
            return;
        }
        let mut now = self.turn.lock();
        if matches!(*now, Turn::Gone) {
            // It was dismissed meanwhile. Dropped without the lock: that may wait.
            drop(now);
            drop(turn);
            return;
        }
        *now = turn;
        drop(now);
        self.done.notify_one();
    }
}

/// What a turn has; given back also where the work panics.
struct Held<'a, T> {
    turns: &'a Turns<T>,
    inner: Option<Box<T>>,
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        self.turns
            .give_back(self.inner.take().map_or(Turn::Gone, Turn::Free));
    }
}
