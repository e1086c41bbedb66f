//! The one truth: which batches there are, and where each of them is.

use std::sync::Arc;
use std::thread::ThreadId;

use arrow_array::RecordBatch;
use respool_log::Log;

use crate::error::SourceFailure;
use crate::ledger::Charged;
use crate::source::Source;

/// Guarded by one short lock; nobody pulls, reads a file or calls foreign code while holding it.
pub(crate) struct State {
    /// Slot `i` is batch `i`. A slot, once published, is there for ever.
    pub(crate) slots: Vec<Slot>,
    /// Batches below this number are clean (in the log, record `i` is batch `i`); the others are dirty.
    pub(crate) clean: usize,
    /// Batches below this number are gone: only without a log, and only by `max_readers`.
    pub(crate) released: usize,
    /// Rows of all slots.
    pub(crate) rows: u64,
    /// Bytes that the batches of all slots show.
    pub(crate) bytes: u64,
    pub(crate) end: End,
    pub(crate) log: Option<Arc<Log>>,
    /// Absent while somebody pulls, and after the end.
    pub(crate) feed: Option<Feed>,
    pub(crate) puller: Option<ThreadId>,
    pub(crate) closed: bool,
    pub(crate) readers: Readers,
}

/// Where batch `i` is.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The heap copy: the only one of a dirty batch, a faster one of a clean batch.
    pub(crate) heap: Option<Arc<Charged>>,
    pub(crate) first_row: u64,
    pub(crate) rows: usize,
}

/// How the source ended. Sticky: only `Open` ever changes.
#[derive(Debug, Clone)]
pub(crate) enum End {
    Open,
    Complete,
    Failed(Arc<SourceFailure>),
}

/// The source, and the batch that was pulled from it but is not stored yet.
pub(crate) struct Feed {
    pub(crate) source: Box<dyn Source>,
    pub(crate) pending: Option<RecordBatch>,
}

/// Positions of the open readers, kept only where `max_readers` can release batches.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    /// Readers ever opened.
    pub(crate) opened: usize,
    /// Position of each open reader, by its number.
    pub(crate) positions: Vec<(usize, usize)>,
    /// Readers open now.
    pub(crate) open: usize,
}

impl State {
    pub(crate) fn new(feed: Feed, log: Option<Arc<Log>>) -> Self {
        Self {
            slots: Vec::new(),
            clean: 0,
            released: 0,
            rows: 0,
            bytes: 0,
            end: End::Open,
            log,
            feed: Some(feed),
            puller: None,
            closed: false,
            readers: Readers::default(),
        }
    }

    /// Publishes the next batch.
    pub(crate) fn push(&mut self, heap: Option<Arc<Charged>>, rows: usize, bytes: u64) {
        self.slots.push(Slot {
            heap,
            first_row: self.rows,
            rows,
        });
        self.rows += rows as u64;
        self.bytes += bytes;
    }

    /// The batch that holds the row, or the number of slots where it is not stored yet.
    pub(crate) fn batch_of_row(&self, row: u64) -> usize {
        self.slots
            .partition_point(|slot| slot.first_row + slot.rows as u64 <= row)
    }
}
