//! A segment as its readers see it: a file, and at most one map of it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_buffer::{Buffer, MutableBuffer};
use parking_lot::RwLock;

use crate::map::Map;
use crate::options::Access;
use crate::storage::{StorageFile, read_all};
use crate::{Error, Result};

/// How the records of a log are reached, decided once for all its segments.
#[derive(Debug)]
pub(crate) struct Reach {
    access: Access,
    /// Set when mapping failed once or was refused: from then on records are read.
    reads: AtomicBool,
    /// How much address space a map may reserve.
    reserve: u64,
}

impl Reach {
    pub(crate) fn new(access: Access, refuses_maps: bool, reserve: u64) -> Self {
        let reads = match access {
            Access::Auto => refuses_maps,
            Access::Map => false,
            Access::Read => true,
        };
        Self {
            access,
            reads: AtomicBool::new(reads),
            reserve,
        }
    }

    pub(crate) fn maps(&self) -> bool {
        !self.reads.load(Ordering::Relaxed)
    }
}

/// One file of records.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) file: Arc<dyn StorageFile>,
    pub(crate) path: PathBuf,
    reach: Arc<Reach>,
    map: RwLock<Option<Arc<Map>>>,
}

impl Segment {
    pub(crate) fn new(file: Arc<dyn StorageFile>, path: PathBuf, reach: Arc<Reach>) -> Self {
        Self {
            file,
            path,
            reach,
            map: RwLock::new(None),
        }
    }

    /// The published bytes at `offset`: pointing into the file, or a copy where maps fail.
    pub(crate) fn published(&self, offset: u64, len: u64) -> Result<Buffer> {
        let (Ok(start), Ok(size)) = (usize::try_from(offset), usize::try_from(len)) else {
            return Err(self.corrupt(offset, "the record is larger than the address space"));
        };
        if self.reach.maps() {
            if let Some(buffer) = self.mapped(start, size)? {
                return Ok(buffer);
            }
        }
        let mut bytes = MutableBuffer::try_from_len_zeroed(size)
            .map_err(|e| Error::io("cannot read", &self.path, io::Error::other(e)))?;
        self.fill(bytes.as_slice_mut(), offset)?;
        Ok(bytes.into())
    }

    /// Reads published bytes into memory of the caller.
    pub(crate) fn fill(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        read_all(self.file.as_ref(), bytes, offset)
            .map_err(|e| Error::io("cannot read", &self.path, e))
    }

    fn mapped(&self, start: usize, size: usize) -> Result<Option<Buffer>> {
        // An empty extent has no address, and no need of one.
        if size == 0 {
            return Ok(Some(MutableBuffer::new(0).into()));
        }
        if let Some(map) = self.map.read().as_ref() {
            if let Some(buffer) = map.published(start, size) {
                return Ok(Some(buffer));
            }
        }
        let mut slot = self.map.write();
        // Another reader may have been here first.
        if let Some(buffer) = slot.as_ref().and_then(|map| map.published(start, size)) {
            return Ok(Some(buffer));
        }
        let end = start.saturating_add(size);
        // Linux lets a map reach beyond the end of the file and grow into it; elsewhere exactly
        // what is published is mapped, again when there is more.
        let reserve = if cfg!(target_os = "linux") {
            usize::try_from(self.reach.reserve).unwrap_or(end)
        } else {
            0
        };
        match self.file.map(end.max(reserve)) {
            Ok(map) => {
                let buffer = map.published(start, size);
                *slot = Some(map);
                Ok(buffer)
            }
            Err(e) if self.reach.access == Access::Map => {
                Err(Error::io("cannot map", &self.path, e))
            }
            Err(_) => {
                self.reach.reads.store(true, Ordering::Relaxed);
                Ok(None)
            }
        }
    }

    pub(crate) fn corrupt(&self, offset: u64, reason: impl Into<String>) -> Error {
        Error::Corrupt {
            path: self.path.clone(),
            offset,
            reason: reason.into(),
        }
    }
}
