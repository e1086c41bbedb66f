//! Everything that one append writes, before it is written.

use std::io::IoSlice;
use std::sync::Arc;

use super::body::Body;
use super::dictionaries::{DictionaryRecord, Pending};
use super::message::encapsulate;
use super::part::{ALIGNMENT, Part, gather};
use crate::format::Sum;

/// What a message is, as far as the log has to know.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// One batch.
    Batch,
    /// The values of a dictionary.
    Dictionary(Arc<DictionaryRecord>),
}

/// Where a message lies in its segment.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) offset: u64,
    pub(crate) metadata_len: u32,
    pub(crate) body_len: u64,
    pub(crate) rows: u64,
    /// The checksum of the metadata and of the table that begins the body, where it has one.
    pub(crate) crc: u32,
}

/// Everything that one append writes, in order, without a gap.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    parts: Vec<Part>,
    pub(super) gathered: Vec<u8>,
    /// The segment and the offset in it where the plan begins.
    pub(super) segment: u32,
    pub(super) base: u64,
    /// How many bytes it writes.
    pub(crate) len: u64,
    pub(crate) messages: Vec<Message>,
    /// The dictionaries that the batch needs, those within dictionaries left out.
    pub(crate) dictionaries: Vec<Arc<DictionaryRecord>>,
    /// Whether a dictionary takes the place of another with the same id.
    pub(crate) replaces: bool,
    pub(super) pending: Pending,
}

impl Plan {
    /// Empties the plan, keeping its memory, to begin at `base` of a segment.
    pub(crate) fn begin(&mut self, segment: u32, base: u64) {
        self.parts.clear();
        self.gathered.clear();
        self.segment = segment;
        self.base = base;
        self.len = 0;
        self.messages.clear();
        self.dictionaries.clear();
        self.replaces = false;
        self.pending.clear();
    }

    /// Lets go of the buffers of the batch.
    pub(crate) fn release(&mut self) {
        self.begin(0, 0);
    }

    /// The bytes to write, in order.
    pub(crate) fn slices(&self) -> Vec<IoSlice<'_>> {
        self.parts.iter().map(|part| self.slice(part)).collect()
    }

    fn slice<'a>(&'a self, part: &'a Part) -> IoSlice<'a> {
        IoSlice::new(match part {
            Part::Gathered { start, len } => {
                let end = start + len;
                self.gathered.get(*start..end).unwrap_or_default()
            }
            Part::Buffer(buffer) => buffer.as_slice(),
        })
    }

    /// Puts ready bytes, whose length is a multiple of the alignment, into the plan.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        debug_assert!(bytes.len().is_multiple_of(ALIGNMENT));
        gather(&mut self.gathered, &mut self.parts, bytes);
        self.len += bytes.len() as u64;
    }

    /// Closes a message: its metadata, then its body.
    pub(super) fn push_message(&mut self, metadata: &[u8], body: &mut Body, rows: u64, kind: Kind) {
        let offset = self.base + self.len;
        let start = self.gathered.len();
        let len = encapsulate(metadata, &mut self.gathered);
        let mut crc = 0;
        if body.has_checksums() {
            let mut sum = Sum::new();
            sum.add(self.gathered.get(start..).unwrap_or_default());
            sum.add(&body.table);
            crc = sum.get();
        }
        self.parts.push(Part::Gathered { start, len });
        self.parts.append(&mut body.parts);
        self.len += len as u64 + body.len;
        self.messages.push(Message {
            kind,
            offset,
            metadata_len: u32::try_from(len).unwrap_or(u32::MAX),
            body_len: body.len,
            rows,
            crc,
        });
    }
}
