//! `StreamCacheReader`: one replay.

use arrow_schema::SchemaRef;
use pyo3::PyTraverseError;
use pyo3::exceptions::PyValueError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use respool::{Reader, counted};

use crate::arrow::{export_schema, export_stream, import_schema, schema_in};
use crate::attach::{Detached, detached};
use crate::origin::Owner;
use crate::pyarrow::{batch_to_pyarrow, schema_to_pyarrow, table_of};
use crate::signals::{Signals, owed};
use crate::turns::Turns;

/// One replay of a cache or a view, with its own position.
///
/// Iterating gives ``pyarrow.RecordBatch`` objects. Handing the reader to another library (through
/// ``__arrow_c_stream__``), :meth:`read_all`, :meth:`cast` and :meth:`close` consume it: afterwards
/// ``closed`` is True, and reading on raises ``ValueError``. A reader is a context manager that closes it.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
/// >>> reader = cache.reader()
/// >>> [batch.num_rows for batch in reader], reader.position
/// ([3], 1)
/// >>> with cache.reader() as reader:
/// ...     reader.read_all().num_rows
/// 3
/// >>> reader.closed, reader.schema.names
/// (True, ['x'])
#[pyclass(frozen, weakref, module = "respool", name = "StreamCacheReader")]
pub(crate) struct PyReader {
    turns: Detached<Turns<Reader>>,
    schema: SchemaRef,
    pyarrow_schema: Py<PyAny>,
    owner: Owner,
}

impl PyReader {
    pub(crate) fn new(py: Python<'_>, reader: Reader, owner: Owner) -> PyResult<Self> {
        let schema = reader.schema();
        let pyarrow_schema = schema_to_pyarrow(py, &schema)?.unbind();
        Ok(Self {
            turns: Detached::new(Turns::new(reader)),
            schema,
            pyarrow_schema,
            owner,
        })
    }

    /// Takes the reader for good.
    fn consume(&self, py: Python<'_>) -> PyResult<Reader> {
        let taken = detached(py, || self.turns.take_away());
        taken?.ok_or_else(consumed)
    }
}

fn consumed() -> PyErr {
    PyValueError::new_err(
        "this reader was already consumed or closed: ask the cache for a new one with .reader()",
    )
}

#[pymethods]
impl PyReader {
    /// The schema of every batch, a ``pyarrow.Schema``; also of a reader that was consumed.
    #[getter]
    fn schema(&self, py: Python<'_>) -> Py<PyAny> {
        self.pyarrow_schema.clone_ref(py)
    }

    /// Whether the reader was consumed or closed.
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, || self.turns.is_gone())
    }

    /// Number of the batch that comes next, as in the cache.
    #[getter]
    fn position(&self, py: Python<'_>) -> PyResult<usize> {
        let position = detached(py, || self.turns.with(|reader| Ok(reader.at().batch)));
        position?.ok_or_else(consumed)
    }

    /// Read the rest into a ``pyarrow.Table`` that shares the cache's buffers. This reader is consumed.
    ///
    /// Returns
    /// -------
    /// pyarrow.Table
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If the reader was consumed or closed.
    /// BaseException
    ///     What the source raised, at its place. The reader stays at it.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> reader = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2)).reader()
    /// >>> next(reader).num_rows, reader.read_all().num_rows
    /// (2, 1)
    fn read_all<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let schema = slf.get().schema(slf.py());
        let table = table_of(slf.as_any(), schema.bind(slf.py()))?;
        slf.get().close(slf.py())?;
        Ok(table)
    }

    /// Let the reader go. Closing again does nothing.
    ///
    /// It waits for no source: another thread that waits for a batch gets it, and none after it.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> reader = respool.StreamCache(pa.table({"x": [1, 2, 3]})).reader()
    /// >>> reader.close()
    /// >>> reader.closed
    /// True
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        detached(py, || {
            self.turns.is_gone()?;
            // Who reads drops it with the batch that he waits for.
            drop(self.turns.dismiss());
            Ok(())
        })
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
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> reader = respool.StreamCache(pa.table({"x": [1, 2, 3]})).reader()
    /// >>> reader.cast(pa.schema({"x": pa.string()})).read_all()["x"].to_pylist()
    /// ['1', '2', '3']
    #[pyo3(text_signature = "($self, schema)")]
    fn cast<'py>(
        &self,
        py: Python<'py>,
        schema: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let schema = import_schema(schema)?;
        let reader = self.consume(py)?;
        let reader = detached(py, || reader.shown_as(|view| view.cast(&schema)))?;
        let stream = Py::new(py, Self::new(py, reader, self.owner.clone_ref(py))?)?;
        py.import("pyarrow")?
            .getattr("RecordBatchReader")?
            .call_method1("from_stream", (stream,))
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        owed()?;
        let next = detached(py, || self.turns.with(|reader| reader.next_batch(&Signals)));
        match next? {
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
            reader = detached(py, || reader.shown_as(|view| view.conform(&schema)))?;
        }
        export_stream(py, reader, self.owner.keeper(py))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        export_schema(py, &self.schema)
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        if slf.get().closed(slf.py())? {
            return Err(consumed());
        }
        Ok(slf.clone())
    }

    #[pyo3(signature = (exc_type, exc_value, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (exc_type, exc_value, traceback);
        self.close(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let state = match self.closed(py) {
            Ok(true) => "consumed",
            Ok(false) => "open",
            Err(_) => "of the parent process",
        };
        format!(
            "<respool.StreamCacheReader {state}, {}>",
            counted(self.schema.fields().len(), "column", "columns")
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.owner.traverse(&visit)
    }
}
