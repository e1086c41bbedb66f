//! Knowing that the process was forked, without a system call for every batch.

use std::sync::atomic::{AtomicUsize, Ordering};

static FORKS: AtomicUsize = AtomicUsize::new(0);

/// To be called in the child after a fork: caches of the parent then say
/// [`Error::Forked`](crate::Error::Forked) at every use.
///
/// Without this call a child is found out when it opens a reader, but not where it goes on with one
/// of the parent's.
pub fn happened() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn count() -> usize {
    FORKS.load(Ordering::Relaxed)
}
