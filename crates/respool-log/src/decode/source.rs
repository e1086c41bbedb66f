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

/// Parts that are not further apart are one: the system brings in whole pages.
const GAP: usize = 4096;

impl Decoder {
    /// Tells the source where some columns of a record lie.
    pub(super) fn tell_ahead(
        &self,
        batch: &ipc::RecordBatch<'_>,
        body_len: usize,
        columns: &[usize],
        source: Source<'_>,
    ) {
        if let Some(ahead) = source.ahead {
            self.parts(batch, body_len, columns)
                .into_iter()
                .for_each(ahead);
        }
    }

    /// Where some columns of a record lie in its body, given its metadata, which nobody has verified. Nothing
    /// where that is none.
    pub(crate) fn parts_of(
        &self,
        metadata: &[u8],
        body_len: usize,
        columns: &[usize],
    ) -> Vec<Range<usize>> {
        let message = metadata.get(8..).map(ipc::root_as_message);
        let message = message.and_then(std::result::Result::ok);
        let batch = message.and_then(|message| message.header_as_record_batch());
        batch.map_or_else(Vec::new, |batch| self.parts(&batch, body_len, columns))
    }

    /// Where some columns of a record lie in its body, each from its first buffer to the first of the next
    /// column that has any. What the metadata says wrong is for others to find.
    fn parts(
        &self,
        batch: &ipc::RecordBatch<'_>,
        body_len: usize,
        columns: &[usize],
    ) -> Vec<Range<usize>> {
        let mut parts: Vec<Range<usize>> = Vec::new();
        let Some(buffers) = batch.buffers() else {
            return parts;
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
                match parts.last_mut() {
                    Some(last) if (last.end..=last.end + GAP).contains(&start) => {
                        last.end = end.max(last.end);
                    }
                    _ => parts.push(start..end.max(start)),
                }
            }
            first = next;
        }
        parts
    }
}
