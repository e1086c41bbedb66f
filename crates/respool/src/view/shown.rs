//! What a view shows of a stored batch.

use arrow_array::RecordBatch;

use super::View;
use super::filter::Filter;
use crate::error::Result;
use crate::store::lookup::Stored;

impl View {
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

    /// What the view shows of a stored batch: the rows that pass these filters.
    pub(crate) fn read_passing(&self, stored: &Stored, filters: &[&Filter]) -> Result<RecordBatch> {
        let shape = self.shape();
        let mut read = shape.base().to_vec();
        for filter in filters {
            read.extend_from_slice(filter.base());
        }
        read.sort_unstable();
        read.dedup();
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
