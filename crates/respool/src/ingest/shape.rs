//! The shape of batches: small ones are joined, since engines read batches of 64k rows and more several times
//! faster, and large ones cut into slices.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;

use crate::batch_rows::BatchRows;
use crate::ledger::Budget;
use crate::ledger::Charged;
use crate::ledger::weigh::Weight;
use crate::panics::caught;
use crate::store::place::{Pending, Share};
use crate::store::upstream::Feed;

impl Feed {
    /// Takes a batch that was pulled, asked for at that time: to be stored next, or to wait for others.
    pub(super) fn accept(
        &mut self,
        batch: RecordBatch,
        asked: Instant,
        rows: Option<BatchRows>,
        schema: &SchemaRef,
        budget: &Budget,
    ) {
        let Some(wanted) = rows else {
            self.pending.push_back(Pending::own(batch));
            return;
        };
        let count = batch.num_rows();
        let missing = wanted.least.saturating_sub(self.joining_rows);
        let most = wanted.most.get();
        if self.joining.is_empty() && count >= wanted.least {
            self.cut(batch, asked, wanted, schema, budget);
        } else if count < missing {
            self.wait(batch, asked, schema, budget);
        } else if wanted.is_patient() && count >= wanted.least {
            // A batch that is large enough goes through as it is, uncopied.
            self.join(schema);
            self.pending.push_back(Pending::own(batch));
        } else if self.joining_rows + count <= most && count < 2 * wanted.least {
            self.wait(batch, asked, schema, budget);
            self.join(schema);
        } else {
            // No more is copied than it takes: the rest is large enough, or the least that comes next.
            let head = if count - missing >= wanted.least {
                missing
            } else {
                most - self.joining_rows
            };
            let head = head.min(count);
            self.wait(batch.slice(0, head), asked, schema, budget);
            self.join(schema);
            let rest = batch.slice(head, count - head);
            if rest.num_rows() >= wanted.least {
                self.cut(rest, asked, wanted, schema, budget);
            } else {
                self.wait(rest, asked, schema, budget);
            }
        }
    }

    /// When those that wait are to be given to who waits for them.
    pub(crate) fn given_at(&self, rows: Option<BatchRows>, is_first: bool) -> Option<Instant> {
        rows?.given_at(self.joining_since?, is_first)
    }

    fn wait(&mut self, batch: RecordBatch, asked: Instant, schema: &SchemaRef, budget: &Budget) {
        if let Ok(weight) = caught(|| Weight::of(&batch)) {
            self.joining_rows += batch.num_rows();
            self.joining.push(budget.0.hold(batch, &weight));
            self.joining_since.get_or_insert(asked);
        } else {
            // Who stores it will say what is wrong with it.
            self.join(schema);
            self.pending.push_back(Pending::own(batch));
        }
    }

    /// Makes one batch of those that wait; gives them singly where they can't be joined, as where the keys
    /// of dictionaries or the offsets of text would run over.
    pub(super) fn join(&mut self, schema: &SchemaRef) {
        let batches = || self.joining.iter().map(Charged::batch);
        let joined = match self.joining.len() {
            0 | 1 => None,
            // Some kernels panic where offsets run over.
            _ => caught(|| concat_batches(schema, batches()))
                .ok()
                .and_then(Result::ok),
        };
        if let Some(batch) = joined {
            self.pending.push_back(Pending::own(batch));
        } else {
            self.pending.extend(batches().cloned().map(Pending::own));
        }
        self.joining.clear();
        self.joining_rows = 0;
        self.joining_since = None;
    }

    /// Cuts a batch that has too many rows into slices.
    fn cut(
        &mut self,
        batch: RecordBatch,
        asked: Instant,
        wanted: BatchRows,
        schema: &SchemaRef,
        budget: &Budget,
    ) {
        let rows = batch.num_rows();
        if rows <= wanted.most.get() {
            self.pending.push_back(Pending::own(batch));
            return;
        }
        let share = if self.packer.is_some() {
            // What is kept of it is made of it, slice by slice, and is not it.
            Share::None
        } else {
            // Counted once, for as long as any slice is held.
            let whole = caught(|| Weight::of(&batch)).map(|it| budget.0.charge(batch.clone(), &it));
            match whole {
                Ok(Ok(whole)) => Share::Of(Arc::new(whole)),
                _ => Share::TooLarge,
            }
        };
        let mut first = 0;
        for count in slices(rows, wanted.least, wanted.most) {
            let slice = batch.slice(first, count);
            first += count;
            if count < wanted.least {
                self.wait(slice, asked, schema, budget);
            } else {
                let share = share.clone();
                self.pending.push_back(Pending {
                    batch: slice,
                    share,
                });
            }
        }
    }
}

/// The rows of each slice of so many rows: alike, where each is then large enough; else as many as may be, and
/// less in the last.
fn slices(rows: usize, least: usize, most: NonZeroUsize) -> impl Iterator<Item = usize> {
    let count = rows.div_ceil(most.get()).max(1);
    let are_alike = rows / count >= least;
    (0..count).map(move |slice| {
        if are_alike {
            rows * (slice + 1) / count - rows * slice / count
        } else {
            most.get().min(rows - slice * most.get())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_alike_where_that_leaves_them_large_enough() {
        let of = |rows, least, most: usize| -> Vec<usize> {
            slices(rows, least, NonZeroUsize::new(most).unwrap()).collect()
        };
        assert_eq!(of(10, 1, 4), [3, 3, 4]);
        assert_eq!(of(10, 3, 4), [3, 3, 4]);
        assert_eq!(of(10, 4, 4), [4, 4, 2]);
        assert_eq!(of(8, 1, 4), [4, 4]);
        assert_eq!(of(8, 4, 4), [4, 4]);
        assert_eq!(of(1500, 900, 1000), [1000, 500]);
        assert_eq!(of(5, 0, 1), [1; 5]);
        for rows in 1..200_usize {
            for (least, most) in [(1, 7), (3, 7), (4, 7), (7, 7), (0, 1)] {
                let sizes = of(rows, least, most);
                assert_eq!(sizes.iter().sum::<usize>(), rows);
                let (last, others) = sizes.split_last().unwrap();
                assert!(
                    others.iter().all(|it| (least..=most).contains(it)),
                    "{sizes:?}"
                );
                assert!((1..=most).contains(last), "{sizes:?}");
            }
        }
    }
}
