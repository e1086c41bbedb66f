//! To whom the end of a source is told as what it was.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

use crate::exit;

/// Which thread a source ended on, and whether it was told. What is to end a program is raised there
/// and then, once; to anybody later it is the reason why the stream is not whole.
#[derive(Debug)]
pub(super) struct Ended {
    /// `None` where it was read ahead: then it is told to who comes first.
    thread: Option<ThreadId>,
    told: AtomicBool,
}

impl Ended {
    pub(super) fn here() -> Self {
        Self {
            thread: (!exit::reads_ahead()).then(|| thread::current().id()),
            told: AtomicBool::new(false),
        }
    }

    /// Whether to tell it as it is.
    pub(super) fn is_now(&self) -> bool {
        let me = || thread::current().id();
        self.thread.is_none_or(|thread| thread == me()) && !self.told.swap(true, Ordering::SeqCst)
    }
}
