//! The directory of a persistent log: held open, so that all of its files are those of this one
//! directory, wherever it is moved; ours alone; and nothing in it is reached through a link.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::held::Held;
use super::usage;
use crate::storage::refusal::Refusal;
use crate::{Error, Result};

/// What tells a file from every other that exists at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: Device,
    file: u64,
}

/// The number of a device, as the system has it.
#[cfg(target_vendor = "apple")]
type Device = i32;
#[cfg(not(target_vendor = "apple"))]
type Device = u64;

impl FileId {
    pub(in crate::storage) fn of(file: &File) -> io::Result<Self> {
        Ok(Self::new(&rustix::fs::fstat(file)?))
    }

    fn new(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            file: stat.st_ino,
        }
    }
}

const CANNOT_OPEN: &str = "cannot open the directory";

/// How a directory is opened.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// An open directory.
#[derive(Debug)]
pub(in crate::storage) struct Directory {
    path: PathBuf,
    handle: OwnedFd,
    /// Keeps others from removing what is in it.
    _in_use: Option<Held>,
}

impl Directory {
    /// Opens a directory that belongs to us, and to which nobody else may write.
    pub(in crate::storage) fn open(path: &Path) -> Result<Self> {
        let opened = || -> io::Result<OwnedFd> {
            let handle = match rustix::fs::open(path, DIRECTORY, Mode::empty()) {
                Err(e) if e == Errno::LOOP || is_link(path) => return Err(linked()),
                opened => opened?,
            };
            check_ours(&rustix::fs::fstat(&handle)?)?;
            Ok(handle)
        };
        let handle = opened().map_err(|e| Error::io(CANNOT_OPEN, path, e))?;
        Ok(Self {
            path: path.to_owned(),
            handle,
            _in_use: None,
        })
    }

    /// Opens a directory as [`open`](Self::open) does; nobody removes the log in it while it is open.
    pub(in crate::storage) fn enter(path: &Path) -> Result<Self> {
        let directory = Self::open(path)?;
        let in_use = usage::share(&directory).map_err(|e| Error::io(CANNOT_OPEN, path, e))?;
        Ok(Self {
            _in_use: in_use,
            ..directory
        })
    }

    /// Opens a directory in it, if that is ours too.
    pub(in crate::storage) fn open_inner(&self, name: &str) -> io::Result<Self> {
        let handle = rustix::fs::openat(&self.handle, name, DIRECTORY, Mode::empty())?;
        check_ours(&rustix::fs::fstat(&handle)?)?;
        Ok(Self {
            path: self.path(name),
            handle,
            _in_use: None,
        })
    }

    /// Opens it once more, as a file that can have a lock of its own.
    pub(in crate::storage) fn again(&self) -> io::Result<File> {
        let handle = rustix::fs::openat(&self.handle, ".", DIRECTORY, Mode::empty())?;
        Ok(File::from(handle))
    }

    pub(in crate::storage) fn path(&self, name: &str) -> PathBuf {
        if name.is_empty() {
            self.path.clone()
        } else {
            self.path.join(name)
        }
    }

    /// Opens a file of ours.
    pub(in crate::storage) fn open_file(&self, name: &str, to_write: bool) -> io::Result<File> {
        let access = if to_write {
            OFlags::RDWR
        } else {
            OFlags::RDONLY
        };
        self.open_with(name, access)
    }

    /// Creates a file, which must not be there.
    pub(in crate::storage) fn create(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)
    }

    /// Opens a file of ours, or creates it.
    pub(in crate::storage) fn open_or_create(&self, name: &str) -> io::Result<File> {
        self.open_with(name, OFlags::RDWR | OFlags::CREATE)
    }

    fn open_with(&self, name: &str, flags: OFlags) -> io::Result<File> {
        // Without NONBLOCK a pipe of that name would be waited for.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = match rustix::fs::openat(&self.handle, name, flags, mode) {
            Err(Errno::LOOP) => return Err(linked()),
            opened => File::from(opened?),
        };
        let stat = rustix::fs::fstat(&file)?;
        if !rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(refused("it is not a file"));
        }
        check_ours(&stat)?;
        Ok(file)
    }

    /// Whether there is something of this name.
    pub(in crate::storage) fn has(&self, name: &str) -> bool {
        self.stat(name).is_ok()
    }

    /// Whether a name is still that of a file.
    pub(in crate::storage) fn is_name_of(&self, name: &str, file: &File) -> bool {
        match (self.stat(name), FileId::of(file)) {
            (Ok(there), Ok(file)) => FileId::new(&there) == file,
            _ => false,
        }
    }

    /// Whether it has no name any more.
    pub(in crate::storage) fn is_removed(&self) -> io::Result<bool> {
        Ok(rustix::fs::fstat(&self.handle)?.st_nlink == 0)
    }

    pub(in crate::storage) fn stat(&self, name: &str) -> io::Result<Stat> {
        let stat = rustix::fs::statat(&self.handle, name, AtFlags::SYMLINK_NOFOLLOW)?;
        Ok(stat)
    }

    /// Gives a file another name, which must be free.
    pub(in crate::storage) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        // The directory is locked, so nothing comes between the look and the step.
        if self.has(to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        rustix::fs::renameat(&self.handle, from, &self.handle, to)?;
        Ok(())
    }

    /// Gives a file another name, in place of what had that name.
    pub(in crate::storage) fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        rustix::fs::renameat(&self.handle, from, &self.handle, to)?;
        Ok(())
    }

    pub(in crate::storage) fn remove(&self, name: &str) -> io::Result<()> {
        rustix::fs::unlinkat(&self.handle, name, AtFlags::empty())?;
        Ok(())
    }

    /// The names of all that is in it.
    pub(in crate::storage) fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy();
            if name != "." && name != ".." {
                names.push(name.into_owned());
            }
        }
        Ok(names)
    }

    pub(in crate::storage) fn sync(&self) -> io::Result<()> {
        rustix::fs::fsync(&self.handle)?;
        Ok(())
    }

    pub(in crate::storage) fn sync_parent(&self) -> io::Result<()> {
        rustix::fs::fsync(&self.parent()?)?;
        Ok(())
    }

    fn parent(&self) -> io::Result<OwnedFd> {
        let parent = rustix::fs::openat(&self.handle, "..", DIRECTORY, Mode::empty())?;
        Ok(parent)
    }

    /// Removes the directory itself, if it is empty and still has the name that it was opened by.
    pub(in crate::storage) fn remove_itself(&self) -> io::Result<()> {
        let Some(name) = self.path.file_name() else {
            return Ok(());
        };
        let parent = self.parent()?;
        let here = FileId::new(&rustix::fs::fstat(&self.handle)?);
        match rustix::fs::statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) if FileId::new(&there) == here => {}
            _ => return Ok(()),
        }
        match rustix::fs::unlinkat(&parent, name, AtFlags::REMOVEDIR) {
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
            removed => Ok(removed?),
        }
    }
}

fn is_link(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|there| there.is_symlink())
}

fn linked() -> io::Error {
    refused("it is a symbolic link, which may lead anywhere; name the place itself")
}

fn refused(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, Refusal(reason.into()))
}

/// Whether something belongs to the user of this process.
pub(in crate::storage) fn is_ours(stat: &Stat) -> bool {
    stat.st_uid == rustix::process::geteuid().as_raw()
}

/// Refuses what belongs to somebody else, or what somebody else may write.
fn check_ours(stat: &Stat) -> io::Result<()> {
    if !is_ours(stat) {
        let ours = rustix::process::geteuid().as_raw();
        let theirs = stat.st_uid;
        return Err(refused(format!(
            "it belongs to user {theirs}, and this process runs as user {ours}"
        )));
    }
    let mode = stat.st_mode & 0o7777;
    if mode & 0o022 != 0 {
        return Err(refused(format!(
            "others may write to it (mode {mode:04o}); take that right away with chmod go-w"
        )));
    }
    Ok(())
}
