//! One iteration over an epoch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use pyo3::PyTraverseError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyAny;
use respool::epochs::{Epochs, Made, Steps};
use respool::{BoxError, Error, Interrupt};

use super::memory::PyMemory;
use super::{PyEpochs, closed};
use crate::attach::{Detached, detached};
use crate::pyarrow::batch_to_pyarrow;
use crate::signals::{Signals, owed};
use crate::turns::Turns;

/// An iteration, and whether somebody wants it to end.
pub(crate) struct Going {
    turns: Detached<Turns<Steps>>,
    is_over: AtomicBool,
    /// Whether its last step was given.
    is_done: AtomicBool,
}

impl Going {
    pub(crate) fn new(steps: Steps) -> Self {
        Self {
            turns: Detached::new(Turns::new(steps)),
            is_over: AtomicBool::new(false),
            is_done: AtomicBool::new(false),
        }
    }

    /// Ends it: who waits for a step is told, and the thread that makes steps ahead ends.
    pub(crate) fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.is_over.store(true, Ordering::Relaxed);
        detached(py, || match self.turns.take_away() {
            // The parent's; a child has nothing to end.
            Err(Error::Forked) => Ok(()),
            taken => taken.map(drop),
        })
    }
}

/// Called off by signals, and where the iteration is to end.
impl Interrupt for Going {
    fn check(&self) -> Result<(), BoxError> {
        if self.is_over.load(Ordering::Relaxed) {
            return Err("the iteration was ended".into());
        }
        Signals.check()
    }
}

/// The steps of an epoch that are left, as record batches or as memory.
#[pyclass(frozen, module = "respool._native", name = "Steps")]
pub(crate) struct PySteps {
    owner: Py<PyEpochs>,
    going: Arc<Going>,
    epochs: Arc<Detached<Epochs>>,
    schema: Py<PyAny>,
}

impl PySteps {
    pub(crate) fn new(
        owner: Py<PyEpochs>,
        going: Arc<Going>,
        epochs: Arc<Detached<Epochs>>,
        schema: Py<PyAny>,
    ) -> Self {
        Self {
            owner,
            going,
            epochs,
            schema,
        }
    }

    /// Why there is no next step, where somebody ended the iteration.
    fn ended(&self) -> PyErr {
        if self.owner.get().at().lock().is_closed {
            return closed();
        }
        PyRuntimeError::new_err(
            "this iteration has ended: another one, another epoch or a loaded state came after it",
        )
    }

    /// The step has been given, or, without a number, the last one.
    fn note(&self, done: Option<u64>) {
        let mut at = self.owner.get().at().lock();
        if at.going.as_ptr() != Arc::as_ptr(&self.going) {
            return;
        }
        if let Some(done) = done {
            at.steps_done = at.steps_done.max(done);
        } else {
            at.epoch += 1;
            at.steps_done = 0;
            at.going = Weak::new();
        }
    }

    fn shown<'py>(&self, py: Python<'py>, made: Made) -> PyResult<Bound<'py, PyAny>> {
        match made {
            Made::Batch(batch) => batch_to_pyarrow(batch, self.schema.bind(py)),
            Made::Arrays(memory, rows) => {
                let layout = self.epochs.layout();
                let (ranges, _) = layout.map_or_else(|_| (Vec::new(), 0), |it| it.ranges(rows));
                let starts: Vec<usize> = ranges.iter().map(|range| range.start).collect();
                let memory = Py::new(py, PyMemory::new(memory))?;
                Ok((memory, rows, starts).into_pyobject(py)?.into_any())
            }
        }
    }
}

#[pymethods]
impl PySteps {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        owed()?;
        let going = &*self.going;
        let next = detached(py, || {
            let next = going.turns.with(|steps| {
                let made = steps.next_step(going)?;
                Ok((made, steps.done()))
            });
            match next {
                Err(Error::Interrupted(_)) if going.is_over.load(Ordering::Relaxed) => Ok(None),
                next => next,
            }
        });
        match next? {
            None if going.is_done.load(Ordering::Relaxed) => Ok(None),
            None => Err(self.ended()),
            Some((None, _)) => {
                going.is_done.store(true, Ordering::Relaxed);
                self.note(None);
                going.end(py)?;
                Ok(None)
            }
            Some((Some(made), done)) => {
                let shown = self.shown(py, made);
                if shown.is_ok() {
                    self.note(Some(done));
                } else {
                    // The step was not delivered, and this iteration has passed it.
                    going.end(py)?;
                }
                shown.map(Some)
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.owner)
    }
}
