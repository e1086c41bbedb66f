//! From the bytes of a record to a batch that points into them.
//!
//! A record is read by itself: the dictionaries it needs are named by its entry, and no state is
//! carried from record to record. Contents are not validated where this process encoded them, or
//! where they were validated before; see [`Trust`].

mod shape;

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_data::UnsafeFlag;
use arrow_ipc as ipc;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_schema::{Schema, SchemaRef};
use parking_lot::Mutex;

use crate::encode::{DictionaryRecord, schema_message};
use crate::map::{own_batch, own_records, verified_records};
use crate::options::Compression;
use crate::types::{check, collect_values, count_dictionaries};
use crate::{Error, Result};
pub(crate) use shape::{Expected, Shape};

/// Why the contents of a record are believed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// This process encoded it.
    Own,
    /// All that is read of it was verified before.
    Verified(Verified),
    /// It is not: its metadata and these columns are, against the checksum of its entry.
    Unverified {
        crc: u32,
        rows: u64,
        fresh: &'a [usize],
    },
}

/// Says that columns of a record were verified: their checksums, their bounds, and one decoding in
/// which all was validated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verified(());

/// The dictionary of one id that was decoded last.
#[derive(Debug)]
struct Decoded {
    record: Arc<DictionaryRecord>,
    values: ArrayRef,
    /// What it takes on the heap if it does not point into a map.
    bytes: u64,
}

/// What decoding has to know of the schema.
#[derive(Debug)]
pub(crate) struct Decoder {
    schema: SchemaRef,
    /// The same schema with dictionary ids; the same object where there are none.
    numbered: SchemaRef,
    /// Which dictionary ids the columns use.
    ids: Vec<Range<i64>>,
    /// By dictionary id, a schema of one column: its values.
    values: Vec<SchemaRef>,
    decoded: Mutex<Vec<Option<Decoded>>>,
    decoded_bytes: AtomicU64,
    codec: Option<ipc::CompressionType>,
    /// Whether bodies end with a table of checksums.
    has_table: bool,
    own: UnsafeFlag,
    verified: UnsafeFlag,
}

impl Decoder {
    pub(crate) fn new(
        schema: SchemaRef,
        compression: Option<Compression>,
        has_table: bool,
    ) -> Result<Self> {
        let mut ids = Vec::with_capacity(schema.fields().len());
        let mut next = 0;
        for field in schema.fields() {
            check(field)?;
            let end = next + count_dictionaries(field.data_type());
            ids.push(next..end);
            next = end;
        }
        let mut values = Vec::new();
        let numbered = if next == 0 {
            Arc::clone(&schema)
        } else {
            let message = schema_message(&schema, 0);
            let numbered = Arc::new(ipc::convert::try_schema_from_ipc_buffer(&message)?);
            for field in numbered.fields() {
                collect_values(field.data_type(), &mut values);
            }
            numbered
        };
        if i64::try_from(values.len()) != Ok(next) || numbered.fields() != schema.fields() {
            return Err(Error::Schema {
                reason: "it does not survive the Arrow IPC format".to_owned(),
            });
        }
        let decoded = values.iter().map(|_| None).collect();
        Ok(Self {
            schema,
            numbered,
            ids,
            values,
            decoded: Mutex::new(decoded),
            decoded_bytes: AtomicU64::new(0),
            codec: compression.map(|compression| match compression {
                Compression::Lz4 => ipc::CompressionType::LZ4_FRAME,
                Compression::Zstd => ipc::CompressionType::ZSTD,
            }),
            has_table,
            own: own_records(),
            verified: verified_records(),
        })
    }

    /// Compressed buffers that stayed as they are lie 8 bytes behind a multiple of 64.
    fn requires_alignment(&self) -> bool {
        self.codec.is_none()
    }

    /// What the dictionaries that were decoded last take, if they do not point into a map.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        self.decoded_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many dictionary ids there are.
    pub(crate) fn dictionary_ids(&self) -> usize {
        self.values.len()
    }

    /// The ids of the dictionaries that some columns use, those inside others left out only where
    /// nobody asks for them.
    pub(crate) fn ids_of(&self, projection: Option<&[usize]>) -> impl Iterator<Item = i64> {
        let all = self.ids.iter().enumerate();
        all.filter(move |(column, _)| projection.is_none_or(|columns| columns.contains(column)))
            .flat_map(|(_, ids)| ids.clone())
    }

    /// The ids of the dictionaries inside the values of a dictionary.
    pub(crate) fn inner_ids(&self, id: i64) -> Range<i64> {
        let schema = usize::try_from(id).ok().and_then(|id| self.values.get(id));
        let inner = schema
            .and_then(|schema| schema.fields().first())
            .map_or(0, |field| count_dictionaries(field.data_type()));
        id - inner..id
    }

    /// Decodes a batch; `fetch` brings the bytes of a dictionary record. Of a record that is not
    /// trusted nothing that the arrow crates do is worse than an error.
    pub(crate) fn batch(
        &self,
        bytes: &Buffer,
        metadata_len: usize,
        dictionaries: &[Arc<DictionaryRecord>],
        projection: Option<&[usize]>,
        fetch: &dyn Fn(&DictionaryRecord) -> Result<Buffer>,
        trust: Trust<'_>,
    ) -> Result<RecordBatch> {
        let decode =
            || self.decode_batch(bytes, metadata_len, dictionaries, projection, fetch, trust);
        match trust {
            Trust::Own | Trust::Verified(_) => decode(),
            Trust::Unverified { .. } => caught(decode),
        }
    }

    fn decode_batch(
        &self,
        bytes: &Buffer,
        metadata_len: usize,
        dictionaries: &[Arc<DictionaryRecord>],
        projection: Option<&[usize]>,
        fetch: &dyn Fn(&DictionaryRecord) -> Result<Buffer>,
        trust: Trust<'_>,
    ) -> Result<RecordBatch> {
        let mut by_id = HashMap::new();
        if !dictionaries.is_empty() {
            let needed = |id| match projection {
                None => true,
                Some(columns) => columns
                    .iter()
                    .any(|&c| self.ids.get(c).is_some_and(|ids| ids.contains(&id))),
            };
            for record in dictionaries.iter().filter(|record| needed(record.id)) {
                by_id.insert(record.id, self.dictionary(record, fetch)?);
            }
        }
        let message = message(bytes, metadata_len)?;
        let header = message
            .header_as_record_batch()
            .ok_or_else(|| damaged("it is not a batch"))?;
        let body = bytes.slice(metadata_len);
        let flag = match trust {
            Trust::Own => self.own.clone(),
            Trust::Verified(Verified(())) => self.verified.clone(),
            Trust::Unverified { crc, rows, fresh } => {
                let shape = self.shape(&message, &header, body.len(), &self.numbered)?;
                let metadata = bytes.get(..metadata_len).unwrap_or_default();
                if shape.sum(metadata, &body)? != crc {
                    return Err(damaged("its checksum does not fit"));
                }
                if u64::try_from(header.length()) != Ok(rows) {
                    return Err(damaged("it has not as many rows as its entry says"));
                }
                for &column in fresh {
                    shape.check_column(column, &body)?;
                }
                UnsafeFlag::new()
            }
        };
        let version = message.version();
        let schema = Arc::clone(&self.numbered);
        let batch = RecordBatchDecoder::try_new(&body, header, schema, &by_id, &version)?
            .with_projection(projection)
            .with_require_alignment(self.requires_alignment())
            .with_skip_validation(flag)
            .read_record_batch()?;
        if Arc::ptr_eq(&self.schema, &self.numbered) {
            return Ok(batch);
        }
        let schema = match projection {
            None => Arc::clone(&self.schema),
            Some(columns) => Arc::new(self.schema.project(columns)?),
        };
        let (_, columns, rows) = batch.into_parts();
        Ok(own_batch(schema, columns, rows))
    }

    fn shape(
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

    /// The values of a dictionary; the last of each id is kept, so that batches which share it
    /// decode it once.
    fn dictionary(
        &self,
        record: &Arc<DictionaryRecord>,
        fetch: &dyn Fn(&DictionaryRecord) -> Result<Buffer>,
    ) -> Result<ArrayRef> {
        let slot = usize::try_from(record.id).unwrap_or(usize::MAX);
        if let Some(Some(decoded)) = self.decoded.lock().get(slot)
            && Arc::ptr_eq(&decoded.record, record)
        {
            return Ok(Arc::clone(&decoded.values));
        }
        let values = if record.is_verified.load(Ordering::Acquire) {
            self.decode_dictionary(record, slot, fetch)?
        } else {
            let values = caught(|| self.decode_dictionary(record, slot, fetch))?;
            record.is_verified.store(true, Ordering::Release);
            values
        };
        let bytes = if self.requires_alignment() {
            u64::from(record.metadata_len) + record.body_len
        } else {
            values.get_buffer_memory_size() as u64
        };
        if let Some(place) = self.decoded.lock().get_mut(slot) {
            let before = place.replace(Decoded {
                record: Arc::clone(record),
                values: Arc::clone(&values),
                bytes,
            });
            let before = before.map_or(0, |decoded| decoded.bytes);
            self.decoded_bytes.fetch_add(bytes, Ordering::Relaxed);
            self.decoded_bytes.fetch_sub(before, Ordering::Relaxed);
        }
        Ok(values)
    }

    fn decode_dictionary(
        &self,
        record: &Arc<DictionaryRecord>,
        slot: usize,
        fetch: &dyn Fn(&DictionaryRecord) -> Result<Buffer>,
    ) -> Result<ArrayRef> {
        let mut by_id = HashMap::new();
        for inner in &record.inner {
            by_id.insert(inner.id, self.dictionary(inner, fetch)?);
        }
        let bytes = fetch(record)?;
        let metadata_len = record.metadata_len as usize;
        let flag = if record.is_verified.load(Ordering::Acquire) {
            self.verified.clone()
        } else {
            self.verify(&bytes, metadata_len, record.crc, Some(record.id))?;
            UnsafeFlag::new()
        };
        let message = message(&bytes, metadata_len)?;
        let header = message
            .header_as_dictionary_batch()
            .and_then(|dictionary| dictionary.data())
            .ok_or_else(|| damaged("it is not a dictionary"))?;
        let schema = self.values.get(slot).ok_or_else(|| damaged("unknown id"))?;
        let body = bytes.slice(metadata_len);
        let version = message.version();
        let batch =
            RecordBatchDecoder::try_new(&body, header, Arc::clone(schema), &by_id, &version)?
                .with_require_alignment(self.requires_alignment())
                .with_skip_validation(flag)
                .read_record_batch()?;
        let (_, columns, _) = batch.into_parts();
        let values = columns.into_iter().next();
        values.ok_or_else(|| damaged("no values"))
    }
}

/// The bits of a log whose records are verified as they are first read. They are the only source of
/// [`Verified`].
#[derive(Debug)]
pub(crate) struct VerifiedBits {
    columns: usize,
    /// By block of records, a few words for each record: a bit for each column, and one for the rest.
    blocks: parking_lot::RwLock<HashMap<usize, Arc<[AtomicU64]>>>,
}

/// How many records have their bits in one block.
const BLOCK: usize = 512;

impl VerifiedBits {
    pub(crate) fn new(columns: usize) -> Self {
        Self {
            columns,
            blocks: parking_lot::RwLock::default(),
        }
    }

    fn words(&self) -> usize {
        (self.columns + 1).div_ceil(64)
    }

    /// The bits of a column of a record: those of its block, the word and the mask.
    fn place(&self, record: usize, column: usize) -> (usize, u64) {
        let word = record % BLOCK * self.words() + column / 64;
        (word, 1 << (column % 64))
    }

    /// The columns among those wanted that were not verified, or the word that all were.
    pub(crate) fn look(
        &self,
        record: usize,
        wanted: impl Iterator<Item = usize>,
    ) -> Result<Verified, Vec<usize>> {
        let block = self.blocks.read().get(&(record / BLOCK)).map(Arc::clone);
        let has = |column| {
            let (word, mask) = self.place(record, column);
            let bits = block.as_ref().and_then(|block| block.get(word));
            bits.is_some_and(|bits| bits.load(Ordering::Acquire) & mask != 0)
        };
        let fresh: Vec<_> = wanted.filter(|&column| !has(column)).collect();
        if fresh.is_empty() && has(self.columns) {
            Ok(Verified(()))
        } else {
            Err(fresh)
        }
    }

    /// Takes note of columns of a record that were decoded as [`Trust::Unverified`] without an error.
    pub(crate) fn set(&self, record: usize, columns: &[usize]) {
        let known = self.blocks.read().get(&(record / BLOCK)).map(Arc::clone);
        let block = known.unwrap_or_else(|| {
            let mut blocks = self.blocks.write();
            let block = blocks.entry(record / BLOCK).or_insert_with(|| {
                let words = BLOCK * self.words();
                (0..words).map(|_| AtomicU64::new(0)).collect()
            });
            Arc::clone(block)
        });
        for &column in columns.iter().chain([&self.columns]) {
            let (word, mask) = self.place(record, column);
            if let Some(bits) = block.get(word) {
                bits.fetch_or(mask, Ordering::Release);
            }
        }
    }
}

/// Runs something that may panic for bytes that nobody foresaw; then those are damaged.
pub(crate) fn caught<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    // Nothing that a panic could leave half done is looked at again: arrays under way are dropped.
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(damaged("it can't be decoded")))
}

/// The flatbuffer at the head of a message.
fn message(bytes: &Buffer, metadata_len: usize) -> Result<ipc::Message<'_>> {
    let metadata = bytes
        .get(8..metadata_len)
        .ok_or_else(|| damaged("no metadata"))?;
    ipc::root_as_message(metadata).map_err(|e| damaged(&e.to_string()))
}

fn damaged(reason: &str) -> Error {
    Error::Arrow(arrow_schema::ArrowError::IpcError(format!(
        "bad record: {reason}"
    )))
}
