//! What stands in the place of `kept` where a directory can't be held open and locked as on Unix: logs
//! have no names there, and who asks for one is told so.
//!
//! `--cfg respool_portable` has it built on Unix too, so that it can be tested.
#![expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "as of the directories of Unix, which have fields"
)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::refusal::Refusal;
use crate::{Error, Result};

/// The name of the lock file of a persistent log.
pub const LOCK: &str = "_lock";

/// What has become of a log that somebody wanted to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, and its directory if nothing else is in it.
    Removed,
    /// It is as it was: somebody reads it, or writes it.
    InUse,
}

/// Nothing is locked, so a child has nothing to let go of.
pub fn forked() {}

/// Removes nothing.
pub(crate) fn remove(path: &Path) -> Result<Removal> {
    Err(unsupported("cannot remove the log in", path))
}

/// The directory of a log with a name, which is nowhere.
#[derive(Debug, Clone, Copy)]
pub(super) enum Directory {}

impl Directory {
    pub(super) fn enter(path: &Path) -> Result<Self> {
        Err(unsupported("cannot open the directory", path))
    }

    pub(super) fn create(&self, _name: &str) -> io::Result<File> {
        match *self {}
    }

    pub(super) fn open_file(&self, _name: &str, _to_write: bool) -> io::Result<File> {
        match *self {}
    }

    pub(super) fn list(&self) -> io::Result<Vec<String>> {
        match *self {}
    }

    pub(super) fn bytes(&self) -> io::Result<u64> {
        match *self {}
    }

    pub(super) fn rename(&self, _from: &str, _to: &str) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn replace(&self, _from: &str, _to: &str) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn remove(&self, _name: &str) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn sync_parent(&self) -> io::Result<()> {
        match *self {}
    }

    pub(super) fn is_removed(&self) -> io::Result<bool> {
        match *self {}
    }
}

/// The claim of a writer to a directory.
#[derive(Debug)]
pub(super) enum Claim {}

impl Claim {
    pub(super) fn take<T>(
        path: &Path,
        _check: impl FnOnce() -> Result<T>,
    ) -> Result<(Self, Arc<Directory>, T)> {
        Err(unsupported("cannot create the directory", path))
    }

    pub(super) fn retake(directory: &Arc<Directory>) -> Result<Self> {
        match **directory {}
    }

    pub(super) fn keep(&self) {
        match *self {}
    }

    pub(super) fn made_directory(&self) -> bool {
        match *self {}
    }
}

pub(super) fn is_claimed(directory: &Directory) -> io::Result<bool> {
    match *directory {}
}

/// What tells a file from every other; only files with names are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId;

impl FileId {
    #[expect(clippy::unnecessary_wraps, reason = "elsewhere the system is asked")]
    pub(super) fn of(_file: &File) -> io::Result<Self> {
        Ok(Self)
    }
}

fn unsupported(action: &'static str, path: &Path) -> Error {
    let reason = "logs that are kept need Linux or macOS: leave path= out, and the log lasts as long as the cache";
    let refused = io::Error::new(io::ErrorKind::Unsupported, Refusal(reason.to_owned()));
    Error::io(action, PathBuf::from(path), refused)
}
