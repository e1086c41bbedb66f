//! `Reader`: one replay, with its own position.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};

use crate::error::{Error, Result};
use crate::interrupt::{Interrupt, Uninterrupted};
use crate::lookup::{Found, Stored};
use crate::view::View;

/// One replay of a view. Readers don't share a position, and none waits for another.
///
/// After an error that the cache keeps for ever (the source failed), every further call gives the
/// same error; after any other error the next call tries again.
#[derive(Debug)]
pub struct Reader {
    view: View,
    /// Number of the next batch to look at.
    next: usize,
    /// This reader's number, where positions are kept.
    number: Option<usize>,
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

/// Where a reader stands.
pub(crate) enum Step {
    /// At a stored batch.
    Stored(Stored),
    End,
    Pending,
}

impl Reader {
    pub(crate) fn open(view: View, next: usize) -> Result<Self> {
        let shared = &view.cache().shared;
        shared.check_process_number()?;
        let number = {
            let mut state = shared.state.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            if next < state.released {
                let max_readers = shared.max_readers.unwrap_or(0);
                return Err(Error::Released {
                    batch: next,
                    max_readers,
                });
            }
            let number = state.readers.opened;
            state.readers.opened += 1;
            state.readers.open += 1;
            let released_by_readers = shared.max_readers.is_some() && state.log.is_none();
            if released_by_readers {
                state.readers.positions.push((number, next));
            }
            released_by_readers.then_some(number)
        };
        Ok(Self { view, next, number })
    }

    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.view.schema()
    }

    /// The view that is replayed.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The same replay, at the same position, of another view of the same batches and rows.
    ///
    /// # Errors
    /// What `other` says; the reader is gone then.
    pub fn shown_as(mut self, other: impl FnOnce(&View) -> Result<View>) -> Result<Self> {
        self.view = other(&self.view)?;
        Ok(self)
    }

    /// The next batch if it is stored; never waits for the source.
    ///
    /// # Errors
    /// The source's failure, at its place; what the log says when it can't be read; a cast that
    /// would lose values; [`Error::Closed`].
    pub fn poll(&mut self) -> Result<Polled> {
        match self.step()? {
            Step::Stored(stored) => {
                let batch = self.view.read(&stored)?;
                self.pass();
                Ok(Polled::Batch(batch))
            }
            Step::End => Ok(Polled::End),
            Step::Pending => Ok(Polled::Pending),
        }
    }

    /// Finds the next batch of which the view shows something; [`Reader::pass`] goes on from there.
    pub(crate) fn step(&mut self) -> Result<Step> {
        let rows = self.view.rows();
        if self.view.last_batch().is_some_and(|last| self.next >= last) || rows.is_empty() {
            return Ok(Step::End);
        }
        let shared = &self.view.cache().shared;
        if rows.start > 0 {
            // Steps over the stored batches before the slice; of those to come, see below.
            self.next = self.next.max(shared.state.lock().batch_of_row(rows.start));
            if self.view.last_batch().is_some_and(|last| self.next >= last) {
                return Ok(Step::End);
            }
        }
        match shared.find(self.next) {
            Ok(Found::Stored(stored)) if stored.first_row >= rows.end => Ok(Step::End),
            Ok(Found::Stored(stored)) => Ok(Step::Stored(stored)),
            Ok(Found::End) => Ok(Step::End),
            // A slice that is stored whole does not depend on how the source goes on.
            Ok(Found::Pending) | Err(Error::Source(_)) if shared.state.lock().rows >= rows.end => {
                Ok(Step::End)
            }
            Ok(Found::Pending) => Ok(Step::Pending),
            Err(error) => Err(error),
        }
    }

    /// Pulls the batch at the position, or waits for who does.
    pub(crate) fn advance(&self, interrupt: &dyn Interrupt) -> Result<()> {
        self.view.cache().shared.advance(self.next, interrupt)
    }

    /// The next batch, pulled from the source if nobody did yet; `None` at the clean end.
    ///
    /// # Errors
    /// As [`Reader::poll`]; the store's error where the batch can't be kept (it stays, and the next
    /// call tries again); [`Error::Interrupted`]; [`Error::Reentrant`].
    pub fn next_batch(&mut self, interrupt: &dyn Interrupt) -> Result<Option<RecordBatch>> {
        loop {
            match self.poll()? {
                Polled::Batch(batch) => return Ok(Some(batch)),
                Polled::End => return Ok(None),
                Polled::Pending => self.advance(interrupt)?,
            }
        }
    }

    /// Steps over the batch at the position, and lets go what every reader has passed.
    pub(crate) fn pass(&mut self) {
        self.next += 1;
        if let Some(number) = self.number {
            self.view
                .cache()
                .shared
                .release_passed(number, Some(self.next));
        }
    }
}

impl crate::cache::Shared {
    /// Notes a reader's position (`None`: it is gone) and releases what all readers have passed, once
    /// `max_readers` of them exist.
    fn release_passed(&self, number: usize, position: Option<usize>) {
        let freed: Vec<_> = {
            let mut state = self.state.lock();
            let positions = &mut state.readers.positions;
            if let Some(at) = positions.iter().position(|(reader, _)| *reader == number) {
                match position {
                    Some(position) => positions[at].1 = position,
                    None => {
                        positions.swap_remove(at);
                    }
                }
            }
            let stored = state.slots.len();
            let passed = state
                .readers
                .positions
                .iter()
                .map(|(_, at)| *at)
                .min()
                .unwrap_or(stored);
            if self
                .max_readers
                .is_none_or(|readers| state.readers.opened < readers)
            {
                return;
            }
            let released = state.released.max(passed.min(stored));
            let from = std::mem::replace(&mut state.released, released);
            state
                .slots
                .get_mut(from..released)
                .map_or_else(Vec::new, |slots| {
                    slots
                        .iter_mut()
                        .filter_map(|slot| slot.heap.take())
                        .collect()
                })
        };
        drop(freed);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let shared = &self.view.cache().shared;
        shared.state.lock().readers.open -= 1;
        if let Some(number) = self.number {
            shared.release_passed(number, None);
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
