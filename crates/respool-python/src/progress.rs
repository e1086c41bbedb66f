//! What `ingest_all(progress=...)` shows: `respool._progress` is told how far it is.

use std::cell::Cell;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyBool;
use respool::{SLICE, View};

use crate::attach::detached;

/// Tells how far an ingest is. What is shown stays as it is when it is dropped.
pub(crate) struct Progress<'py> {
    /// `None`: nobody asked.
    shown: Option<Bound<'py, PyAny>>,
    /// Each batch is told by itself.
    is_told_each: bool,
    /// Batches when it was told last.
    told: Cell<Option<usize>>,
    /// Nothing came since then.
    is_waiting: Cell<bool>,
}

impl<'py> Progress<'py> {
    /// `rows`: how many there will be, where that is known.
    pub(crate) fn new(
        py: Python<'py>,
        argument: Option<&Bound<'py, PyAny>>,
        rows: Option<u64>,
    ) -> PyResult<Self> {
        let mut progress = Self {
            shown: None,
            is_told_each: false,
            told: Cell::new(None),
            is_waiting: Cell::new(false),
        };
        let Some(argument) = argument else {
            return Ok(progress);
        };
        if argument.is_none()
            || argument
                .cast::<PyBool>()
                .is_ok_and(|wanted| !wanted.is_true())
        {
            return Ok(progress);
        }
        let module = py.import("respool._progress")?;
        let shown = module.call_method1("begin", (argument, rows))?;
        progress.is_told_each = shown.getattr("is_told_each")?.is_truthy()?;
        progress.shown = Some(shown);
        Ok(progress)
    }

    /// How long to pull before the next look: one batch, where each is to be told, but where somebody else has to bring
    /// it that would be a look after the other.
    pub(crate) fn interval(&self) -> Duration {
        if self.is_told_each && !self.is_waiting.get() {
            Duration::ZERO
        } else {
            SLICE
        }
    }

    pub(crate) fn show(&self, py: Python<'_>, view: &View, last: bool) -> PyResult<()> {
        let Some(shown) = &self.shown else {
            return Ok(());
        };
        let extent = detached(py, || view.extent())?;
        let bytes = extent.cache.bytes;
        let before = self.told.replace(Some(extent.batches));
        self.is_waiting.set(before == Some(extent.batches));
        if self.is_told_each && self.is_waiting.get() && !last {
            return Ok(());
        }
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
