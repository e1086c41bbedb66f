//! What can be shown of a view without asking the source for anything: for who looks at it.

use arrow_array::RecordBatch;

use crate::error::{Error, Result};
use crate::store::lookup::Found;
use crate::view::View;
use crate::view::filter::Filter;

/// Batches of a filtered view that are looked at for rows that pass.
const LOOKS: usize = 4;

/// Rows of a batch in a log without maps that are decoded to show a few.
const MOST: usize = 1 << 20;

impl View {
    /// The first rows that are stored, in the first columns; at most so many of both. `None` where there are none,
    /// or to find them would take a while.
    ///
    /// Asks nobody for anything, and is no reader.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Log`] where the log can't be read; a cast that would lose values.
    pub fn peek(&self, rows: usize, columns: usize) -> Result<Option<RecordBatch>> {
        let columns: Vec<usize> = (0..self.schema().fields().len().min(columns)).collect();
        let mut shown = self.select_indexes(&columns)?;
        if self.passing().start > 0 {
            return Ok(None);
        }
        if !self.is_filtered() {
            shown = shown.slice(0, Some(rows as u64));
        }
        let store = self.store();
        let cache = store.snapshot()?;
        if cache.is_closed {
            return Ok(None);
        }
        let range = shown.stored_range(&cache)?;
        let filters: Vec<&Filter> = shown.filters().iter().map(|filter| &**filter).collect();
        let mut next = range.start.max(cache.released);
        for _ in 0..LOOKS {
            let Some(at) = shown.selection().at_or_after(next) else {
                break;
            };
            if at >= range.end {
                break;
            }
            next = at + 1;
            let stored = match store.find(at) {
                Ok(Found::Stored(stored)) => stored,
                Ok(Found::End | Found::Pending) | Err(Error::Closed | Error::Released { .. }) => {
                    break;
                }
                Err(error) => return Err(error),
            };
            if !shown.selection().shows(stored.rows) {
                continue;
            }
            let is_decoded = stored.log().is_some_and(|log| !log.is_zero_copy());
            if is_decoded && stored.rows.count > MOST {
                break;
            }
            let batch = if filters.is_empty() {
                shown.read(&stored)?
            } else {
                shown.read_passing(&stored, &filters)?
            };
            let most = usize::try_from(shown.passing().end).unwrap_or(usize::MAX);
            let length = batch.num_rows().min(rows).min(most);
            if length > 0 {
                return Ok(Some(batch.slice(0, length)));
            }
        }
        Ok(None)
    }
}
