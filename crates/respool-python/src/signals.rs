//! How a call that waits or works for long learns of Ctrl-C.

use respool::{BoxError, Interrupt};

use crate::attach::attached;
use crate::error::Exception;
use crate::exit;

/// Runs Python's signal handlers. The engine calls it with no lock held and the thread detached.
pub(crate) struct Signals;

impl Interrupt for Signals {
    fn check(&self) -> Result<(), BoxError> {
        if exit::is_near() {
            return Err(SHUTTING_DOWN.into());
        }
        // Handlers run on the main thread alone; no other has to wait for the GIL to learn nothing.
        if !exit::may_be_main() {
            return Ok(());
        }
        let checked = attached(|py| {
            let checked = py.check_signals();
            checked.map_err(|raised| Box::new(Exception::new(py, raised)) as BoxError)
        });
        checked.unwrap_or_else(|| Err(SHUTTING_DOWN.into()))
    }
}

/// What is said where nothing can be asked of Python any more.
pub(crate) const SHUTTING_DOWN: &str = "Python is shutting down";
