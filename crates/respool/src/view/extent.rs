//! How much of a view is stored.

use std::ops::Range;

use super::View;
use crate::error::Result;
use crate::store::Snapshot;
use crate::store::slots::{End, State};

/// What is stored of a view at one moment; for a filtered one, before its filters. What was stored and let go,
/// as `max_readers` readers had passed it, still counts.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Extent {
    /// Batches that the view shows: of a slice, those that it has rows of.
    pub batches: usize,
    /// Rows that it shows.
    pub rows: u64,
    /// Whether nothing will be added, nothing that it shows is behind an error of the source, and all of
    /// it can be read again: nothing was let go.
    pub is_complete: bool,
    /// The cache at the same moment.
    pub cache: Snapshot,
}

/// Where everything that a view shows can be had for nothing, as often as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residence {
    /// Every batch of the cache has a copy on the heap.
    Memory,
    /// In a log that is read through maps, so that its batches weigh nothing; some on the heap too.
    MappedLog,
}

impl View {
    /// Where everything is; `None` where it has to be waited for, decoded or filtered, or goes by being read.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub fn residence(&self) -> Result<Option<Residence>> {
        let state = self.store().look()?;
        let is_mapped = state.log.as_ref().is_some_and(|log| log.is_zero_copy());
        let is_used_up = self.store().snapshot_of(&state).is_used_up_by_readers;
        if self.is_filtered() || is_used_up || state.closed || !self.is_complete_in(&state) {
            Ok(None)
        } else if state.slots.iter().all(|slot| slot.heap.is_some()) {
            Ok(Some(Residence::Memory))
        } else {
            Ok(is_mapped.then_some(Residence::MappedLog))
        }
    }

    /// What is stored of the view, by one look.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub fn extent(&self) -> Result<Extent> {
        let state = self.store().look()?;
        let (batches, rows) = if self.selection().is_prefix() {
            let range = self.stored_range(&state);
            let stored = |batch: usize| state.slots.get(batch).map_or(state.rows, |s| s.first_row);
            (range.len(), stored(range.end))
        } else {
            let batches = self.shown_batches(&state);
            let slots = batches.iter().filter_map(|batch| state.slots.get(*batch));
            let rows = slots.map(|slot| self.selection().shown_of(slot.first_row, slot.rows));
            (batches.len(), rows.sum())
        };
        Ok(Extent {
            batches,
            rows,
            is_complete: self.is_complete_in(&state),
            cache: self.store().snapshot_of(&state),
        })
    }

    /// Numbers of the stored batches that the view shows something of, ascending.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub fn stored_batches(&self) -> Result<Vec<usize>> {
        let state = self.store().look()?;
        Ok(self.shown_batches(&state))
    }

    fn shown_batches(&self, state: &State) -> Vec<usize> {
        let mut batches = self.selection().within(self.stored_range(state));
        batches.retain(|batch| {
            let slot = state.slots.get(*batch);
            slot.is_some_and(|slot| self.selection().shows(slot.first_row, slot.rows))
        });
        batches
    }

    /// Numbers between which all stored batches of the view lie.
    pub(crate) fn stored_range(&self, state: &State) -> Range<usize> {
        let end = self.selection().end().unwrap_or(usize::MAX);
        let limit = end.min(state.slots.len());
        if self.selection().shows_all_rows() {
            return 0..limit;
        }
        let rows = self.selection().rows();
        let first = state.batch_of_row(rows.start).min(limit);
        if rows.is_empty() {
            return first..first;
        }
        let last = state.batch_of_row(rows.end - 1).saturating_add(1);
        first..last.min(limit).max(first)
    }

    /// Whether all that it shows is stored, and can be read again.
    pub(crate) fn is_complete_in(&self, state: &State) -> bool {
        self.was_stored_in(state) && !self.is_used_up_in(state)
    }

    /// Whether something that it shows was let go, as `max_readers` of them had passed it.
    fn is_used_up_in(&self, state: &State) -> bool {
        let first = self.stored_range(state).start;
        let first = self.selection().at_or_after(first);
        !self.shows_nothing() && first.is_some_and(|first| first < state.released)
    }

    /// Whether nothing is to come of what it shows.
    pub(crate) fn was_stored_in(&self, state: &State) -> bool {
        self.shows_nothing()
            || matches!(state.end, End::Complete)
            || self.selection().rows().end <= state.rows
            || self.passing().end <= self.counted().position().passed
            || (self.selection().end()).is_some_and(|end| end <= state.slots.len())
    }
}
