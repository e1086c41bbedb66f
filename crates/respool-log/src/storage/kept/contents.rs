//! What in a directory is of the log there, as far as names and owners tell.

use std::io;

use rustix::fs::FileType;

use super::directory::{Directory, is_ours};
use crate::format::is_name;

impl Directory {
    /// The files that are the log's, links left out, and their lengths.
    pub(in crate::storage) fn own_files(&self) -> io::Result<Vec<(String, u64)>> {
        self.named(FileType::RegularFile)
    }

    /// The directories in it that may have logs which belong to this one.
    pub(in crate::storage) fn inner(&self) -> io::Result<Vec<Self>> {
        let inner = self.named(FileType::Directory)?.into_iter();
        // What can't be opened is not ours.
        Ok(inner
            .filter_map(|(name, _)| self.open_inner(&name).ok())
            .collect())
    }

    fn named(&self, kind: FileType) -> io::Result<Vec<(String, u64)>> {
        let mut found = Vec::new();
        for name in self.list()? {
            // What is gone meanwhile was renamed, and then it is there under its other name or counted
            // twice; or it was removed.
            let Ok(stat) = self.stat(&name) else { continue };
            let is_kind = FileType::from_raw_mode(stat.st_mode) == kind;
            if is_kind && is_name(&name) && is_ours(&stat) {
                found.push((name, u64::try_from(stat.st_size).unwrap_or_default()));
            }
        }
        Ok(found)
    }

    /// The bytes of all files of the log, and of the logs in directories below.
    pub(in crate::storage) fn bytes(&self) -> io::Result<u64> {
        let files: u64 = self.own_files()?.iter().map(|(_, len)| len).sum();
        let inner = self.inner()?;
        inner
            .iter()
            .try_fold(files, |sum, inner| Ok(sum + inner.bytes()?))
    }
}
