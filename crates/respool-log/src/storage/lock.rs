//! One writer to a directory.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::open::private;
use crate::{Error, Result};

/// The name of the lock file of a persistent log.
pub const LOCK: &str = "_lock";

/// Takes the lock of a directory that holds nothing else. It is held until the file is closed.
pub(super) fn take(directory: &Path) -> Result<File> {
    let path = directory.join(LOCK);
    let lock = private()
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|e| Error::io("cannot create the lock file", &path, e))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(Error::Locked { path }),
        Err(TryLockError::Error(e)) => return Err(Error::io("cannot lock", path, e)),
    }
    let list = |e| Error::io("cannot list", directory, e);
    for entry in std::fs::read_dir(directory).map_err(list)? {
        if entry.map_err(list)?.file_name() != LOCK {
            let taken = io::Error::from(io::ErrorKind::AlreadyExists);
            return Err(Error::io(
                "a new log wants a new or empty directory, not",
                directory,
                taken,
            ));
        }
    }
    Ok(lock)
}
