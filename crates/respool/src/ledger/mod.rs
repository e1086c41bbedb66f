//! The bytes we hold, counted once for each distinct allocation.
//!
//! A table cut into slices arrives as batches that share their buffers; counting each batch's own
//! buffers would count the table once for every slice. So the ledger keeps, for each buffer address,
//! how many kept batches use it and the longest extent any of them uses.

mod address;
pub(crate) mod weigh;

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use arrow_array::RecordBatch;

use self::address::AddressHasher;
use self::weigh::Weight;
use crate::sync::Mutex;

/// Counts the bytes of kept batches against a bound.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    accounts: Mutex<Accounts>,
}

/// A bound on memory that several caches share.
///
/// ```
/// use respool::{Budget, Options};
///
/// let budget = Budget::new(Some(64 << 20));
/// let [first, second] = [(); 2].map(|()| Options::new().with_budget(&budget));
/// assert_eq!(first.memory_capacity(), second.memory_capacity());
/// assert_eq!(budget.used(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Budget(pub(crate) Arc<Ledger>);

impl Budget {
    /// A bound in bytes; `None` is no bound.
    pub fn new(capacity: Option<u64>) -> Self {
        Self(Ledger::new(capacity))
    }

    /// Bytes that all its caches hold.
    pub fn used(&self) -> u64 {
        self.0.total()
    }

    /// The bound in bytes.
    pub fn capacity(&self) -> Option<u64> {
        self.0.capacity()
    }

    /// Changes the bound. Its caches take note by [`Cache::rebound`](crate::Cache::rebound).
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.0.set_capacity(capacity);
    }
}

#[derive(Debug, Default)]
struct Accounts {
    /// Buffer address to its account.
    buffers: HashMap<usize, Account, BuildHasherDefault<AddressHasher>>,
    total: u64,
    capacity: Option<u64>,
}

#[derive(Debug)]
struct Account {
    holders: usize,
    bytes: u64,
}

/// A batch does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) asked: u64,
    pub(crate) used: u64,
    pub(crate) capacity: u64,
}

impl Ledger {
    pub(crate) fn new(capacity: Option<u64>) -> Arc<Self> {
        let accounts = Accounts {
            capacity,
            ..Accounts::default()
        };
        Arc::new(Self {
            accounts: Mutex::new(accounts),
        })
    }

    pub(crate) fn total(&self) -> u64 {
        self.accounts.lock().total
    }

    pub(crate) fn capacity(&self) -> Option<u64> {
        self.accounts.lock().capacity
    }

    pub(crate) fn set_capacity(&self, capacity: Option<u64>) {
        self.accounts.lock().capacity = capacity;
    }

    /// The bytes that keeping a batch of this weight would add now.
    pub(crate) fn cost(&self, weight: &Weight) -> u64 {
        let mut accounts = self.accounts.lock();
        let before = accounts.total;
        let entries = accounts.enter(weight);
        let cost = accounts.total - before;
        accounts.undo(weight.small, &entries);
        cost
    }

    /// Enters the batch, if it fits.
    pub(crate) fn charge(
        self: &Arc<Self>,
        batch: RecordBatch,
        weight: &Weight,
    ) -> Result<Charged, Full> {
        let mut accounts = self.accounts.lock();
        let before = accounts.total;
        let entries = accounts.enter(weight);
        let cost = accounts.total - before;
        if let Some(capacity) = accounts.capacity
            && accounts.total > capacity
            // Nothing new to hold can't be refused: the bytes are held already.
            && cost > 0
        {
            accounts.undo(weight.small, &entries);
            return Err(Full {
                asked: cost,
                used: accounts.total,
                capacity,
            });
        }
        drop(accounts);
        Ok(self.charged(batch, weight, cost, entries))
    }

    /// Enters a slice of a batch that is entered: what it takes besides, so many bytes, if they fit. The whole counts
    /// for as long as a slice of it is there.
    pub(crate) fn charge_slice(
        self: &Arc<Self>,
        batch: RecordBatch,
        whole: &Arc<Charged>,
        beside: u64,
    ) -> Result<Charged, Full> {
        let rows = batch.num_rows() as u64;
        let weight = Weight {
            small: beside,
            ..Weight::default()
        };
        let mut charged = self.charge(batch, &weight)?;
        // What it is weighed by where one of several is to go.
        charged.cost = whole.cost.saturating_mul(rows) / (whole.batch.num_rows() as u64).max(1);
        charged.whole = Some(Arc::clone(whole));
        Ok(charged)
    }

    /// Whether so many bytes would fit.
    pub(crate) fn check(&self, asked: u64) -> Result<(), Full> {
        let accounts = self.accounts.lock();
        match accounts.capacity {
            Some(capacity) if accounts.total + asked > capacity => Err(Full {
                asked,
                used: accounts.total,
                capacity,
            }),
            _ => Ok(()),
        }
    }

    /// Enters a batch that is held in any case, for a short while: it counts, and may go over the bound.
    pub(crate) fn hold(self: &Arc<Self>, batch: RecordBatch, weight: &Weight) -> Charged {
        let mut accounts = self.accounts.lock();
        let before = accounts.total;
        let entries = accounts.enter(weight);
        let cost = accounts.total - before;
        drop(accounts);
        self.charged(batch, weight, cost, entries)
    }

    fn charged(
        self: &Arc<Self>,
        batch: RecordBatch,
        weight: &Weight,
        cost: u64,
        entries: Vec<Entry>,
    ) -> Charged {
        Charged {
            batch,
            cost,
            small: weight.small,
            entries: entries.into_boxed_slice(),
            ledger: Arc::clone(self),
            whole: None,
        }
    }

    /// Whether more is held than the bound allows.
    pub(crate) fn is_over(&self) -> bool {
        let accounts = self.accounts.lock();
        accounts
            .capacity
            .is_some_and(|capacity| accounts.total > capacity)
    }

    /// Counts bytes that are held beside batches: `now` where it was `before`.
    pub(crate) fn recount(&self, before: u64, now: u64) {
        let mut accounts = self.accounts.lock();
        accounts.total = (accounts.total + now).saturating_sub(before);
    }
}

impl Accounts {
    fn enter(&mut self, weight: &Weight) -> Vec<Entry> {
        self.total += weight.small;
        let mut entries = Vec::with_capacity(weight.extents.len());
        for extent in &weight.extents {
            let account = self.buffers.entry(extent.address).or_insert(Account {
                holders: 0,
                bytes: 0,
            });
            account.holders += 1;
            let longer = extent.bytes.saturating_sub(account.bytes);
            account.bytes += longer;
            self.total += longer;
            entries.push(Entry {
                address: extent.address,
                longer,
            });
        }
        entries
    }

    /// Takes back what was entered just now.
    fn undo(&mut self, small: u64, entries: &[Entry]) {
        for entry in entries {
            if let Some(account) = self.buffers.get_mut(&entry.address) {
                account.bytes -= entry.longer;
                self.total -= entry.longer;
            }
        }
        self.leave(small, entries);
    }

    /// Lets the buffers go. One that others still hold keeps its longest extent: the allocation is
    /// held whole, whoever asked for it.
    fn leave(&mut self, small: u64, entries: &[Entry]) {
        self.total -= small;
        for entry in entries {
            let Some(account) = self.buffers.get_mut(&entry.address) else {
                continue;
            };
            account.holders -= 1;
            if account.holders == 0 {
                self.total -= account.bytes;
                self.buffers.remove(&entry.address);
            }
        }
    }
}

/// One buffer of a kept batch that has an account.
#[derive(Debug, Clone, Copy)]
struct Entry {
    address: usize,
    /// Bytes by which this batch made the account longer.
    longer: u64,
}

/// A kept batch; dropping it gives its bytes back.
#[derive(Debug)]
pub(crate) struct Charged {
    batch: RecordBatch,
    cost: u64,
    small: u64,
    entries: Box<[Entry]>,
    ledger: Arc<Ledger>,
    /// What it is a slice of.
    whole: Option<Arc<Charged>>,
}

impl Charged {
    pub(crate) fn batch(&self) -> &RecordBatch {
        &self.batch
    }

    /// Bytes that this batch added when it was entered.
    pub(crate) fn cost(&self) -> u64 {
        self.cost
    }
}

impl Drop for Charged {
    fn drop(&mut self) {
        self.ledger.accounts.lock().leave(self.small, &self.entries);
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Int64Array, RecordBatch};

    use super::*;
    use crate::ledger::weigh::PER_COLUMN;

    fn batch(rows: i64) -> (RecordBatch, Weight) {
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let weight = Weight::of(&batch);
        (batch, weight)
    }

    fn charge(
        ledger: &Arc<Ledger>,
        (batch, weight): &(RecordBatch, Weight),
    ) -> Result<Charged, Full> {
        ledger.charge(batch.clone(), weight)
    }

    #[test]
    fn what_is_kept_is_counted_and_given_back() {
        for (rows, bytes) in [(1000, 8000 + PER_COLUMN), (10, 80 + PER_COLUMN)] {
            let ledger = Ledger::new(Some(bytes + bytes / 2));
            let charged = charge(&ledger, &batch(rows)).unwrap();
            assert_eq!((charged.cost(), ledger.total()), (bytes, bytes));
            let full = charge(&ledger, &batch(rows)).unwrap_err();
            let capacity = bytes + bytes / 2;
            assert_eq!(
                full,
                Full {
                    asked: bytes,
                    used: bytes,
                    capacity
                }
            );
            drop(charged);
            assert_eq!(ledger.total(), 0);
            assert!(charge(&ledger, &batch(rows)).is_ok());
        }
    }

    #[test]
    fn slices_of_one_table_are_counted_once() {
        let ledger = Ledger::new(None);
        let table = batch(1000);
        let whole = charge(&ledger, &table).unwrap();
        assert_eq!(ledger.cost(&table.1), PER_COLUMN);
        let again = charge(&ledger, &table).unwrap();
        assert_eq!(ledger.total(), 8000 + 2 * PER_COLUMN);
        drop(whole);
        assert_eq!(ledger.total(), 8000 + PER_COLUMN);
        drop(again);
        assert_eq!(ledger.total(), 0);
    }

    #[test]
    fn asking_for_the_cost_changes_nothing() {
        let ledger = Ledger::new(None);
        let kept = charge(&ledger, &batch(1000)).unwrap();
        assert_eq!(ledger.cost(&batch(1000).1), 8000 + PER_COLUMN);
        assert_eq!(ledger.cost(&batch(10).1), 80 + PER_COLUMN);
        assert_eq!(ledger.total(), 8000 + PER_COLUMN);
        drop(kept);
        assert!(ledger.accounts.lock().buffers.is_empty());
    }
}
