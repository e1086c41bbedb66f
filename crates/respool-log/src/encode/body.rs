//! One message under way.

use arrow_buffer::Buffer;
use arrow_ipc as ipc;

use super::part::{ALIGNMENT, GATHER_BELOW, Part, ZEROS, gather};
use crate::format::{Sum, table_len};

/// One message under way: what the flatbuffer will say, and the parts of its body.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) nodes: Vec<ipc::FieldNode>,
    pub(super) buffers: Vec<ipc::Buffer>,
    pub(super) variadic: Vec<i64>,
    pub(super) parts: Vec<Part>,
    pub(super) len: u64,
    /// Where the body begins with a table of checksums: that of the column under way.
    sum: Option<Sum>,
    /// The table: the checksums of the columns before.
    pub(super) table: Vec<u8>,
    /// The room for it among the bytes that were gathered.
    table_at: usize,
}

/// A length as the format counts it.
pub(super) fn signed(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

impl Body {
    /// A body that begins with a table of checksums, or without one.
    pub(super) fn new(has_table: bool) -> Self {
        Self {
            sum: has_table.then(Sum::new),
            ..Self::default()
        }
    }

    pub(super) fn reset(&mut self) {
        self.nodes.clear();
        self.buffers.clear();
        self.variadic.clear();
        self.parts.clear();
        self.len = 0;
        self.table.clear();
        if let Some(sum) = &mut self.sum {
            sum.take();
        }
    }

    /// Begins the body of some columns with room for its table.
    pub(super) fn begin(&mut self, columns: usize, gathered: &mut Vec<u8>) {
        if self.sum.is_some() {
            self.table_at = gathered.len();
            for _ in 0..table_len(columns) / ALIGNMENT {
                gather(gathered, &mut self.parts, &ZEROS);
            }
            self.len = table_len(columns) as u64;
        }
    }

    pub(super) fn has_checksums(&self) -> bool {
        self.sum.is_some()
    }

    /// Ends a column: what follows belongs to the next.
    pub(super) fn end_column(&mut self) {
        if let Some(sum) = &mut self.sum {
            self.table.extend_from_slice(&sum.take().to_le_bytes());
        }
    }

    /// Ends the body: its table is known now.
    pub(super) fn end(&mut self, gathered: &mut [u8]) {
        self.table.resize(table_len(self.table.len() / 4), 0);
        let room = gathered.iter_mut().skip(self.table_at);
        for (place, byte) in room.zip(&self.table) {
            *place = *byte;
        }
    }

    pub(super) fn node(&mut self, len: usize, nulls: usize) {
        self.nodes
            .push(ipc::FieldNode::new(signed(len), signed(nulls)));
    }

    pub(super) fn put(&mut self, buffer: &Buffer, gathered: &mut Vec<u8>) {
        let len = buffer.len();
        let entry = ipc::Buffer::new(self.len.cast_signed(), signed(len));
        self.buffers.push(entry);
        if len == 0 {
            return;
        }
        let padded = len.next_multiple_of(ALIGNMENT);
        if len < GATHER_BELOW {
            gather(gathered, &mut self.parts, buffer.as_slice());
        } else {
            self.parts.push(Part::Buffer(buffer.clone()));
        }
        let padding = ZEROS.get(..padded - len).unwrap_or_default();
        if !padding.is_empty() {
            gather(gathered, &mut self.parts, padding);
        }
        if let Some(sum) = &mut self.sum {
            sum.add(buffer.as_slice());
            sum.add(padding);
        }
        self.len += padded as u64;
    }
}
