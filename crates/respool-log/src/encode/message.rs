//! Messages of the Arrow IPC format, as flatbuffers and their frames.

use arrow_ipc as ipc;
use arrow_schema::Schema;
use flatbuffers::FlatBufferBuilder;

use super::body::Body;
use super::compress::Compressor;
use super::part::{ALIGNMENT, ZEROS};
use crate::{Error, Result};

/// The first bytes of a segment in the file layout, up to the first message.
pub(crate) const MAGIC: &[u8; 8] = b"ARROW1\0\0";

/// Builds the metadata of a batch, or of a dictionary if there is an id.
pub(super) fn batch(
    fbb: &mut FlatBufferBuilder<'static>,
    body: &Body,
    rows: u64,
    compressor: Option<&Compressor>,
    dictionary: Option<i64>,
) {
    fbb.reset();
    let compression = compressor.map(|compressor| {
        let mut compression = ipc::BodyCompressionBuilder::new(fbb);
        compression.add_method(ipc::BodyCompressionMethod::BUFFER);
        compression.add_codec(compressor.codec());
        compression.finish()
    });
    let buffers = fbb.create_vector(&body.buffers);
    let nodes = fbb.create_vector(&body.nodes);
    let variadic = (!body.variadic.is_empty()).then(|| fbb.create_vector(&body.variadic));
    let mut batch = ipc::RecordBatchBuilder::new(fbb);
    batch.add_length(rows.cast_signed());
    batch.add_nodes(nodes);
    batch.add_buffers(buffers);
    if let Some(compression) = compression {
        batch.add_compression(compression);
    }
    if let Some(variadic) = variadic {
        batch.add_variadicBufferCounts(variadic);
    }
    let batch = batch.finish();
    let (kind, header) = match dictionary {
        None => (ipc::MessageHeader::RecordBatch, batch.as_union_value()),
        Some(id) => {
            let mut builder = ipc::DictionaryBatchBuilder::new(fbb);
            builder.add_id(id);
            builder.add_data(batch);
            builder.add_isDelta(false);
            let header = builder.finish().as_union_value();
            (ipc::MessageHeader::DictionaryBatch, header)
        }
    };
    let mut message = ipc::MessageBuilder::new(fbb);
    message.add_version(ipc::MetadataVersion::V5);
    message.add_header_type(kind);
    message.add_bodyLength(body.len.cast_signed());
    message.add_header(header);
    let root = message.finish();
    fbb.finish(root, None);
}

/// Appends the encapsulated form of a metadata flatbuffer: marker, length, bytes, padding.
pub(super) fn encapsulate(metadata: &[u8], out: &mut Vec<u8>) -> usize {
    let len = (metadata.len() + 8).next_multiple_of(ALIGNMENT);
    out.extend_from_slice(&[0xff; 4]);
    let size = u32::try_from(len - 8).unwrap_or(u32::MAX);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(metadata);
    let padding = len - 8 - metadata.len();
    out.extend_from_slice(ZEROS.get(..padding).unwrap_or_default());
    len
}

/// The schema as an encapsulated message, padded to the alignment. `lead` bytes come before it in
/// the file, so that what follows begins on a multiple of the alignment.
pub(crate) fn schema_message(schema: &Schema, lead: usize) -> Vec<u8> {
    let mut tracker = ipc::writer::DictionaryTracker::new(false);
    let mut fbb = FlatBufferBuilder::new();
    let header = ipc::convert::IpcSchemaEncoder::new()
        .with_dictionary_tracker(&mut tracker)
        .schema_to_fb_offset(&mut fbb, schema)
        .as_union_value();
    let mut message = ipc::MessageBuilder::new(&mut fbb);
    message.add_version(ipc::MetadataVersion::V5);
    message.add_header_type(ipc::MessageHeader::Schema);
    message.add_bodyLength(0);
    message.add_header(header);
    let root = message.finish();
    fbb.finish(root, None);
    let metadata = fbb.finished_data();
    let len = (lead + 8 + metadata.len()).next_multiple_of(ALIGNMENT) - lead;
    let mut bytes = Vec::with_capacity(len);
    bytes.extend_from_slice(&[0xff; 4]);
    bytes.extend_from_slice(&u32::try_from(len - 8).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend_from_slice(metadata);
    bytes.resize(len, 0);
    bytes
}

/// Refuses a schema that can be written and not be read again: readers follow the nesting of tables
/// only so far. Every type inside a type is one more table.
pub(crate) fn check_nesting(schema: &Schema) -> Result<()> {
    let message = schema_message(schema, 0);
    let footer = footer(schema, &[], &[]);
    let footer = footer.get(END_OF_STREAM.len()..footer.len() - 10);
    let read = ipc::root_as_message(message.get(8..).unwrap_or_default())
        .and_then(|_| ipc::root_as_footer(footer.unwrap_or_default()));
    read.map(drop).map_err(|e| Error::Schema {
        reason: format!(
            "its types are nested so deeply that no reader would open the log again; flatten them, \
             or use a temporary log ({})",
            e.to_string().lines().next().unwrap_or_default()
        ),
    })
}

/// The marker that ends a stream of messages.
pub(crate) const END_OF_STREAM: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// What closes a segment: the end marker and, in the file layout, the footer.
pub(crate) fn footer(
    schema: &Schema,
    dictionaries: &[ipc::Block],
    batches: &[ipc::Block],
) -> Vec<u8> {
    let mut fbb = FlatBufferBuilder::new();
    let dictionaries = fbb.create_vector(dictionaries);
    let batches = fbb.create_vector(batches);
    let mut tracker = ipc::writer::DictionaryTracker::new(false);
    let schema = ipc::convert::IpcSchemaEncoder::new()
        .with_dictionary_tracker(&mut tracker)
        .schema_to_fb_offset(&mut fbb, schema);
    let mut footer = ipc::FooterBuilder::new(&mut fbb);
    footer.add_version(ipc::MetadataVersion::V5);
    footer.add_schema(schema);
    footer.add_dictionaries(dictionaries);
    footer.add_recordBatches(batches);
    let root = footer.finish();
    fbb.finish(root, None);
    let metadata = fbb.finished_data();
    let mut bytes = Vec::with_capacity(metadata.len() + 18);
    bytes.extend_from_slice(&END_OF_STREAM);
    bytes.extend_from_slice(metadata);
    bytes.extend_from_slice(
        &u32::try_from(metadata.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes(),
    );
    bytes.extend_from_slice(b"ARROW1");
    bytes
}
