//! Which batches and rows of a cache a view shows.

use std::ops::Range;
use std::sync::Arc;

use crate::store::rows::Rows;

/// Batches and rows, by their numbers in the cache. A position in it is a batch number too, so it can be
/// saved, and taken up again by another reader.
#[derive(Clone, Debug)]
pub(crate) struct Selection {
    batches: Batches,
    rows: Range<u64>,
}

#[derive(Clone, Debug)]
pub(super) enum Batches {
    All,
    Range(Range<usize>),
    /// The listed ones, ascending, and from a number on every so-manieth.
    List {
        listed: Arc<[usize]>,
        then: Option<Steps>,
    },
}

/// Batches `from`, `from + step`, `from + 2 * step` and so on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) from: usize,
    pub(super) step: usize,
}

impl Steps {
    /// `None` where it is further away than numbers go.
    fn at_or_after(self, batch: usize) -> Option<usize> {
        let past = batch.saturating_sub(self.from).div_ceil(self.step);
        past.checked_mul(self.step)?.checked_add(self.from)
    }
}

impl Selection {
    pub(crate) fn all() -> Self {
        Self {
            batches: Batches::All,
            rows: 0..u64::MAX,
        }
    }

    pub(super) fn of(batches: Batches, rows: Range<u64>) -> Self {
        Self { batches, rows }
    }

    pub(super) fn selected(&self) -> &Batches {
        &self.batches
    }

    pub(crate) fn is_all(&self) -> bool {
        matches!(self.batches, Batches::All) && self.shows_all_rows()
    }

    pub(crate) fn shows_all_rows(&self) -> bool {
        self.rows == (0..u64::MAX)
    }

    /// Whether it shows something of a batch with these rows: a slice shows no batch of no rows.
    pub(crate) fn shows(&self, rows: Rows) -> bool {
        self.shows_all_rows() || self.shown_of(rows) > 0
    }

    /// How many of these rows are selected.
    pub(crate) fn shown_of(&self, rows: Rows) -> u64 {
        let end = rows.end().min(self.rows.end);
        end.saturating_sub(rows.first.max(self.rows.start))
    }

    /// Whether batch `i` of what is selected is batch `i` of the cache, as far as there is one.
    pub(crate) fn is_prefix(&self) -> bool {
        self.shows_all_rows()
            && match &self.batches {
                Batches::All => true,
                Batches::Range(range) => range.start == 0,
                Batches::List { .. } => false,
            }
    }

    /// Whether batches between others, or before them, may not be selected.
    pub(crate) fn leaves_out(&self) -> bool {
        matches!(self.batches, Batches::List { .. })
    }

    pub(crate) fn rows(&self) -> Range<u64> {
        self.rows.clone()
    }

    /// Rows `offset .. offset + length` of the rows selected, of which no batches are left out.
    pub(crate) fn slice(&self, offset: u64, length: Option<u64>) -> Self {
        Self {
            batches: self.batches.clone(),
            rows: slice(&self.rows, offset, length),
        }
    }

    /// Of what is selected, the batches below this number.
    pub(crate) fn below(&self, end: usize) -> Self {
        let batches = match &self.batches {
            Batches::All => Batches::Range(0..end),
            Batches::Range(range) => Batches::Range(range.start..range.end.min(end)),
            Batches::List { .. } => Batches::List {
                listed: self.within(0..end).into(),
                then: None,
            },
        };
        Self {
            batches,
            rows: self.rows.clone(),
        }
    }

    /// Of all batches every `world`-th from `rank` on.
    pub(crate) fn stride(rank: usize, world: usize) -> Self {
        let steps = Steps {
            from: rank,
            step: world,
        };
        Self {
            batches: Batches::List {
                listed: Arc::from([]),
                then: Some(steps),
            },
            rows: 0..u64::MAX,
        }
    }

    /// Of what is selected, the listed batches and those from `from` on.
    pub(crate) fn listed(&self, listed: &[usize], from: usize) -> Self {
        let mut kept = listed.to_vec();
        kept.retain(|batch| *batch < from && self.holds(*batch));
        let then = match &self.batches {
            Batches::All => Some(Steps { from, step: 1 }),
            Batches::Range(range) => {
                kept.extend(range.start.max(from)..range.end);
                None
            }
            Batches::List { listed, then } => {
                let below = then.map_or(usize::MAX, |then| then.from);
                kept.extend(listed.iter().filter(|batch| (from..below).contains(*batch)));
                then.and_then(|then| {
                    let from = then.at_or_after(from)?;
                    Some(Steps { from, ..then })
                })
            }
        };
        Self {
            batches: Batches::List {
                listed: kept.into(),
                then,
            },
            rows: self.rows.clone(),
        }
    }

    /// The first selected batch that is not below this number; `None` where there is none.
    pub(crate) fn at_or_after(&self, batch: usize) -> Option<usize> {
        match &self.batches {
            Batches::All => Some(batch),
            Batches::Range(range) => {
                let batch = batch.max(range.start);
                (batch < range.end).then_some(batch)
            }
            Batches::List { listed, then } => {
                let at = listed.partition_point(|listed| *listed < batch);
                let listed = listed.get(at).copied();
                listed.or_else(|| then.and_then(|then| then.at_or_after(batch)))
            }
        }
    }

    fn holds(&self, batch: usize) -> bool {
        self.at_or_after(batch) == Some(batch)
    }

    /// The number that all selected batches are below, where there is one.
    pub(crate) fn end(&self) -> Option<usize> {
        match &self.batches {
            Batches::All | Batches::List { then: Some(_), .. } => None,
            Batches::Range(range) => Some(range.end),
            Batches::List { listed, then: None } => {
                Some(listed.last().map_or(0, |last| last.saturating_add(1)))
            }
        }
    }

    /// The selected batches in a range of numbers.
    pub(crate) fn within(&self, range: Range<usize>) -> Vec<usize> {
        let mut batches = Vec::new();
        let mut next = self.at_or_after(range.start);
        while let Some(batch) = next.filter(|batch| *batch < range.end) {
            batches.push(batch);
            next = self.at_or_after(batch + 1);
        }
        batches
    }
}

/// Part of a range; shorter where the range ends before, as slices in Python are.
pub(crate) fn slice(rows: &Range<u64>, offset: u64, length: Option<u64>) -> Range<u64> {
    let start = rows.start.saturating_add(offset).min(rows.end);
    let end = length.map_or(rows.end, |length| {
        start.saturating_add(length).min(rows.end)
    });
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stride_takes_every_nth_batch() {
        let whole = Selection::all();
        assert_eq!(whole.within(2..5), [2, 3, 4]);
        let parts: Vec<_> = (0..3)
            .map(|rank| Selection::stride(rank, 3).within(0..10))
            .collect();
        assert_eq!(parts, [vec![0, 3, 6, 9], vec![1, 4, 7], vec![2, 5, 8]]);
        let short = Selection::stride(1, 3).below(5);
        assert_eq!((short.within(0..10), short.end()), (vec![1, 4], Some(5)));
    }

    #[test]
    fn a_list_goes_on_where_it_is_told_to() {
        let some = Selection::all().listed(&[1, 3], 5);
        assert_eq!(some.within(0..8), [1, 3, 5, 6, 7]);
        assert_eq!(some.end(), None);
        assert_eq!(some.at_or_after(4), Some(5));
        let below = some.below(6);
        assert_eq!((below.within(0..8), below.end()), (vec![1, 3, 5], Some(6)));
        let none = Selection::all().below(0);
        assert_eq!((none.at_or_after(0), none.end()), (None, Some(0)));
    }

    #[test]
    fn what_is_selected_of_a_selection_is_in_both() {
        let range = Selection::all().below(6);
        assert_eq!(range.listed(&[2, 7], 4).within(0..9), [2, 4, 5]);
        let odd = Selection::stride(1, 2);
        assert_eq!(odd.listed(&[1, 2, 3], 6).within(0..10), [1, 3, 7, 9]);
        let some = odd.listed(&[1], 5);
        assert_eq!(some.listed(&[1, 2], 6).within(0..10), [1, 7, 9]);
    }
}
