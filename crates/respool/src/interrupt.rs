//! How a caller that waits or works for long can be called off.

use std::fmt;
use std::time::Instant;

use crate::error::{BoxError, Error, Result};
pub use crate::sync::SLICE;

use crate::sync::now;

/// Asked about every [`SLICE`] while a call waits, pulls or works. No lock is held during the call, and
/// nobody is kept from pulling.
pub trait Interrupt {
    /// Whether to go on.
    ///
    /// # Errors
    /// The error ends the call and comes back as [`Error::Interrupted`](crate::Error::Interrupted).
    fn check(&self) -> Result<(), BoxError>;
}

/// Goes on for as long as it takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uninterrupted;

impl Interrupt for Uninterrupted {
    fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// When to look the next time. Kept by a reader from call to call: many short calls are a long one too.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace(Option<Instant>);

/// An interrupt, and when to ask it.
pub(crate) struct Watch<'a> {
    interrupt: &'a dyn Interrupt,
    next: Instant,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(interrupt: &'a dyn Interrupt) -> Self {
        Self {
            interrupt,
            next: now() + SLICE,
        }
    }

    /// Goes on at the pace of earlier calls.
    pub(crate) fn at(pace: Pace, interrupt: &'a dyn Interrupt) -> Self {
        match pace.0 {
            Some(next) => Self { interrupt, next },
            None => Self::new(interrupt),
        }
    }

    pub(crate) fn pace(&self) -> Pace {
        Pace(Some(self.next))
    }

    /// When it is time to look.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Asks if it is time to.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(crate) fn look(&mut self, time: Instant) -> Result<()> {
        if time < self.next {
            return Ok(());
        }
        self.interrupt.check().map_err(Error::Interrupted)?;
        // The check may have run somebody's signal handler for long.
        self.next = now() + SLICE;
        Ok(())
    }
}

impl fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
