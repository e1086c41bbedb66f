//! Dictionaries: written when they are needed and new, referred to when they are known.
//!
//! Values that the segment already has, by address or by content, are not written again. Of a
//! dictionary that is much larger than the batch needs only the used values are written, until
//! that has cost about as much as the whole; then the whole is written once and referred to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow_array::types::ArrowDictionaryKeyType;
use arrow_array::{Array, ArrayRef, DictionaryArray, PrimitiveArray, UInt64Array, make_array};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer};
use arrow_data::ArrayData;

use super::narrow::WORTH;
use crate::Result;

/// Where the values of a dictionary lie.
#[derive(Debug)]
pub(crate) struct DictionaryRecord {
    pub(crate) id: i64,
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) metadata_len: u32,
    pub(crate) body_len: u64,
    /// The dictionaries within the values.
    pub(crate) inner: Box<[Arc<DictionaryRecord>]>,
    /// The checksum of its entry; 0 where this process wrote it.
    pub(crate) crc: u32,
    /// Whether its bytes are known to be good.
    pub(crate) is_verified: AtomicBool,
}

/// A dictionary that was written.
#[derive(Debug)]
struct Known {
    values: ArrayData,
    /// What the values take on the heap.
    bytes: u64,
    /// Whether they are a copy of ours: a buffer of a producer may keep all of its batch alive.
    is_copy: bool,
    record: Arc<DictionaryRecord>,
}

/// What was spent on parts of a dictionary that was never written whole.
#[derive(Debug)]
pub(super) struct Spent {
    values: ArrayData,
    bytes: u64,
}

/// The dictionaries that the segment under way has, by id.
///
/// Values are held so that their addresses stay theirs, and an address proves them equal. They are
/// those of the batch that came last, and of no batch before: what that did not bring is copied.
#[derive(Debug, Default)]
pub(crate) struct Dictionaries {
    known: HashMap<i64, Known>,
    spent: HashMap<i64, Spent>,
}

/// What becomes known when a plan is on disk.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    known: Vec<(i64, ArrayData, Arc<DictionaryRecord>)>,
    spent: Vec<(i64, Spent)>,
}

impl Pending {
    /// The values of the batch, and the record that has them.
    pub(super) fn know(&mut self, id: i64, values: ArrayData, record: Arc<DictionaryRecord>) {
        self.known.push((id, values, record));
    }

    pub(super) fn spend(&mut self, id: i64, spent: Spent) {
        self.spent.push((id, spent));
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.spent.clear();
    }
}

/// Whether the segment has a dictionary.
pub(super) enum Lookup {
    /// It has these values.
    Same(Arc<DictionaryRecord>),
    /// It has other values under this id.
    Other,
    /// It has nothing under this id.
    None,
}

impl Known {
    fn has(&self, values: &ArrayData) -> bool {
        self.values.ptr_eq(values) || same(&self.values, values)
    }
}

impl Dictionaries {
    /// What the segment has under an id.
    pub(super) fn lookup(&self, id: i64, values: &ArrayData) -> Lookup {
        match self.known.get(&id) {
            Some(known) if known.has(values) => Lookup::Same(Arc::clone(&known.record)),
            Some(_) => Lookup::Other,
            None => Lookup::None,
        }
    }

    /// Forgets everything: the next segment has to be readable by itself.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.spent.clear();
    }

    /// Holds the values of the batch that was written, and lets go of the batch before.
    pub(super) fn commit(&mut self, pending: &mut Pending) {
        // An address that is not held any more proves nothing, so the account goes with it.
        self.spent.clear();
        self.spent.extend(pending.spent.drain(..));
        for (id, known) in &mut self.known {
            let is_brought = pending.known.iter().any(|(brought, ..)| brought == id);
            if !is_brought && !known.is_copy {
                known.values = copy(&known.values);
                known.is_copy = true;
            }
        }
        for (id, values, record) in pending.known.drain(..) {
            // Also where the address is the same: it may have another owner.
            let before = self.known.get(&id).filter(|k| k.values.ptr_eq(&values));
            let bytes = before.map_or_else(|| size(&values), |known| known.bytes);
            let known = Known {
                values,
                bytes,
                is_copy: false,
                record,
            };
            self.known.insert(id, known);
        }
    }

    /// What all of it takes on the heap.
    pub(crate) fn bytes(&self) -> u64 {
        let known = self.known.values().map(|known| known.bytes);
        let spent = self.spent.values().map(|spent| size(&spent.values));
        known.chain(spent).sum()
    }
}

/// A dictionary array as it will be written.
pub(super) struct Chosen {
    pub(super) keys: ArrayRef,
    pub(super) values: ArrayRef,
    /// Whether the values are not the batch's, which uses none, but those that the segment has.
    pub(super) is_stand_in: bool,
    /// What this adds to the account of the dictionary it was cut from.
    pub(super) spent: Option<Spent>,
}

impl Dictionaries {
    /// Decides between the dictionary as it is and a smaller one with the values that are used.
    pub(super) fn choose<K: ArrowDictionaryKeyType>(
        &self,
        id: i64,
        array: &DictionaryArray<K>,
    ) -> Result<Chosen> {
        let keys = array.keys();
        let values = array.values();
        let whole = |spent| {
            Ok(Chosen {
                keys: Arc::new(keys.clone()),
                values: Arc::clone(values),
                is_stand_in: false,
                spent,
            })
        };
        // A batch with more rows than the dictionary has values is taken to use most of them.
        if keys.len() >= values.len() {
            return whole(None);
        }
        let data = values.to_data();
        let known = self.known.get(&id);
        if known.is_some_and(|known| known.has(&data)) {
            return whole(None);
        }
        let size = data.get_slice_memory_size().unwrap_or(usize::MAX) as u64;
        if size < WORTH {
            return whole(None);
        }
        let mut used = BooleanBufferBuilder::new(values.len());
        used.append_n(values.len(), false);
        let mut count = 0usize;
        for key in keys.iter().flatten() {
            let key = key.as_usize();
            if key < values.len() && !used.get_bit(key) {
                used.set_bit(key, true);
                count += 1;
            }
        }
        if let Some(known) = known.filter(|_| count == 0) {
            // Without a value in use any dictionary will do, so the one that is there does.
            return Ok(Chosen {
                keys: Arc::new(keys.clone()),
                values: make_array(known.values.clone()),
                is_stand_in: true,
                spent: None,
            });
        }
        if count.saturating_mul(2) >= values.len() {
            return whole(None);
        }
        let used = used.finish();
        let indices: Vec<u64> = used.set_indices().map(|i| i as u64).collect();
        let taken = arrow_select::take::take(values, &UInt64Array::from(indices), None)?;
        let cost = taken.to_data().get_slice_memory_size().unwrap_or(0) as u64;
        let before = self
            .spent
            .get(&id)
            .filter(|spent| spent.values.ptr_eq(&data))
            .map_or(0, |spent| spent.bytes);
        if cost.saturating_mul(2) >= size || before + cost > size {
            return whole(None);
        }
        let mut places = vec![K::Native::default(); values.len()];
        for (place, index) in used.set_indices().enumerate() {
            if let Some(slot) = places.get_mut(index) {
                *slot = K::Native::usize_as(place);
            }
        }
        let renamed: PrimitiveArray<K> =
            keys.unary(|key| places.get(key.as_usize()).copied().unwrap_or_default());
        Ok(Chosen {
            keys: Arc::new(renamed),
            values: taken,
            is_stand_in: false,
            spent: Some(Spent {
                values: data,
                bytes: before + cost,
            }),
        })
    }
}

/// Whether two dictionaries have the same values; lengths differ where most differ.
fn same(a: &ArrayData, b: &ArrayData) -> bool {
    a.len() == b.len() && a == b
}

/// What values take on the heap: what they show of their buffers.
fn size(values: &ArrayData) -> u64 {
    let shown = values.get_slice_memory_size();
    shown.unwrap_or_else(|_| values.get_array_memory_size()) as u64
}

/// The same values in buffers of their own.
fn copy(values: &ArrayData) -> ArrayData {
    let own = |buffer: &Buffer| Buffer::from_slice_ref(buffer.as_slice());
    let nulls = values.nulls().map(|nulls| {
        let bits = nulls.inner();
        NullBuffer::new(BooleanBuffer::new(
            own(bits.inner()),
            bits.offset(),
            bits.len(),
        ))
    });
    let copied = ArrayData::builder(values.data_type().clone())
        .len(values.len())
        .offset(values.offset())
        .nulls(nulls)
        .buffers(values.buffers().iter().map(own).collect())
        .child_data(values.child_data().iter().map(copy).collect())
        .build();
    // Values that are not what they should be can't be copied; they are held as they are.
    copied.unwrap_or_else(|_| values.clone())
}
