//! What the named caches of `respool._named` need of here.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::Schema;
use pyo3::prelude::*;
use respool::{Log, LogError, LogOptions, Removal};

use crate::attach::detached;
use crate::budget::{PyBudget, check_sizes};
use crate::events::Events;
use crate::feeding::{BatchRows, Feeding, Prefetch};
use crate::metadata::entries_of;
use crate::number::Number;
use crate::options::{compression_of, options};
use crate::size::SizeArgument;
use crate::source::schema_of;

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

/// Refuses the options that [`fill`](crate::door::fill) refuses, while no source is there yet.
#[pyfunction]
#[pyo3(name = "_check_options")]
#[pyo3(signature = (*, metadata, memory, prefetch, batch_rows, coalesce_rows, compression, schema, budget, on_event))]
#[expect(clippy::too_many_arguments, reason = "keywords of one door")]
pub(crate) fn check_options(
    py: Python<'_>,
    metadata: Option<&Bound<'_, PyAny>>,
    memory: Option<SizeArgument>,
    prefetch: Option<Prefetch>,
    batch_rows: Option<BatchRows>,
    coalesce_rows: Option<Number>,
    compression: Option<&str>,
    schema: Option<&Bound<'_, PyAny>>,
    budget: Option<&Bound<'_, PyBudget>>,
    on_event: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    entries_of(metadata)?;
    let feeding = Feeding {
        prefetch,
        batch_rows,
        coalesce_rows,
    };
    options(py, memory.as_ref(), &feeding)?;
    Events::of(on_event)?;
    if budget.is_some() {
        check_sizes(memory.as_ref(), None)?;
    }
    compression_of(compression)?;
    schema.map(schema_of).transpose()?;
    Ok(())
}

/// Refuses a directory in which no log can be because it is memory itself.
#[pyfunction]
#[pyo3(name = "_check_place")]
pub(crate) fn check_place(py: Python<'_>, directory: PathBuf) -> PyResult<()> {
    detached(py, || {
        match Log::temporary(Arc::new(Schema::empty()), LogOptions::new(&directory)) {
            Err(error @ LogError::Tmpfs { .. }) => Err(error.into()),
            // A full disk may have room again when a log is begun; and whoever begins it is told the rest.
            _ => Ok(()),
        }
    })
}
