//! Between Python and what waits: the only way in from C, and the only way out and back.
//!
//! PyO3 counts, per thread, how often it attached. The count tells nothing in a callback of a C
//! interface: code in C may have let go of the GIL since, or hold it without PyO3's knowledge. So
//! there, and only there, Python itself is asked ([`enter`]); what runs inside is detached, and PyO3
//! knows it. An object of Python is dropped there too, or not at all. Everything else of this crate goes
//! from attached to detached by [`detached`] and back, for as long as it takes to run some Python, by
//! [`attached`].
//!
//! What the unsafe blocks rely on:
//!
//! 1. Python is initialised: this module was imported, and [`Pass`] is given to no thread but the main
//!    one once Python is about to end, and to none once it has ended.
//! 2. `PyGILState_Ensure` may be called by any thread, whether it holds the GIL or not, and each call
//!    is followed by one of `PyGILState_Release` on the same thread, the last first.
#![expect(
    unsafe_code,
    reason = "PyO3 has no way to ask Python rather than its own count"
)]

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::error::exception;
use crate::exit::{self, Pass, SHUTTING_DOWN};

/// Runs a callback's work detached, whatever the thread was when C called. `None`, without a touch of
/// Python, where the interpreter is about to end.
pub(crate) fn enter<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    // Let go last, so that the end waits for all of it.
    let _pass = Pass::ask()?;
    let _held = Held::new();
    // SAFETY: invariant 2: `_held` has the GIL until it is dropped, after this.
    let py = unsafe { Python::assume_attached() };
    // Sets PyO3's count of this thread to none, and afterwards back to what it was.
    Some(py.detach(|| exit::leaving(work)))
}

/// Runs all that a thread does which reads ahead. Python knows the thread from here to the end: what a source keeps by
/// thread is there at the next batch too.
pub(crate) fn read_ahead(work: &mut (dyn FnMut() + Send)) {
    // Nothing is read ahead where the interpreter is about to end.
    let _read = enter(|| exit::reading_ahead(work));
}

/// Runs all that a thread does which never comes to Python: the end waits for it, and it does not begin near the end.
pub(crate) fn beside(work: &mut (dyn FnMut() + Send)) {
    if let Some(_pass) = Pass::ask() {
        work();
    }
}

/// The GIL, asked of Python itself.
struct Held(ffi::PyGILState_STATE);

impl Held {
    fn new() -> Self {
        // SAFETY: invariants 1 (the caller has a `Pass`) and 2: dropping this is the other call.
        Self(unsafe { ffi::PyGILState_Ensure() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: invariant 2: the value is of the call that made this, on this thread: it is not Send.
        unsafe { ffi::PyGILState_Release(self.0) };
    }
}

/// Runs what may wait, detached from Python, and raises its error. Interpreter exit waits for it, but not
/// for ever; a daemon thread that comes when the end is near gets an error.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    work: impl FnOnce() -> respool::Result<T> + Send,
) -> PyResult<T> {
    let _inside = inside()?;
    let done = py.detach(|| exit::leaving(work));
    done.map_err(|error| exception(py, &error))
}

/// Leave to be in our code, for as long as it lives: what we call may let go of the GIL, and at exit a thread
/// that wants it back is ended where it is.
pub(crate) fn inside() -> PyResult<Pass> {
    Pass::ask().ok_or_else(|| PyRuntimeError::new_err(SHUTTING_DOWN))
}

/// Runs some Python from within what runs detached. `None` where the interpreter is about to end.
pub(crate) fn attached<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _pass = Pass::ask()?;
    Python::try_attach(work)
}

/// Has [`exit`] told when Python has ended.
pub(crate) fn tell_of_the_end() {
    // SAFETY: the function calls nothing of Python, as those that are given here must not. Where there are too
    // many of them already, it is as before.
    unsafe { ffi::Py_AtExit(Some(exit::ended)) };
}

/// What is dropped detached, because it may wait, unmap files or run foreign code; at exit it goes
/// with the process.
pub(crate) struct Detached<T: Send> {
    inner: Option<T>,
    /// Somebody else holds what would take its time.
    is_light: bool,
}

impl<T: Send> Detached<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner: Some(inner),
            is_light: false,
        }
    }

    /// For a handle of something that lives longer: there is nothing to it, so it is dropped as it is.
    pub(crate) fn light(inner: T) -> Self {
        Self {
            inner: Some(inner),
            is_light: true,
        }
    }
}

impl<T: Send> std::ops::Deref for Detached<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.inner {
            Some(inner) => inner,
            None => unreachable!("it is there until it is dropped"),
        }
    }
}

impl<T: Send> Drop for Detached<T> {
    fn drop(&mut self) {
        let inner = self.inner.take();
        if self.is_light {
            return;
        }
        if exit::is_near() {
            Box::leak(Box::new(inner));
            return;
        }
        let mut inner = Some(inner);
        // Objects of Python are dropped attached, so this does not attach but for a Rust unwind.
        Python::try_attach(|py| {
            detached(py, || {
                drop(inner.take());
                Ok(())
            })
        });
        if inner.is_some() {
            Box::leak(Box::new(inner));
        }
    }
}
