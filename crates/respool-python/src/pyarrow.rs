//! Batches and schemas as pyarrow objects.

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyAny;

use crate::arrow::{ffi_batch, ffi_schema};
use crate::attach::inside;

/// A method of a class of pyarrow, looked up once.
fn method(
    py: Python<'_>,
    known: &'static PyOnceLock<Py<PyAny>>,
    class: &str,
    name: &str,
) -> PyResult<Py<PyAny>> {
    let method = known.get_or_try_init(py, || {
        let class = py.import("pyarrow")?.getattr(class)?;
        Ok::<_, PyErr>(class.getattr(name)?.unbind())
    })?;
    Ok(method.clone_ref(py))
}

// Unlike the capsule interface this takes a schema that is imported already, which for small batches is most
// of the work.
static BATCH_IMPORTER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static SCHEMA_IMPORTER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static TABLE_MAKER: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// A `pyarrow.RecordBatch` that shares the batch's buffers; `schema` is its `pyarrow.Schema`.
pub(crate) fn batch_to_pyarrow<'py>(
    batch: RecordBatch,
    schema: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = schema.py();
    let _inside = inside()?;
    let mut array = ffi_batch(batch);
    // pyarrow moves the array out and leaves a released one, as the interface asks.
    let import = method(py, &BATCH_IMPORTER, "RecordBatch", "_import_from_c")?;
    import.bind(py).call1((&raw mut array as usize, schema))
}

/// A `pyarrow.Schema`.
pub(crate) fn schema_to_pyarrow<'py>(
    py: Python<'py>,
    schema: &Schema,
) -> PyResult<Bound<'py, PyAny>> {
    let _inside = inside()?;
    let mut schema = ffi_schema(schema)?;
    let import = method(py, &SCHEMA_IMPORTER, "Schema", "_import_from_c")?;
    import.bind(py).call1((&raw mut schema as usize,))
}

/// A `pyarrow.Table` of all batches that a reader gives.
pub(crate) fn table_of<'py>(
    reader: &Bound<'py, PyAny>,
    schema: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let _inside = inside()?;
    let batches = reader.try_iter()?.collect::<PyResult<Vec<_>>>()?;
    let py = reader.py();
    let make = method(py, &TABLE_MAKER, "Table", "from_batches")?;
    make.bind(py).call1((batches, schema))
}
