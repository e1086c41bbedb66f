//! Everything that can go wrong, as a caller has to tell it apart.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::ArrowError;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused; `source` keeps its kind and its raw error number.
    #[error("{action} {}: {source}", path.display())]
    Io {
        /// What was being done, as in "cannot write to".
        action: &'static str,
        /// The file, or the directory of a file without a name.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The quota does not allow the write. Nothing was written; raise the quota and append again.
    #[error(
        "the log in {} is full: {asked} more bytes asked, {used} used, quota {capacity}; \
         raise the disk capacity of the log and append the same batch again",
        path.display()
    )]
    OutOfSpace {
        /// The directory of the log.
        path: PathBuf,
        /// The bytes that the batch needs on disk, padding included.
        asked: u64,
        /// The bytes in use before.
        used: u64,
        /// The quota.
        capacity: u64,
    },
    /// The directory is memory itself, so a log there saves none.
    #[error(
        "{} is on a memory file system (tmpfs), where a log takes the memory it should save; \
         choose a directory on a disk, or allow tmpfs in the options",
        path.display()
    )]
    Tmpfs {
        /// The directory asked for.
        path: PathBuf,
    },
    /// The bytes of a file contradict themselves or what is known of them.
    #[error("{} is damaged at byte {offset}: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A batch does not have the schema of the log, or the schema cannot be stored.
    #[error("schema: {reason}")]
    Schema {
        /// Which column, and how it differs.
        reason: String,
    },
    /// The log was finished; it takes no more batches.
    #[error("the log is finished and takes no more batches; open a new log to store more")]
    Finished,
    /// There is no such record or column.
    #[error("there is no {what} {index}: the log has {len}")]
    OutOfRange {
        /// "record" or "column".
        what: &'static str,
        /// The number asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
    /// Another process, or another log of this process, writes to the directory.
    #[error("{} is in use by another writer; close that log first", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// An earlier sync failed. The operating system may have dropped what it could not write, so
    /// no later sync can be believed: the log must be written anew.
    #[error(
        "an earlier sync of {} failed ({source}), so the log is not safely on disk; \
         write it again to another place",
        path.display()
    )]
    Unsynced {
        /// The file whose sync failed.
        path: PathBuf,
        /// The first failure.
        source: Arc<io::Error>,
    },
    /// Arrow could not encode or decode.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
}

impl Error {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// The error number of the operating system, if this error began there.
    pub fn raw_os_error(&self) -> Option<i32> {
        match self {
            Self::Io { source, .. } => source.raw_os_error(),
            Self::Unsynced { source, .. } => source.raw_os_error(),
            Self::OutOfSpace { .. }
            | Self::Tmpfs { .. }
            | Self::Corrupt { .. }
            | Self::Schema { .. }
            | Self::Finished
            | Self::OutOfRange { .. }
            | Self::Locked { .. }
            | Self::Arrow(_) => None,
        }
    }
}
