//! Where a replay begins.

use super::reader::Reader;
use crate::error::{Error, Result};
use crate::interrupt::{Interrupt, Pace, Uninterrupted, Watch};
use crate::store::lookahead::Lookahead;
use crate::store::release::Registration;
use crate::view::Position;
use crate::view::View;

impl View {
    /// A replay from the first batch.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Released`] where the first batch is gone; for a filtered view also
    /// where a column can't be read.
    pub fn reader(&self) -> Result<Reader> {
        self.reader_at(Position::default(), &Uninterrupted)
    }

    /// A replay from a position on, the default one for the first batch.
    ///
    /// # Errors
    /// As [`View::reader`]; [`Error::Interrupted`].
    pub fn reader_at(&self, position: Position, interrupt: &dyn Interrupt) -> Result<Reader> {
        Reader::open(self.clone(), position, interrupt, true)
    }

    /// A reader of what is not stored yet.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::InvalidArgument`] for a slice of a filtered view or of some batches:
    /// nobody counted the rows before.
    pub fn reader_from_frontier(&self) -> Result<Reader> {
        if !self.can_leave_out() {
            return Err(Error::invalid(
                "cannot begin in the middle of a slice of a filtered view or of some batches: read it from the start",
            ));
        }
        let store = self.store();
        store.catch_up()?;
        let batch = store.snapshot_of(&*store.look_open()?).batches;
        self.reader_at(Position { batch, passed: 0 }, &Uninterrupted)
    }
}

impl Reader {
    /// `counts`: as one of the readers that `max_readers` waits for.
    pub(super) fn open(
        view: View,
        position: Position,
        interrupt: &dyn Interrupt,
        counts: bool,
    ) -> Result<Self> {
        let store = view.store();
        // A position from elsewhere is taken as it is, but nothing is concluded from it.
        let is_counted = position == Position::default() || position == view.counted().position();
        let mut next = position.batch;
        let rows = view.selection().rows();
        if rows.start > 0 {
            store.check_open()?;
            next = next.max(store.batch_of_row(rows.start)?);
        }
        next = view.selection().at_or_after(next).unwrap_or(next);
        let registration = counts.then(|| Registration::new(store, next)).transpose()?;
        let mut reader = Self {
            next,
            passed: position.passed,
            registration,
            has_counted: !view.can_leave_out() && is_counted,
            verdicts: Vec::new(),
            first: next,
            from_log: false,
            pace: Pace::default(),
            ahead: Lookahead::New,
            view,
        };
        if reader.view.is_filtered() {
            let store = reader.view.store();
            let cache = store.snapshot_of(&*store.look_open()?);
            let stored = reader.view.stored_range(&cache)?;
            let batches = next..stored.end.max(next);
            let mut watch = Watch::new(interrupt);
            let filters = reader.view.filters().iter();
            let verdicts = filters.map(|filter| filter.prove(store, batches.clone(), &mut watch));
            reader.verdicts = verdicts.collect::<Result<_>>()?;
        }
        Ok(reader)
    }
}
