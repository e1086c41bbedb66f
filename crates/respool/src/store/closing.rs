//! Closing a store: everything is given back, and a log with a name is durable then.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::Store;
use super::durable::put_back;
use super::records::Records;
use crate::error::{Error, Result};

/// What is left of a log with a name that could not be made durable.
#[derive(Debug)]
pub(super) enum Unclosed {
    /// It can be tried again.
    Log(Records),
    /// It can't, so the log was let go: nobody is to wait for its writer.
    Unsynced(Unsynced),
}

/// The first sync that failed.
#[derive(Debug)]
pub(super) struct Unsynced {
    path: PathBuf,
    source: Arc<io::Error>,
}

impl Store {
    /// Gives everything back: memory, log, source. Does nothing in a forked child. A log with a name is
    /// durable then.
    ///
    /// # Errors
    /// [`Error::Log`] where the log could not be made durable; the store is closed all the same.
    pub(crate) fn close(&self) -> Result<()> {
        if self.check_process().is_err() {
            return Ok(());
        }
        // Who closes it again waits for what the first one does, and is told the same.
        let mut closing = self.closing.lock();
        self.remember();
        let mut state = self.look()?;
        if !state.closed {
            state.had = state.slots.len();
        }
        state.closed = true;
        self.is_closed.store(true, Ordering::Relaxed);
        let slots = std::mem::take(&mut state.slots);
        let (mut log, upstream) = (state.log.take(), state.upstream.take());
        drop(state);
        let mut told = None;
        match closing.take() {
            None => {}
            Some(Unclosed::Log(left)) => log = Some(left),
            Some(Unclosed::Unsynced(unsynced)) => {
                told = Some(unsynced.told());
                *closing = Some(Unclosed::Unsynced(unsynced));
            }
        }
        let counted = std::mem::take(&mut *self.held_by_log.lock());
        self.budget.0.recount(counted, 0);
        self.advanced.notify_all();
        if let Some(bell) = &self.bell {
            bell.stop();
        }
        let derived = std::mem::take(&mut *self.derived.lock());
        let closed = derived.all.iter().filter_map(Weak::upgrade);
        let closed = closed.map(|store| store.close()).find(Result::is_err);
        let flushed = match log.as_ref().and_then(Records::written) {
            Some(log) if self.location.is_some() && told.is_none() => {
                put_back(log);
                log.flush()
            }
            _ => Ok(()),
        };
        match &flushed {
            Ok(()) => {}
            Err(respool_log::Error::Unsynced { path, source }) => {
                let (path, source) = (path.clone(), Arc::clone(source));
                *closing = Some(Unclosed::Unsynced(Unsynced { path, source }));
            }
            Err(_) => *closing = log.clone().map(Unclosed::Log),
        }
        let filled = self.filling.lock().take();
        // Before another who closes it comes back, and may begin anew in that place.
        drop((log, filled));
        drop(closing);
        // Released here, with no lock held: the source may run foreign code.
        drop((slots, upstream, derived));
        flushed?;
        told.map_or(Ok(()), Err)?;
        closed.unwrap_or(Ok(()))
    }

    /// Takes note that the log can't be made durable, while it is let go.
    pub(super) fn leave_unsynced(&self, path: PathBuf, source: Arc<io::Error>) {
        let mut closing = self.closing.lock();
        closing.get_or_insert(Unclosed::Unsynced(Unsynced { path, source }));
    }

    /// Why the log that was let go could not be made durable.
    pub(super) fn unsynced(&self) -> Option<Error> {
        match &*self.closing.lock() {
            Some(Unclosed::Unsynced(unsynced)) => Some(unsynced.told()),
            Some(Unclosed::Log(_)) | None => None,
        }
    }
}

impl Unsynced {
    fn told(&self) -> Error {
        let (path, source) = (self.path.clone(), Arc::clone(&self.source));
        respool_log::Error::Unsynced { path, source }.into()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.process.is_here() {
            if let Some(bell) = &self.bell {
                bell.stop();
            }
            self.remember();
            self.budget.0.recount(*self.held_by_log.get_mut(), 0);
            if self.location.is_some()
                && let Some(log) = &self.state.get_mut().log
                && let Some(log) = log.written()
            {
                put_back(log);
            }
            return;
        }
        // In a forked child, giving anything back may wait for a lock that nobody holds any more: the
        // ledger's, the log's, one of a library that the source comes from. The store that was opened in its
        // place is the child's, and goes.
        let state = std::mem::take(self.state.get_mut());
        let derived = std::mem::take(self.derived.get_mut());
        let advice = self.advice.get_mut().take();
        let budget = self.budget.clone();
        let closing = self.closing.get_mut().take();
        Box::leak(Box::new((state, derived, advice, budget, closing)));
    }
}
