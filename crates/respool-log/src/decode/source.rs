//! Where the bytes of a record come from.

use std::fmt;
use std::ops::Range;

use arrow_buffer::Buffer;
use arrow_ipc as ipc;

use super::Decoder;
use crate::Result;
use crate::encode::DictionaryRecord;
use crate::types::buffer_count;

/// Where the bytes of a record come from.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    /// Brings the bytes of a dictionary record.
    pub(crate) dictionary: &'a dyn Fn(&DictionaryRecord) -> Result<Buffer>,
    /// Is told which parts of the body are read next, if that is of use.
    pub(crate) ahead: Option<&'a dyn Fn(Range<usize>)>,
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Decoder {
    /// Tells the source where some columns of a record lie, each from its first buffer to the first of
    /// the next column that has any. What the metadata says wrong is for others to find.
    pub(super) fn tell_ahead(
        &self,
        batch: &ipc::RecordBatch<'_>,
        body_len: usize,
        columns: &[usize],
        source: Source<'_>,
    ) {
        let (Some(ahead), Some(buffers)) = (source.ahead, batch.buffers()) else {
            return;
        };
        let variadic = batch.variadicBufferCounts().unwrap_or_default();
        let mut variadic = variadic.iter();
        let offset = |at: usize| {
            let buffer = (at < buffers.len()).then(|| buffers.get(at));
            let offset = buffer.and_then(|buffer| usize::try_from(buffer.offset()).ok());
            offset.unwrap_or(body_len).min(body_len)
        };
        let last = columns.iter().max().map_or(0, |last| last + 1);
        let mut first = 0usize;
        for (column, field) in self.numbered.fields().iter().enumerate().take(last) {
            let next = first.saturating_add(buffer_count(field.data_type(), &mut variadic));
            if first < next && columns.contains(&column) {
                let (start, end) = (offset(first), offset(next));
                ahead(start..end.max(start));
            }
            first = next;
        }
    }
}
