//! The files of a log that is being begun: all of them stay, or none.

use std::fmt;
use std::io;
use std::sync::Arc;

use super::{Storage, StorageFile};

/// Files that are removed again unless the log begins.
pub(crate) struct Beginning<'a> {
    storage: &'a dyn Storage,
    made: Vec<String>,
}

impl fmt::Debug for Beginning<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Beginning").field(&self.made).finish()
    }
}

impl<'a> Beginning<'a> {
    pub(crate) fn new(storage: &'a dyn Storage) -> Self {
        let made = Vec::new();
        Self { storage, made }
    }

    /// Creates a file of the log.
    pub(crate) fn create(&mut self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.storage.create(name)?;
        self.made.push(name.to_owned());
        Ok(file)
    }

    /// Gives a file that was created its final name.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.storage.rename(from, to)?;
        self.made.push(to.to_owned());
        self.made.retain(|name| name != from);
        Ok(())
    }

    /// The log has begun.
    pub(crate) fn keep(mut self) {
        self.made.clear();
        self.storage.keep();
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        for name in self.made.iter().rev() {
            // The error that ended the beginning is the one to tell.
            let _gone = self.storage.remove(name);
        }
    }
}
