//! Locks that this process holds.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

/// For how long a lock that is taken is tried again: others hold it for a moment, to see whether it is
/// free.
const PATIENCE: Duration = Duration::from_millis(20);

/// An open file with a lock, which is given back when this is dropped: by closing it alone, because a
/// forked child shares it.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
}

impl Held {
    /// Keeps a file that has a lock.
    pub(super) fn new(file: File) -> Self {
        Self { _file: file }
    }
}

/// Tries a lock that others may hold for a moment.
pub(super) fn patiently(
    attempt: impl Fn() -> Result<(), TryLockError>,
) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
            }
            tried => return tried,
        }
    }
}
