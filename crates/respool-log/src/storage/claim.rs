//! The claim of one writer to a directory: the directory itself, and a lock in it.

use std::fs::{DirBuilder, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::open::{Identity, private};
use crate::{Error, Result};

/// The name of the lock file of a persistent log.
pub const LOCK: &str = "_lock";

/// A directory that is ours. What was made for the claim goes with it, unless a log has begun.
#[derive(Debug)]
pub(super) struct Claim {
    /// Undone under the lock, so before that is given back.
    made: Made,
    /// Held as long as this lives, and given back by closing it alone: a forked child shares it.
    _lock: File,
}

/// What a claim has made so far.
#[derive(Debug)]
struct Made {
    directory: PathBuf,
    is_directory_new: bool,
    is_lock_new: bool,
    kept: AtomicBool,
}

impl Claim {
    /// Makes the directory, if it is missing, and has it checked; then takes its lock. A directory
    /// with anything else in it is refused as it is.
    pub(super) fn take<T>(
        directory: &Path,
        check: impl FnOnce() -> Result<T>,
    ) -> Result<(Self, T)> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let is_directory_new = match builder.create(directory) {
            Ok(()) => true,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => false,
            Err(e) => return Err(Error::io("cannot create the directory", directory, e)),
        };
        let mut made = Made {
            directory: directory.to_owned(),
            is_directory_new,
            is_lock_new: false,
            kept: AtomicBool::new(false),
        };
        let checked = check()?;
        let path = directory.join(LOCK);
        let is_lock_new = path.symlink_metadata().is_err();
        if is_lock_new {
            refuse_used(directory)?;
        }
        let opened = private().create(is_lock_new).truncate(false).open(&path);
        let lock = opened.map_err(|e| Error::io("cannot create the lock file", &path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Locked { path }),
            Err(TryLockError::Error(e)) => return Err(Error::io("cannot lock", path, e)),
        }
        // A claim that was given up takes its lock file away: who has opened that one holds nothing.
        if !is_same(&lock, &path) {
            return Err(Error::Locked { path });
        }
        made.is_lock_new = is_lock_new;
        // Somebody may have been here between the look and the lock.
        refuse_used(directory)?;
        let claim = Self { made, _lock: lock };
        Ok((claim, checked))
    }

    /// Leaves what was made where it is.
    pub(super) fn keep(&self) {
        self.made.kept.store(true, Ordering::Relaxed);
    }

    /// Whether the name of the directory is new.
    pub(super) fn made_directory(&self) -> bool {
        self.made.is_directory_new
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        if *self.kept.get_mut() {
            return;
        }
        // As far as it goes: there is nobody to tell, and the first error is told already.
        if self.is_lock_new {
            let _gone = std::fs::remove_file(self.directory.join(LOCK));
        }
        if self.is_directory_new {
            let _gone = std::fs::remove_dir(&self.directory);
        }
    }
}

/// Refuses a directory that holds anything but a lock.
fn refuse_used(directory: &Path) -> Result<()> {
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
    Ok(())
}

/// Whether a path still names the file that was opened.
fn is_same(file: &File, path: &Path) -> bool {
    let there = path.symlink_metadata();
    match (Identity::of(file), there) {
        (Ok(file), Ok(there)) => file == Identity::new(&there),
        _ => false,
    }
}
