//! The end of the interpreter: threads of a query engine that are in a source then must come out first.
//!
//! An engine may pull ahead on threads of its own, DuckDB 1 does even after a LIMIT was reached. Such a
//! thread attaches to Python to ask a source, and CPython ends a thread that attaches, or comes back
//! from a detached stretch, while it finalises: in the middle of somebody's frames. So at exit no
//! thread is let in any more, and those that are in are waited for.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use pyo3::prelude::*;

/// A source that stalls for longer than this at exit is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

static GATE: Gate = Gate {
    state: Mutex::new(State {
        closed: false,
        inside: 0,
    }),
    left: Condvar::new(),
};

struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

struct State {
    closed: bool,
    inside: usize,
}

/// Leave to attach to Python from a thread of somebody else's.
pub(crate) struct Pass(());

impl Pass {
    /// None once the interpreter is about to end.
    pub(crate) fn ask() -> Option<Self> {
        let mut state = GATE.state.lock();
        if state.closed {
            return None;
        }
        state.inside += 1;
        Some(Self(()))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        GATE.state.lock().inside -= 1;
        GATE.left.notify_all();
    }
}

/// Lets nobody in any more, and waits for who is in. For `atexit`.
#[pyfunction]
pub(crate) fn shut_down(py: Python<'_>) {
    py.detach(|| {
        let deadline = Instant::now() + PATIENCE;
        let mut state = GATE.state.lock();
        state.closed = true;
        while state.inside > 0 && !GATE.left.wait_until(&mut state, deadline).timed_out() {}
    });
}

/// Whether the interpreter is about to end.
pub(crate) fn is_near() -> bool {
    GATE.state.lock().closed
}
