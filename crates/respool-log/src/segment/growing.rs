//! The segment that grows, as its writer sees it.

use std::io::{self, IoSlice};
use std::sync::Arc;

use super::{Reach, Segment};
use crate::encode::Plan;
use crate::format::Layout;
use crate::storage::{Beginning, Storage, StorageFile, Tail};
use crate::{Error, Result};

/// A segment that is written.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(crate) segment: Arc<Segment>,
    pub(crate) number: u32,
    pub(crate) layout: Layout,
    tail: Tail,
    pub(crate) records: u64,
    /// Whether nothing is added any more.
    pub(crate) is_sealed: bool,
    /// Whether it has its final name.
    is_published: bool,
}

impl Growing {
    /// Makes the file of the first segment of a log.
    pub(crate) fn first(
        beginning: &mut Beginning<'_>,
        storage: &Arc<dyn Storage>,
        reach: &Arc<Reach>,
    ) -> Result<Self> {
        let create = |name: &str| beginning.create(name);
        Self::with_file(create, storage, reach, 0, Layout::File)
    }

    /// Makes the file of a segment.
    pub(crate) fn create(
        storage: &Arc<dyn Storage>,
        reach: &Arc<Reach>,
        number: u32,
        layout: Layout,
    ) -> Result<Self> {
        let create = |name: &str| storage.create(name);
        Self::with_file(create, storage, reach, number, layout)
    }

    fn with_file(
        create: impl FnOnce(&str) -> io::Result<Arc<dyn StorageFile>>,
        storage: &Arc<dyn Storage>,
        reach: &Arc<Reach>,
        number: u32,
        layout: Layout,
    ) -> Result<Self> {
        let name = part_name(number);
        let path = storage.path(&name);
        let file = create(&name)
            .map_err(|e| Error::io("cannot create a segment of the log:", &path, e))?;
        Ok(Self {
            tail: Tail::new(Arc::clone(&file)),
            segment: Arc::new(Segment::new(file, path, Arc::clone(reach))),
            number,
            layout,
            records: 0,
            is_sealed: false,
            is_published: false,
        })
    }

    /// A segment that another writer has left, with so many batches up to `end`.
    pub(crate) fn reopened(
        segment: Arc<Segment>,
        file: Arc<dyn StorageFile>,
        number: u32,
        layout: Layout,
        end: u64,
        records: u64,
    ) -> Self {
        let mut tail = Tail::new(file);
        tail.commit(end);
        Self {
            segment,
            number,
            layout,
            tail,
            records,
            is_sealed: false,
            is_published: false,
        }
    }

    /// Cuts off all that is past the committed end, whoever wrote it.
    pub(crate) fn drop_rest(&mut self) -> Result<()> {
        self.written(Tail::drop_rest)
    }

    pub(crate) fn file(&self) -> &Arc<dyn StorageFile> {
        self.tail.file()
    }

    /// The committed end: nothing past it counts.
    pub(crate) fn end(&self) -> u64 {
        self.tail.end()
    }

    /// Writes a plan at the committed end, which stays where it is.
    pub(crate) fn write(&mut self, plan: &Plan) -> Result<()> {
        self.written(|tail| tail.write(&mut plan.slices()))
    }

    /// How much a failed write may have left past the committed end.
    pub(crate) fn tail(&self) -> u64 {
        self.tail.len()
    }

    /// Cuts off what a failed write left.
    pub(crate) fn cut(&mut self) -> Result<()> {
        self.written(Tail::cut)
    }

    /// Writes the last bytes of the file, behind which nothing is left.
    pub(crate) fn close(&mut self, bytes: &[u8]) -> Result<()> {
        self.written(|tail| {
            tail.cut()?;
            tail.write(&mut [IoSlice::new(bytes)])
        })
    }

    /// Gives the file its final name.
    pub(crate) fn publish(&mut self, storage: &dyn Storage) -> Result<()> {
        if !self.is_published {
            let (part, name) = (part_name(self.number), name(self.number, self.layout));
            storage
                .rename(&part, &name)
                .map_err(|e| Error::io("cannot rename", storage.path(&part), e))?;
            self.tail.file().renamed(&name);
            self.segment.set_path(storage.path(&name));
            self.is_published = true;
        }
        Ok(())
    }

    fn written(&mut self, write: impl FnOnce(&mut Tail) -> io::Result<()>) -> Result<()> {
        write(&mut self.tail).map_err(|e| Error::io("cannot write to", self.segment.path(), e))
    }

    /// Counts a plan that was written.
    pub(crate) fn commit(&mut self, plan: &Plan) {
        self.tail.commit(plan.len);
        self.records += 1;
    }
}

/// The name of a sealed segment: sorts in order, and other tools know the extension.
pub(crate) fn name(number: u32, layout: Layout) -> String {
    match layout {
        Layout::File => format!("{number:08}.arrow"),
        Layout::Stream => format!("{number:08}.arrows"),
    }
}

/// The name of a segment that grows, which other tools pass over.
pub(crate) fn part_name(number: u32) -> String {
    format!("_{number:08}.part")
}
