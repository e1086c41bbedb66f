//! What of a log is published: where its records are, and the segments they are in.
//!
//! The list is locked for as long as it takes to push or copy an entry.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locks::RwLock;

use crate::encode::DictionaryRecord;
use crate::format::Totals;
use crate::segment::Segment;

/// What readers see.
#[derive(Debug, Default)]
pub(crate) struct Published {
    list: RwLock<List>,
    rows: AtomicU64,
    /// The bytes that the rows of all batches showed.
    shown: AtomicU64,
    /// The bytes that count in the files of the log.
    bytes: AtomicU64,
    /// What the writer's dictionaries take on the heap.
    dictionaries: AtomicU64,
}

#[derive(Debug, Default)]
struct List {
    /// The number of the first segment.
    first: u32,
    records: Vec<Record>,
    segments: Vec<Arc<Segment>>,
}

impl List {
    fn segment(&self, number: u32) -> Option<&Arc<Segment>> {
        let place = number.checked_sub(self.first)?;
        self.segments.get(place as usize)
    }
}

/// Where a batch is.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) segment: u32,
    pub(crate) metadata_len: u32,
    pub(crate) offset: u64,
    pub(crate) body_len: u64,
    pub(crate) dictionaries: Option<Arc<[Arc<DictionaryRecord>]>>,
}

impl Published {
    /// What readers see of a log that goes on: nothing of the segments before `first`.
    pub(crate) fn resumed(first: u32, before: Totals, bytes: u64) -> Self {
        Self {
            list: RwLock::new(List {
                first,
                ..List::default()
            }),
            rows: AtomicU64::new(before.rows),
            shown: AtomicU64::new(before.shown),
            bytes: AtomicU64::new(bytes),
            dictionaries: AtomicU64::new(0),
        }
    }

    /// Takes the next segment, also if it stays without records: they are found by their number.
    pub(crate) fn begun(&self, segment: &Arc<Segment>) {
        self.list.write().segments.push(Arc::clone(segment));
    }

    /// Publishes a record of some rows, of which some bytes show.
    pub(crate) fn push(&self, record: Record, rows: u64, shown: u64) {
        self.list.write().records.push(record);
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.shown.fetch_add(shown, Ordering::Relaxed);
    }

    /// A record and its segment, or how many records there are.
    pub(crate) fn record(&self, number: usize) -> Result<(Record, Arc<Segment>), usize> {
        let list = self.list.read();
        list.records
            .get(number)
            .and_then(|record| {
                let segment = list.segment(record.segment)?;
                Some((record.clone(), Arc::clone(segment)))
            })
            .ok_or(list.records.len())
    }

    pub(crate) fn segment(&self, number: u32) -> Option<Arc<Segment>> {
        self.list.read().segment(number).cloned()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.read().records.len()
    }

    /// Says what the writer's dictionaries take on the heap.
    pub(crate) fn set_dictionary_bytes(&self, bytes: u64) {
        self.dictionaries.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn dictionary_bytes(&self) -> u64 {
        self.dictionaries.load(Ordering::Relaxed)
    }

    /// Counts bytes in the files of the log.
    pub(crate) fn add_bytes(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    pub(crate) fn shown(&self) -> u64 {
        self.shown.load(Ordering::Relaxed)
    }
}
