//! One message under way.

use arrow_buffer::Buffer;
use arrow_ipc as ipc;

use super::part::{ALIGNMENT, GATHER_BELOW, Part, ZEROS, gather};

/// One message under way: what the flatbuffer will say, and the parts of its body.
#[derive(Debug, Default)]
pub(super) struct Body {
    pub(super) nodes: Vec<ipc::FieldNode>,
    pub(super) buffers: Vec<ipc::Buffer>,
    pub(super) variadic: Vec<i64>,
    pub(super) parts: Vec<Part>,
    pub(super) len: u64,
}

/// A length as the format counts it.
pub(super) fn signed(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

impl Body {
    pub(super) fn reset(&mut self) {
        self.nodes.clear();
        self.buffers.clear();
        self.variadic.clear();
        self.parts.clear();
        self.len = 0;
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
        let padding = padded - len;
        if padding > 0 {
            gather(
                gathered,
                &mut self.parts,
                ZEROS.get(..padding).unwrap_or_default(),
            );
        }
        self.len += padded as u64;
    }
}
