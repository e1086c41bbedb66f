//! To whom the end of a source is told as what it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

/// Which thread a source ended on, and whether it was told. What is to end a program is raised there
/// and then, once; to anybody later it is the reason why the stream is not whole.
#[derive(Debug)]
pub(super) struct Ended {
    thread: ThreadId,
    told: AtomicBool,
}

impl Ended {
    pub(super) fn here() -> Self {
        Self {
            thread: thread::current().id(),
            told: AtomicBool::new(false),
        }
    }

    /// Whether to tell it as it is.
    pub(super) fn is_now(&self) -> bool {
        self.thread == thread::current().id() && !self.told.swap(true, Ordering::SeqCst)
    }
}
