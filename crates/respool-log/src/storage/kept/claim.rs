//! The claim of one writer to a directory: the directory itself, and a lock in it.

use std::fs::{DirBuilder, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::directory::Directory;
use super::held::{self, Held};
use super::owner;
use crate::{Error, Result};

/// The name of the lock file of a persistent log.
pub const LOCK: &str = "_lock";

/// What is there before the manifest is: all that a log which was never begun can have left.
pub(in crate::storage) const BEFORE_MANIFEST: [&str; 4] =
    [LOCK, "_index", "_manifest.part", "_00000000.part"];

/// A directory that is ours. What was made for the claim goes with it, unless a log has begun.
#[derive(Debug)]
pub(in crate::storage) struct Claim {
    /// Undone under the lock, so before that is given back.
    made: Made,
    _lock: Held,
}

/// What a claim has made so far.
#[derive(Debug)]
struct Made {
    directory: Option<PathBuf>,
    lock: Option<Arc<Directory>>,
    kept: AtomicBool,
}

impl Claim {
    /// Makes the directory, if it is missing, and has it checked; then takes its lock. A directory
    /// with anything else in it is refused as it is, but what a log that never began has left goes.
    pub(in crate::storage) fn take<T>(
        path: &Path,
        check: impl FnOnce() -> Result<T>,
    ) -> Result<(Self, Arc<Directory>, T)> {
        let mut builder = DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let is_new = match builder.create(path) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
            Err(e) => return Err(Error::io("cannot create the directory", path, e)),
        };
        let made = Made {
            directory: is_new.then(|| path.to_owned()),
            lock: None,
            kept: AtomicBool::new(false),
        };
        let checked = check()?;
        let directory = Arc::new(Directory::enter(path)?);
        let is_lock_new = !directory.has(LOCK);
        if is_lock_new {
            refuse_used(&directory)?;
        }
        // What was made is undone before the lock is given back: others find both, or neither.
        let lock = lock(&directory)?;
        let mut claim = Self { made, _lock: lock };
        // Somebody may have been here between the look and the lock: then the lock file is that of a log.
        let left = refuse_used(&directory)?;
        claim.made.lock = is_lock_new.then(|| Arc::clone(&directory));
        for name in left.iter().filter(|name| *name != LOCK) {
            let removed = directory.remove(name);
            removed.map_err(|e| Error::io("cannot remove", directory.path(name), e))?;
        }
        Ok((claim, directory, checked))
    }

    /// Takes the lock of a log that is there.
    pub(in crate::storage) fn retake(directory: &Arc<Directory>) -> Result<Self> {
        let made = Made {
            directory: None,
            lock: None,
            kept: AtomicBool::new(true),
        };
        let lock = lock(directory)?;
        Ok(Self { made, _lock: lock })
    }

    /// Leaves what was made where it is.
    pub(in crate::storage) fn keep(&self) {
        self.made.kept.store(true, Ordering::Relaxed);
    }

    /// Whether the name of the directory is new.
    pub(in crate::storage) fn made_directory(&self) -> bool {
        self.made.directory.is_some()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if *self.kept.get_mut() {
            return;
        }
        // As far as it goes: there is nobody to tell, and the first error is told already.
        if let Some(directory) = &self.lock {
            let _gone = directory.remove(LOCK);
        }
        if let Some(directory) = &self.directory {
            let _gone = std::fs::remove_dir(directory);
        }
    }
}

/// Whether somebody holds the lock of a directory. Nobody does where there is no lock file.
pub(in crate::storage) fn is_claimed(directory: &Directory) -> io::Result<bool> {
    let lock = match directory.open_file(LOCK, false) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    match lock.try_lock_shared() {
        Ok(()) => {
            // At once, and not by closing it: a child that was forked just now has it open too.
            lock.unlock()?;
            Ok(false)
        }
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(e)) => Err(e),
    }
}

/// Takes the lock and says who has it now.
pub(in crate::storage) fn lock(directory: &Directory) -> Result<Held> {
    let path = directory.path(LOCK);
    let opened = directory.open_or_create(LOCK);
    let lock = opened.map_err(|e| Error::io("cannot open the lock file", &path, e))?;
    match held::alone(&lock) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let owner = owner::read(&lock);
            return Err(Error::Locked { path, owner });
        }
        Err(TryLockError::Error(e)) => return Err(Error::io("cannot lock", path, e)),
    }
    // A claim that was given up takes its lock file away: who has opened that one holds nothing.
    if !directory.is_name_of(LOCK, &lock) {
        return Err(Error::Locked { path, owner: None });
    }
    owner::sign(&lock);
    Ok(Held::new(lock))
}

/// Refuses a directory that holds anything but what a log that never began has left; lists that.
fn refuse_used(directory: &Directory) -> Result<Vec<String>> {
    let path = directory.path("");
    let names = directory.list();
    let names = names.map_err(|e| Error::io("cannot list", &path, e))?;
    if names
        .iter()
        .all(|name| BEFORE_MANIFEST.contains(&name.as_str()))
    {
        return Ok(names);
    }
    Err(Error::io(
        "a new log wants a new or empty directory, not",
        path,
        io::ErrorKind::AlreadyExists.into(),
    ))
}
