//! Some batches at a time, as one stream each: what a data frame is made of.

use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use respool::{Polled, Scan};

use crate::c_stream::export_batches;
use crate::error::OrRaise;
use crate::signals::Signals;

/// A replay in steps of many rows. Made by `view._frames`.
#[pyclass(frozen, module = "respool._native", name = "Frames")]
pub(crate) struct PyFrames(Mutex<Option<Scan>>);

impl PyFrames {
    pub(crate) fn new(scan: Scan) -> Self {
        Self(Mutex::new(Some(scan)))
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
        let taken = py.detach(|| {
            let mut scan = self.0.lock();
            let Some(scan) = &mut *scan else {
                return Ok(None);
            };
            let (mut batches, mut taken) = (Vec::new(), 0);
            while rows.is_none_or(|rows| taken < rows) {
                let batch = match scan.poll() {
                    Ok(Polled::Batch(batch)) => Some(batch),
                    Ok(Polled::End) => None,
                    Ok(Polled::Pending) if batches.is_empty() || rows.is_none() => {
                        scan.next_batch(&Signals)?
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
            Ok((!batches.is_empty()).then(|| (scan.schema(), batches)))
        });
        let taken = taken.or_raise(py)?;
        taken
            .map(|(schema, batches)| export_batches(py, schema, batches))
            .transpose()
    }

    /// Let the reader go.
    fn close(&self, py: Python<'_>) {
        py.detach(|| drop(self.0.lock().take()));
    }
}
