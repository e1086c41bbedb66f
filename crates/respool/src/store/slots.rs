//! The one truth: which batches there are, and where each of them is.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::ahead::Ahead;
use super::records::Records;
use super::upstream::Upstream;
use crate::error::SourceFailure;
use crate::ledger::Charged;
use crate::sync::ThreadId;

/// Guarded by one short lock; nobody pulls, reads a file or calls foreign code while holding it.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) slots: Slots,
    /// Batches below this number are clean (in the log, record `i` is batch `i`); the others are dirty.
    pub(crate) clean: usize,
    /// Batches below this number are gone: only without a log, and only by `max_readers`.
    pub(crate) released: usize,
    /// Rows of all slots.
    pub(crate) rows: u64,
    /// Bytes that the batches of all slots show.
    pub(crate) bytes: u64,
    pub(crate) end: End,
    pub(crate) log: Option<Records>,
    /// Absent while somebody pulls, and after the end.
    pub(crate) upstream: Option<Upstream>,
    pub(crate) puller: Option<ThreadId>,
    pub(crate) ahead: Option<Ahead>,
    /// Who asks the source without having the turn.
    pub(crate) reads_ahead: Option<ThreadId>,
    pub(crate) closed: bool,
    /// Batches that there were when it was closed.
    pub(crate) had: usize,
    pub(crate) readers: Readers,
}

/// Slot `i` is batch `i`. A slot, once published, is there for ever.
///
/// Of the batches that a log had when it was opened, or that another process writes to it, nothing
/// is held here: the index of the log knows them. So a log of a million batches is opened as one of ten.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    /// Batches below this number are known to the index of the log alone.
    indexed: usize,
    /// The rows of these.
    indexed_rows: u64,
    /// Those of them that have a heap copy, because they had to be decoded.
    copies: BTreeMap<usize, Arc<Charged>>,
    /// The batches from there on.
    own: Vec<Slot>,
}

/// Where a batch is that came from the source.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The heap copy: the only one of a dirty batch, a faster one of a clean batch.
    pub(crate) heap: Option<Arc<Charged>>,
    pub(crate) first_row: u64,
    pub(crate) rows: usize,
}

/// What the slots know of a batch.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Known<'a> {
    Slot(&'a Slot),
    /// The index of the log knows its rows; the heap copy is here.
    Indexed(Option<&'a Arc<Charged>>),
}

impl Known<'_> {
    pub(crate) fn heap(self) -> Option<Arc<Charged>> {
        match self {
            Self::Slot(slot) => slot.heap.clone(),
            Self::Indexed(heap) => heap.cloned(),
        }
    }
}

impl Slots {
    pub(crate) fn len(&self) -> usize {
        self.indexed + self.own.len()
    }

    /// How many batches only the index of the log knows, and their rows.
    pub(crate) fn indexed(&self) -> (usize, u64) {
        (self.indexed, self.indexed_rows)
    }

    /// Takes note of batches in the log that come before all others.
    pub(crate) fn index(&mut self, batches: usize, rows: u64) {
        self.indexed = batches;
        self.indexed_rows = rows;
    }

    /// Forgets the batches that came from the source, as the index of the log has them all; gives them back.
    pub(crate) fn without_own(&mut self) -> impl Sized + use<> {
        std::mem::take(&mut self.own)
    }

    pub(crate) fn get(&self, batch: usize) -> Option<Known<'_>> {
        match batch.checked_sub(self.indexed) {
            None => Some(Known::Indexed(self.copies.get(&batch))),
            Some(own) => self.own.get(own).map(Known::Slot),
        }
    }

    fn push(&mut self, slot: Slot) {
        self.own.push(slot);
    }

    /// Lets go of the heap copy of a batch.
    pub(crate) fn take_heap(&mut self, batch: usize) -> Option<Arc<Charged>> {
        match batch.checked_sub(self.indexed) {
            None => self.copies.remove(&batch),
            Some(own) => self.own.get_mut(own)?.heap.take(),
        }
    }

    /// Keeps a heap copy of a batch that has none; gives back what is not kept.
    pub(crate) fn put_heap(&mut self, batch: usize, heap: Arc<Charged>) -> Option<Arc<Charged>> {
        match batch.checked_sub(self.indexed) {
            None if self.copies.contains_key(&batch) => Some(heap),
            None => self.copies.insert(batch, heap),
            Some(own) => match self.own.get_mut(own) {
                Some(slot) if slot.heap.is_none() => slot.heap.replace(heap),
                _ => Some(heap),
            },
        }
    }

    /// The heap copies of a range of batches.
    pub(crate) fn held(&self, range: Range<usize>) -> impl Iterator<Item = (usize, &Arc<Charged>)> {
        let own = |batch: usize| batch.saturating_sub(self.indexed).min(self.own.len());
        let slots = self.own.get(own(range.start)..own(range.end));
        let first = range.start.max(self.indexed);
        let own = (first..).zip(slots.unwrap_or_default());
        let own = own.filter_map(|(batch, slot)| Some((batch, slot.heap.as_ref()?)));
        let copies = if range.is_empty() { 0..0 } else { range };
        let copies = self
            .copies
            .range(copies)
            .map(|(batch, heap)| (*batch, heap));
        copies.chain(own)
    }

    /// Whether every batch has a heap copy.
    pub(crate) fn are_all_held(&self) -> bool {
        self.copies.len() == self.indexed && self.own.iter().all(|slot| slot.heap.is_some())
    }

    /// The batch, of those that came from the source, that holds the row; the number of all where it is not
    /// stored yet.
    pub(crate) fn own_of_row(&self, row: u64) -> usize {
        let past = |slot: &Slot| slot.first_row + slot.rows as u64 <= row;
        self.indexed + self.own.partition_point(past)
    }
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
        if let Some(ahead) = &mut self.ahead {
            ahead.stored(self.slots.len(), bytes);
        }
        self.slots.push(Slot {
            heap,
            first_row: self.rows,
            rows,
        });
        self.rows += rows as u64;
        self.bytes += bytes;
    }

    /// Publishes what another process has written to the log.
    pub(crate) fn follow(&mut self, batches: usize, rows: u64, bytes: u64) {
        self.slots.index(batches, rows);
        self.clean = batches;
        self.rows = rows;
        self.bytes = bytes;
    }
}
