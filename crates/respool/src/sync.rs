//! The locks, threads and time of the engine, in one place so that a model checker can take theirs.

use std::time::Duration;

/// The longest time between two looks at an interrupt, a call of the source apart.
pub const SLICE: Duration = Duration::from_millis(50);

#[cfg(feature = "shuttle")]
pub mod checked;
#[cfg(feature = "shuttle")]
pub(crate) use self::checked::{
    Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard, ThreadId, current_thread, now,
    reach_files, spawn,
};

#[cfg(not(feature = "shuttle"))]
mod real {
    use std::time::Instant;

    pub(crate) use std::thread::ThreadId;

    pub(crate) use respool_log::locks::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};

    pub(crate) fn current_thread() -> ThreadId {
        std::thread::current().id()
    }

    pub(crate) fn now() -> Instant {
        Instant::now()
    }

    /// Begins a thread that nobody joins.
    pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
        let builder = std::thread::Builder::new().name(name.to_owned());
        builder.spawn(work).map(drop)
    }

    /// Before a file is written, which takes long: to a model checker, time for others to go on.
    pub(crate) fn reach_files() {}
}
#[cfg(not(feature = "shuttle"))]
pub(crate) use self::real::*;
