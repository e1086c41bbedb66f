//! Files of the operating system.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::claim::Claim;
use super::open::private;
use super::os_file::OsFile;
use super::sealed::Sealed;
use super::{Storage, StorageFile, file_system};
use crate::{LogOptions, Result};

/// Files of the operating system.
#[derive(Debug)]
pub struct FileStorage {
    directory: PathBuf,
    /// What makes the directory that of one persistent log.
    claim: Option<Claim>,
    refuses_maps: bool,
}

impl FileStorage {
    /// Nameless files in the directory of the options.
    pub fn temporary(options: &LogOptions) -> Result<Self> {
        let refuses_maps = file_system::check(&options.directory, options)?;
        Ok(Self {
            directory: options.directory.clone(),
            claim: None,
            refuses_maps,
        })
    }

    /// Named files in a directory of their own: made if missing, else it must be empty.
    pub fn named(options: &LogOptions) -> Result<Self> {
        let directory = &options.directory;
        let check = || file_system::check(directory, options);
        let (claim, refuses_maps) = Claim::take(directory, check)?;
        Ok(Self {
            directory: directory.clone(),
            claim: Some(claim),
            refuses_maps,
        })
    }
}

impl Sealed for FileStorage {}

impl Storage for FileStorage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(if self.claim.is_some() {
            let path = self.directory.join(name);
            OsFile::named(private().create_new(true).open(&path)?, path)?
        } else {
            OsFile::nameless(nameless(&self.directory)?)
        }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if self.claim.is_some() {
            let to = self.directory.join(to);
            // The directory is locked, so nothing comes between the look and the step.
            if to.symlink_metadata().is_ok() {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            std::fs::rename(self.directory.join(from), to)?;
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        if self.claim.is_some() {
            std::fs::remove_file(self.directory.join(name))?;
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.claim.is_some() {
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }

    fn sync_parent(&self) -> io::Result<()> {
        let claim = self.claim.as_ref();
        if claim.is_some_and(Claim::made_directory) {
            File::open(self.directory.join(".."))?.sync_all()?;
        }
        Ok(())
    }

    fn keep(&self) {
        if let Some(claim) = &self.claim {
            claim.keep();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        if self.claim.is_some() {
            self.directory.join(name)
        } else {
            self.directory.clone()
        }
    }

    fn is_named(&self) -> bool {
        self.claim.is_some()
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
