//! From a batch to the bytes of IPC messages, copying only what has to be rebuilt.
//!
//! An [`Encoder`] walks the arrays of a batch and lists field nodes and buffers. Large buffers stay
//! where they are and are handed to the kernel as they are; small ones are gathered in one arena,
//! because a system call with few long parts is cheaper than one with many short ones. What a slice
//! does not show is left out by the functions of [`compact`]; dictionaries are in [`dictionaries`].
//!
//! The file is longer than most because the walk over all the types of Arrow is one function
//! that is best read in one piece.

mod compact;
mod compress;
mod dictionaries;

use std::io::IoSlice;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{
    Array, ArrayRef, OffsetSizeTrait, RecordBatch, RunArray, UnionArray, downcast_primitive_array,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc as ipc;
use arrow_schema::{ArrowError, DataType, Schema};
use flatbuffers::FlatBufferBuilder;

pub(crate) use compress::Compressor;
pub(crate) use dictionaries::{Dictionaries, DictionaryRecord, count as count_dictionaries};

use crate::{Error, Result};

/// Bodies and buffers begin on multiples of this, counted from the beginning of the file.
pub(crate) const ALIGNMENT: usize = 64;

/// Buffers below this size are gathered rather than handed to the kernel one by one.
const GATHER_BELOW: usize = 4096;

const ZEROS: [u8; ALIGNMENT] = [0; 64];

/// The first bytes of a segment in the file layout, up to the first message.
pub(crate) const MAGIC: &[u8; 8] = b"ARROW1\0\0";

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
    /// Which of the parts of the plan make up this message.
    parts: std::ops::Range<usize>,
}

/// A run of bytes to write.
#[derive(Debug)]
enum Part {
    Gathered { start: usize, len: usize },
    Buffer(Buffer),
}

/// One message under way: what the flatbuffer will say, and the parts of its body.
#[derive(Debug, Default)]
struct Body {
    nodes: Vec<ipc::FieldNode>,
    buffers: Vec<ipc::Buffer>,
    variadic: Vec<i64>,
    parts: Vec<Part>,
    len: u64,
}

/// Everything that one append writes, in order, without a gap.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    parts: Vec<Part>,
    gathered: Vec<u8>,
    /// The segment and the offset in it where the plan begins.
    segment: u32,
    base: u64,
    /// How many bytes it writes.
    pub(crate) len: u64,
    pub(crate) messages: Vec<Message>,
    /// The dictionaries that the batch needs, those within dictionaries left out.
    pub(crate) dictionaries: Vec<Arc<DictionaryRecord>>,
    /// Whether a dictionary takes the place of another with the same id.
    pub(crate) replaces: bool,
    pending: dictionaries::Pending,
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

    /// The bytes of one message of the plan.
    pub(crate) fn message_slices<'a>(
        &'a self,
        message: &Message,
    ) -> impl Iterator<Item = IoSlice<'a>> {
        let parts = self.parts.get(message.parts.clone()).unwrap_or_default();
        parts.iter().map(|part| self.slice(part))
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
    fn push_message(&mut self, metadata: &[u8], body: &mut Body, rows: u64, kind: Kind) {
        let offset = self.base + self.len;
        let first = self.parts.len();
        let start = self.gathered.len();
        let len = encapsulate(metadata, &mut self.gathered);
        self.parts.push(Part::Gathered { start, len });
        self.parts.append(&mut body.parts);
        self.len += len as u64 + body.len;
        self.messages.push(Message {
            kind,
            offset,
            metadata_len: u32::try_from(len).unwrap_or(u32::MAX),
            body_len: body.len,
            rows,
            parts: first..self.parts.len(),
        });
    }
}

/// Appends the encapsulated form of a metadata flatbuffer: marker, length, bytes, padding.
fn encapsulate(metadata: &[u8], out: &mut Vec<u8>) -> usize {
    let len = (metadata.len() + 8).next_multiple_of(ALIGNMENT);
    out.extend_from_slice(&[0xff; 4]);
    let size = u32::try_from(len - 8).unwrap_or(u32::MAX);
    out.extend_from_slice(&size.to_le_bytes());
    out.extend_from_slice(metadata);
    let padding = len - 8 - metadata.len();
    out.extend_from_slice(ZEROS.get(..padding).unwrap_or_default());
    len
}

fn gather(gathered: &mut Vec<u8>, parts: &mut Vec<Part>, bytes: &[u8]) {
    let from = gathered.len();
    gathered.extend_from_slice(bytes);
    match parts.last_mut() {
        Some(Part::Gathered { start, len }) if *start + *len == from => *len += bytes.len(),
        _ => parts.push(Part::Gathered {
            start: from,
            len: bytes.len(),
        }),
    }
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

/// Turns batches into plans. Its buffers are used again from batch to batch.
pub(crate) struct Encoder {
    fbb: FlatBufferBuilder<'static>,
    body: Body,
    compressor: Option<Compressor>,
    pub(crate) dictionaries: Dictionaries,
    next_dictionary: i64,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("compressor", &self.compressor)
            .field("dictionaries", &self.dictionaries)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    pub(crate) fn new(compressor: Option<Compressor>) -> Self {
        Self {
            fbb: FlatBufferBuilder::new(),
            body: Body::default(),
            compressor,
            dictionaries: Dictionaries::default(),
            next_dictionary: 0,
        }
    }

    /// Adds the messages of a batch to the plan: the dictionaries it needs and that the segment
    /// does not have yet, then the batch.
    pub(crate) fn batch(&mut self, batch: &RecordBatch, plan: &mut Plan) -> Result<()> {
        let mut body = std::mem::take(&mut self.body);
        body.reset();
        self.next_dictionary = 0;
        let rows = batch.num_rows() as u64;
        let mut walked = Ok(());
        for column in batch.columns() {
            walked = walked.and_then(|()| self.array(column.as_ref(), &mut body, plan));
        }
        if walked.is_ok() {
            self.message(&mut body, rows, None);
            plan.push_message(self.fbb.finished_data(), &mut body, rows, Kind::Batch);
        }
        // Of a walk that failed no buffer may be kept alive.
        body.reset();
        self.body = body;
        walked
    }

    /// Remembers what the plan wrote, once it is on disk.
    pub(crate) fn commit(&mut self, plan: &mut Plan) {
        self.dictionaries.commit(&mut plan.pending);
    }

    /// Builds the metadata of a batch, or of a dictionary if there is an id.
    fn message(&mut self, body: &mut Body, rows: u64, dictionary: Option<i64>) {
        let fbb = &mut self.fbb;
        fbb.reset();
        let compression = self.compressor.as_ref().map(|compressor| {
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

    /// Walks one array: its node, its buffers, its children.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each type, and nothing else"
    )]
    fn array(&mut self, array: &dyn Array, body: &mut Body, plan: &mut Plan) -> Result<()> {
        use DataType as T;
        let data_type = array.data_type();
        match data_type {
            T::Null => body.node(array.len(), array.len()),
            T::Union(..) => {
                body.node(array.len(), 0);
                self.union(array.as_union(), body, plan)?;
            }
            T::RunEndEncoded(ends, _) => {
                body.node(array.len(), 0);
                match ends.data_type() {
                    T::Int16 => self.runs::<Int16Type>(array.as_run(), body, plan)?,
                    T::Int32 => self.runs::<Int32Type>(array.as_run(), body, plan)?,
                    _ => self.runs::<Int64Type>(array.as_run(), body, plan)?,
                }
            }
            T::Dictionary(..) => {
                let keys = self.dictionary(array, plan)?;
                self.leading(array, body, plan)?;
                self.fixed_width(keys.as_ref(), body, plan)?;
            }
            T::Boolean => {
                self.leading(array, body, plan)?;
                self.put(&array.as_boolean().values().sliced(), body, plan)?;
            }
            T::Utf8 => {
                self.leading(array, body, plan)?;
                let array = array.as_string::<i32>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::LargeUtf8 => {
                self.leading(array, body, plan)?;
                let array = array.as_string::<i64>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::Binary => {
                self.leading(array, body, plan)?;
                let array = array.as_binary::<i32>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::LargeBinary => {
                self.leading(array, body, plan)?;
                let array = array.as_binary::<i64>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::Utf8View => {
                self.leading(array, body, plan)?;
                let views = array.as_string_view();
                self.views(array, views.views(), views.data_buffers(), body, plan)?;
            }
            T::BinaryView => {
                self.leading(array, body, plan)?;
                let views = array.as_binary_view();
                self.views(array, views.views(), views.data_buffers(), body, plan)?;
            }
            T::FixedSizeBinary(_) => {
                self.leading(array, body, plan)?;
                self.put(array.as_fixed_size_binary().values(), body, plan)?;
            }
            T::List(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list::<i32>();
                self.list(list.offsets(), list.values(), body, plan)?;
            }
            T::LargeList(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list::<i64>();
                self.list(list.offsets(), list.values(), body, plan)?;
            }
            T::Map(..) => {
                self.leading(array, body, plan)?;
                let map = array.as_map();
                let entries: ArrayRef = Arc::new(map.entries().clone());
                self.list(map.offsets(), &entries, body, plan)?;
            }
            T::ListView(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list_view::<i32>();
                self.list_view(
                    array,
                    list.offsets(),
                    list.sizes(),
                    list.values(),
                    body,
                    plan,
                )?;
            }
            T::LargeListView(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list_view::<i64>();
                self.list_view(
                    array,
                    list.offsets(),
                    list.sizes(),
                    list.values(),
                    body,
                    plan,
                )?;
            }
            T::FixedSizeList(_, size) => {
                self.leading(array, body, plan)?;
                let values = array.as_fixed_size_list().values();
                let len = usize::try_from(*size).unwrap_or(0) * array.len();
                if values.len() == len {
                    self.array(values.as_ref(), body, plan)?;
                } else {
                    self.array(values.slice(0, len.min(values.len())).as_ref(), body, plan)?;
                }
            }
            T::Struct(_) => {
                self.leading(array, body, plan)?;
                for column in array.as_struct().columns() {
                    self.array(column.as_ref(), body, plan)?;
                }
            }
            _ => {
                self.leading(array, body, plan)?;
                self.fixed_width(array, body, plan)?;
            }
        }
        Ok(())
    }

    /// The node and the validity bitmap; the latter is empty where nothing is null.
    fn leading(&mut self, array: &dyn Array, body: &mut Body, plan: &mut Plan) -> Result<()> {
        match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                body.node(array.len(), 0);
                body.buffers
                    .push(ipc::Buffer::new(body.len.cast_signed(), 0));
                Ok(())
            }
            Some(nulls) => {
                body.node(array.len(), nulls.null_count());
                self.put(&nulls.inner().sliced(), body, plan)
            }
        }
    }

    fn fixed_width(&mut self, array: &dyn Array, body: &mut Body, plan: &mut Plan) -> Result<()> {
        downcast_primitive_array!(
            array => self.put(array.values().inner(), body, plan),
            other => Err(Error::Schema {
                reason: format!("columns of type {other} cannot be stored"),
            })
        )
    }

    fn bytes<O: OffsetSizeTrait>(
        &mut self,
        offsets: &OffsetBuffer<O>,
        values: &Buffer,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let (start, end) = compact::extent(offsets);
        match compact::rebased(offsets) {
            None => self.put(offsets.inner().inner(), body, plan)?,
            Some(rebased) => self.put(&rebased, body, plan)?,
        }
        if start == 0 && end == values.len() {
            self.put(values, body, plan)
        } else {
            self.put(&values.slice_with_length(start, end - start), body, plan)
        }
    }

    fn list<O: OffsetSizeTrait>(
        &mut self,
        offsets: &OffsetBuffer<O>,
        values: &ArrayRef,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let (start, end) = compact::extent(offsets);
        match compact::rebased(offsets) {
            None => self.put(offsets.inner().inner(), body, plan)?,
            Some(rebased) => self.put(&rebased, body, plan)?,
        }
        if start == 0 && end == values.len() {
            self.array(values.as_ref(), body, plan)
        } else {
            self.array(values.slice(start, end - start).as_ref(), body, plan)
        }
    }

    fn views(
        &mut self,
        array: &dyn Array,
        views: &ScalarBuffer<u128>,
        buffers: &[Buffer],
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let compacted = compact::views(views, buffers, array.nulls())?;
        let (views, buffers) = match &compacted {
            None => (views, buffers),
            Some((views, buffers)) => (views, buffers.as_slice()),
        };
        self.put(views.inner(), body, plan)?;
        for buffer in buffers {
            self.put(buffer, body, plan)?;
        }
        body.variadic.push(signed(buffers.len()));
        Ok(())
    }

    fn list_view<O: OffsetSizeTrait>(
        &mut self,
        array: &dyn Array,
        offsets: &ScalarBuffer<O>,
        sizes: &ScalarBuffer<O>,
        values: &ArrayRef,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        match compact::list_view(offsets, sizes, array.nulls(), values)? {
            None => {
                self.put(offsets.inner(), body, plan)?;
                self.put(sizes.inner(), body, plan)?;
                self.array(values.as_ref(), body, plan)
            }
            Some(compacted) => {
                self.put(&compacted.offsets, body, plan)?;
                self.put(&compacted.sizes, body, plan)?;
                self.array(compacted.values.as_ref(), body, plan)
            }
        }
    }

    fn union(&mut self, union: &UnionArray, body: &mut Body, plan: &mut Plan) -> Result<()> {
        self.put(union.type_ids().inner(), body, plan)?;
        let Some(offsets) = union.offsets() else {
            for (id, _) in union.fields().iter() {
                self.array(union.child(id).as_ref(), body, plan)?;
            }
            return Ok(());
        };
        match compact::dense_union(union, offsets)? {
            None => {
                self.put(offsets.inner(), body, plan)?;
                for (id, _) in union.fields().iter() {
                    self.array(union.child(id).as_ref(), body, plan)?;
                }
            }
            Some((offsets, children)) => {
                self.put(&offsets, body, plan)?;
                for child in children {
                    self.array(child.as_ref(), body, plan)?;
                }
            }
        }
        Ok(())
    }

    fn runs<R: RunEndIndexType>(
        &mut self,
        array: &RunArray<R>,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let (ends, values) = compact::runs(array);
        body.node(ends.len(), 0);
        body.buffers
            .push(ipc::Buffer::new(body.len.cast_signed(), 0));
        self.put(ends.inner(), body, plan)?;
        self.array(values.as_ref(), body, plan)
    }

    /// Adds one buffer to the body, padded to the alignment.
    fn put(&mut self, buffer: &Buffer, body: &mut Body, plan: &mut Plan) -> Result<()> {
        let Some(compressor) = &mut self.compressor else {
            body.put(buffer, &mut plan.gathered);
            return Ok(());
        };
        if buffer.is_empty() {
            body.put(buffer, &mut plan.gathered);
        } else {
            let compressed = compressor
                .compress(buffer.as_slice())
                .map_err(ArrowError::from)?;
            body.put(&Buffer::from_vec(compressed), &mut plan.gathered);
        }
        Ok(())
    }
}

/// A length as the format counts it.
fn signed(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

impl Body {
    fn reset(&mut self) {
        self.nodes.clear();
        self.buffers.clear();
        self.variadic.clear();
        self.parts.clear();
        self.len = 0;
    }

    fn node(&mut self, len: usize, nulls: usize) {
        self.nodes
            .push(ipc::FieldNode::new(signed(len), signed(nulls)));
    }

    fn put(&mut self, buffer: &Buffer, gathered: &mut Vec<u8>) {
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
