//! Logs that nobody needs any more.

use std::path::Path;

use super::Log;
use crate::Result;
use crate::storage::{self, Removal};
#[cfg(doc)]
use crate::{Error, LogReader};

impl Log {
    /// Removes the log in a directory, unless somebody uses it: a [`LogReader`], a writer, of this
    /// process or another. Whoever opens it meanwhile has either the whole log, and then it stays, or an
    /// error of [`NotFound`](std::io::ErrorKind::NotFound).
    ///
    /// Only files of the log go, and its directory if nothing else is in it; logs in directories of it
    /// whose names begin with `_` go with it, and keep it if they are in use. On a file system without
    /// locks of directories (some of the network) only a writer keeps it.
    ///
    /// # Errors
    /// [`Error::Io`] of the kind `NotFound` where there is no log, and [`Error::Refused`] where the
    /// directory is not ours.
    ///
    /// ```
    /// use arrow_array::record_batch;
    /// use respool_log::{Log, LogOptions, Removal};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = tempfile::tempdir()?;
    /// # let directory = parent.path().join("log");
    /// let batch = record_batch!(("n", Int64, [1, 2, 3]))?;
    /// let log = Log::create(batch.schema(), LogOptions::new(&directory).allow_tmpfs(true))?;
    /// assert_eq!(Log::remove(&directory)?, Removal::InUse);
    /// drop(log);
    /// assert_eq!(Log::remove(&directory)?, Removal::Removed);
    /// assert!(!directory.exists());
    /// # Ok(())
    /// # }
    /// ```
    pub fn remove(directory: impl AsRef<Path>) -> Result<Removal> {
        storage::remove(directory.as_ref())
    }
}
