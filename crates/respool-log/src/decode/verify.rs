//! Messages held against their entries.

use std::ops::Range;

use arrow_buffer::Buffer;
use arrow_ipc as ipc;
use arrow_schema::Schema;

use super::{Decoder, Expected, Shape, damaged, message};
use crate::Result;

impl Decoder {
    pub(super) fn shape(
        &self,
        message: &ipc::Message<'_>,
        batch: &ipc::RecordBatch<'_>,
        body_len: usize,
        schema: &Schema,
    ) -> Result<Shape> {
        let expected = Expected {
            fields: schema.fields(),
            body_len,
            codec: self.codec,
            has_table: self.has_table,
        };
        Shape::of(message, batch, expected)
    }

    /// The ranges of the body that some columns lie in, given the metadata of a record, the table of
    /// checksums included if it is wanted.
    pub(crate) fn wanted(
        &self,
        metadata: &[u8],
        body_len: usize,
        columns: &[usize],
        with_table: bool,
    ) -> Result<Vec<Range<usize>>> {
        let metadata = metadata.get(8..).ok_or_else(|| damaged("no metadata"))?;
        let message = ipc::root_as_message(metadata).map_err(|e| damaged(&e.to_string()))?;
        let header = message
            .header_as_record_batch()
            .ok_or_else(|| damaged("it is not a batch"))?;
        let shape = self.shape(&message, &header, body_len, &self.numbered)?;
        Ok(shape.wanted(columns, with_table))
    }

    /// Verifies a whole message and keeps nothing of it; the dictionaries that a batch needs are
    /// verified by themselves.
    pub(crate) fn verify(
        &self,
        bytes: &Buffer,
        metadata_len: usize,
        crc: u32,
        dictionary: Option<i64>,
    ) -> Result<()> {
        let message = message(bytes, metadata_len)?;
        let (header, schema) = match dictionary {
            None => (message.header_as_record_batch(), Some(&self.numbered)),
            Some(id) => (
                message
                    .header_as_dictionary_batch()
                    .and_then(|dictionary| dictionary.data()),
                usize::try_from(id).ok().and_then(|id| self.values.get(id)),
            ),
        };
        let header = header.ok_or_else(|| damaged("it is another sort of message"))?;
        let schema = schema.ok_or_else(|| damaged("unknown id"))?;
        let body = bytes.slice(metadata_len);
        let shape = self.shape(&message, &header, body.len(), schema)?;
        let metadata = bytes.get(..metadata_len).unwrap_or_default();
        if shape.sum(metadata, &body)? != crc {
            return Err(damaged("its checksum does not fit"));
        }
        (0..schema.fields().len()).try_for_each(|column| shape.check_column(column, &body))
    }
}
