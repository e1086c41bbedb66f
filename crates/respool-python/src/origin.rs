//! What a cache has of Python: the iterator that it reads, and the exception that ended it.
//!
//! Both may refer to the cache: a generator that closes over it, a traceback with a frame in which it
//! stands. Python's garbage collector has to see the way, and to see it once. So both lie here,
//! the engine has only this, and the one `StreamCache` object shows it to the collector. Whatever
//! reads the cache holds that object.

use std::sync::Arc;

use pyo3::PyTraverseError;
use pyo3::exceptions::PyBaseException;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PySet, PyTraceback, PyWeakrefMethods, PyWeakrefReference};
use respool::locks::Mutex;

/// Locked for a moment and by attached threads only, and nothing of Python runs meanwhile.
#[derive(Debug)]
pub(crate) struct Origin {
    held: Mutex<Held>,
    /// Whether the collector has found that nobody can read the cache: then it refers to nothing. The collector clears
    /// such references, those with a callback, before it closes generators.
    seen: Py<PyWeakrefReference>,
}

#[derive(Debug, Default)]
struct Held {
    iterator: Option<Py<PyIterator>>,
    /// What the collector takes together with the cache; nobody else holds it.
    taken: Option<Py<PySet>>,
    /// The exception itself, until who met it has got it.
    first: Option<Py<PyBaseException>>,
    /// What later readers get copies of. Never raised, so that it holds no frames but the source's.
    raised: Option<Py<PyBaseException>>,
    /// The source's frames.
    traceback: Option<Py<PyTraceback>>,
}

impl Origin {
    pub(crate) fn new(iterator: Bound<'_, PyIterator>) -> PyResult<Arc<Self>> {
        let py = iterator.py();
        let taken = PySet::empty(py)?;
        // Any function will do.
        let callback = py.import("builtins")?.getattr("id")?;
        let seen = PyWeakrefReference::new_with(&taken, callback)?;
        let held = Held {
            iterator: Some(iterator.unbind()),
            taken: Some(taken.unbind()),
            ..Held::default()
        };
        Ok(Arc::new(Self {
            held: Mutex::new(held),
            seen: seen.unbind(),
        }))
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
        let exception = raised.value(py);
        let traceback = raised.traceback(py);
        let kept = copied(exception, traceback.as_ref());
        let mut held = self.held.lock();
        held.first = Some(exception.clone().unbind());
        held.raised = Some(kept.unbind());
        held.traceback = traceback.map(Bound::unbind);
    }

    /// The exception itself, once.
    pub(crate) fn first(&self, py: Python<'_>) -> Option<PyErr> {
        let (first, traceback) = {
            let mut held = self.held.lock();
            let traceback = held.traceback.as_ref().map(|it| it.bind(py).clone());
            (held.first.take()?, traceback)
        };
        let error = PyErr::from_value(first.into_bound(py).into_any());
        error.set_traceback(py, traceback);
        Some(error)
    }

    /// The exception that ended the source, with the source's frames and no reader's.
    ///
    /// A copy: an exception that is raised takes on the frames that it comes through, and keeps what they hold.
    pub(crate) fn raised(&self, py: Python<'_>) -> Option<PyErr> {
        let (raised, traceback) = {
            let held = self.held.lock();
            let traceback = held.traceback.as_ref().map(|it| it.bind(py).clone());
            (held.raised.as_ref()?.bind(py).clone(), traceback)
        };
        let copy = copied(&raised, traceback.as_ref());
        let error = PyErr::from_value(copy.into_any());
        error.set_traceback(py, traceback);
        Some(error)
    }

    /// For `__traverse__`: what is locked is in use, so it is reachable anyhow.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(held) = self.held.try_lock() else {
            return Ok(());
        };
        visit.call(&held.iterator)?;
        visit.call(&held.taken)?;
        visit.call(&held.first)?;
        visit.call(&held.raised)?;
        visit.call(&held.traceback)
    }

    /// For `__clear__`: nothing that could be reached reads the cache.
    pub(crate) fn clear(&self) {
        let held = std::mem::take(&mut *self.held.lock());
        drop(held);
    }

    /// Whether the collector has taken the cache, or is about to. To be asked by a thread that reads ahead, which does
    /// not hold the cache, once it has the iterator: what an iterator says that was taken too is no end of the source,
    /// and one that somebody has is not taken.
    pub(crate) fn is_taken(&self, py: Python<'_>) -> bool {
        self.seen.bind(py).upgrade().is_none()
    }
}

/// A copy of an exception, with that traceback; the exception itself where it can't be copied.
fn copied<'py>(
    exception: &Bound<'py, PyBaseException>,
    traceback: Option<&Bound<'py, PyTraceback>>,
) -> Bound<'py, PyBaseException> {
    let copy = copy_of(exception).unwrap_or_else(|_| exception.clone());
    // An exception takes nothing but a traceback or None there, and this is one of them.
    let _ = copy.setattr("__traceback__", traceback);
    copy
}

fn copy_of<'py>(exception: &Bound<'py, PyBaseException>) -> PyResult<Bound<'py, PyBaseException>> {
    let py = exception.py();
    let copy = py.import("copy")?.call_method1("copy", (exception,))?;
    let copy = copy.cast_into::<PyBaseException>()?;
    let is_same = copy.get_type().is(exception.get_type())
        && copy.getattr("args")?.eq(exception.getattr("args")?)?;
    if !is_same {
        return Ok(exception.clone());
    }
    for name in ["__cause__", "__context__", "__suppress_context__"] {
        copy.setattr(name, exception.getattr(name)?)?;
    }
    Ok(copy)
}

/// The `StreamCache` that something reads: to be held, and shown to the collector, by whatever does.
pub(crate) struct Owner {
    object: Py<PyAny>,
    /// Whether a stream in C keeps it.
    is_kept: bool,
}

impl Owner {
    pub(crate) fn new(object: Bound<'_, PyAny>, is_kept: bool) -> Self {
        Self {
            object: object.unbind(),
            is_kept,
        }
    }

    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            object: self.object.clone_ref(py),
            is_kept: self.is_kept,
        }
    }

    /// The cache itself.
    pub(crate) fn cache(&self, py: Python<'_>) -> Py<PyAny> {
        self.object.clone_ref(py)
    }

    /// What a stream in C has to keep, so that the collector knows that the source is in use, and that others
    /// find who fills a log; `None` where there is nothing of both.
    pub(crate) fn keeper(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        self.is_kept.then(|| self.object.clone_ref(py))
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }
}
