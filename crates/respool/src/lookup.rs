//! Finding a stored batch and reading it, without waiting for anybody.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use respool_log::Log;

use crate::cache::Shared;
use crate::error::{Error, Result};
use crate::ledger::Charged;
use crate::state::End;

/// What a reader finds at a batch number.
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
    pub(crate) first_row: u64,
    place: Place,
}

enum Place {
    Heap(Arc<Charged>),
    Log(Arc<Log>),
}

impl Shared {
    /// Looks a batch up, without waiting.
    ///
    /// # Errors
    /// The source's failure where the batch would come after it; [`Error::Closed`], [`Error::Released`].
    pub(crate) fn find(&self, index: usize) -> Result<Found> {
        self.check_process()?;
        let state = self.state.lock();
        if state.closed {
            return Err(Error::Closed);
        }
        let Some(slot) = state.slots.get(index) else {
            return match &state.end {
                End::Open => Ok(Found::Pending),
                End::Complete => Ok(Found::End),
                End::Failed(failure) => Err(Error::Source(Arc::clone(failure))),
            };
        };
        let place = match (&slot.heap, &state.log) {
            (Some(heap), _) => Place::Heap(Arc::clone(heap)),
            (None, Some(log)) => Place::Log(Arc::clone(log)),
            (None, None) => {
                let max_readers = self.max_readers.unwrap_or(0);
                return Err(Error::Released {
                    batch: index,
                    max_readers,
                });
            }
        };
        Ok(Found::Stored(Stored {
            index,
            first_row: slot.first_row,
            place,
        }))
    }

    /// Looks at the log alone for a batch that is in a mapped one.
    pub(crate) fn prefer_log(&self, stored: &mut Stored) {
        let state = self.state.lock();
        if let Some(log) = state.log.as_ref().filter(|log| log.is_zero_copy())
            && stored.index < state.clean
        {
            stored.place = Place::Log(Arc::clone(log));
        }
    }

    /// Reads a batch; `columns` are numbers in the cache's schema.
    pub(crate) fn read(&self, stored: &Stored, columns: Option<&[usize]>) -> Result<RecordBatch> {
        match &stored.place {
            Place::Heap(heap) => {
                self.counters.memory_hit();
                if let Some(tier) = &*self.tier.read() {
                    tier.touch(stored.index);
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
                let batch = log.read(stored.index, columns)?;
                // A mapped batch weighs nothing; one that had to be decoded is worth keeping.
                if columns.is_none() && !log.is_zero_copy() {
                    self.keep_copy(stored.index, &batch);
                }
                Ok(batch)
            }
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
