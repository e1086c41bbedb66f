//! Removing a log: only while nobody uses it, only what is its own, and nothing through a link.
//!
//! The manifest goes first, and for good: without one there is no log, so nobody finds a part of it. The
//! lock goes last, and so what is left of a removal that was cut short can be removed again.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::claim::{self, BEFORE_MANIFEST, LOCK};
use super::directory::Directory;
use super::held::Held;
use super::usage::{self, Alone};
use crate::format::{INDEX, INDEX_MAGIC, MANIFEST, MANIFEST_MAGIC};
use crate::{Error, Result};

/// What has become of a log that somebody wanted to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// It is gone, and its directory if nothing else is in it.
    Removed,
    /// It is as it was: somebody reads it, or writes it.
    InUse,
}

/// Removes the log in a directory, and the logs in directories of it whose names begin with `_`.
pub(crate) fn remove(path: &Path) -> Result<Removal> {
    let directory = Directory::open(path)?;
    let list = |e| Error::io("cannot list", path, e);
    if !is_log(&directory).map_err(list)? {
        let none = io::Error::new(io::ErrorKind::NotFound, "there is none");
        return Err(Error::io("cannot remove the log in", path, none));
    }
    match Doomed::take(directory)? {
        None => Ok(Removal::InUse),
        Some(doomed) => doomed.remove().map(|()| Removal::Removed),
    }
}

/// A log that nobody else uses, nor can begin to.
#[derive(Debug)]
struct Doomed {
    inner: Vec<Self>,
    directory: Directory,
    _claim: Held,
    _alone: Alone,
}

impl Doomed {
    /// Takes a log for itself, if nobody uses it nor those in it.
    fn take(directory: Directory) -> Result<Option<Self>> {
        let path = directory.path("");
        let alone = usage::alone(&directory);
        let alone = alone.map_err(|e| Error::io("cannot open the directory", &path, e))?;
        let Some(alone) = alone else { return Ok(None) };
        // Where there are no locks of directories, that keeps at least a writer away.
        let claim = match claim::lock(&directory) {
            Err(Error::Locked { .. }) => return Ok(None),
            locked => locked?,
        };
        let mut inner = Vec::new();
        let list = |e| Error::io("cannot list", &path, e);
        for directory in directory.inner().map_err(list)? {
            if is_log(&directory).map_err(list)? {
                let Some(doomed) = Self::take(directory)? else {
                    return Ok(None);
                };
                inner.push(doomed);
            }
        }
        Ok(Some(Self {
            inner,
            directory,
            _claim: claim,
            _alone: alone,
        }))
    }

    fn remove(self) -> Result<()> {
        let directory = &self.directory;
        let failed = |name: &str, e| Error::io("cannot remove", directory.path(name), e);
        if directory.has(MANIFEST) {
            let removed = directory.remove(MANIFEST);
            let synced = removed.and_then(|()| directory.sync());
            synced.map_err(|e| failed(MANIFEST, e))?;
        }
        for inner in self.inner {
            inner.remove()?;
        }
        let files = directory.own_files().map_err(|e| failed("", e))?;
        let mut names: Vec<_> = files.into_iter().map(|(name, _)| name).collect();
        names.sort_by_key(|name| [INDEX, LOCK].iter().position(|last| last == name));
        for name in names {
            directory.remove(&name).map_err(|e| failed(&name, e))?;
        }
        directory.remove_itself().map_err(|e| failed("", e))
    }
}

/// Whether there is a log in a directory, or what is left of one.
fn is_log(directory: &Directory) -> io::Result<bool> {
    let begins = |name, magic: [u8; 8]| {
        let mut bytes = [0; 8];
        let read = directory
            .open_file(name, false)
            .and_then(|file| file.read_exact_at(&mut bytes, 0));
        read.is_ok() && bytes == magic
    };
    if begins(MANIFEST, MANIFEST_MAGIC) || begins(INDEX, INDEX_MAGIC) {
        return Ok(true);
    }
    let names = directory.list()?;
    let is_left = |name: &String| BEFORE_MANIFEST.contains(&name.as_str());
    Ok(!names.is_empty() && names.iter().all(is_left))
}
