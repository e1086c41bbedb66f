//! The segments of a log that is read: opened when something in them is first read.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locks::RwLock;
use arrow_buffer::Buffer;

use super::known::Sealed;
use crate::format::{Extent, Layout};
use crate::segment::{Reach, Segment, Wanted, name, part_name};
use crate::storage::{Storage, StorageFile};
use crate::{Error, Result};

/// A segment that is open.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) segment: Segment,
    file: Arc<dyn StorageFile>,
    /// How long the file was when it was last asked.
    len: AtomicU64,
}

impl Opened {
    /// Sees that an extent is inside the file, so that a map of it may be touched.
    pub(super) fn check(&self, extent: &Extent) -> Result<()> {
        if extent.end() <= self.len.load(Ordering::Relaxed) {
            return Ok(());
        }
        let len = self.file.size();
        let len = len.map_err(|e| Error::io("cannot read", self.segment.path(), e))?;
        self.len.store(len, Ordering::Relaxed);
        if extent.end() <= len {
            return Ok(());
        }
        let reason = "the file ends before the record does";
        Err(self.segment.corrupt(extent.offset, reason))
    }

    /// The bytes of a message.
    pub(super) fn message(&self, extent: &Extent) -> Result<Buffer> {
        self.check(extent)?;
        self.segment.published(extent.offset, extent.len())
    }

    /// The bytes of a message without the parts that nobody wants.
    pub(super) fn parts(&self, extent: &Extent, wanted: Wanted<'_>) -> Result<Buffer> {
        self.check(extent)?;
        let metadata_len = extent.metadata_len as usize;
        self.segment
            .read_parts(extent.offset, metadata_len, extent.len(), wanted)
    }
}

/// The segments that are open.
#[derive(Debug)]
pub(super) struct Segments {
    storage: Arc<dyn Storage>,
    reach: Arc<Reach>,
    opened: RwLock<HashMap<u32, Arc<Opened>>>,
}

impl Segments {
    pub(super) fn new(storage: Arc<dyn Storage>, reach: Arc<Reach>) -> Self {
        Self {
            storage,
            reach,
            opened: RwLock::default(),
        }
    }

    /// Opens a segment, if it is not open: under its last name or its first, whichever it has now.
    pub(super) fn get(&self, number: u32, sealed: Option<&Sealed>) -> Result<Arc<Opened>> {
        if let Some(opened) = self.opened.read().get(&number) {
            return Ok(Arc::clone(opened));
        }
        let mut opened = self.opened.write();
        if let Some(opened) = opened.get(&number) {
            return Ok(Arc::clone(opened));
        }
        let layouts = match sealed {
            Some(sealed) => vec![sealed.layout],
            None => vec![Layout::File, Layout::Stream],
        };
        let finals: Vec<_> = layouts.into_iter().map(|l| name(number, l)).collect();
        // It gets its last name at any time, so that is looked for before and after the first.
        let names = finals
            .iter()
            .chain(std::iter::once(&part_name(number)))
            .chain(&finals)
            .cloned()
            .collect::<Vec<_>>();
        let mut missing = None;
        for name in names {
            let path = self.storage.path(&name);
            match self.open(&name, sealed) {
                Ok(found) => {
                    let found = Arc::new(found);
                    opened.insert(number, Arc::clone(&found));
                    return Ok(found);
                }
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    missing.get_or_insert((path, e));
                }
                Err(e) => return Err(Error::io("cannot open", path, e)),
            }
        }
        let (path, e) = missing.unwrap_or_else(|| {
            let e = io::ErrorKind::NotFound;
            (self.storage.path(""), e.into())
        });
        Err(Error::io("cannot open", path, e))
    }

    fn open(&self, name: &str, sealed: Option<&Sealed>) -> io::Result<Opened> {
        let file = self.storage.open(name, false)?;
        let len = file.size()?;
        let path = self.storage.path(name);
        let segment = Segment::new(Arc::clone(&file), path, Arc::clone(&self.reach));
        if sealed.is_some() && !name.starts_with('_') {
            // It keeps its name, so it can be opened again.
            segment.release(0);
        }
        Ok(Opened {
            segment,
            file,
            len: AtomicU64::new(len),
        })
    }

    /// Whether records are reached through maps.
    pub(super) fn maps(&self) -> bool {
        self.reach.maps()
    }
}
