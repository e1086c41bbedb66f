//! Copies of the same rows in other encodings, which go with the store.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::Store;
use crate::error::{Error, Result};

/// Stores of the same rows in other encodings: within the same bounds, and closed with this one.
#[derive(Default)]
pub(super) struct Derived {
    pub(super) all: Vec<Weak<Store>>,
    /// That of everything, which is kept.
    whole: Option<Arc<Store>>,
}

impl Store {
    /// Notes a store of the same rows, to be closed with this one.
    ///
    /// # Errors
    /// [`Error::Closed`]: nobody would close it.
    pub(crate) fn derive(&self, store: &Arc<Self>) -> Result<()> {
        let state = self.look_open()?;
        let mut derived = self.derived.lock();
        drop(state);
        derived.all.retain(|known| known.strong_count() > 0);
        derived.all.push(Arc::downgrade(store));
        Ok(())
    }

    /// Keeps the store of all the same rows, and returns the one that is kept: another may have been first.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn keep_derived(&self, store: &Arc<Self>) -> Result<Arc<Self>> {
        let state = self.look_open()?;
        let mut derived = self.derived.lock();
        drop(state);
        Ok(Arc::clone(
            derived.whole.get_or_insert_with(|| Arc::clone(store)),
        ))
    }

    /// The store of the same rows that is kept, if there is one.
    pub(crate) fn derived_whole(&self) -> Option<Arc<Self>> {
        self.derived.lock().whole.clone()
    }

    /// The store of the same rows that was kept, if a read of it has found its log damaged: it is not kept any more.
    pub(crate) fn take_damaged(&self) -> Option<Arc<Self>> {
        let mut derived = self.derived.lock();
        let is_damaged = |store: &mut Arc<Self>| store.is_damaged.load(Ordering::Relaxed);
        derived.whole.take_if(is_damaged)
    }

    /// Takes note that a read has found the log damaged.
    pub(super) fn note_damage(&self, error: &Error) {
        if matches!(error, Error::Log(respool_log::Error::Corrupt { .. })) {
            self.is_damaged.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn derived(&self) -> Vec<Arc<Self>> {
        let derived = self.derived.lock();
        derived.all.iter().filter_map(Weak::upgrade).collect()
    }
}
