//! Knowing that the process was forked, without a system call for every batch.

use std::sync::atomic::{AtomicUsize, Ordering};

static FORKS: AtomicUsize = AtomicUsize::new(0);

/// To be called in the child after a fork: caches of the parent then say
/// [`Error::Forked`](crate::Error::Forked) at every use, or, on a log with a name, open that anew.
///
/// Without this call a child is found out when it opens a reader, but not where it goes on with one
/// of the parent's.
pub fn happened() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    // A log of the parent's must not look as if it had a writer when only its children are left.
    respool_log::forked();
}

/// The process that something was made in.
///
/// In a child of it, locks may be held by threads that don't exist there: nothing may wait for them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    number: u32,
    forks: usize,
}

impl Process {
    /// This process.
    pub fn here() -> Self {
        Self {
            number: std::process::id(),
            forks: FORKS.load(Ordering::Relaxed),
        }
    }

    /// Whether this process is a child, as far as [`happened`] was called.
    pub(crate) fn is_forked() -> bool {
        FORKS.load(Ordering::Relaxed) > 0
    }

    /// Whether this is that process, as far as [`happened`] was called.
    pub fn is_here(self) -> bool {
        self.forks == FORKS.load(Ordering::Relaxed)
    }

    /// As [`Process::is_here`], also where nobody called [`happened`]; a system call.
    pub(crate) fn is_surely_here(self) -> bool {
        std::process::id() == self.number && self.is_here()
    }
}
