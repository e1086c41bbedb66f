//! Files of the operating system.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kept::{Claim, Directory, is_claimed};
use super::os_file::OsFile;
use super::sealed::Sealed;
use super::{Storage, StorageFile, file_system};
use crate::{LogOptions, Result};

/// Files of the operating system.
#[derive(Debug)]
pub struct FileStorage {
    path: PathBuf,
    /// Where files have names.
    directory: Option<Arc<Directory>>,
    /// What makes the directory that of one writer.
    claim: Option<Claim>,
    refuses_maps: bool,
}

impl FileStorage {
    /// Nameless files in the directory of the options.
    pub fn temporary(options: &LogOptions) -> Result<Self> {
        let refuses_maps = file_system::check(&options.directory, options)?;
        Ok(Self {
            path: options.directory.clone(),
            directory: None,
            claim: None,
            refuses_maps,
        })
    }

    /// Named files in a directory of their own: made if missing, else it must be empty.
    pub fn named(options: &LogOptions) -> Result<Self> {
        let path = &options.directory;
        let check = || file_system::check(path, options);
        let (claim, directory, refuses_maps) = Claim::take(path, check)?;
        Ok(Self {
            path: path.clone(),
            directory: Some(directory),
            claim: Some(claim),
            refuses_maps,
        })
    }

    /// The files of a log that is there, to read them.
    pub fn existing(options: &LogOptions) -> Result<Self> {
        let directory = Directory::enter(&options.directory)?;
        // On a memory file system too: what is there takes no more by being read.
        let anywhere = options.clone().allow_tmpfs(true);
        Ok(Self {
            path: options.directory.clone(),
            directory: Some(Arc::new(directory)),
            claim: None,
            refuses_maps: file_system::check(&options.directory, &anywhere)?,
        })
    }

    /// The files of a log that is there, to go on with it.
    pub fn claimed(options: &LogOptions) -> Result<Self> {
        let storage = Self::existing(options)?;
        let claim = storage.directory.as_ref().map(Claim::retake).transpose()?;
        Ok(Self { claim, ..storage })
    }

    fn directory(&self) -> io::Result<&Arc<Directory>> {
        let nameless = || io::Error::from(io::ErrorKind::NotFound);
        self.directory.as_ref().ok_or_else(nameless)
    }
}

impl Sealed for FileStorage {}

impl Storage for FileStorage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(match &self.directory {
            Some(directory) => OsFile::named(directory.create(name)?, directory, name)?,
            None => OsFile::nameless(nameless(&self.path)?),
        }))
    }

    fn open(&self, name: &str, to_write: bool) -> io::Result<Arc<dyn StorageFile>> {
        let directory = self.directory()?;
        let file = directory.open_file(name, to_write)?;
        Ok(Arc::new(OsFile::named(file, directory, name)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.directory()?.list()
    }

    fn total_bytes(&self) -> io::Result<u64> {
        self.directory()?.bytes()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        match &self.directory {
            Some(directory) => directory.rename(from, to),
            None => Ok(()),
        }
    }

    fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        self.directory()?.replace(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match &self.directory {
            Some(directory) => directory.remove(name),
            None => Ok(()),
        }
    }

    fn sync_directory(&self) -> io::Result<()> {
        match &self.directory {
            Some(directory) => directory.sync(),
            None => Ok(()),
        }
    }

    fn sync_parent(&self) -> io::Result<()> {
        match (&self.directory, &self.claim) {
            (Some(directory), Some(claim)) if claim.made_directory() => directory.sync_parent(),
            _ => Ok(()),
        }
    }

    fn keep(&self) {
        if let Some(claim) = &self.claim {
            claim.keep();
        }
    }

    fn has_writer(&self) -> io::Result<bool> {
        is_claimed(self.directory()?)
    }

    fn is_removed(&self) -> io::Result<bool> {
        self.directory()?.is_removed()
    }

    fn path(&self, name: &str) -> PathBuf {
        if self.directory.is_some() && !name.is_empty() {
            self.path.join(name)
        } else {
            self.path.clone()
        }
    }

    fn is_named(&self) -> bool {
        self.directory.is_some()
    }

    fn refuses_maps(&self) -> bool {
        self.refuses_maps
    }
}

/// A file without a name, of mode 0600: `O_TMPFILE` where the file system has it, else created and
/// unlinked at once.
fn nameless(directory: &Path) -> io::Result<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDWR | OFlags::TMPFILE | OFlags::CLOEXEC;
        if let Ok(file) = rustix::fs::open(directory, flags, Mode::RUSR | Mode::WUSR) {
            return Ok(File::from(file));
        }
    }
    // Says what is wrong with the directory, if that was it.
    tempfile::tempfile_in(directory)
}
