//! Bounds that change while everything goes on.

use std::ops::Range;

use super::Store;
use super::advice::Advice;
use super::records::Records;
use crate::error::Result;

/// Batches that are looked at under one lock.
const CHUNK: usize = 1024;

impl Store {
    /// Changes the bounds, in bytes; `None` is no bound. What memory then holds too much goes to the
    /// log, the oldest batches first. A bound that is shared with others stays as it is, and is taken note of.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed); [`Error::Log`](crate::Error::Log) where the log can't take
    /// it: the bounds are changed then too, and the next attempt goes on.
    pub(crate) fn resize(&self, memory: Option<u64>, disk: Option<u64>) -> Result<()> {
        let log = self.look_open()?.log.clone();
        if let Some(quota) = log.as_ref().and_then(Records::quota)
            && !self.shares_quota
        {
            quota.set_capacity(disk);
        }
        if !self.shares_budget {
            self.budget.0.set_capacity(memory);
        }
        let advice = Advice::within(self.budget.capacity(), log.is_some());
        // In force before it knows what there is: a batch that comes from now on is proposed by who brings
        // it, or given up where it was proposed to the one before.
        (*self.advice.write()).clone_from(&advice);
        if let Some(advice) = advice {
            self.propose_all(&advice)?;
            for evicted in advice.settle().chunks(CHUNK) {
                self.give_up(evicted);
            }
        }
        if let Some(log) = log.as_ref().filter(|log| log.is_written()) {
            while self.budget.0.is_over() && self.clean_oldest(log)? {}
        }
        self.give_up_slices()?;
        self.make_room();
        Ok(())
    }

    /// Proposes what is in memory and in the log, without keeping anybody waiting for long.
    fn propose_all(&self, advice: &Advice) -> Result<()> {
        let mut from = 0;
        loop {
            let chunk = from..self.look()?.clean.min(from + CHUNK);
            if chunk.is_empty() {
                return Ok(());
            }
            from = chunk.end;
            let kept = self.kept(chunk.clone())?;
            for (batch, bytes) in &kept {
                advice.propose(*batch, *bytes);
            }
            // What was given up in between is not there to be advised on.
            let still = self.kept(chunk)?;
            for (batch, _) in kept {
                if still.binary_search_by_key(&batch, |kept| kept.0).is_err() {
                    advice.forget(batch);
                    // Unless it was kept again meanwhile: nothing stays that nobody knows of.
                    self.settle_kept(batch);
                }
            }
        }
    }

    /// Lets go of batches in the log until memory is within its bound: a slice that stays holds all of the batch
    /// that it was cut from.
    fn give_up_slices(&self) -> Result<()> {
        let mut from = 0;
        while self.budget.0.is_over() {
            let chunk = from..self.look()?.clean.min(from + CHUNK);
            if chunk.is_empty() {
                break;
            }
            from = chunk.end;
            let kept: Vec<usize> = self
                .kept(chunk)?
                .into_iter()
                .map(|(batch, _)| batch)
                .collect();
            for batches in kept.chunks(16) {
                if self.budget.0.is_over() {
                    self.give_up(batches);
                }
            }
        }
        Ok(())
    }

    /// The batches of a range that have a heap copy, and its bytes.
    fn kept(&self, range: Range<usize>) -> Result<Vec<(usize, u64)>> {
        let state = self.look()?;
        let held = state.slots.held(range);
        Ok(held.map(|(batch, heap)| (batch, heap.cost())).collect())
    }
}
