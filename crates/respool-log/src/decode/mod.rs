//! From the bytes of a record to a batch that points into them.
//!
//! A record is read by itself: the dictionaries it needs are named by its entry, and no state is
//! carried from record to record. Contents are not validated where this process encoded them, or
//! where they were validated before; see [`Trust`].

mod bits;
mod dictionary;
mod plain;
mod shape;
mod source;
mod trust;
mod verify;

use std::collections::HashMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locks::Mutex;
use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_data::UnsafeFlag;
use arrow_ipc as ipc;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_schema::SchemaRef;

use crate::encode::{DictionaryRecord, schema_message};
use crate::map::{own_batch, own_records, verified_records};
use crate::options::Compression;
use crate::types::{check, collect_values, count_dictionaries};
use crate::{Error, Result};
pub(crate) use bits::Bits;
use shape::{Expected, Shape};
pub(crate) use source::Source;
pub(crate) use trust::{Trust, VerifiedBits};

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
    /// Whether bodies begin with a table of checksums.
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

    /// Decodes a batch. Of a record that is not trusted nothing that the arrow crates do is worse than an
    /// error.
    pub(crate) fn batch(
        &self,
        bytes: &Buffer,
        metadata_len: usize,
        dictionaries: &[Arc<DictionaryRecord>],
        projection: Option<&[usize]>,
        source: Source<'_>,
        trust: Trust<'_>,
    ) -> Result<RecordBatch> {
        let decode =
            || self.decode_batch(bytes, metadata_len, dictionaries, projection, source, trust);
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
        source: Source<'_>,
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
                by_id.insert(record.id, self.dictionary(record, source)?);
            }
        }
        let message = message(bytes, metadata_len)?;
        let header = message
            .header_as_record_batch()
            .ok_or_else(|| damaged("it is not a batch"))?;
        let body = bytes.slice(metadata_len);
        let version = message.version();
        let decode = |projection: Option<&[usize]>, flag| {
            let schema = Arc::clone(&self.numbered);
            RecordBatchDecoder::try_new(&body, header, schema, &by_id, &version)?
                .with_projection(projection)
                .with_require_alignment(self.requires_alignment())
                .with_skip_validation(flag)
                .read_record_batch()
        };
        let columns = projection.unwrap_or_default();
        if !matches!(trust, Trust::Unverified { .. }) {
            self.tell_ahead(&header, body.len(), columns, source);
        }
        let flag = match trust {
            Trust::Own => self.own.clone(),
            Trust::Verified(_) => self.verified.clone(),
            Trust::Unverified { crc, rows, fresh } => {
                let shape = self.shape(&message, &header, body.len(), &self.numbered)?;
                let metadata = bytes.get(..metadata_len).unwrap_or_default();
                if shape.sum(metadata, &body)? != crc {
                    return Err(damaged("its checksum does not fit"));
                }
                if u64::try_from(header.length()) != Ok(rows) {
                    return Err(damaged("it has not as many rows as its entry says"));
                }
                self.tell_ahead(&header, body.len(), columns, source);
                let mut doubtful = Vec::new();
                for &column in fresh {
                    shape.check_column(column, &body)?;
                    let field = self.numbered.fields().get(column);
                    let is_valid =
                        field.is_some_and(|f| shape.is_valid(column, rows, f.data_type(), &body));
                    if !is_valid {
                        doubtful.push(column);
                    }
                }
                if self.codec.is_some() {
                    // Nothing is decompressed twice.
                    UnsafeFlag::new()
                } else {
                    decode(Some(&doubtful), UnsafeFlag::new())?;
                    self.verified.clone()
                }
            }
        };
        let batch = decode(projection, flag)?;
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

/// Refuses columns that are not there.
pub(crate) fn check_projection(projection: Option<&[usize]>, columns: usize) -> Result<()> {
    let mut asked = projection.unwrap_or_default().iter();
    match asked.find(|&&column| column >= columns) {
        None => Ok(()),
        Some(&index) => Err(Error::OutOfRange {
            what: "column",
            index,
            len: columns,
        }),
    }
}
