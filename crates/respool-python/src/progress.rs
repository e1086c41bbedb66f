//! What `ingest_all(progress=...)` shows.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyBool;
use respool::{SLICE, View};

use crate::attach::detached;
use crate::describe::size;

/// Tells how far an ingest is.
pub(crate) enum Progress<'py> {
    Silent,
    /// A line on standard error, rewritten at most every tenth of a second.
    Line(Instant),
    /// The user's function of batches and rows.
    Call(Bound<'py, PyAny>),
}

const BETWEEN_LINES: Duration = Duration::from_millis(100);

impl<'py> Progress<'py> {
    pub(crate) fn new(argument: Option<&Bound<'py, PyAny>>) -> PyResult<Self> {
        let Some(argument) = argument else {
            return Ok(Self::Silent);
        };
        if argument.is_none() {
            Ok(Self::Silent)
        } else if let Ok(wanted) = argument.cast::<PyBool>() {
            Ok(if wanted.is_true() {
                Self::Line(Instant::now())
            } else {
                Self::Silent
            })
        } else if argument.is_callable() {
            Ok(Self::Call(argument.clone()))
        } else {
            Err(pyo3::exceptions::PyTypeError::new_err(
                "progress is True, False or a callable",
            ))
        }
    }

    /// How long to pull before the next look.
    pub(crate) fn interval(&self) -> Duration {
        match self {
            Self::Silent | Self::Line(_) => SLICE,
            Self::Call(_) => Duration::ZERO,
        }
    }

    pub(crate) fn show(&mut self, py: Python<'_>, view: &View, last: bool) -> PyResult<()> {
        if matches!(self, Self::Silent) {
            return Ok(());
        }
        let extent = detached(py, || view.extent())?;
        let (batches, rows, bytes) = (extent.batches, extent.rows, extent.cache.bytes);
        match self {
            Self::Silent => {}
            Self::Line(next) => {
                if last || Instant::now() >= *next {
                    *next = Instant::now() + BETWEEN_LINES;
                    let end = if last { "\n" } else { "" };
                    let bytes = size(bytes);
                    let stderr = py.import("sys")?.getattr("stderr")?;
                    let line = format!("\rrespool: {batches} batches, {rows} rows, {bytes}{end}");
                    stderr.call_method1("write", (line,))?;
                    stderr.call_method0("flush")?;
                }
            }
            Self::Call(function) => {
                function.call1((batches, rows))?;
            }
        }
        Ok(())
    }
}
