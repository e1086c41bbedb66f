//! Readers and their positions, and what `max_readers` lets go.

use std::sync::Arc;

use super::Store;
use crate::error::Result;

/// A reader as the store knows it; dropping it lets go what only this reader still had before it.
#[derive(Debug)]
pub(crate) struct Registration {
    store: Arc<Store>,
    /// This reader's number, where positions are kept.
    number: Option<usize>,
}

impl Registration {
    /// Registers a reader that begins at the batch that `first` names, given the store's state.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed), [`Error::Released`](crate::Error::Released),
    /// [`Error::Forked`](crate::Error::Forked).
    pub(crate) fn new(store: &Arc<Store>, first: usize) -> Result<Self> {
        store.check_process_surely()?;
        let mut state = store.look_open()?;
        if first < state.released {
            return Err(store.released(first));
        }
        let number = state.readers.opened;
        state.readers.opened += 1;
        state.readers.open += 1;
        let releases = store.max_readers.is_some() && state.log.is_none();
        if releases {
            state.readers.positions.push((number, first));
        }
        drop(state);
        Ok(Self {
            store: Arc::clone(store),
            number: releases.then_some(number),
        })
    }

    /// Notes where the reader is, and lets go what every reader has passed.
    pub(crate) fn moved(&self, position: usize) {
        if let Some(number) = self.number {
            self.store.release_passed(number, Some(position));
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let Ok(mut state) = self.store.look() else {
            return;
        };
        state.readers.open -= 1;
        drop(state);
        if let Some(number) = self.number {
            self.store.release_passed(number, None);
        }
    }
}

impl Store {
    /// Notes a reader's position (`None`: it is gone) and releases what all readers have passed, once
    /// `max_readers` of them exist.
    fn release_passed(&self, number: usize, position: Option<usize>) {
        let Ok(mut state) = self.look() else {
            return;
        };
        let positions = &mut state.readers.positions;
        if let Some(at) = positions.iter().position(|(reader, _)| *reader == number) {
            match position {
                Some(position) => positions[at].1 = position,
                None => {
                    positions.swap_remove(at);
                }
            }
        }
        if self
            .max_readers
            .is_none_or(|readers| state.readers.opened < readers)
        {
            return;
        }
        let stored = state.slots.len();
        let positions = state.readers.positions.iter().map(|(_, at)| *at);
        let passed = positions.min().unwrap_or(stored);
        let released = state.released.max(passed.min(stored));
        let from = std::mem::replace(&mut state.released, released);
        let slots = &mut state.slots;
        let freed: Vec<_> = (from..released)
            .filter_map(|batch| Some((batch, slots.take_heap(batch)?)))
            .collect();
        drop(state);
        for (batch, heap) in &freed {
            self.note_evicted(*batch, heap);
        }
        if !freed.is_empty() {
            drop(freed);
            self.make_room();
        }
    }
}
