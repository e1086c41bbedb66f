//! The dictionaries of a segment: which of them a batch needs.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::locks::Mutex;

use super::index::IndexFile;
use super::known::Among;
use crate::Result;
use crate::decode::Decoder;
use crate::encode::DictionaryRecord;
use crate::format::{Damage, Entry, EntryKind};

/// The dictionaries of the segments that were read, by segment.
#[derive(Debug, Default)]
pub(super) struct Dictionaries {
    segments: Mutex<HashMap<u32, Directory>>,
}

/// The dictionaries of one segment, by id, in the order of their slots.
#[derive(Debug, Default)]
struct Directory {
    by_id: HashMap<i64, Vec<(u64, Arc<DictionaryRecord>)>>,
    /// The slot up to which they were looked for, 0 if nowhere.
    up_to: u64,
}

impl Directory {
    fn before(&self, id: i64, slot: u64) -> Option<Arc<DictionaryRecord>> {
        let all = self.by_id.get(&id)?;
        let count = all.partition_point(|(at, _)| *at < slot);
        let (_, record) = all.get(count.checked_sub(1)?)?;
        Some(Arc::clone(record))
    }

    fn add(&mut self, decoder: &Decoder, slot: u64, entry: Entry) -> Result<(), Damage> {
        let EntryKind::Dictionary { id, extent, .. } = entry.kind else {
            return Err(Damage::Value("kind"));
        };
        let known = usize::try_from(id).is_ok_and(|id| id < decoder.dictionary_ids());
        let id = i64::try_from(id).ok().filter(|_| known);
        let id = id.ok_or(Damage::Value("dictionary id"))?;
        // Those inside its values were written before it.
        let inner = decoder.inner_ids(id);
        let inner = inner.filter_map(|inner| self.before(inner, slot)).collect();
        let record = Arc::new(DictionaryRecord {
            id,
            segment: extent.segment,
            offset: extent.offset,
            metadata_len: extent.metadata_len,
            body_len: extent.body_len,
            inner,
            crc: extent.crc,
            is_verified: AtomicBool::new(false),
        });
        self.by_id.entry(id).or_default().push((slot, record));
        Ok(())
    }
}

impl Dictionaries {
    /// The dictionaries that some columns of the batch at `slot` of a segment need.
    pub(super) fn needed(
        &self,
        index: &IndexFile,
        decoder: &Decoder,
        segment: u32,
        among: &Among,
        slot: u64,
        projection: Option<&[usize]>,
    ) -> Result<Vec<Arc<DictionaryRecord>>> {
        if decoder.dictionary_ids() == 0 {
            return Ok(Vec::new());
        }
        let mut segments = self.segments.lock();
        let directory = segments.entry(segment).or_default();
        let from = directory.up_to.max(among.low);
        if from < among.high {
            let mut damage = None;
            index.dictionaries(from, among.high, |slot, entry| {
                if let Err(e) = directory.add(decoder, slot, entry) {
                    damage.get_or_insert((slot, e));
                }
            })?;
            if let Some((slot, e)) = damage {
                segments.remove(&segment);
                return Err(index.damage(slot, e));
            }
            directory.up_to = among.high;
        }
        let ids = decoder.ids_of(projection);
        Ok(ids.filter_map(|id| directory.before(id, slot)).collect())
    }

    /// Forgets what was found behind a slot.
    pub(super) fn forget(&self) {
        self.segments.lock().clear();
    }
}
