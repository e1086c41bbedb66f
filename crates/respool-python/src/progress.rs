//! What `ingest_all(progress=...)` shows: `respool._progress` is told how far it is.

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBool;
use respool::{SLICE, View};

use crate::attach::detached;

/// Tells how far an ingest is. What is shown stays as it is when it is dropped.
pub(crate) struct Progress<'py> {
    /// `None`: nobody asked.
    shown: Option<Bound<'py, PyAny>>,
    interval: Duration,
}

impl<'py> Progress<'py> {
    /// `rows`: how many there will be, where that is known.
    pub(crate) fn new(
        py: Python<'py>,
        argument: Option<&Bound<'py, PyAny>>,
        rows: Option<u64>,
    ) -> PyResult<Self> {
        let silent = Self {
            shown: None,
            interval: SLICE,
        };
        let Some(argument) = argument else {
            return Ok(silent);
        };
        if argument.is_none()
            || argument
                .cast::<PyBool>()
                .is_ok_and(|wanted| !wanted.is_true())
        {
            return Ok(silent);
        }
        let module = py.import("respool._progress")?;
        let shown = module.call_method1("begin", (argument, rows))?;
        let interval = if shown.getattr("is_told_each")?.is_truthy()? {
            Duration::ZERO
        } else {
            SLICE
        };
        Ok(Self {
            shown: Some(shown),
            interval,
        })
    }

    /// How long to pull before the next look.
    pub(crate) fn interval(&self) -> Duration {
        self.interval
    }

    pub(crate) fn show(&self, py: Python<'_>, view: &View, last: bool) -> PyResult<()> {
        let Some(shown) = &self.shown else {
            return Ok(());
        };
        let extent = detached(py, || view.extent())?;
        let bytes = extent.cache.bytes;
        shown.call_method1("at", (extent.batches, extent.rows, bytes))?;
        if last {
            shown.call_method1("end", (bytes,))?;
        }
        Ok(())
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(shown) = &self.shown
            && let Err(error) = shown.call_method0("stop")
        {
            // There is nobody to raise it to: what ended the ingest is on its way already, or nothing did.
            error.write_unraisable(shown.py(), Some(shown));
        }
    }
}
