//! How much of a view is stored.

use std::ops::Range;

use super::View;
use crate::error::Result;
use crate::pack::Encodings;
use crate::store::Snapshot;
use crate::store::records::Records;

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
        let store = self.store();
        store.catch_up()?;
        let (cache, is_mapped, are_held) = {
            let state = store.look()?;
            let is_mapped = state.log.as_ref().is_some_and(Records::is_zero_copy);
            let are_held = !self.is_filtered() && state.slots.are_all_held();
            (store.snapshot_of(&state), is_mapped, are_held)
        };
        // What is kept in other encodings is made anew by each read: whoever holds that holds memory.
        let is_made = store.encodings() == Some(Encodings::DuckDb);
        let is_lasting =
            !self.is_filtered() && !cache.is_used_up_by_readers && !cache.is_closed && !is_made;
        if !is_lasting || !self.is_complete_in(&cache)? {
            Ok(None)
        } else if are_held {
            Ok(Some(Residence::Memory))
        } else {
            Ok(is_mapped.then_some(Residence::MappedLog))
        }
    }

    /// What is stored of the view, by one look; what another process writes is looked at too.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked); [`Error::Log`](crate::Error::Log) where the index of a log that was
    /// opened can't be read.
    pub fn extent(&self) -> Result<Extent> {
        self.store().catch_up()?;
        let cache = self.store().snapshot()?;
        let (batches, rows) = if self.selection().is_prefix() {
            let range = self.stored_range(&cache)?;
            let rows = if range.end < cache.batches {
                let next = self.store().rows_of(range.end)?;
                next.map_or(cache.rows, |next| next.first)
            } else {
                cache.rows
            };
            (range.len(), rows)
        } else {
            let (batches, rows) = self.shown_batches(&cache)?;
            (batches.len(), rows)
        };
        Ok(Extent {
            batches,
            rows,
            is_complete: self.is_complete_in(&cache)?,
            cache,
        })
    }

    /// Numbers of the stored batches that the view shows something of, ascending.
    ///
    /// # Errors
    /// As [`View::extent`].
    pub fn stored_batches(&self) -> Result<Vec<usize>> {
        self.store().catch_up()?;
        let cache = self.store().snapshot()?;
        Ok(self.shown_batches(&cache)?.0)
    }

    /// Numbers of the stored batches that the view shows something of, and the rows that it shows.
    fn shown_batches(&self, cache: &Snapshot) -> Result<(Vec<usize>, u64)> {
        let range = self.stored_range(cache)?;
        let selection = self.selection();
        let mut batches = selection.within(range.clone());
        if selection.shows_all_rows() && batches.len() == cache.batches {
            return Ok((batches, cache.rows));
        }
        let (mut shown, mut failed) = (0, None);
        batches.retain(|batch| match self.store().rows_of(*batch) {
            Ok(Some(rows)) => {
                shown += selection.shown_of(rows);
                selection.shows(rows)
            }
            Ok(None) => false,
            Err(error) => {
                failed = Some(error);
                false
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok((batches, shown)),
        }
    }

    /// Numbers between which all stored batches of the view lie.
    pub(crate) fn stored_range(&self, cache: &Snapshot) -> Result<Range<usize>> {
        let end = self.selection().end().unwrap_or(usize::MAX);
        let limit = end.min(cache.batches);
        if self.selection().shows_all_rows() || limit == 0 {
            return Ok(0..limit);
        }
        let rows = self.selection().rows();
        let store = self.store();
        let first = store.batch_of_row(rows.start)?.min(limit);
        if rows.is_empty() {
            return Ok(first..first);
        }
        let last = store.batch_of_row(rows.end - 1)?.saturating_add(1);
        Ok(first..last.min(limit).max(first))
    }

    /// Whether all that it shows is stored, and can be read again.
    pub(crate) fn is_complete_in(&self, cache: &Snapshot) -> Result<bool> {
        Ok(self.was_stored_in(cache) && !self.is_used_up_in(cache)?)
    }

    /// Whether something that it shows was let go, as `max_readers` of them had passed it.
    fn is_used_up_in(&self, cache: &Snapshot) -> Result<bool> {
        if cache.released == 0 || self.shows_nothing() {
            return Ok(false);
        }
        let first = self.stored_range(cache)?.start;
        let first = self.selection().at_or_after(first);
        Ok(first.is_some_and(|first| first < cache.released))
    }

    /// Whether nothing is to come of what it shows.
    pub(crate) fn was_stored_in(&self, cache: &Snapshot) -> bool {
        self.shows_nothing()
            || cache.is_complete()
            || self.selection().rows().end <= cache.rows
            || self.passing().end <= self.counted().position().passed
            || (self.selection().end()).is_some_and(|end| end <= cache.batches)
    }
}
