//! The one truth: which batches there are, and where each of them is.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::RecordBatch;
use respool_log::Log;

use crate::error::SourceFailure;
use crate::ledger::Charged;
use crate::source::Source;
use crate::sync::ThreadId;

/// Guarded by one short lock; nobody pulls, reads a file or calls foreign code while holding it.
#[derive(Default)]
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
#[derive(Debug, Clone, Default)]
pub enum End {
    /// There may be more.
    #[default]
    Open,
    /// The source said that it was at its end, and everything is stored.
    Complete,
    /// The source failed after the batches that are stored.
    Failed(Arc<SourceFailure>),
}

/// The source, and what was pulled from it but is not stored yet.
pub(crate) struct Feed {
    pub(crate) source: Box<dyn Source>,
    /// Small batches that wait to be joined; they count in the ledger.
    pub(crate) joining: Vec<Charged>,
    /// Their rows.
    pub(crate) joining_rows: usize,
    /// What the next slots will hold, the first first.
    pub(crate) pending: VecDeque<RecordBatch>,
    /// How the source ended, once it did while batches were waiting.
    pub(crate) end: Option<Result<(), crate::error::BoxError>>,
}

impl Feed {
    pub(crate) fn new(source: Box<dyn Source>) -> Self {
        Self {
            source,
            joining: Vec::new(),
            joining_rows: 0,
            pending: VecDeque::new(),
            end: None,
        }
    }
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
