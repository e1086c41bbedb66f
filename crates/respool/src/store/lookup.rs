//! Finding a stored batch and reading it, without waiting for anybody.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::Store;
use super::records::Records;
use super::rows::Rows;
use super::slots::{End, Known};
use crate::error::{Error, Result};
use crate::ledger::Charged;

/// What there is at a batch number.
#[derive(Debug)]
pub(crate) enum Found {
    Stored(Stored),
    End,
    /// Not pulled yet.
    Pending,
}

/// A stored batch, not read yet.
pub(crate) struct Stored {
    pub(crate) index: usize,
    pub(crate) rows: Rows,
    place: Place,
}

enum Place {
    Heap(Arc<Charged>),
    Log(Records),
}

impl Store {
    /// Looks a batch up, without waiting.
    ///
    /// # Errors
    /// The source's failure where the batch would come after it; [`Error::Closed`], [`Error::Released`].
    pub(crate) fn find(&self, index: usize) -> Result<Found> {
        let state = self.look_open()?;
        let Some(known) = state.slots.get(index) else {
            return match &state.end {
                End::Open => Ok(Found::Pending),
                End::Complete => Ok(Found::End),
                End::Failed(failure) => Err(Error::Source(Arc::clone(failure))),
            };
        };
        let place = match (known.heap(), &state.log) {
            (Some(heap), _) => Place::Heap(heap),
            (None, Some(log)) => Place::Log(log.clone()),
            (None, None) => return Err(self.released(index)),
        };
        let rows = match (known, &state.log) {
            (Known::Slot(slot), _) => Rows {
                first: slot.first_row,
                count: slot.rows,
            },
            (Known::Indexed(_), log) => {
                let log = log.clone();
                drop(state);
                log.ok_or(Error::Closed)?.rows(index)?
            }
        };
        Ok(Found::Stored(Stored { index, rows, place }))
    }

    /// That a batch is gone.
    pub(crate) fn released(&self, batch: usize) -> Error {
        Error::Released {
            batch,
            max_readers: self.max_readers.unwrap_or(0),
        }
    }

    /// Looks at the log alone for a batch that is in a mapped one.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn prefer_log(&self, stored: &mut Stored) -> Result<()> {
        let state = self.look()?;
        if let Some(log) = state.log.as_ref().filter(|log| log.is_zero_copy())
            && stored.index < state.clean
        {
            stored.place = Place::Log(log.clone());
        }
        Ok(())
    }

    /// Reads a batch; `columns` are numbers in the cache's schema.
    pub(crate) fn read(&self, stored: &Stored, columns: Option<&[usize]>) -> Result<RecordBatch> {
        match &stored.place {
            Place::Heap(heap) => {
                self.counters.memory_hit();
                if let Some(advice) = &*self.advice.read() {
                    advice.touch(stored.index);
                }
                match columns {
                    None => Ok(heap.batch().clone()),
                    Some(columns) => heap
                        .batch()
                        .project(columns)
                        .map_err(Error::arrow("cannot select columns of a batch")),
                }
            }
            Place::Log(log) => {
                self.counters.log_read();
                let batch = log
                    .read(stored.index, columns)
                    .inspect_err(|error| self.note_damage(error))?;
                if !log.is_zero_copy() {
                    self.count_held_by_log(&|| log.held_bytes());
                }
                // A mapped batch weighs nothing; one that had to be decoded is worth keeping.
                if columns.is_none() && !log.is_zero_copy() {
                    self.keep_copy(stored.index, &batch)?;
                }
                Ok(batch)
            }
        }
    }
}

impl Stored {
    /// The log that it is read from; `None` where it is in memory.
    pub(crate) fn log(&self) -> Option<&Records> {
        match &self.place {
            Place::Heap(_) => None,
            Place::Log(log) => Some(log),
        }
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}
