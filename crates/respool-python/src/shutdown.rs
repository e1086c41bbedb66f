//! The end of the interpreter: threads of a query engine that are in a source then must come out first.
//!
//! An engine may pull ahead on threads of its own; DuckDB 1 does, even after a LIMIT was reached. Such a
//! thread attaches to Python to ask a source, and CPython ends a thread that attaches, or comes back
//! from a detached stretch, while it finalises: in the middle of somebody's frames. So at exit no
//! thread is let in any more, and those that are in are waited for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// A source that stalls for longer than this at exit is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

static NEAR: AtomicBool = AtomicBool::new(false);
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// Leave to attach to Python from a thread of somebody else's.
pub(crate) struct Pass(());

impl Pass {
    /// None once the interpreter is about to end.
    pub(crate) fn ask() -> Option<Self> {
        // First in, then a look: who looked before the end was near is waited for.
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let pass = Self(());
        (!is_near()).then_some(pass)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Lets nobody in any more, and waits for who is in. For `atexit`.
#[pyfunction]
pub(crate) fn shut_down(py: Python<'_>) {
    NEAR.store(true, Ordering::SeqCst);
    py.detach(|| {
        let deadline = Instant::now() + PATIENCE;
        while INSIDE.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
}

/// In the child of a fork: the threads that were in don't exist there.
pub(crate) fn forked() {
    INSIDE.store(0, Ordering::SeqCst);
}

/// Whether the interpreter is about to end.
pub(crate) fn is_near() -> bool {
    NEAR.load(Ordering::SeqCst)
}
