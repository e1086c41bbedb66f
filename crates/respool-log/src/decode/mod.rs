//! From the bytes of a record to a batch that points into them.
//!
//! A record is read by itself: the dictionaries it needs are named by its entry, and no state is
//! carried from record to record. Contents are not validated, because this process encoded them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_data::UnsafeFlag;
use arrow_ipc as ipc;
use arrow_ipc::reader::RecordBatchDecoder;
use arrow_schema::SchemaRef;
use parking_lot::Mutex;

use crate::encode::{DictionaryRecord, schema_message};
use crate::map::{own_batch, own_records};
use crate::types::{buffer_count, check, collect_values, count_dictionaries};
use crate::{Error, Result};

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
    require_alignment: bool,
    trusted: UnsafeFlag,
}

impl Decoder {
    pub(crate) fn new(schema: SchemaRef, compressed: bool) -> Result<Self> {
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
            // Compressed buffers that stayed as they are lie 8 bytes behind a multiple of 64.
            require_alignment: !compressed,
            trusted: own_records(),
        })
    }

    /// What the dictionaries that were decoded last take, if they do not point into a map.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        self.decoded_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Decodes a batch; `fetch` brings the bytes of a dictionary record.
    pub(crate) fn batch(
        &self,
        bytes: &Buffer,
        metadata_len: usize,
        dictionaries: &[Arc<DictionaryRecord>],
        projection: Option<&[usize]>,
        fetch: &dyn Fn(&DictionaryRecord) -> Result<Buffer>,
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
        let version = message.version();
        let schema = Arc::clone(&self.numbered);
        let batch = RecordBatchDecoder::try_new(&body, header, schema, &by_id, &version)?
            .with_projection(projection)
            .with_require_alignment(self.require_alignment)
            .with_skip_validation(self.trusted.clone())
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

    /// The ranges of the body that some columns lie in, given the metadata of a record.
    pub(crate) fn wanted(&self, metadata: &[u8], columns: &[usize]) -> Result<Vec<Range<usize>>> {
        let metadata = metadata.get(8..).ok_or_else(|| damaged("no metadata"))?;
        let message = ipc::root_as_message(metadata).map_err(|e| damaged(&e.to_string()))?;
        let header = message
            .header_as_record_batch()
            .ok_or_else(|| damaged("it is not a batch"))?;
        let mut buffers = header.buffers().unwrap_or_default().iter();
        let mut variadic = header.variadicBufferCounts().unwrap_or_default().iter();
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for (column, field) in self.numbered.fields().iter().enumerate() {
            let count = buffer_count(field.data_type(), &mut variadic);
            let is_wanted = columns.contains(&column);
            for buffer in buffers
                .by_ref()
                .take(count)
                .filter(|b| is_wanted && b.length() > 0)
            {
                let bounds = || damaged("a buffer has no place");
                let start = usize::try_from(buffer.offset()).map_err(|_| bounds())?;
                let len = usize::try_from(buffer.length()).map_err(|_| bounds())?;
                let end = start.checked_add(len).ok_or_else(bounds)?;
                match ranges.last_mut() {
                    // Padding in between is cheaper to read than to leave out.
                    Some(last) if start >= last.end && start - last.end < 64 => last.end = end,
                    _ => ranges.push(start..end),
                }
            }
        }
        Ok(ranges)
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
        let mut by_id = HashMap::new();
        for inner in &record.inner {
            by_id.insert(inner.id, self.dictionary(inner, fetch)?);
        }
        let bytes = fetch(record)?;
        let metadata_len = record.metadata_len as usize;
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
                .with_require_alignment(self.require_alignment)
                .with_skip_validation(self.trusted.clone())
                .read_record_batch()?;
        let (_, columns, _) = batch.into_parts();
        let values = columns
            .into_iter()
            .next()
            .ok_or_else(|| damaged("no values"))?;
        let bytes = if self.require_alignment {
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
