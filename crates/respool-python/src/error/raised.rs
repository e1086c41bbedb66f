//! Exceptions on their way through the engine.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use pyo3::exceptions::{
    PyException, PyKeyboardInterrupt, PyMemoryError, PyNotImplementedError, PyRuntimeError,
    PyValueError,
};
use pyo3::prelude::*;

use super::ended::Ended;
use super::told::{EIO, Kind, Told};
use crate::origin::Origin;

/// An exception on its way through the engine, with what C can be told of it.
#[derive(Debug)]
pub(crate) struct Exception {
    pub(super) raised: PyErr,
    pub(super) told: Told,
    pub(super) ends: Ends,
}

impl Exception {
    pub(crate) fn new(py: Python<'_>, raised: PyErr) -> Self {
        let (told, ends) = tell(py, &raised);
        Self { raised, told, ends }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.text)
    }
}

impl StdError for Exception {}

/// What an iterable source raised. The exception itself is with the origin, where the garbage collector
/// sees it.
#[derive(Debug)]
pub(crate) struct Raised {
    origin: Arc<Origin>,
    pub(super) told: Told,
    pub(super) ends: Ends,
    pub(super) ended: Ended,
}

impl Raised {
    pub(crate) fn new(py: Python<'_>, origin: &Arc<Origin>, raised: &PyErr) -> Self {
        origin.keep(py, raised);
        let (told, ends) = tell(py, raised);
        Self {
            origin: Arc::clone(origin),
            told,
            ends,
            ended: Ended::here(),
        }
    }

    /// The exception, as it was to who met it, a copy of it to later readers.
    pub(super) fn exception(&self, py: Python<'_>, is_now: bool) -> PyErr {
        let first = is_now.then(|| self.origin.first(py)).flatten();
        let kept = first.or_else(|| self.origin.raised(py));
        kept.unwrap_or_else(|| PyRuntimeError::new_err(self.told.text.clone()))
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.text)
    }
}

impl StdError for Raised {}

/// What an exception is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Nothing: it says what is wrong.
    Nothing,
    /// The program, or whatever the user wants to get out of.
    Interrupted,
    /// The program, as `SystemExit` does, or a generator.
    Otherwise,
}

/// What C can be told of an exception, and what it is to end.
fn tell(py: Python<'_>, raised: &PyErr) -> (Told, Ends) {
    let value = raised.value(py);
    let text = value
        .str()
        .map_or_else(|_| "no text".to_owned(), |text| text.to_string());
    let name = raised
        .get_type(py)
        .name()
        .map_or_else(|_| "Error".to_owned(), |name| name.to_string());
    let errno = || value.getattr("errno").and_then(|errno| errno.extract());
    let kind = if value.is_instance_of::<PyValueError>() {
        Kind::Value
    } else if value.is_instance_of::<PyMemoryError>() {
        Kind::Memory
    } else if value.is_instance_of::<PyNotImplementedError>() {
        Kind::NotImplemented
    } else {
        Kind::Os(errno().unwrap_or(EIO))
    };
    let ends = if value.is_instance_of::<PyKeyboardInterrupt>() {
        Ends::Interrupted
    } else if value.is_instance_of::<PyException>() {
        Ends::Nothing
    } else {
        Ends::Otherwise
    };
    let told = if text.is_empty() {
        name
    } else {
        format!("{name}: {text}")
    };
    (Told::new(kind, told), ends)
}
