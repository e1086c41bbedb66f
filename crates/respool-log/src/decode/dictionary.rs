//! Dictionaries: decoded when a batch first needs them, and the last of each id kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow_array::{Array, ArrayRef};
use arrow_data::UnsafeFlag;
use arrow_ipc::reader::RecordBatchDecoder;

use super::{Decoded, Decoder, Source, caught, damaged, message};
use crate::Result;
use crate::encode::DictionaryRecord;

impl Decoder {
    /// The values of a dictionary; the last of each id is kept, so that batches which share it
    /// decode it once.
    pub(super) fn dictionary(
        &self,
        record: &Arc<DictionaryRecord>,
        source: Source<'_>,
    ) -> Result<ArrayRef> {
        let slot = usize::try_from(record.id).unwrap_or(usize::MAX);
        if let Some(Some(decoded)) = self.decoded.lock().get(slot)
            && Arc::ptr_eq(&decoded.record, record)
        {
            return Ok(Arc::clone(&decoded.values));
        }
        let values = if record.is_verified.load(Ordering::Acquire) {
            self.decode_dictionary(record, slot, source)?
        } else {
            let values = caught(|| self.decode_dictionary(record, slot, source))?;
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
        source: Source<'_>,
    ) -> Result<ArrayRef> {
        let mut by_id = HashMap::new();
        for inner in &record.inner {
            by_id.insert(inner.id, self.dictionary(inner, source)?);
        }
        let bytes = (source.dictionary)(record)?;
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
