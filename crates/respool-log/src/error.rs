//! Everything that can go wrong, as a caller has to tell it apart.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::ArrowError;

use crate::format::Damage;
use crate::storage::Refusal;

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
    #[error(
        "{} is in use by another writer ({}); close that log first",
        path.display(),
        owner.as_deref().unwrap_or("which has not said who it is")
    )]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// The process, the host and the start of the other writer, if it has said so.
        owner: Option<String>,
    },
    /// A file or directory that others may have written, or that is a link: it is not opened.
    #[error("{} is not opened: {reason}", path.display())]
    Refused {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The log was written by a newer program.
    #[error("{} can't be read by this program: {reason}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What this program does not know.
        reason: String,
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
        let refusal = source.get_ref().and_then(|e| e.downcast_ref::<Refusal>());
        if let Some(Refusal(reason)) = refusal {
            let reason = reason.clone();
            let path = path.into();
            return Self::Refused { path, reason };
        }
        Self::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// What a file says at some place cannot be, or is of a newer program.
    pub(crate) fn damage(path: impl Into<PathBuf>, offset: u64, damage: Damage) -> Self {
        let (path, reason) = (path.into(), damage.to_string());
        if damage.is_newer() {
            Self::Newer { path, reason }
        } else {
            Self::Corrupt {
                path,
                offset,
                reason,
            }
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
            | Self::Refused { .. }
            | Self::Newer { .. }
            | Self::Arrow(_) => None,
        }
    }
}
