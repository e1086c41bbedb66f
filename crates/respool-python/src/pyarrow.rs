//! Batches and schemas as pyarrow objects.

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyAny;

use crate::arrow::{ffi_batch, ffi_schema};

/// `pyarrow.RecordBatch._import_from_c`: unlike the capsule interface it takes a schema that is
/// imported already, which for small batches is most of the work.
fn batch_importer(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static IMPORTER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let importer = IMPORTER.get_or_try_init(py, || {
        let class = py.import("pyarrow")?.getattr("RecordBatch")?;
        Ok::<_, PyErr>(class.getattr("_import_from_c")?.unbind())
    })?;
    Ok(importer.bind(py))
}

/// A `pyarrow.RecordBatch` that shares the batch's buffers; `schema` is its `pyarrow.Schema`.
pub(crate) fn batch_to_pyarrow<'py>(
    batch: RecordBatch,
    schema: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = schema.py();
    let mut array = ffi_batch(batch);
    // pyarrow moves the array out and leaves a released one, as the interface asks.
    batch_importer(py)?.call1((&raw mut array as usize, schema))
}

/// A `pyarrow.Schema`.
pub(crate) fn schema_to_pyarrow<'py>(
    py: Python<'py>,
    schema: &Schema,
) -> PyResult<Bound<'py, PyAny>> {
    let mut schema = ffi_schema(schema)?;
    let class = py.import("pyarrow")?.getattr("Schema")?;
    class.call_method1("_import_from_c", (&raw mut schema as usize,))
}

/// A `pyarrow.Table` of all batches that a reader gives.
pub(crate) fn table_of<'py>(
    reader: &Bound<'py, PyAny>,
    schema: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let batches = reader.try_iter()?.collect::<PyResult<Vec<_>>>()?;
    let class = reader.py().import("pyarrow")?.getattr("Table")?;
    class.call_method1("from_batches", (batches, schema))
}
