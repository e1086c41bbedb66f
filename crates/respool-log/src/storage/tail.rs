//! A file that is written at its end.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::{StorageFile, write_all};

/// Where a file ends as far as it counts, and how far a write that failed may have gone beyond.
#[derive(Debug)]
pub(crate) struct Tail {
    file: Arc<dyn StorageFile>,
    end: u64,
    reached: u64,
}

impl Tail {
    /// The end of an empty file.
    pub(crate) fn new(file: Arc<dyn StorageFile>) -> Self {
        Self {
            file,
            end: 0,
            reached: 0,
        }
    }

    pub(crate) fn file(&self) -> &Arc<dyn StorageFile> {
        &self.file
    }

    /// The committed end: nothing past it counts.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// How much may be past the committed end.
    pub(crate) fn len(&self) -> u64 {
        self.reached.saturating_sub(self.end)
    }

    /// Writes at the end, which stays where it is until the bytes are committed.
    pub(crate) fn write(&mut self, parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        self.reached = self.reached.max(self.end + len as u64);
        write_all(self.file.as_ref(), parts, self.end)
    }

    /// Counts bytes that were written.
    pub(crate) fn commit(&mut self, len: u64) {
        self.end += len;
    }

    /// Cuts off whatever is past the committed end.
    pub(crate) fn drop_rest(&mut self) -> io::Result<()> {
        self.reached = self.reached.max(self.file.size()?);
        self.cut()
    }

    /// Cuts off what does not count, so that the file ends where it says. After an error it can be
    /// tried again.
    pub(crate) fn cut(&mut self) -> io::Result<()> {
        if self.reached > self.end {
            self.file.truncate(self.end)?;
            self.reached = self.end;
        }
        Ok(())
    }
}
