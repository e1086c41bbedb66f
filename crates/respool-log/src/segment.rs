//! A segment as its readers see it: a file, and at most one map of it.

use std::collections::TryReserveError;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_buffer::Buffer;
use parking_lot::RwLock;

use crate::map::Map;
use crate::options::Access;
use crate::storage::{StorageFile, read_all};
use crate::{Error, LogOptions, Result};

/// How the records of a log are reached, decided once for all its segments.
#[derive(Debug)]
pub(crate) struct Reach {
    access: Access,
    /// Set when mapping failed once or was refused: from then on records are read.
    reads: AtomicBool,
    /// How much address space the map of a segment reserves, as long as that suffices.
    reserve: u64,
    /// How much it reserves if not: the quota may be raised while the log grows.
    segment_bytes: u64,
}

impl Reach {
    pub(crate) fn new(options: &LogOptions, refuses_maps: bool) -> Self {
        let access = options.access;
        let reads = match access {
            Access::Auto => refuses_maps,
            Access::Map => false,
            Access::Read => true,
        };
        Self {
            access,
            reads: AtomicBool::new(reads),
            reserve: options
                .segment_bytes
                .min(options.capacity.unwrap_or(u64::MAX)),
            segment_bytes: options.segment_bytes,
        }
    }

    pub(crate) fn maps(&self) -> bool {
        !self.reads.load(Ordering::Relaxed)
    }
}

/// Finds the wanted ranges of a body, given the metadata.
pub(crate) type Wanted<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<Range<usize>>>;

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
        if self.reach.maps()
            && let Some(buffer) = self.mapped(self.size(offset)?, self.size(len)?)?
        {
            return Ok(buffer);
        }
        // Address space is short where maps failed: this one is given back.
        if self.map.read().is_some() {
            self.map.write().take();
        }
        let mut memory = self.memory(len)?;
        self.fill(memory.bytes(), offset)?;
        Ok(memory.into_buffer())
    }

    /// Reads a published message without the parts of its body that nobody wants: `wanted` is given
    /// the metadata and returns ranges of the body. What is left out is zeros that were never
    /// touched, so it takes no memory.
    pub(crate) fn read_parts(
        &self,
        offset: u64,
        metadata_len: usize,
        len: u64,
        wanted: Wanted<'_>,
    ) -> Result<Buffer> {
        let short = || self.corrupt(offset, "a buffer lies outside its record");
        let mut memory = self.memory(len)?;
        let metadata = memory.bytes().get_mut(..metadata_len).ok_or_else(short)?;
        self.fill(metadata, offset)?;
        for range in wanted(metadata)? {
            let (start, end) = (metadata_len + range.start, metadata_len + range.end);
            let part = memory.bytes().get_mut(start..end).ok_or_else(short)?;
            self.fill(part, offset + start as u64)?;
        }
        Ok(memory.into_buffer())
    }

    fn memory(&self, len: u64) -> Result<Memory> {
        Memory::new(self.size(len)?).map_err(|e| {
            let e = io::Error::new(io::ErrorKind::OutOfMemory, e);
            Error::io("cannot read, for want of memory,", &self.path, e)
        })
    }

    fn fill(&self, bytes: &mut [u8], offset: u64) -> Result<()> {
        read_all(self.file.as_ref(), bytes, offset)
            .map_err(|e| Error::io("cannot read", &self.path, e))
    }

    fn size(&self, len: u64) -> Result<usize> {
        let larger = |_| self.corrupt(len, "a record is larger than the address space");
        usize::try_from(len).map_err(larger)
    }

    fn mapped(&self, start: usize, size: usize) -> Result<Option<Buffer>> {
        // An empty extent has no address, and no need of one.
        if size == 0 {
            return Ok(Some(Buffer::from_vec(Vec::<u8>::new())));
        }
        let known = self.map.read().clone();
        if let Some(buffer) = known.and_then(|map| map.published(start, size)) {
            return Ok(Some(buffer));
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
            let fits = end as u64 <= self.reach.reserve;
            let bytes = if fits {
                self.reach.reserve
            } else {
                self.reach.segment_bytes
            };
            usize::try_from(bytes).unwrap_or(end)
        } else {
            0
        };
        let mapped = match self.file.map(end.max(reserve)) {
            // Where address space is short, what is there may still fit.
            Err(_) if reserve > end => self.file.map(end),
            mapped => mapped,
        };
        match mapped {
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

/// Zeros that begin on a multiple of the alignment, and that the operating system provides as they
/// are touched.
struct Memory {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Memory {
    /// Fails where the memory can't be had: maps fail for want of address space, and then the heap
    /// may be short of it too.
    fn new(len: usize) -> Result<Self, TryReserveError> {
        const ALIGNMENT: usize = 64;
        let size = len.saturating_add(ALIGNMENT);
        // `vec!` gives zeros that are not touched, but aborts where it fails: so this asks first.
        Vec::<u8>::new().try_reserve_exact(size)?;
        let bytes = vec![0; size];
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Ok(Self { bytes, start, len })
    }

    fn bytes(&mut self) -> &mut [u8] {
        let end = self.start + self.len;
        self.bytes.get_mut(self.start..end).unwrap_or_default()
    }

    fn into_buffer(self) -> Buffer {
        Buffer::from_vec(self.bytes).slice_with_length(self.start, self.len)
    }
}
