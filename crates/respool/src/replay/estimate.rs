//! How many rows a filtered view shows, about: for a planner, which needs no more.

use crate::error::Result;
use crate::interrupt::{Interrupt, Watch};
use crate::predicate::Verdict;
use crate::view::View;

/// Batches that are filtered for an estimate.
const FILTERED: usize = 4;

impl View {
    /// Rows of what is stored of the view: exactly, or for a filtered one by what zone maps say and what passes of
    /// a few batches that they leave open.
    ///
    /// # Errors
    /// As [`View::prove`].
    pub fn estimated_rows(&self, interrupt: &dyn Interrupt) -> Result<u64> {
        let extent = self.extent()?;
        if !self.is_filtered() || !self.can_leave_out() {
            return Ok(extent.rows);
        }
        let store = self.store();
        let batches = self.stored_batches()?;
        let (Some(first), Some(last)) = (batches.first(), batches.last()) else {
            return Ok(0);
        };
        let mut watch = Watch::new(interrupt);
        let filters = self.filters().iter();
        let proved = filters.map(|filter| filter.prove(store, *first..*last + 1, &mut watch));
        let proved = proved.collect::<Result<Vec<_>>>()?;
        let (mut passing, mut open_rows, mut open) = (0, 0, Vec::new());
        for batch in &batches {
            let said = || {
                proved
                    .iter()
                    .filter_map(|verdicts| verdicts.get(batch - first))
            };
            let rows = store.rows_of(*batch)?;
            let rows = rows.map_or(0, |rows| self.selection().shown_of(rows));
            if said().any(|verdict| *verdict == Verdict::None) {
                continue;
            }
            if said().all(|verdict| *verdict == Verdict::All) {
                passing += rows;
            } else {
                open_rows += rows;
                open.push((*batch, rows));
            }
        }
        let step = open.len().div_ceil(FILTERED).max(1);
        let some: Vec<(usize, u64)> = open.into_iter().step_by(step).collect();
        let looked_at: u64 = some.iter().map(|(_, rows)| rows).sum();
        if looked_at > 0 {
            let listed: Vec<usize> = some.iter().map(|(batch, _)| *batch).collect();
            let (_, found) = self.batches(&listed, usize::MAX)?.count(interrupt)?;
            let share = u128::from(found) * u128::from(open_rows) / u128::from(looked_at);
            passing += u64::try_from(share).unwrap_or(open_rows);
        }
        Ok(passing)
    }
}
