//! Schemas, arrays and streams on their way out.
#![expect(
    unsafe_code,
    reason = "a stream of C is a table of raw function pointers"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{Array, RecordBatch, RecordBatchIterator, StructArray};
use arrow_schema::{Schema, SchemaRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use respool::Reader;

use super::callbacks::{Export, get_last_error, get_next, get_schema, release};
use super::capsule::{SCHEMA, STREAM};

/// A capsule with the schema.
pub(crate) fn export_schema<'py>(
    py: Python<'py>,
    schema: &Schema,
) -> PyResult<Bound<'py, PyCapsule>> {
    PyCapsule::new_with_value(py, ffi_schema(schema)?, SCHEMA)
}

pub(crate) fn ffi_schema(schema: &Schema) -> PyResult<FFI_ArrowSchema> {
    catch_unwind(AssertUnwindSafe(|| FFI_ArrowSchema::try_from(schema)))
        .map_err(|_| {
            PyValueError::new_err("a name in this schema holds a NUL, which C can't carry")
        })?
        .map_err(|error| PyValueError::new_err(format!("cannot export the schema: {error}")))
}

/// The batch as a struct array for C.
pub(crate) fn ffi_batch(batch: RecordBatch) -> FFI_ArrowArray {
    FFI_ArrowArray::new(&StructArray::from(batch).into_data())
}

/// A capsule with a stream that gives what the reader gives; `owner` lives as long as it.
pub(crate) fn export_stream(
    py: Python<'_>,
    reader: Reader,
    owner: Option<Py<PyAny>>,
) -> PyResult<Bound<'_, PyCapsule>> {
    // Found out here rather than in a callback: a schema that C can't carry.
    ffi_schema(&reader.schema())?;
    let export = Box::new(Export::new(reader, owner));
    // SAFETY: invariant 4; the callbacks are the four that expect exactly this.
    let stream = unsafe {
        FFI_ArrowArrayStream::new_unchecked(
            Some(get_schema),
            Some(get_next),
            Some(get_last_error),
            Some(release),
            Box::into_raw(export).cast(),
        )
    };
    PyCapsule::new_with_value(py, stream, STREAM)
}

/// A capsule with a stream of batches that are at hand.
pub(crate) fn export_batches(
    py: Python<'_>,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
) -> PyResult<Bound<'_, PyCapsule>> {
    ffi_schema(&schema)?;
    let batches = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(batches)), STREAM)
}
