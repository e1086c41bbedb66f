//! Joining small batches: engines read batches of 64k rows and more several times faster than small ones.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;

use crate::ledger::Budget;
use crate::ledger::Charged;
use crate::ledger::weigh::Weight;
use crate::panics::caught;
use crate::store::upstream::Feed;

impl Feed {
    /// Takes a batch that was pulled: to be stored next, or to wait until there are `rows` to be joined.
    pub(super) fn accept(
        &mut self,
        batch: RecordBatch,
        rows: Option<usize>,
        schema: &SchemaRef,
        budget: &Budget,
    ) {
        match rows {
            // A batch that is large enough goes through as it is, uncopied.
            Some(rows) if batch.num_rows() < rows => {
                if let Ok(weight) = caught(|| Weight::of(&batch)) {
                    self.joining_rows += batch.num_rows();
                    self.joining.push(budget.0.hold(batch, &weight));
                    if self.joining_rows >= rows {
                        self.join(schema);
                    }
                } else {
                    // Who stores it will say what is wrong with it.
                    self.join(schema);
                    self.pending.push_back(batch);
                }
            }
            _ => {
                self.join(schema);
                self.pending.push_back(batch);
            }
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
            self.pending.push_back(batch);
        } else {
            self.pending.extend(batches().cloned());
        }
        self.joining.clear();
        self.joining_rows = 0;
    }
}
