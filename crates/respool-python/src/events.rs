//! `on_event=`: what a cache tells of its work, handed to a callable.
//!
//! The engine keeps what happened until a thread that holds no lock can tell it. Here that thread attaches, if it
//! still may, and calls. What the callable raises is told by `sys.unraisablehook`, and nothing else comes of it.

use std::sync::Arc;

use pyo3::PyTraverseError;
use pyo3::exceptions::{PyKeyboardInterrupt, PyTypeError};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use respool::locks::Mutex;
use respool::{Event, EventKind, Listener};

use crate::attach::attached;
use crate::exit;

/// Who is told. The one `StreamCache` object that was made with it shows it to the garbage collector.
pub(crate) struct Events {
    /// Locked for a moment and by attached threads only, and nothing of Python runs meanwhile.
    callable: Mutex<Option<Py<PyAny>>>,
    /// `respool.typing.Event`.
    class: Py<PyAny>,
}

impl Events {
    /// The `on_event` argument.
    ///
    /// # Errors
    /// `TypeError` where it can't be called.
    pub(crate) fn of(callable: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Arc<Self>>> {
        let Some(callable) = callable else {
            return Ok(None);
        };
        if !callable.is_callable() {
            return Err(PyTypeError::new_err(format!(
                "on_event is a callable that takes one respool.typing.Event, as in on_event=print, not {}",
                callable.get_type().name()?
            )));
        }
        let class = callable
            .py()
            .import("respool.typing")?
            .getattr("Event")?
            .unbind();
        Ok(Some(Arc::new(Self {
            callable: Mutex::new(Some(callable.clone().unbind())),
            class,
        })))
    }

    fn callable<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let callable = self.callable.lock();
        callable.as_ref().map(|it| it.bind(py).clone())
    }

    fn call(&self, callable: &Bound<'_, PyAny>, event: Event) -> PyResult<()> {
        let kind = match event.kind {
            EventKind::Ingest => "ingest",
            EventKind::Spill => "spill",
            EventKind::Evict => "evict",
            EventKind::Error => "error",
            EventKind::End => "end",
        };
        let Event {
            batch,
            batches,
            rows,
            bytes,
            took,
            error,
            dropped,
            ..
        } = event;
        let seconds = took.as_secs_f64();
        let arguments = (kind, batch, batches, rows, bytes, seconds, error, dropped);
        let event = self.class.call1(callable.py(), arguments)?;
        callable.call1((event,)).map(drop)
    }

    /// For `__traverse__`: what is locked is in use, so it is reachable anyhow.
    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.callable.try_lock() {
            Some(callable) => visit.call(&*callable),
            None => Ok(()),
        }
    }

    /// For `__clear__`: nothing that could be reached reads the cache.
    pub(crate) fn clear(&self) {
        let callable = self.callable.lock().take();
        drop(callable);
    }
}

impl Listener for Events {
    fn listen(&self, next: &mut dyn FnMut() -> Option<Event>) -> bool {
        // At the end of the process its modules are being taken apart, and nobody looks at metrics any more.
        if exit::is_near() {
            return false;
        }
        let told = attached(|py| {
            let Some(callable) = self.callable(py) else {
                return false;
            };
            while let Some(event) = next() {
                if let Err(error) = self.call(&callable, event) {
                    if error.is_instance_of::<PyKeyboardInterrupt>(py) && exit::is_main() {
                        // Ctrl-C came while it ran: it is meant for the program, and is raised where that is told
                        // of signals.
                        let again = py
                            .import("_thread")
                            .and_then(|thread| thread.call_method0("interrupt_main"));
                        if again.is_ok() {
                            return false;
                        }
                    }
                    error.write_unraisable(py, Some(&callable));
                }
            }
            true
        });
        told.unwrap_or(false)
    }
}
