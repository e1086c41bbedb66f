//! Giving a batch its place: on the heap, in the log, or both; and making room.
//!
//! Long, as what is kept, written and given up here belongs to one order of locks.

use std::sync::Arc;

use arrow_array::RecordBatch;

use super::Store;
use super::records::Records;
use crate::error::{Error, Result};
use crate::events::{Event, EventKind, Outbox};
use crate::ledger::weigh::{PER_COLUMN, Weight};
use crate::ledger::{Charged, Full};
use crate::options::WritePolicy;
use crate::pack::shrink;
use crate::panics::caught;
use crate::sync::{now, reach_files};

/// A batch that is to be stored.
pub(crate) struct Pending {
    pub(crate) batch: RecordBatch,
    pub(crate) share: Share,
}

/// What a batch is of another one.
#[derive(Clone, Debug)]
pub(crate) enum Share {
    /// Nothing: its buffers are its own, or count by themselves.
    None,
    /// A slice of one that counts already.
    Of(Arc<Charged>),
    /// A slice of one that memory has no room for: it is copied where it is kept.
    TooLarge,
}

impl Pending {
    pub(crate) fn own(batch: RecordBatch) -> Self {
        Self {
            batch,
            share: Share::None,
        }
    }
}

impl Store {
    /// Stores batch `index`, the next one, and publishes it.
    ///
    /// # Errors
    /// What the store says that has no room. Nothing is published then, and the same call may be made again.
    pub(crate) fn push(&self, index: usize, next: &Pending) -> Result<()> {
        let Pending { batch, share } = next;
        let weight = caught(|| Weight::of(batch)).map_err(|text| unstorable(index, &text))?;
        self.push_weighed(index, batch, share, &weight, weight.shown)
    }

    /// As [`Store::push`], for a batch that is kept as `packed`.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn push_packed(
        &self,
        index: usize,
        batch: &RecordBatch,
        packed: &RecordBatch,
    ) -> Result<()> {
        let weigh = || {
            let (mut weight, given) = (Weight::of(packed), Weight::of(batch));
            let shown = given.shown;
            weight.hold_shared(given);
            (weight, shown)
        };
        let (weight, shown) = caught(weigh).map_err(|text| unstorable(index, &text))?;
        self.note_kept(packed.schema_ref());
        self.push_weighed(index, packed, &Share::None, &weight, shown)
    }

    fn push_weighed(
        &self,
        index: usize,
        batch: &RecordBatch,
        share: &Share,
        weight: &Weight,
        shown: u64,
    ) -> Result<()> {
        let heap = self.place(index, batch, share, weight)?;
        let is_kept = heap.is_some();
        {
            let mut state = self.look_open()?;
            state.push(heap, batch.num_rows(), shown);
            if let Some(log) = &state.log {
                state.clean = state.clean.max(log.len());
            }
        }
        self.note(|| Event {
            rows: batch.num_rows() as u64,
            bytes: shown,
            took: self
                .outbox
                .as_ref()
                .map(Outbox::waited_since)
                .unwrap_or_default(),
            ..Event::new(EventKind::Ingest, index)
        });
        self.advanced.notify_all();
        if is_kept {
            self.settle_kept(index);
        }
        Ok(())
    }

    fn place(
        &self,
        index: usize,
        batch: &RecordBatch,
        share: &Share,
        weight: &Weight,
    ) -> Result<Option<Arc<Charged>>> {
        let log = self.look_open()?.log.clone();
        let log = log.filter(Records::is_written);
        match (log, self.write_policy) {
            (None, _) => match self.charge(batch, share, weight) {
                Ok(heap) => Ok(Some(heap)),
                Err(Full {
                    asked,
                    used,
                    capacity,
                }) => Err(Error::MemoryFull {
                    asked,
                    used,
                    capacity,
                }),
            },
            (Some(log), WritePolicy::OnInsertion) => {
                self.append(&log, index, batch, weight)?;
                Ok(self.admit(index, batch, share, weight))
            }
            (Some(log), WritePolicy::OnEviction) => loop {
                match self.charge(batch, share, weight) {
                    Ok(heap) => break Ok(Some(heap)),
                    Err(full) if full.asked <= full.capacity && self.clean_oldest(&log)? => {}
                    Err(_) => {
                        while self.clean_oldest(&log)? {}
                        self.append(&log, index, batch, weight)?;
                        break Ok(self.admit(index, batch, share, weight));
                    }
                }
            },
        }
    }

    fn append(
        &self,
        log: &Records,
        index: usize,
        batch: &RecordBatch,
        weight: &Weight,
    ) -> Result<()> {
        let _writing = self.spilling.lock();
        self.write(log, index, batch, Some(weight.shown))
    }

    /// Writes record `index` of the log, held for writing; one that is there already is not written twice.
    fn write(
        &self,
        log: &Records,
        index: usize,
        batch: &RecordBatch,
        shown: Option<u64>,
    ) -> Result<()> {
        if log.len() <= index {
            reach_files();
            let begun = self.outbox.as_ref().map(|_| (now(), log.bytes()));
            // Arrays that contradict themselves may be anything: nothing is written of what can't be read.
            let appended = caught(|| log.append(batch, shown));
            appended.map_err(|text| unstorable(index, &text))??;
            if let Some((begun, before)) = begun {
                self.note(|| Event {
                    rows: batch.num_rows() as u64,
                    bytes: log.bytes().saturating_sub(before),
                    took: now() - begun,
                    ..Event::new(EventKind::Spill, index)
                });
            }
            self.count_held_by_log(&|| log.held_bytes());
        }
        Ok(())
    }

    /// Moves the oldest dirty batch into the log; `false` where there is none.
    pub(super) fn clean_oldest(&self, log: &Records) -> Result<bool> {
        // Let go after the lock, whatever happens: the last one to hold a batch runs foreign code.
        let (heap, freed);
        let _writing = self.spilling.lock();
        let oldest;
        (oldest, heap) = {
            let state = self.look_open()?;
            let Some(known) = state.slots.get(state.clean) else {
                return Ok(false);
            };
            let Some(heap) = known.heap() else {
                return Err(Error::Closed);
            };
            (state.clean, heap)
        };
        self.write(log, oldest, heap.batch(), None)?;
        freed = {
            let mut state = self.look_open()?;
            state.clean = state.clean.max(oldest + 1);
            state.slots.take_heap(oldest)
        };
        if let Some(freed) = &freed {
            self.note_evicted(oldest, freed);
        }
        Ok(true)
    }

    /// Enters the batch in the ledger, copied first where it would hold much more than it shows.
    fn charge(
        &self,
        batch: &RecordBatch,
        share: &Share,
        weight: &Weight,
    ) -> Result<Arc<Charged>, Full> {
        let ledger = &self.budget.0;
        let beside = PER_COLUMN * batch.num_columns() as u64;
        match share {
            Share::Of(whole) => {
                return ledger
                    .charge_slice(batch.clone(), whole, beside)
                    .map(Arc::new);
            }
            Share::TooLarge => {
                ledger.check(weight.shown + beside)?;
                if let Ok(Ok(copy)) = caught(|| shrink(batch)) {
                    let weight = Weight::of(&copy);
                    return ledger.charge(copy, &weight).map(Arc::new);
                }
            }
            Share::None => {}
        }
        if weight.is_wasteful()
            && ledger.cost(weight) > 2 * weight.shown + beside
            // What can't be copied is kept as it is, and counted as it is.
            && let Ok(Ok(copy)) = caught(|| shrink(batch))
        {
            let weight = Weight::of(&copy);
            return ledger.charge(copy, &weight).map(Arc::new);
        }
        ledger.charge(batch.clone(), weight).map(Arc::new)
    }

    /// Keeps a heap copy of a batch that is in the log, if there is room or the advice makes some.
    fn admit(
        &self,
        index: usize,
        batch: &RecordBatch,
        share: &Share,
        weight: &Weight,
    ) -> Option<Arc<Charged>> {
        let advice = self.advice.read().clone();
        let Some(advice) = advice else {
            return self.charge(batch, share, weight).ok();
        };
        match self.charge(batch, share, weight) {
            Ok(heap) => {
                advice.propose(index, heap.cost());
                Some(heap)
            }
            Err(full) if full.asked > full.capacity => None,
            Err(full) => {
                advice.propose(index, full.asked);
                let evicted = advice.settle();
                self.give_up(&evicted);
                if evicted.contains(&index) {
                    return None;
                }
                let heap = self.charge(batch, share, weight).ok();
                if heap.is_none() {
                    advice.forget(index);
                }
                heap
            }
        }
    }

    /// Keeps a copy of a batch that a reader had to decode.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(super) fn keep_copy(&self, index: usize, batch: &RecordBatch) -> Result<()> {
        let weight = &Weight::of(batch);
        let Some(heap) = self.admit(index, batch, &Share::None, weight) else {
            return Ok(());
        };
        let unused = {
            let mut state = self.look()?;
            state.slots.put_heap(index, heap)
        };
        drop(unused);
        self.settle_kept(index);
        Ok(())
    }

    /// Another thread may have been told to give up a batch while its copy was still on the way to its slot.
    pub(super) fn settle_kept(&self, index: usize) {
        let advice = self.advice.read().clone();
        if advice.is_some_and(|advice| !advice.contains(index)) {
            self.give_up(&[index]);
        }
    }

    /// Drops the heap copies of clean batches.
    pub(super) fn give_up(&self, evicted: &[usize]) {
        if evicted.is_empty() {
            return;
        }
        let freed: Vec<_> = {
            let mut state = self.state.lock();
            let clean = state.clean;
            let evicted = evicted.iter().filter(|batch| **batch < clean);
            evicted
                .filter_map(|batch| Some((*batch, state.slots.take_heap(*batch)?)))
                .collect()
        };
        for (batch, heap) in &freed {
            self.note_evicted(*batch, heap);
        }
        drop(freed);
    }

    /// Takes note that memory has given up its copy of a batch.
    pub(super) fn note_evicted(&self, index: usize, heap: &Charged) {
        self.note(|| Event {
            rows: heap.batch().num_rows() as u64,
            bytes: heap.cost(),
            ..Event::new(EventKind::Evict, index)
        });
    }
}

/// That a batch made the code panic that looks at its arrays.
fn unstorable(index: usize, text: &str) -> Error {
    Error::invalid(format!(
        "cannot store batch {index}: its arrays contradict themselves ({text}); mend its source, which may find them by \
         RecordBatch.validate(full=True)"
    ))
}
