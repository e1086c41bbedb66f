//! A log with a name: made durable, and ended as the source has ended.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use respool_log::{Failure, Log, LogReader, State};

use super::Store;
use super::again::Mismatch;
use super::records::Records;
use super::slots::End;
use crate::error::{BoxError, Error, Result};
use crate::source::Collected;

impl Store {
    /// Makes everything that is stored durable.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Forked`]; [`Error::InvalidArgument`] where the log goes with the process;
    /// [`Error::Log`], after which nothing of this log can be made durable any more.
    pub(crate) fn flush(&self) -> Result<()> {
        self.catch_up()?;
        let (log, is_complete) = {
            let state = self.look_open()?;
            (state.log.clone(), matches!(state.end, End::Complete))
        };
        if self.location.is_none() {
            return Err(Error::invalid(
                "cannot flush: what this cache holds goes with the process; give it a path",
            ));
        }
        if let Some(unsynced) = self.unsynced() {
            return Err(unsynced);
        }
        let Some(log) = log.as_ref().and_then(Records::written) else {
            // It was durable when it was let go, or came to its end.
            if is_complete || self.is_let_go.load(Ordering::Relaxed) {
                return Ok(());
            }
            return Err(Error::invalid(
                "cannot flush: this cache only reads its log, which is not at its end; flush the cache that fills it",
            ));
        };
        log.flush()?;
        self.remember();
        Ok(())
    }

    /// Ends a log with a name: durably, if the source came to its end. Otherwise it is to be
    /// [let go](Store::let_go), so that nobody waits for more and somebody can go on with it: says whether it is
    /// to be kept.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Log`] where the log can't be ended. It can be tried again, unless a sync failed.
    pub(crate) fn conclude(&self, end: &Result<(), BoxError>) -> Result<bool> {
        let (log, is_closed) = {
            let state = self.look()?;
            (state.log.clone(), state.closed)
        };
        let Some(log) = log.as_ref().and_then(Records::written) else {
            return Ok(true);
        };
        if self.location.is_none() || is_closed {
            return Ok(true);
        }
        match end {
            Ok(()) => {
                log.finish()?;
                Ok(true)
            }
            Err(error) => {
                let failure = match earlier_failure(log) {
                    Some(first) => first,
                    // That is what the attempt failed at, not what the log is filled from.
                    None if error.is::<Mismatch>() || error.is::<Collected>() => return Ok(false),
                    None => Failure {
                        kind: "source".to_owned(),
                        text: error.to_string(),
                    },
                };
                // What its reader is told is why the source failed. Where that can't be noted, the log is one that
                // was left, which is not whole either; that it is not durable is for who closes it.
                match log.fail(&failure) {
                    Ok(()) => Ok(false),
                    Err(respool_log::Error::Unsynced { path, source }) => {
                        self.leave_unsynced(path, source);
                        Ok(false)
                    }
                    Err(_) => Ok(true),
                }
            }
        }
    }

    /// Goes on as a reader of the log that it wrote, so that others see that nobody writes it any more.
    pub(crate) fn let_go(&self) {
        let Some(location) = self.location() else {
            return;
        };
        let Ok(log) = LogReader::open(&location.directory) else {
            return;
        };
        if log.identity() != location.identity {
            return;
        }
        let log = Arc::new(log);
        let Ok(mut state) = self.look_open() else {
            return;
        };
        if log.len() != state.slots.len() {
            return;
        }
        state.follow(log.len(), log.num_rows(), log.shown_bytes());
        self.is_let_go.store(true, Ordering::Relaxed);
        let written = state.log.replace(Records::Opened(log));
        let slots = state.slots.without_own();
        drop(state);
        let filled = self.filling.lock().take();
        drop((written, slots, filled));
    }
}

/// Says of a log that is gone on with what it said before, if nothing came of that: why it had failed.
pub(super) fn put_back(log: &Log) {
    if let Some(failure) = earlier_failure(log) {
        // Where it can't be said, the log is one that was left. One that has ended since stays as it is.
        let _said = log.fail(&failure);
    }
}

/// Why a log that is gone on with had failed, if nothing was added to it since.
fn earlier_failure(log: &Log) -> Option<Failure> {
    let earlier = log.earlier()?;
    match earlier.state() {
        State::Failed(failure) if earlier.len() == log.len() => Some(failure),
        State::Failed(_) | State::Growing | State::Abandoned | State::Complete => None,
    }
}
