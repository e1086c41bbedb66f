//! The end of the interpreter, and forks: who may still attach to Python.
//!
//! An engine may pull ahead on threads of its own; DuckDB 1 does, even after a LIMIT was reached. Such a
//! thread attaches to Python to ask a source, and CPython ends a thread that attaches, or comes back
//! from a detached stretch, while it finalises: in the middle of somebody's frames. So at exit no
//! thread but the main one is let in any more, those that are in are waited for, and who comes out too
//! late stays where it is, as threads do since Python 3.14.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::time::{Duration, Instant};

use pyo3::prelude::*;

/// What is said where nothing can be asked of Python any more.
pub(crate) const SHUTTING_DOWN: &str = "Python is shutting down";

/// A source that stalls for longer than this at exit is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

static NEAR: AtomicBool = AtomicBool::new(false);
static GONE: AtomicBool = AtomicBool::new(false);
/// Set when Python has ended: what C releases afterwards finds no interpreter.
static ENDED: AtomicBool = AtomicBool::new(false);
static INSIDE: AtomicIsize = AtomicIsize::new(0);
/// Whether any thread is known to be the main one.
static KNOWN: AtomicBool = AtomicBool::new(false);

thread_local! {
    static IS_MAIN: Cell<bool> = const { Cell::new(false) };
    static READS_AHEAD: Cell<bool> = const { Cell::new(false) };
    /// Passes that this thread has.
    static PASSES: Cell<isize> = const { Cell::new(0) };
}

/// Leave to attach to Python.
pub(crate) struct Pass(());

impl Pass {
    /// `None` once the interpreter is about to end, but for its main thread, and for one that reads ahead until it is
    /// not waited for any more.
    pub(crate) fn ask() -> Option<Self> {
        // First in, then a look: who looked before the end was near is waited for.
        INSIDE.fetch_add(1, Ordering::SeqCst);
        let _ = PASSES.try_with(|passes| passes.set(passes.get() + 1));
        let pass = Self(());
        let is_let_in = !is_near()
            || (is_main() && !ENDED.load(Ordering::SeqCst))
            || (reads_ahead() && !GONE.load(Ordering::SeqCst));
        is_let_in.then_some(pass)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let _ = PASSES.try_with(|passes| passes.set(passes.get() - 1));
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Runs the work of a thread that attaches afterwards; one that would come too late stays here.
pub(crate) fn leaving<T>(work: impl FnOnce() -> T) -> T {
    let done = work();
    while GONE.load(Ordering::SeqCst) && !is_main() {
        std::thread::park();
    }
    done
}

/// Python has ended. For `Py_AtExit`.
pub(crate) extern "C" fn ended() {
    ENDED.store(true, Ordering::SeqCst);
}

/// Lets nobody in any more, and waits for who is in. For `atexit`, which runs on the main thread.
#[pyfunction]
pub(crate) fn shut_down(py: Python<'_>) {
    this_is_main();
    NEAR.store(true, Ordering::SeqCst);
    py.detach(|| {
        // They hold passes for as long as they live.
        respool::stop_reading_ahead();
        let deadline = Instant::now() + PATIENCE;
        while INSIDE.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    GONE.store(true, Ordering::SeqCst);
}

/// In the child of a fork: the other threads that were in don't exist there, and this one is the main one.
pub(crate) fn forked() {
    let own = PASSES.try_with(Cell::get).unwrap_or(0);
    INSIDE.store(own, Ordering::SeqCst);
    this_is_main();
}

/// The thread that calls this is Python's main thread.
pub(crate) fn this_is_main() {
    IS_MAIN.with(|is_main| is_main.set(true));
    KNOWN.store(true, Ordering::SeqCst);
}

pub(crate) fn is_main() -> bool {
    IS_MAIN.try_with(Cell::get).unwrap_or(false)
}

/// Runs the work of a thread that reads ahead. It was in before the end was near and does not begin anything then,
/// so it may bring what it was asked for to its end.
pub(crate) fn reading_ahead(work: impl FnOnce()) {
    READS_AHEAD.with(|reads| reads.set(true));
    work();
}

/// Whether this thread reads ahead: what it meets is told to others.
pub(crate) fn reads_ahead() -> bool {
    READS_AHEAD.try_with(Cell::get).unwrap_or(false)
}

/// Whether this thread is to begin nothing any more.
pub(crate) fn is_refused() -> bool {
    is_near() && !is_main() && (!reads_ahead() || GONE.load(Ordering::SeqCst))
}

/// Whether this thread may be the one that runs signal handlers.
pub(crate) fn may_be_main() -> bool {
    is_main() || !KNOWN.load(Ordering::SeqCst)
}

/// Whether the interpreter is about to end.
pub(crate) fn is_near() -> bool {
    NEAR.load(Ordering::SeqCst)
}
