//! `Reader`: one replay, with its own position.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};

use crate::error::{Error, Result};
use crate::ingest::Goal;
use crate::interrupt::{Interrupt, Pace, Uninterrupted, Watch};
use crate::predicate::Verdict;
use crate::store::lookahead::Lookahead;
use crate::store::lookup::{Found, Stored};
use crate::store::release::Registration;
use crate::view::filter::Filter;
use crate::view::{Position, View};

/// One replay of a view. Readers don't share a position, and none waits for another.
///
/// After an error that the cache keeps for ever (the source failed), every further call gives the
/// same error; after any other error the next call tries again.
#[derive(Debug)]
pub struct Reader {
    pub(super) view: View,
    /// Number of the next batch to look at.
    pub(super) next: usize,
    /// Rows that passed the filters before that batch.
    pub(super) passed: u64,
    pub(super) registration: Option<Registration>,
    /// Whether all before the position was gone through, and `passed` was found so.
    pub(super) has_counted: bool,
    /// For each filter, what zone maps say of the batches from `first` on that were stored when the
    /// replay began.
    pub(super) verdicts: Vec<Vec<Verdict>>,
    pub(super) first: usize,
    /// Read from the log what is in memory too.
    pub(super) from_log: bool,
    pub(super) pace: Pace,
    pub(super) ahead: Lookahead,
}

/// What a reader can give at once.
#[derive(Debug)]
pub enum Polled {
    /// The next batch.
    Batch(RecordBatch),
    /// The clean end.
    End,
    /// The source has to be asked: [`Reader::next_batch`] would wait.
    Pending,
}

/// What a reader finds at its position.
pub(super) enum Step {
    Stored(Stored),
    End,
    Pending,
}

impl Reader {
    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.view.schema()
    }

    /// The view that is replayed.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// Where the reader is.
    pub fn at(&self) -> Position {
        Position {
            batch: self.next,
            passed: self.passed,
        }
    }

    /// The same replay, at the same position, of another view of the same batches and rows.
    ///
    /// # Errors
    /// What `other` says; the reader is gone then.
    pub fn shown_as(mut self, other: impl FnOnce(&View) -> Result<View>) -> Result<Self> {
        self.view = other(&self.view)?;
        Ok(self)
    }

    pub(crate) fn into_view(self) -> View {
        self.view
    }

    /// Reads batches that are in memory and in a mapped log from the log: who keeps what it reads
    /// then holds no memory that the cache counts on giving back.
    #[must_use]
    pub fn from_log(self) -> Self {
        Self {
            from_log: true,
            ..self
        }
    }

    /// The next batch if it is stored; never waits for the source. Of a filtered view, the next one with
    /// rows that pass.
    ///
    /// # Errors
    /// The source's failure, at its place; what the log says when it can't be read; a cast that
    /// would lose values; [`Error::Closed`].
    pub fn poll(&mut self) -> Result<Polled> {
        loop {
            match self.step()? {
                Step::Stored(stored) => {
                    let shown = self.shown(stored)?;
                    self.pass();
                    if let Some(batch) = shown {
                        return Ok(Polled::Batch(batch));
                    }
                }
                Step::End => return Ok(Polled::End),
                Step::Pending => return Ok(Polled::Pending),
            }
        }
    }

    /// The next batch, pulled from the source if nobody did yet; `None` at the clean end.
    ///
    /// # Errors
    /// As [`Reader::poll`]; the store's error where the batch can't be kept (it stays, and the next
    /// call tries again); [`Error::Interrupted`]; [`Error::Reentrant`].
    pub fn next_batch(&mut self, interrupt: &dyn Interrupt) -> Result<Option<RecordBatch>> {
        match self.poll()? {
            Polled::Batch(batch) => Ok(Some(batch)),
            Polled::End => Ok(None),
            Polled::Pending => self.pull_batch(interrupt),
        }
    }

    /// As [`Reader::next_batch`], where [`Reader::poll`] just said that it is pending.
    ///
    /// # Errors
    /// As there.
    pub fn pull_batch(&mut self, interrupt: &dyn Interrupt) -> Result<Option<RecordBatch>> {
        loop {
            self.advance(interrupt)?;
            match self.poll()? {
                Polled::Batch(batch) => return Ok(Some(batch)),
                Polled::End => return Ok(None),
                Polled::Pending => {}
            }
        }
    }

    /// Finds the next batch of which the view shows something; [`Reader::pass`] goes on from there.
    pub(super) fn step(&mut self) -> Result<Step> {
        let rows = self.view.selection().rows();
        if rows.is_empty() || self.passed >= self.view.passing().end {
            return Ok(Step::End);
        }
        let store = self.view.store();
        loop {
            match self.view.selection().at_or_after(self.next) {
                Some(next) => self.next = next,
                None => return Ok(Step::End),
            }
            return match store.find(self.next) {
                Ok(Found::Stored(stored)) if stored.rows.first >= rows.end => Ok(Step::End),
                Ok(Found::Stored(stored)) if self.view.selection().shows(stored.rows) => {
                    store.reached(self.next);
                    Ok(Step::Stored(stored))
                }
                Ok(Found::Stored(stored)) => {
                    self.next += 1;
                    if stored.rows.end() < rows.start {
                        self.next = self.next.max(store.batch_of_row(rows.start)?);
                    }
                    continue;
                }
                Ok(Found::End) => Ok(Step::End),
                // A slice that is stored whole does not depend on how the source goes on.
                Ok(Found::Pending) | Err(Error::Source(_))
                    if store.snapshot()?.rows >= rows.end =>
                {
                    Ok(Step::End)
                }
                Ok(Found::Pending) => Ok(Step::Pending),
                Err(error) => Err(error),
            };
        }
    }

    /// What the view shows of a batch; `None` where it is filtered or sliced and no row is shown.
    pub(super) fn shown(&mut self, mut stored: Stored) -> Result<Option<RecordBatch>> {
        if self.open_filters(stored.index).is_none() {
            return Ok(None);
        }
        if self.from_log {
            self.view.store().prefer_log(&mut stored)?;
        }
        if stored.log().is_some() && self.ahead.is_due() {
            let mut ahead = std::mem::replace(&mut self.ahead, Lookahead::New);
            ahead.look(stored.index, self);
            self.ahead = ahead;
        }
        let open = self.open_filters(stored.index).unwrap_or_default();
        let batch = if open.is_empty() {
            self.view.read(&stored)?
        } else {
            self.view.read_passing(&stored, &open)?
        };
        if batch.num_rows() == 0 && self.view.is_counted() {
            return Ok(None);
        }
        Ok(if self.view.is_counted() {
            self.cut(batch)
        } else {
            Some(batch)
        })
    }

    /// The filters that a batch has to go through; `None` where zone maps know that no row of it passes.
    pub(super) fn open_filters(&self, batch: usize) -> Option<Vec<&Filter>> {
        let at = batch.checked_sub(self.first);
        let mut open: Vec<&Filter> = Vec::new();
        for (filter, verdicts) in self.view.filters().iter().zip(&self.verdicts) {
            // A batch that came after the replay began is filtered: zone maps don't slow the first pass.
            match at.and_then(|at| verdicts.get(at)) {
                Some(Verdict::None) => return None,
                Some(Verdict::All) => {}
                Some(Verdict::Some) | None => open.push(filter),
            }
        }
        Some(open)
    }

    /// Counts the rows that passed, and cuts off those that a slice of a filtered view does not show.
    fn cut(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        let rows = batch.num_rows() as u64;
        let before = self.passed;
        self.passed += rows;
        let shown = self.view.passing();
        let start = shown.start.saturating_sub(before).min(rows);
        let end = shown.end.saturating_sub(before).min(rows);
        if (start, end) == (0, rows) {
            return Some(batch);
        }
        let offset = usize::try_from(start).ok()?;
        let length = usize::try_from(end.saturating_sub(start)).ok()?;
        (length > 0).then(|| batch.slice(offset, length))
    }

    /// Pulls the batch at the position, or waits for who does.
    pub(super) fn advance(&mut self, interrupt: &dyn Interrupt) -> Result<()> {
        let mut watch = Watch::at(self.pace, interrupt);
        let goal = Goal::Batch(self.next);
        let advanced = self.view.store().advance(goal, &mut watch);
        self.pace = watch.pace();
        advanced
    }

    /// Steps over the batch at the position, and lets go what every reader has passed.
    pub(super) fn pass(&mut self) {
        self.next += 1;
        if self.has_counted {
            self.view.counted().reached(self.at());
        }
        if let Some(registration) = &self.registration {
            registration.moved(self.next);
        }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch(&Uninterrupted)
            .map_err(ArrowError::from)
            .transpose()
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.view.schema())
    }
}
