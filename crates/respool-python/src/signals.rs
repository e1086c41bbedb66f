//! How a call that waits or works for long learns of Ctrl-C, and who still has to be told of it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use respool::{BoxError, Interrupt, SLICE};

use crate::attach::attached;
use crate::error::Exception;
use crate::exit::{self, SHUTTING_DOWN};

/// Runs Python's signal handlers. The engine calls it with no lock held and the thread detached.
pub(crate) struct Signals;

impl Interrupt for Signals {
    fn check(&self) -> Result<(), BoxError> {
        if exit::is_refused() {
            return Err(SHUTTING_DOWN.into());
        }
        // Handlers run on the main thread alone; no other has to wait for the GIL to learn nothing.
        if !exit::may_be_main() {
            return Ok(());
        }
        LOOKED.set(Some(Instant::now()));
        let checked = attached(|py| {
            let checked = py.check_signals();
            checked.map_err(|raised| Box::new(Exception::new(py, raised)) as BoxError)
        });
        checked.unwrap_or_else(|| Err(SHUTTING_DOWN.into()))
    }
}

thread_local! {
    static LOOKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Whether handlers can run here, and nobody looked for a time slice.
///
/// An engine that reads one stream on several threads in turn lets none of them wait for long, so the pace of the
/// stream's reader may always come round on a thread where handlers can't run. And an engine that sees Ctrl-C first,
/// between two of its tasks, may then wait for its other threads without an end.
pub(crate) fn are_due() -> bool {
    exit::may_be_main() && LOOKED.get().is_none_or(|looked| looked.elapsed() >= SLICE)
}

/// Calls off the wait of [`close`](crate::cache::PyCache) for a thread that reads ahead: by signals, and where the
/// process ends, as that thread may never leave then.
pub(crate) struct Closing;

impl Interrupt for Closing {
    fn check(&self) -> Result<(), BoxError> {
        if exit::is_near() {
            return Err(SHUTTING_DOWN.into());
        }
        Signals.check()
    }
}

/// How long a thread that was told of Ctrl-C in other words is to be told again.
const OWED: Duration = Duration::from_secs(1);

thread_local! {
    static SWALLOWED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes that Ctrl-C left this thread as the error of an engine.
///
/// Through a C stream goes a number and a text only. A loop that takes that for a failure and tries again
/// would swallow Ctrl-C, so what it does next is interrupted: see [`owed`]. To raise it here and now, in
/// whatever Python runs next, would skip somebody's `finally`.
pub(crate) fn swallowed() {
    SWALLOWED.with(|swallowed| swallowed.set(Some(Instant::now())));
}

/// To be asked where a read begins.
///
/// # Errors
/// `KeyboardInterrupt`, where one was swallowed a moment ago.
pub(crate) fn owed() -> PyResult<()> {
    match SWALLOWED.with(Cell::take) {
        Some(since) if since.elapsed() < OWED => Err(PyKeyboardInterrupt::new_err(
            "the read before this one was interrupted",
        )),
        _ => Ok(()),
    }
}
