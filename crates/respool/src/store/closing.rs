//! Closing a store: everything is given back, and a log with a name is durable then.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::Store;
use super::records::Records;
use crate::error::{Error, Result};

/// What is left of a log with a name that could not be made durable.
#[derive(Debug)]
pub(super) enum Unclosed {
    /// It can be tried again.
    Log(Records),
    /// It can't, so the log was let go: nobody is to wait for its writer.
    Unsynced { path: PathBuf, source: Arc<io::Error> },
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
        if let Some(Unclosed::Unsynced { path, source }) = &*closing {
            return Err(unsynced(path.clone(), Arc::clone(source)));
        }
        self.remember();
        let mut state = self.look()?;
        state.closed = true;
        self.is_closed.store(true, Ordering::Relaxed);
        let slots = std::mem::take(&mut state.slots);
        let (mut log, upstream) = (state.log.take(), state.upstream.take());
        drop(state);
        if let Some(Unclosed::Log(left)) = closing.take() {
            log = Some(left);
        }
        let counted = std::mem::take(&mut *self.held_by_log.lock());
        self.budget.0.recount(counted, 0);
        self.advanced.notify_all();
        let derived = std::mem::take(&mut *self.derived.lock());
        let closed = derived.all.iter().filter_map(Weak::upgrade);
        let closed = closed.map(|store| store.close()).find(Result::is_err);
        let flushed = match log.as_ref().and_then(Records::written) {
            Some(log) if self.location.is_some() => log.flush(),
            _ => Ok(()),
        };
        match &flushed {
            Ok(()) => {}
            Err(respool_log::Error::Unsynced { path, source }) => {
                let (path, source) = (path.clone(), Arc::clone(source));
                *closing = Some(Unclosed::Unsynced { path, source });
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
        closed.unwrap_or(Ok(()))
    }
}

fn unsynced(path: PathBuf, source: Arc<io::Error>) -> Error {
    respool_log::Error::Unsynced { path, source }.into()
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.process.is_here() {
            self.remember();
            self.budget.0.recount(*self.held_by_log.get_mut(), 0);
            return;
        }
        // In a forked child, giving anything back may wait for a lock that nobody holds any more: the
        // ledger's, the log's, one of a library that the source comes from.
        let state = std::mem::take(self.state.get_mut());
        let derived = std::mem::take(self.derived.get_mut());
        let advice = self.advice.get_mut().take();
        let budget = self.budget.clone();
        let anew = self.anew.take();
        let closing = self.closing.get_mut().take();
        Box::leak(Box::new((state, derived, advice, budget, anew, closing)));
    }
}
