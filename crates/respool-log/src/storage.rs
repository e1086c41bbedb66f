//! The files of a log: one small trait, with a back end of real files.
//!
//! The trait is sealed: buffers point straight into these files, so only back ends that are known
//! to keep the invariants of the log may exist. [`testing`](crate::testing) has a back end in
//! memory, and a wrapper that fails or records the n-th call.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::map::Map;
use crate::options::Access;
use crate::{Error, LogOptions, Result};

pub(crate) mod sealed {
    /// Kept to back ends of this crate.
    pub trait Sealed {}
}

/// Where the files of one log are made.
pub trait Storage: sealed::Sealed + fmt::Debug + Send + Sync {
    /// Creates an empty file. Without names every call makes another nameless file.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;
    /// Gives a file its final name, replacing nothing that matters.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes the names of the files durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// What an error calls the file.
    fn path(&self, name: &str) -> PathBuf;
    /// Whether files have names, which makes the log a persistent one.
    fn is_named(&self) -> bool;
    /// Whether mapping these files is known to be unsafe or pointless.
    fn refuses_maps(&self) -> bool;
}

/// One file of a log: written at explicit offsets only, never shortened.
pub trait StorageFile: sealed::Sealed + fmt::Debug + Send + Sync {
    /// Writes some of `parts` at `offset` and returns how many bytes; the caller goes on.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;
    /// Reads some bytes at `offset`; 0 at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Maps the first `len` bytes, which may reach beyond the end of the file.
    fn map(&self, len: usize) -> io::Result<Arc<Map>>;
    /// Makes the bytes of the file durable.
    fn sync(&self) -> io::Result<()>;
}

/// Files of the operating system.
#[derive(Debug)]
pub struct FileStorage {
    directory: PathBuf,
    /// The lock of a persistent log, held as long as this lives.
    lock: Option<File>,
    refuses_maps: bool,
}

/// The name of the lock file of a persistent log.
pub const LOCK: &str = "_lock";

impl FileStorage {
    /// Nameless files in the directory of the options.
    pub fn temporary(options: &LogOptions) -> Result<Self> {
        let refuses_maps = check_file_system(&options.directory, options)?;
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
        let refuses_maps = check_file_system(directory, options)?;
        let path = directory.join(LOCK);
        let lock = open_options()
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
        Ok(Self {
            directory: directory.clone(),
            lock: Some(lock),
            refuses_maps,
        })
    }
}

impl sealed::Sealed for FileStorage {}

impl Storage for FileStorage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = if self.lock.is_some() {
            open_options()
                .create_new(true)
                .open(self.directory.join(name))?
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

impl sealed::Sealed for OsFile {}

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

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Writes all of `parts` at `offset`: goes on after a partial write, tries again after a signal.
pub(crate) fn write_all(
    file: &dyn StorageFile,
    mut parts: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_at(parts, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                IoSlice::advance_slices(&mut parts, n);
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Fills `bytes` from `offset`.
pub(crate) fn read_all(
    file: &dyn StorageFile,
    mut bytes: &mut [u8],
    mut offset: u64,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.read_at(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                bytes = bytes.get_mut(n..).unwrap_or_default();
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
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

fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW.bits();
        options
            .mode(0o600)
            .custom_flags(i32::try_from(flags).unwrap_or(0));
    }
    options
}

/// Refuses memory file systems; returns whether mapping is to be avoided here.
fn check_file_system(directory: &Path, options: &LogOptions) -> Result<bool> {
    let metadata =
        std::fs::metadata(directory).map_err(|e| Error::io("cannot use", directory, e))?;
    if !metadata.is_dir() {
        let e = io::Error::from_raw_os_error(rustix::io::Errno::NOTDIR.raw_os_error());
        return Err(Error::io("cannot use", directory, e));
    }
    #[cfg(target_os = "linux")]
    {
        const TMPFS: u32 = 0x0102_1994;
        const RAMFS: u32 = 0x8584_58f6;
        // NFS, SMB, CIFS, SMB2, 9P, AFS, Coda, Ceph: another machine may write or shorten.
        const REMOTE: [u32; 8] = [
            0x6969,
            0x517b,
            0xff53_4d42,
            0xfe53_4d42,
            0x0102_1997,
            0x5346_414f,
            0x7375_7245,
            0x00c3_6400,
        ];
        let kind = rustix::fs::statfs(directory)
            .map_err(|e| Error::io("cannot use", directory, e.into()))?
            .f_type;
        // The type is a signed long here and an unsigned int there; its low 32 bits are the magic.
        let [a, b, c, d, ..] = kind.to_le_bytes();
        let kind = u32::from_le_bytes([a, b, c, d]);
        if (kind == TMPFS || kind == RAMFS) && !options.allow_tmpfs {
            return Err(Error::Tmpfs {
                path: directory.to_owned(),
            });
        }
        Ok(options.access == Access::Read || REMOTE.contains(&kind))
    }
    #[cfg(not(target_os = "linux"))]
    Ok(options.access == Access::Read)
}
