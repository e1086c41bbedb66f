//! Who stays in memory: which heap copies of batches that are in the log. The only file that names moka.
//!
//! moka holds batch numbers and weights, not batches. It advises: the slots own the batches, the log
//! owns the truth, and a batch that moka forgets is read from the log. So nothing here can lose data,
//! and moka's delays (it settles its accounts in batches, and frees late) can't hold memory either:
//! the ledger counts what the slots hold.

use std::sync::Arc;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
// Locked within locks of moka, which a model checker does not know of: always the real one.
use respool_log::locks::Mutex;

/// Advises who stays in memory.
#[derive(Debug)]
pub(crate) struct Advice {
    residents: Cache<usize, u32>,
    evicted: Arc<Mutex<Vec<usize>>>,
    /// Bytes of one unit of weight: moka's weights are `u32`.
    unit: u64,
}

impl Advice {
    /// `None` without a bound or a log: nothing is to be chosen then.
    pub(crate) fn within(capacity: Option<u64>, log: bool) -> Option<Arc<Self>> {
        let capacity = capacity.filter(|_| log)?;
        Some(Arc::new(Self::new(capacity)))
    }

    fn new(capacity: u64) -> Self {
        let unit = (capacity >> 31) + 1;
        let evicted = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&evicted);
        let residents = Cache::builder()
            // With a bound of 0 moka takes nothing in, and so gives nothing up.
            .max_capacity((capacity / unit).max(1))
            .weigher(|_, weight: &u32| *weight)
            // Replays are cyclic scans: an LRU would have a hit rate of zero.
            .eviction_policy(EvictionPolicy::tiny_lfu())
            // Told also of what is proposed again or forgotten, which gives nothing up.
            .eviction_listener(move |batch, _, cause| {
                if cause.was_evicted() {
                    note.lock().push(*batch);
                }
            })
            .build();
        Self {
            residents,
            evicted,
            unit,
        }
    }

    /// Proposes a batch of so many bytes.
    pub(crate) fn propose(&self, batch: usize, bytes: u64) {
        let weight = u32::try_from(bytes.div_ceil(self.unit)).unwrap_or(u32::MAX);
        self.residents.insert(batch, weight);
    }

    /// Records a use.
    pub(crate) fn touch(&self, batch: usize) {
        self.residents.get(&batch);
    }

    /// Settles the accounts and tells whose heap copies should go.
    pub(crate) fn settle(&self) -> Vec<usize> {
        self.residents.run_pending_tasks();
        std::mem::take(&mut *self.evicted.lock())
    }

    /// Whether a batch was proposed and not given up since.
    pub(crate) fn contains(&self, batch: usize) -> bool {
        self.residents.contains_key(&batch)
    }

    /// Forgets a batch that is not in memory after all.
    pub(crate) fn forget(&self, batch: usize) {
        self.residents.invalidate(&batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_tier_names_who_should_go() {
        let tier = Advice::new(100);
        for batch in 0..10 {
            tier.propose(batch, 20);
        }
        let gone = tier.settle();
        assert_eq!(gone.len(), 5, "{gone:?}");
    }

    #[test]
    fn what_is_proposed_again_or_forgotten_is_not_given_up() {
        let tier = Advice::new(100);
        tier.propose(0, 20);
        tier.propose(0, 20);
        tier.propose(1, 20);
        tier.forget(1);
        assert!(tier.settle().is_empty());
        assert!(tier.contains(0) && !tier.contains(1));
    }

    #[test]
    fn a_bound_beyond_u32_is_weighed_in_larger_units() {
        let tier = Advice::new(1 << 40);
        tier.propose(0, 1 << 39);
        tier.propose(1, 1 << 38);
        assert!(tier.settle().is_empty());
        tier.propose(2, 1 << 40);
        assert_eq!(tier.settle().len(), 1);
    }
}
