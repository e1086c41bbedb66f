//! The segment that grows, as its writer sees it.

use std::sync::Arc;

use super::{Reach, Segment};
use crate::encode::Plan;
use crate::format::Layout;
use crate::storage::{Storage, write_all};
use crate::{Error, Result};

/// A segment that is written.
#[derive(Debug)]
pub(crate) struct Growing {
    pub(crate) segment: Arc<Segment>,
    pub(crate) number: u32,
    pub(crate) layout: Layout,
    /// The committed end: nothing past it counts.
    pub(crate) end: u64,
    pub(crate) records: u64,
}

impl Growing {
    /// Makes the file of a segment.
    pub(crate) fn create(
        storage: &dyn Storage,
        reach: &Arc<Reach>,
        number: u32,
        layout: Layout,
    ) -> Result<Self> {
        let name = name(number);
        let path = storage.path(&name);
        let file = storage
            .create(&name)
            .map_err(|e| Error::io("cannot create a segment of the log:", &path, e))?;
        Ok(Self {
            segment: Arc::new(Segment::new(file, path, Arc::clone(reach))),
            number,
            layout,
            end: 0,
            records: 0,
        })
    }

    /// Writes a plan at the committed end, which stays where it is.
    pub(crate) fn write(&self, plan: &Plan) -> Result<()> {
        write_all(self.segment.file.as_ref(), &mut plan.slices(), self.end)
            .map_err(|e| Error::io("cannot write to", &self.segment.path, e))
    }

    /// Counts a plan that was written.
    pub(crate) fn commit(&mut self, plan: &Plan) {
        self.end += plan.len;
        self.records += 1;
    }
}

/// The name of a segment: sorts in order, and other tools know the extension.
fn name(number: u32) -> String {
    format!("{number:08}.arrow")
}
