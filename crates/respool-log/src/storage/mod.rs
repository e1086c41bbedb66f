//! The files of a log: one small trait, with a back end of real files.
//!
//! The trait is sealed: buffers point straight into these files, so only back ends that are known
//! to keep the invariants of the log may exist. The feature `testing` adds a back end in memory, and
//! a wrapper that fails or records the n-th call.

mod beginning;
mod file_system;
#[cfg(all(unix, not(respool_portable)))]
mod kept;
#[cfg(not(all(unix, not(respool_portable))))]
#[path = "unkept.rs"]
mod kept;
mod os;
mod os_file;
mod refusal;
mod tail;
mod whole;

use std::fmt;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use crate::map::Map;

pub(crate) use beginning::Beginning;
pub(crate) use kept::remove;
pub use kept::{LOCK, Removal, forked};
pub use os::FileStorage;
pub(crate) use refusal::Refusal;
pub(crate) use tail::Tail;
pub(crate) use whole::{read_all, read_part, write_all};

pub(crate) mod sealed {
    /// Kept to back ends of this crate.
    pub trait Sealed {}
}

/// Where the files of one log are made.
pub trait Storage: sealed::Sealed + fmt::Debug + Send + Sync {
    /// Creates an empty file. Without names every call makes another nameless file.
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>>;
    /// Opens a file that is there.
    fn open(&self, name: &str, to_write: bool) -> io::Result<Arc<dyn StorageFile>>;
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// The bytes of all files that are a log's, and of the logs in directories below.
    fn total_bytes(&self) -> io::Result<u64>;
    /// Gives a file another name, which must be free.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Gives a file another name, in place of what had that name.
    fn replace(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file by its name. A nameless file is gone when it is closed.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the names of the files durable.
    fn sync_directory(&self) -> io::Result<()>;
    /// Makes the name of the directory durable, if the directory was made for the log.
    fn sync_parent(&self) -> io::Result<()>;
    /// Keeps what was made for the log, which has begun now: until then it goes with the storage.
    fn keep(&self);
    /// Whether somebody else has claimed the directory to write to it.
    fn has_writer(&self) -> io::Result<bool>;
    /// Whether the directory was removed: what is written then goes with the last who has it open.
    fn is_removed(&self) -> io::Result<bool> {
        Ok(false)
    }
    /// What an error calls the file.
    fn path(&self, name: &str) -> PathBuf;
    /// Whether files have names, which makes the log a persistent one.
    fn is_named(&self) -> bool;
    /// Whether mapping these files is known to be unsafe or pointless.
    fn refuses_maps(&self) -> bool;
}

/// One file of a log: written at explicit offsets only, and never shortened below what counts.
pub trait StorageFile: sealed::Sealed + fmt::Debug + Send + Sync {
    /// Writes some of `parts` at `offset` and returns how many bytes; the caller goes on.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;
    /// Reads some bytes at `offset`; 0 at the end of the file.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Reads some bytes as [`read_at`](Self::read_at) does, and has the system bring in none behind them.
    fn read_part_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(bytes, offset)
    }
    /// Maps the first `len` bytes, which may reach beyond the end of the file.
    fn map(&self, len: usize) -> io::Result<Arc<Map>>;
    /// Cuts off what is past `len`, of which nothing counts.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// The length of the file.
    fn size(&self) -> io::Result<u64>;
    /// Takes note of another name that the file was given.
    fn renamed(&self, name: &str);
    /// Gives the descriptor back, if the file can be opened again by its name; says whether. Nothing
    /// may be written to it any more.
    fn release(&self) -> bool;
    /// Makes the bytes of the file durable.
    fn sync(&self) -> io::Result<()>;
}
