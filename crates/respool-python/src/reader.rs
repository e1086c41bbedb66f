//! `StreamCacheReader`: one replay.

use arrow_schema::SchemaRef;
use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use respool::{Error, Interrupt, Reader, SLICE};

use crate::c_stream::{export_schema, export_stream, import_schema, schema_in};
use crate::error::OrRaise;
use crate::pyarrow::{batch_to_pyarrow, schema_to_pyarrow};
use crate::signals::Signals;

/// One replay of a cache or a view, with its own position.
///
/// Iterating gives ``pyarrow.RecordBatch`` objects. Handing the reader to another library (through
/// ``__arrow_c_stream__``) or to :meth:`cast` consumes it: afterwards ``closed`` is True and every
/// use raises ``ValueError``.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
/// >>> reader = cache.reader()
/// >>> [batch.num_rows for batch in reader]
/// [3]
/// >>> pa.table(cache.reader()).num_rows
/// 3
#[pyclass(frozen, module = "respool", name = "StreamCacheReader")]
pub(crate) struct PyReader {
    turn: Mutex<Turn>,
    /// Signalled when a turn ends.
    done: Condvar,
    schema: SchemaRef,
    pyarrow_schema: Py<PyAny>,
}

/// Who has the reader. Nobody holds the lock while reading: a second thread waits for its turn in
/// slices, and detached.
enum Turn {
    Free(Reader),
    Taken,
    Consumed,
}

impl PyReader {
    pub(crate) fn new(py: Python<'_>, reader: Reader) -> PyResult<Self> {
        let schema = reader.schema();
        let pyarrow_schema = schema_to_pyarrow(py, &schema)?.unbind();
        Ok(Self {
            turn: Mutex::new(Turn::Free(reader)),
            done: Condvar::new(),
            schema,
            pyarrow_schema,
        })
    }

    /// Takes the reader; `None` where it was consumed. Called detached.
    fn take(&self) -> Result<Option<Reader>, Error> {
        loop {
            let mut turn = self.turn.lock();
            match std::mem::replace(&mut *turn, Turn::Taken) {
                Turn::Free(reader) => return Ok(Some(reader)),
                Turn::Consumed => {
                    *turn = Turn::Consumed;
                    return Ok(None);
                }
                Turn::Taken => {
                    self.done.wait_for(&mut turn, SLICE);
                    drop(turn);
                    Signals.check().map_err(Error::Interrupted)?;
                }
            }
        }
    }

    fn give_back(&self, turn: Turn) {
        *self.turn.lock() = turn;
        self.done.notify_one();
    }

    /// Takes the reader for good.
    fn consume(&self, py: Python<'_>) -> PyResult<Reader> {
        let taken = py.detach(|| {
            let taken = self.take();
            if matches!(taken, Ok(Some(_))) {
                self.give_back(Turn::Consumed);
            }
            taken
        });
        taken.or_raise(py)?.ok_or_else(consumed)
    }
}

/// The reader for one turn; given back also when the turn ends in a panic.
struct Held<'a> {
    owner: &'a PyReader,
    reader: Option<Reader>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.owner
            .give_back(self.reader.take().map_or(Turn::Consumed, Turn::Free));
    }
}

fn consumed() -> PyErr {
    PyValueError::new_err(
        "this reader was already consumed: ask the cache for a new one with .reader()",
    )
}

#[pymethods]
impl PyReader {
    /// The schema of every batch, a ``pyarrow.Schema``.
    #[getter]
    fn schema(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if self.closed(py) {
            Err(consumed())
        } else {
            Ok(self.pyarrow_schema.clone_ref(py))
        }
    }

    /// Whether the reader was consumed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> bool {
        py.detach(|| matches!(*self.turn.lock(), Turn::Consumed))
    }

    /// Hand the rest of the replay over as a ``pyarrow.RecordBatchReader`` of another schema.
    ///
    /// Parameters
    /// ----------
    /// schema
    ///     Names as in ``self.schema``, other types. A value that the new type can't hold is an
    ///     error when its batch is read.
    ///
    /// Returns
    /// -------
    /// pyarrow.RecordBatchReader
    ///     Reads on from this reader's position. This reader is consumed.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If names differ, no such cast exists, or the reader was consumed.
    #[pyo3(text_signature = "($self, schema)")]
    fn cast<'py>(
        &self,
        py: Python<'py>,
        schema: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let schema = import_schema(schema)?;
        let reader = self
            .consume(py)?
            .shown_as(|view| view.cast(&schema))
            .or_raise(py)?;
        let stream = Py::new(py, Self::new(py, reader)?)?;
        py.import("pyarrow")?
            .getattr("RecordBatchReader")?
            .call_method1("from_stream", (stream,))
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let next = py.detach(|| {
            let Some(reader) = self.take()? else {
                return Ok(None);
            };
            let mut held = Held {
                owner: self,
                reader: Some(reader),
            };
            held.reader
                .as_mut()
                .map(|reader| reader.next_batch(&Signals))
                .transpose()
        });
        match next.or_raise(py)? {
            None => Err(consumed()),
            Some(None) => Ok(None),
            Some(Some(batch)) => batch_to_pyarrow(batch, self.pyarrow_schema.bind(py)).map(Some),
        }
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let requested = requested_schema.map(schema_in).transpose()?;
        let mut reader = self.consume(py)?;
        if let Some(schema) = requested {
            reader = reader.shown_as(|view| view.conform(&schema)).or_raise(py)?;
        }
        export_stream(py, reader)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        if self.closed(py) {
            return Err(consumed());
        }
        export_schema(py, &self.schema)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = if self.closed(py) { "consumed" } else { "open" };
        format!(
            "<respool.StreamCacheReader {state}, {} columns>",
            self.schema.fields().len()
        )
    }
}
