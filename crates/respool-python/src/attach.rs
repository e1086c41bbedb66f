//! Between Python and what waits: the only way in from C, and the only way out and back.
//!
//! PyO3 counts, per thread, how often it attached. The count tells nothing in a callback of a C
//! interface: code in C may have let go of the GIL since, or hold it without PyO3's knowledge. So
//! there, and only there, Python itself is asked ([`enter`]); what runs inside is detached, and PyO3
//! knows it. Everything else of this crate goes from attached to detached by [`detached`] and back,
//! for as long as it takes to run some Python, by [`attached`].
//!
//! What the unsafe blocks rely on:
//!
//! 1. Python is initialised: this module was imported, and [`Pass`] is given to no thread but the main
//!    one once Python is about to end.
//! 2. `PyGILState_Ensure` may be called by any thread, whether it holds the GIL or not, and each call
//!    is followed by one of `PyGILState_Release` on the same thread, the last first.
#![expect(
    unsafe_code,
    reason = "PyO3 has no way to ask Python rather than its own count"
)]

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::ffi;
use pyo3::prelude::*;

use crate::exit::{self, Pass};

/// Runs a callback's work detached, whatever the thread was when C called. `None`, without a touch of
/// Python, where the interpreter is about to end.
pub(crate) fn enter<T: Send>(work: impl FnOnce() -> T + Send) -> Option<T> {
    // Let go last, so that the end waits for all of it.
    let _pass = Pass::ask()?;
    let _held = Held::new();
    // SAFETY: `_held` says so.
    let py = unsafe { Python::assume_attached() };
    // Sets PyO3's count of this thread to none, and afterwards back to what it was.
    Some(py.detach(|| exit::leaving(work)))
}

/// The GIL, asked of Python itself.
struct Held(ffi::PyGILState_STATE);

impl Held {
    fn new() -> Self {
        // SAFETY: invariants 1 and 2; dropping this is the other call.
        Self(unsafe { ffi::PyGILState_Ensure() })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: invariant 2: the value is of the call that made this, on this thread: it is not Send.
        unsafe { ffi::PyGILState_Release(self.0) };
    }
}

/// Runs what may wait, detached from Python. Interpreter exit waits for it, but not for ever; a daemon
/// thread that comes when the end is near stays outside.
pub(crate) fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> T + Send) -> T {
    let _inside = inside(py);
    py.detach(|| exit::leaving(work))
}

/// Leave to be in our code, for as long as it lives: what we call may let go of the GIL, and at exit a thread
/// that wants it back is ended where it is. A daemon thread that comes when the end is near stays here.
pub(crate) fn inside(py: Python<'_>) -> Pass {
    loop {
        match Pass::ask() {
            Some(pass) => return pass,
            None => py.detach(exit::stay),
        }
    }
}

/// Runs some Python from within what runs detached. `None` where the interpreter is about to end.
pub(crate) fn attached<T>(work: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _pass = Pass::ask()?;
    Python::try_attach(work)
}

/// Lets a Python object go from a callback, where waiting for the GIL could be a deadlock: the main
/// thread drops it as soon as it runs Python.
pub(crate) fn let_go(object: Py<PyAny>) {
    if exit::is_near() {
        // It goes with the process.
        let _kept = object.into_ptr();
        return;
    }
    let pointer = object.into_ptr();
    // SAFETY: this may be called without the GIL; `drop_now` takes the reference that the pointer is.
    let refused = unsafe { ffi::Py_AddPendingCall(Some(drop_now), pointer.cast()) };
    if refused != 0 {
        // Too many wait already. An address, for a pointer would not go to where this runs.
        let address = pointer as usize;
        enter(|| attached(|py| take_back(py, address as *mut ffi::PyObject)));
    }
}

/// Called by Python, which holds the GIL, with a reference that `let_go` gave away.
extern "C" fn drop_now(pointer: *mut c_void) -> c_int {
    // What dropping runs may panic; nothing of it may reach C.
    let _ = catch_unwind(AssertUnwindSafe(|| {
        let address = pointer as usize;
        Python::try_attach(|py| take_back(py, address as *mut ffi::PyObject));
    }));
    0
}

/// Drops the reference that `let_go` gave away as a pointer.
fn take_back(py: Python<'_>, pointer: *mut ffi::PyObject) {
    // SAFETY: the pointer is a reference that nobody else drops: `let_go` passes each on once.
    drop(unsafe { Bound::from_owned_ptr(py, pointer) });
}

/// Has this thread raise `KeyboardInterrupt` when it runs Python the next time.
///
/// Through a C stream goes a number and a text only, so its consumer raises an error of its own; a
/// loop that takes that for a failure and tries again would swallow Ctrl-C.
pub(crate) fn interrupt_this_thread(py: Python<'_>) {
    let Ok(thread) = py
        .import("threading")
        .and_then(|threading| threading.call_method0("get_ident"))
        .and_then(|ident| ident.extract())
    else {
        return;
    };
    let kind = py.get_type::<PyKeyboardInterrupt>();
    // SAFETY: attached, and both arguments are what the function asks for.
    unsafe { ffi::PyThreadState_SetAsyncExc(thread, kind.as_ptr()) };
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
        if Python::try_attach(|py| detached(py, || drop(inner.take()))).is_none() {
            Box::leak(Box::new(inner));
        }
    }
}
