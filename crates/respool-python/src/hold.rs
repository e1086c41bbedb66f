//! Several who have got one cache of this process, each an object of its own: the last of them closes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// That one of them has it. Dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Hold {
    holders: Arc<AtomicUsize>,
    is_given_back: AtomicBool,
}

impl Hold {
    /// The first one.
    pub(crate) fn new() -> Self {
        Self::of(Arc::new(AtomicUsize::new(1)))
    }

    fn of(holders: Arc<AtomicUsize>) -> Self {
        Self {
            holders,
            is_given_back: AtomicBool::new(false),
        }
    }

    /// One more; `None` where the last one has closed it.
    pub(crate) fn share(&self) -> Option<Self> {
        let more = |holders| (holders > 0).then_some(holders + 1);
        self.holders
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, more)
            .ok()?;
        Some(Self::of(Arc::clone(&self.holders)))
    }

    /// Gives it back, once, and says whether nobody has it any more.
    pub(crate) fn give_back(&self) -> bool {
        if !self.is_given_back.swap(true, Ordering::SeqCst) {
            self.holders.fetch_sub(1, Ordering::SeqCst);
        }
        self.holders.load(Ordering::SeqCst) == 0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.give_back();
    }
}
