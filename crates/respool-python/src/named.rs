//! What the named caches of `respool._named` need of here.

use std::path::PathBuf;

use pyo3::prelude::*;
use respool::{Log, Removal};

use crate::attach::detached;
use crate::size::SizeArgument;

/// A size in bytes; a share is one of `whole`.
#[pyfunction]
#[pyo3(name = "_bytes_of")]
pub(crate) fn bytes_of(size: SizeArgument, whole: u64) -> u64 {
    size.of(whole)
}

/// Removes the log in a directory; False if somebody uses it.
#[pyfunction]
#[pyo3(name = "_remove_log")]
pub(crate) fn remove_log(py: Python<'_>, path: PathBuf) -> PyResult<bool> {
    detached(py, || Ok(Log::remove(&path)? == Removal::Removed))
}
