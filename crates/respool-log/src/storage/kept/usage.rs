//! Whether somebody uses the log in a directory: who does has a shared lock of the directory, and who
//! wants to remove it an exclusive one.
//!
//! File systems that refuse such locks (some of the network do) are used without.

use std::fs::TryLockError;
use std::io;

use super::directory::Directory;
use super::held::{Held, patiently};

/// Takes part in the use of a directory.
pub(super) fn share(directory: &Directory) -> io::Result<Option<Held>> {
    let file = directory.again()?;
    match patiently(|| file.try_lock_shared()) {
        Ok(()) => Ok(Some(Held::new(file))),
        Err(TryLockError::WouldBlock) => {
            let reason = "the log in it is being removed";
            Err(io::Error::new(io::ErrorKind::NotFound, reason))
        }
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// A directory that nobody else uses.
#[derive(Debug)]
pub(super) struct Alone {
    _lock: Option<Held>,
}

/// Takes the use of a directory for itself; `None` while others use it.
pub(super) fn alone(directory: &Directory) -> io::Result<Option<Alone>> {
    let file = directory.again()?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Alone {
            _lock: Some(Held::new(file)),
        })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(_)) => Ok(Some(Alone { _lock: None })),
    }
}
