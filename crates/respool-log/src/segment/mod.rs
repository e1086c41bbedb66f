//! A segment as its readers see it: a file, and at most one map of it.

mod growing;
mod memory;
mod reach;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::locks::RwLock;
use arrow_buffer::Buffer;

pub(crate) use growing::{Growing, name, part_name};
use memory::Memory;
pub(crate) use reach::Reach;

use crate::map::Map;
use crate::storage::{StorageFile, read_all, read_part};
use crate::{Error, Result};

/// A message that is not longer is brought in whole: its parts would take as long.
const WHOLE: u64 = 128 << 10;

/// Finds the wanted ranges of a body, given the metadata.
pub(crate) type Wanted<'a> = &'a dyn Fn(&[u8]) -> Result<Vec<Range<usize>>>;

/// One file of records.
#[derive(Debug)]
pub(crate) struct Segment {
    path: RwLock<PathBuf>,
    reach: Arc<Reach>,
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    /// Missing once the segment is full and a map of all of it is enough.
    file: Option<Arc<dyn StorageFile>>,
    map: Option<Arc<Map>>,
}

impl Segment {
    pub(crate) fn new(file: Arc<dyn StorageFile>, path: PathBuf, reach: Arc<Reach>) -> Self {
        Self {
            path: RwLock::new(path),
            reach,
            state: RwLock::new(State {
                file: Some(file),
                map: None,
            }),
        }
    }

    /// What an error calls the file.
    pub(crate) fn path(&self) -> PathBuf {
        self.path.read().clone()
    }

    pub(crate) fn set_path(&self, path: PathBuf) {
        *self.path.write() = path;
    }

    /// Gives the descriptor of a full segment of `len` bytes back, if its records can still be
    /// reached then; says whether.
    pub(crate) fn release(&self, len: u64) -> bool {
        let mut state = self.state.write();
        let Some(file) = &state.file else { return true };
        if file.release() {
            return true;
        }
        let Ok(len) = usize::try_from(len) else {
            return false;
        };
        if !self.reach.maps_full_segments() {
            return false;
        }
        if state.map.as_ref().is_none_or(|map| map.len() < len) {
            match file.map(len) {
                Ok(map) => state.map = Some(map),
                Err(_) => return false,
            }
        }
        state.file = None;
        true
    }

    /// The published bytes at `offset`: pointing into the file, or a copy where maps fail.
    pub(crate) fn published(&self, offset: u64, len: u64) -> Result<Buffer> {
        let (start, size) = (self.size(offset)?, self.size(len)?);
        if self.reach.maps()
            && let Some(buffer) = self.mapped(start, size)?
        {
            return Ok(buffer);
        }
        let Some(file) = self.file() else {
            let map = self.state.read().map.clone();
            let buffer = map.and_then(|map| map.published(start, size));
            return buffer.ok_or_else(|| self.corrupt(offset, "its map does not reach so far"));
        };
        // Address space is short where maps failed: this one is given back.
        if self.state.read().map.is_some() {
            self.state.write().map.take();
        }
        let mut memory = self.memory(Memory::whole(size))?;
        self.fill(file.as_ref(), memory.bytes(), offset)?;
        Ok(memory.into_buffer())
    }

    fn file(&self) -> Option<Arc<dyn StorageFile>> {
        self.state.read().file.clone()
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
        let Some(file) = self.file() else {
            return self.published(offset, len);
        };
        let file = file.as_ref();
        let short = || self.corrupt(offset, "a buffer lies outside its record");
        let mut head = self.memory(Memory::whole(metadata_len))?;
        self.fill_part(file, head.bytes(), offset)?;
        let ranges = wanted(head.bytes())?;
        let bytes = metadata_len + ranges.iter().map(Range::len).sum::<usize>();
        let mut memory = self.memory(Memory::sparse(self.size(len)?, bytes))?;
        let metadata = memory.bytes().get_mut(..metadata_len).ok_or_else(short)?;
        metadata.copy_from_slice(head.bytes());
        for range in ranges {
            let (start, end) = (metadata_len + range.start, metadata_len + range.end);
            let part = memory.bytes().get_mut(start..end).ok_or_else(short)?;
            self.fill_part(file, part, offset + start as u64)?;
        }
        Ok(memory.into_buffer())
    }

    /// Whether records are reached through maps.
    pub(crate) fn maps(&self) -> bool {
        self.reach.maps()
    }

    /// Whether parts of a message of `len` bytes are [brought](Self::bring) in by themselves.
    pub(crate) fn has_parts(&self, len: u64) -> bool {
        len > WHOLE && self.reach.maps()
    }

    /// Brings in a part of a message that is mapped before it is touched, if it is not there, and says
    /// whether it was. A fault brings in what lies around as well, up to megabytes where the disk is said to
    /// be fast, and those are other columns.
    pub(crate) fn bring(&self, offset: u64, len: usize) -> bool {
        /// What is written at once most likely came into memory at once.
        const STEP: usize = 1 << 20;
        let Some((map, offset)) = self.map_at(offset) else {
            return true;
        };
        let was_there = map.seems_there(offset, len, STEP);
        if !was_there {
            map.bring(offset, len);
        }
        was_there
    }

    /// Whether a part of a message is in memory, as far as a look at its ends says.
    pub(crate) fn seems_there(&self, offset: u64, len: usize) -> bool {
        self.map_at(offset)
            .is_none_or(|(map, offset)| map.seems_there(offset, len, usize::MAX))
    }

    /// The map, and a place in it. The system may let a caller wait for the disk, so nothing is locked then.
    fn map_at(&self, offset: u64) -> Option<(Arc<Map>, usize)> {
        let map = self.state.read().map.clone()?;
        Some((map, usize::try_from(offset).ok()?))
    }

    fn memory(&self, memory: io::Result<Memory>) -> Result<Memory> {
        memory.map_err(|e| Error::io("cannot read, for want of memory,", self.path(), e))
    }

    fn fill(&self, file: &dyn StorageFile, bytes: &mut [u8], offset: u64) -> Result<()> {
        read_all(file, bytes, offset).map_err(|e| Error::io("cannot read", self.path(), e))
    }

    fn fill_part(&self, file: &dyn StorageFile, bytes: &mut [u8], offset: u64) -> Result<()> {
        read_part(file, bytes, offset).map_err(|e| Error::io("cannot read", self.path(), e))
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
        let known = self.state.read().map.clone();
        if let Some(buffer) = known.and_then(|map| map.published(start, size)) {
            return Ok(Some(buffer));
        }
        let mut state = self.state.write();
        // Another reader may have been here first.
        if let Some(buffer) = state
            .map
            .as_ref()
            .and_then(|map| map.published(start, size))
        {
            return Ok(Some(buffer));
        }
        let end = start.saturating_add(size);
        // Linux lets a map reach beyond the end of the file and grow into it; elsewhere exactly
        // what is published is mapped, again when there is more.
        let reserve = if cfg!(target_os = "linux") {
            usize::try_from(self.reach.reserve(end as u64)).unwrap_or(end)
        } else {
            0
        };
        let Some(file) = &state.file else {
            return Ok(None);
        };
        let mapped = match file.map(end.max(reserve)) {
            // Where address space is short, what is there may still fit.
            Err(_) if reserve > end => file.map(end),
            mapped => mapped,
        };
        match mapped {
            Ok(map) => {
                let buffer = map.published(start, size);
                state.map = Some(map);
                Ok(buffer)
            }
            Err(e) if self.reach.must_map() => Err(Error::io("cannot map", self.path(), e)),
            Err(_) => {
                self.reach.stop_mapping();
                Ok(None)
            }
        }
    }

    pub(crate) fn corrupt(&self, offset: u64, reason: impl Into<String>) -> Error {
        Error::Corrupt {
            path: self.path(),
            offset,
            reason: reason.into(),
        }
    }
}
