//! How a wait inside the engine learns of Ctrl-C.

use pyo3::prelude::*;
use respool::{BoxError, Interrupt};

use crate::shutdown;

/// Runs Python's signal handlers. The engine calls it with no lock held and the thread detached.
pub(crate) struct Signals;

impl Interrupt for Signals {
    fn check(&self) -> Result<(), BoxError> {
        if shutdown::is_near() {
            return Err("Python is shutting down".into());
        }
        let checked = Python::try_attach(|py| py.check_signals().map_err(BoxError::from));
        checked.unwrap_or_else(|| Err("Python is shutting down".into()))
    }
}
