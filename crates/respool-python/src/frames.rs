//! Some batches at a time, as one stream each: what a data frame is made of.

use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use respool::{Polled, Reader};

use crate::arrow::export_batches;
use crate::attach::{Detached, detached};
use crate::origin::Owner;
use crate::signals::Signals;
use crate::turns::Turns;

/// A replay in steps of many rows. Made by `view._frames`.
#[pyclass(frozen, module = "respool._native", name = "Frames")]
pub(crate) struct PyFrames {
    turns: Detached<Turns<Reader>>,
    owner: Owner,
}

impl PyFrames {
    pub(crate) fn new(reader: Reader, owner: Owner) -> Self {
        Self {
            turns: Detached::new(Turns::new(reader)),
            owner,
        }
    }
}

#[pymethods]
impl PyFrames {
    /// The next batches as a stream, None at the end.
    ///
    /// Waits for one batch if none is stored; takes more, up to `rows` rows, only of those that are. Without
    /// `rows` it takes everything to the end.
    #[pyo3(signature = (rows=None))]
    fn take<'py>(
        &self,
        py: Python<'py>,
        rows: Option<usize>,
    ) -> PyResult<Option<Bound<'py, PyCapsule>>> {
        let taken = detached(py, || {
            self.turns.with(|reader| {
                let (mut batches, mut taken) = (Vec::new(), 0);
                while rows.is_none_or(|rows| taken < rows) {
                    let batch = match reader.poll() {
                        Ok(Polled::Batch(batch)) => Some(batch),
                        Ok(Polled::End) => None,
                        Ok(Polled::Pending) if batches.is_empty() || rows.is_none() => {
                            reader.pull_batch(&Signals)?
                        }
                        Ok(Polled::Pending) => break,
                        // Comes again, after the batches before it.
                        Err(_) if !batches.is_empty() && rows.is_some() => break,
                        Err(error) => return Err(error),
                    };
                    let Some(batch) = batch else { break };
                    taken += batch.num_rows();
                    batches.push(batch);
                }
                Ok((!batches.is_empty()).then(|| (reader.schema(), batches)))
            })
        });
        let taken = taken?.flatten();
        taken
            .map(|(schema, batches)| export_batches(py, schema, batches))
            .transpose()
    }

    /// Let the reader go.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || self.turns.take_away().map(drop))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.owner.traverse(&visit)
    }
}
