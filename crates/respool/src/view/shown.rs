//! What a view shows of a stored batch.

use std::borrow::Cow;

use arrow_array::RecordBatch;
use respool_log::Wish;

use super::View;
use super::filter::Filter;
use crate::error::Result;
use crate::store::lookup::Stored;

impl View {
    /// The columns of the cache that are read of a batch with these filters, ascending; `None` for all.
    pub(crate) fn needed(&self, filters: &[&Filter]) -> Option<Cow<'_, [usize]>> {
        let columns = self.columns.as_ref()?;
        if filters.is_empty() {
            return Some(Cow::Borrowed(columns.base()));
        }
        let filters = filters.iter().flat_map(|filter| filter.base());
        let mut read: Vec<usize> = columns.base().iter().chain(filters).copied().collect();
        read.sort_unstable();
        read.dedup();
        Some(Cow::Owned(read))
    }

    /// What the view shows of a stored batch, whatever the filters say.
    pub(crate) fn read(&self, stored: &Stored) -> Result<RecordBatch> {
        let Some(columns) = &self.columns else {
            let batch = self.store().read(stored, None)?;
            return self.store().given(self.cut(batch, stored.rows.first));
        };
        let batch = self.store().read(stored, Some(columns.base()))?;
        let batch = self.cut(batch, stored.rows.first);
        columns.show(&batch, columns.base(), self.store())
    }

    /// As [`View::read`], for a batch that is read by itself: what is missing of it is brought in before.
    pub(crate) fn read_alone(&self, stored: &Stored) -> Result<RecordBatch> {
        let columns = self.columns.as_ref().map(|columns| columns.base());
        // What lies around a whole batch does little harm.
        if let (Some(log), Some(columns)) = (stored.log(), columns)
            && log
                .look(stored.index, Some(columns), Wish::Look)
                .is_some_and(|seen| !seen.was_there)
        {
            log.look(stored.index, Some(columns), Wish::Bring);
        }
        self.read(stored)
    }

    /// What the view shows of a stored batch: the rows that pass these filters.
    pub(crate) fn read_passing(&self, stored: &Stored, filters: &[&Filter]) -> Result<RecordBatch> {
        let shape = self.shape();
        let read = self.needed(filters).map(Cow::into_owned);
        let read = read.unwrap_or_else(|| shape.base().to_vec());
        let batch = self.store().read(stored, Some(&read))?;
        let mut batch = self.cut(batch, stored.rows.first);
        for filter in filters {
            batch = filter.passing(&batch, &read, self.store())?;
        }
        shape.show(&batch, &read, self.store())
    }

    /// Cuts off the rows outside the slice.
    fn cut(&self, batch: RecordBatch, first_row: u64) -> RecordBatch {
        let rows = batch.num_rows();
        let within = |row: u64| {
            usize::try_from(row.saturating_sub(first_row)).map_or(rows, |row| row.min(rows))
        };
        let shown = self.selection.rows();
        let (start, end) = (within(shown.start), within(shown.end));
        if (start, end) == (0, rows) {
            batch
        } else {
            batch.slice(start, end.saturating_sub(start))
        }
    }
}
