//! Which batches a view shows rows of, and which of its rows are in which.

use super::identity::layout;
use crate::error::{Error, Result};
use crate::interrupt::{Interrupt, Watch};
use crate::replay::Polled;
use crate::sync::now;
use crate::view::View;

/// Batches with rows, in the order of the source. Grows where a source is followed.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Their numbers in the cache.
    batches: Vec<usize>,
    /// The view's rows up to the end of each.
    ends: Vec<u64>,
    /// The first number that was not looked at.
    next: usize,
    /// How many rows each has, as a sum, once no more will come.
    layout: Option<u64>,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn rows(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.layout.is_some()
    }

    pub(super) fn layout(&self) -> Option<u64> {
        self.layout
    }

    /// The first batch of the cache that was not looked at.
    pub(super) fn next(&self) -> usize {
        self.next
    }

    /// The number of a batch in the cache.
    pub(super) fn batch(&self, at: usize) -> Option<usize> {
        self.batches.get(at).copied()
    }

    /// The first row of a batch.
    pub(super) fn start(&self, at: usize) -> u64 {
        let before = at.checked_sub(1).and_then(|before| self.ends.get(before));
        before.copied().unwrap_or(0)
    }

    /// How many rows a batch has.
    pub(super) fn rows_of(&self, at: usize) -> u64 {
        let end = self.ends.get(at).copied().unwrap_or(0);
        end.saturating_sub(self.start(at))
    }

    /// The batch that has that row.
    pub(super) fn of_row(&self, row: u64) -> usize {
        self.ends.partition_point(|end| *end <= row)
    }

    fn push(&mut self, batch: usize, rows: u64) {
        if rows > 0 {
            self.ends.push(self.rows() + rows);
            self.batches.push(batch);
        }
    }

    /// Takes note of what is stored. Of a filtered view, what zone maps leave open is read.
    ///
    /// # Errors
    /// What the store says; [`Error::Interrupted`].
    pub(super) fn extend(&mut self, view: &View, interrupt: &dyn Interrupt) -> Result<()> {
        let mut watch = Watch::new(interrupt);
        if view.is_filtered() {
            return self.count(view, interrupt, &mut watch);
        }
        let store = view.store();
        let cache = store.snapshot_of(&*store.look_open()?);
        let range = view.stored_range(&cache)?;
        let selection = view.selection();
        for batch in selection.within(range.start.max(self.next)..range.end) {
            let rows = store.rows_of(batch)?.ok_or(Error::Closed)?;
            self.push(batch, selection.shown_of(rows));
            watch.look(now())?;
        }
        self.next = self.next.max(range.end);
        self.end(view.was_stored_in(&cache));
        Ok(())
    }

    /// As [`Index::extend`], for a filtered view of which nothing was counted.
    fn count(
        &mut self,
        view: &View,
        interrupt: &dyn Interrupt,
        watch: &mut Watch<'_>,
    ) -> Result<()> {
        let is_whole = view.extent()?.is_complete;
        let mut reader = view.select_indexes(&[])?.prefix()?.passing_by(interrupt)?;
        while let Polled::Batch(batch) = reader.poll()? {
            // The reader stands behind what it gave.
            self.next = reader.at().batch;
            self.push(self.next - 1, batch.num_rows() as u64);
            watch.look(now())?;
        }
        self.end(is_whole);
        Ok(())
    }

    fn end(&mut self, is_whole: bool) {
        let each = (0..self.len()).map(|at| self.rows_of(at));
        self.layout = is_whole.then(|| layout(each));
    }
}
