//! Files of the operating system.

use std::fs::{DirBuilder, File};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::private;
use super::sealed::Sealed;
use super::{Storage, StorageFile, file_system, lock};
use crate::map::Map;
use crate::{Error, LogOptions, Result};

/// Files of the operating system.
#[derive(Debug)]
pub struct FileStorage {
    directory: PathBuf,
    /// The lock of a persistent log, held as long as this lives.
    lock: Option<File>,
    refuses_maps: bool,
}

impl FileStorage {
    /// Nameless files in the directory of the options.
    pub fn temporary(options: &LogOptions) -> Result<Self> {
        let refuses_maps = file_system::check(&options.directory, options)?;
        Ok(Self {
            directory: options.directory.clone(),
            lock: None,
            refuses_maps,
        })
    }

    /// Named files in a directory of their own: made if missing, else it must be empty.
    pub fn named(options: &LogOptions) -> Result<Self> {
        let directory = &options.directory;
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(directory) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            done => done.map_err(|e| Error::io("cannot create the directory", directory, e))?,
        }
        let refuses_maps = file_system::check(directory, options)?;
        let lock = lock::take(directory)?;
        Ok(Self {
            directory: directory.clone(),
            lock: Some(lock),
            refuses_maps,
        })
    }
}

impl Sealed for FileStorage {}

impl Storage for FileStorage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = if self.lock.is_some() {
            private().create_new(true).open(self.directory.join(name))?
        } else {
            nameless(&self.directory)?
        };
        Ok(Arc::new(OsFile(file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        if self.lock.is_some() {
            std::fs::rename(self.directory.join(from), self.directory.join(to))?;
        }
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        if self.lock.is_some() {
            File::open(&self.directory)?.sync_all()?;
        }
        Ok(())
    }

    fn path(&self, name: &str) -> PathBuf {
        if self.lock.is_some() {
            self.directory.join(name)
        } else {
            self.directory.clone()
        }
    }

    fn is_named(&self) -> bool {
        self.lock.is_some()
    }

    fn refuses_maps(&self) -> bool {
        self.refuses_maps
    }
}

#[derive(Debug)]
struct OsFile(File);

impl Sealed for OsFile {}

impl StorageFile for OsFile {
    #[cfg(target_os = "linux")]
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        // More slices than the kernel takes in one call is an error there, so they are cut here. What
        // is written in one call may become one folio of the page cache, and a map that touches a page
        // brings in the whole folio: the columns beside the one that is read too.
        const IOV_MAX: usize = 1024;
        const FOLIO: usize = 512 << 10;
        let mut bytes = 0;
        let fits = |part: &&IoSlice<'_>| {
            bytes += part.len();
            bytes <= FOLIO
        };
        let fitting = parts.iter().take(IOV_MAX).take_while(fits).count();
        Ok(match (parts.get(..fitting), parts.first()) {
            (Some(fitting @ [_, ..]), _) => rustix::io::pwritev(&self.0, fitting, offset)?,
            (_, Some(part)) => {
                let part = part.get(..FOLIO).unwrap_or(part);
                rustix::io::pwrite(&self.0, part, offset)?
            }
            (_, None) => 0,
        })
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let part = parts.iter().find(|part| !part.is_empty());
        part.map_or(Ok(0), |part| {
            std::os::unix::fs::FileExt::write_at(&self.0, part, offset)
        })
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, bytes, offset)
    }

    fn map(&self, len: usize) -> io::Result<Arc<Map>> {
        Map::new(&self.0, len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
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
