//! Copies of the same rows in other encodings, which go with the store.

use std::sync::{Arc, Weak};

use super::Store;
use crate::error::Result;

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

    pub(super) fn derived(&self) -> Vec<Arc<Self>> {
        let derived = self.derived.lock();
        derived.all.iter().filter_map(Weak::upgrade).collect()
    }
}
