//! What a cache has of Python: the iterator that it reads, and the exception that ended it.
//!
//! Both may refer to the cache: a generator that closes over it, a traceback with a frame in which it
//! stands. Python's garbage collector has to see the way, and to see it once. So both lie here,
//! the engine has only this, and the one `StreamCache` object shows it to the collector. Whatever
//! reads the cache holds that object.

use std::sync::Arc;

use parking_lot::Mutex;
use pyo3::PyTraverseError;
use pyo3::exceptions::PyBaseException;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyIterator;

/// Locked for a moment and by attached threads only, and nothing of Python runs meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    iterator: Option<Py<PyIterator>>,
    raised: Option<Py<PyBaseException>>,
}

impl Origin {
    pub(crate) fn new(iterator: Py<PyIterator>) -> Arc<Self> {
        let held = Held {
            iterator: Some(iterator),
            raised: None,
        };
        Arc::new(Self {
            held: Mutex::new(held),
        })
    }

    /// The iterator, until the source has ended.
    pub(crate) fn iterator<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyIterator>> {
        let held = self.held.lock();
        let iterator = held.iterator.as_ref();
        iterator.map(|iterator| iterator.bind(py).clone())
    }

    /// Lets the iterator go: a generator is closed now, rather than at some later time.
    pub(crate) fn end(&self, _py: Python<'_>) {
        let iterator = self.held.lock().iterator.take();
        drop(iterator);
    }

    /// Keeps the exception that ended the source.
    pub(crate) fn keep(&self, py: Python<'_>, raised: &PyErr) {
        let raised = raised.value(py).clone().unbind();
        self.held.lock().raised = Some(raised);
    }

    /// The exception that ended the source.
    pub(crate) fn raised(&self, py: Python<'_>) -> Option<PyErr> {
        let raised = self.held.lock().raised.as_ref()?.bind(py).clone();
        Some(PyErr::from_value(raised.into_any()))
    }

    /// For `__traverse__`: what is locked is in use, so it is reachable anyhow.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(held) = self.held.try_lock() else {
            return Ok(());
        };
        visit.call(&held.iterator)?;
        visit.call(&held.raised)
    }

    /// For `__clear__`: nothing that could be reached reads the cache.
    pub(crate) fn clear(&self) {
        let held = std::mem::take(&mut *self.held.lock());
        drop(held);
    }
}

/// The `StreamCache` that something reads: to be held, and shown to the collector, by whatever does.
pub(crate) struct Owner {
    object: Py<PyAny>,
    /// Whether its source has something of Python.
    reads_python: bool,
}

impl Owner {
    pub(crate) fn new(object: Bound<'_, PyAny>, reads_python: bool) -> Self {
        Self {
            object: object.unbind(),
            reads_python,
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            object: self.object.clone_ref(py),
            reads_python: self.reads_python,
        }
    }

    /// The cache itself.
    pub(crate) fn cache(&self, py: Python<'_>) -> Py<PyAny> {
        self.object.clone_ref(py)
    }

    /// What a stream in C has to keep, so that the collector knows that the source is in use; `None` where
    /// there is nothing that it could take for garbage.
    pub(crate) fn keeper(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.reads_python.then(|| self.object.clone_ref(py))
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }
}
