//! One iteration over an epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pyo3::PyTraverseError;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyAny;
use respool::epochs::{Epochs, Made, Steps};
use respool::{BoxError, Error, Interrupt};

use super::memory::PyMemory;
use super::{At, PyEpochs, closed};
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
    /// Steps of the epoch that were counted: those before are given, whoever ended it meanwhile.
    counted: AtomicU64,
}

impl Going {
    pub(crate) fn new(steps: Steps) -> Self {
        Self {
            turns: Detached::new(Turns::new(steps)),
            is_over: AtomicBool::new(false),
            is_done: AtomicBool::new(false),
            counted: AtomicU64::new(0),
        }
    }

    /// Ends it, and waits for nobody: who waits for a step is told, and who is in the source is when that has answered.
    /// The thread that makes steps ahead ends with it.
    pub(crate) fn end(&self, py: Python<'_>) -> PyResult<()> {
        self.is_over.store(true, Ordering::Relaxed);
        detached(py, || {
            drop(self.turns.dismiss());
            Ok(())
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
    /// What makes arrays of memory.
    shown_by: Option<Py<PyAny>>,
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
            shown_by: None,
        }
    }

    pub(crate) fn shown_by(self, shown: Py<PyAny>) -> Self {
        Self {
            shown_by: Some(shown),
            ..self
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

    /// Counts a step that is about to be given; says whether it may be. What was made for an iteration that somebody
    /// has ended meanwhile is not: it was not counted, so it comes again.
    fn count(&self, done: u64) -> bool {
        let mut at = self.owner.get().at().lock();
        if at.is_of(&self.going) {
            at.steps_done = at.steps_done.max(done);
            self.going.counted.fetch_max(done, Ordering::Relaxed);
            return true;
        }
        // Another thread that has it too may have counted a later one, or met its end.
        done <= self.going.counted.load(Ordering::Relaxed)
            || self.going.is_done.load(Ordering::Relaxed)
    }

    /// The last step was given: the next epoch is the current one.
    fn finish(&self) {
        let mut at = self.owner.get().at().lock();
        if at.is_of(&self.going) {
            self.going.is_done.store(true, Ordering::Relaxed);
            *at = At {
                // None comes after the last one.
                epoch: at.epoch.saturating_add(1),
                is_closed: at.is_closed,
                ..At::default()
            };
        }
    }

    /// Takes back a step that the caller does not get: it comes again.
    fn take_back(&self, py: Python<'_>, made: Made) -> PyResult<()> {
        let back = detached(py, || {
            self.going.turns.with(|steps| {
                steps.put_back(made);
                Ok(())
            })
        });
        match back {
            Ok(_) => Ok(()),
            // It is not counted, and this iteration has passed it.
            Err(_) => self.going.end(py),
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
                let step = (memory, rows, starts);
                match &self.shown_by {
                    Some(shown) => shown.bind(py).call1(step),
                    None => Ok(step.into_pyobject(py)?.into_any()),
                }
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
                Err(Error::Interrupted(_) | Error::Closed)
                    if going.is_over.load(Ordering::Relaxed) =>
                {
                    Ok(None)
                }
                next => next,
            }
        });
        match next? {
            None if going.is_done.load(Ordering::Relaxed) => Ok(None),
            None => Err(self.ended()),
            Some((None, _)) => {
                self.finish();
                going.end(py)?;
                Ok(None)
            }
            Some((Some(made), done)) => {
                // A signal that came meanwhile would be raised when this returns, and the step be lost.
                if let Err(raised) = py.check_signals() {
                    self.take_back(py, made)?;
                    return Err(raised);
                }
                match self.shown(py, made) {
                    Ok(shown) if self.count(done) => Ok(Some(shown)),
                    Ok(_) => Err(self.ended()),
                    Err(error) => {
                        // The step was not delivered, and this iteration has passed it.
                        going.end(py)?;
                        Err(error)
                    }
                }
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.owner)?;
        visit.call(&self.shown_by)
    }
}
