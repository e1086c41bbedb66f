//! Which rows a batch has, and which batch a row is in.

use super::Store;
use super::records::Records;
use super::slots::Known;
use crate::error::{Error, Result};

/// The rows of a batch, counted over the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) first: u64,
    pub(crate) count: usize,
}

impl Rows {
    pub(crate) fn end(self) -> u64 {
        self.first + self.count as u64
    }
}

impl Records {
    /// The rows of a batch that was in the log before.
    pub(super) fn rows(&self, record: usize) -> Result<Rows> {
        let index = self.index().ok_or(Error::Closed)?;
        let info = index.info(record)?;
        Ok(Rows {
            first: info.first_row,
            count: usize::try_from(info.rows).unwrap_or(usize::MAX),
        })
    }

    /// The first of `batches` whose rows end past that one; it is in one of them.
    fn batch_of_row(&self, row: u64, batches: usize) -> Result<usize> {
        let (mut low, mut high) = (0, batches);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.rows(middle)?.end() <= row {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }
}

impl Store {
    /// The rows of a stored batch, and `None` for one that is not stored.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Log`] where the index can't be read.
    pub(crate) fn rows_of(&self, batch: usize) -> Result<Option<Rows>> {
        let log = {
            let state = self.look()?;
            match state.slots.get(batch) {
                None => return Ok(None),
                Some(Known::Slot(slot)) => {
                    return Ok(Some(Rows {
                        first: slot.first_row,
                        count: slot.rows,
                    }));
                }
                Some(Known::Indexed(_)) => state.log.clone(),
            }
        };
        log.ok_or(Error::Closed)?.rows(batch).map(Some)
    }

    /// The batch that holds the row, or the number of batches stored where it is not stored yet.
    ///
    /// # Errors
    /// As [`Store::rows_of`].
    pub(crate) fn batch_of_row(&self, row: u64) -> Result<usize> {
        let (log, batches) = {
            let state = self.look()?;
            let (batches, rows) = state.slots.indexed();
            if row >= rows {
                return Ok(state.slots.own_of_row(row));
            }
            (state.log.clone(), batches)
        };
        log.ok_or(Error::Closed)?.batch_of_row(row, batches)
    }
}
