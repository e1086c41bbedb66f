//! Batches and arrays on their way in.
#![expect(unsafe_code, reason = "an array of C is a pointer")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use arrow_array::{Array, ArrayRef, RecordBatch, StructArray, make_array, new_empty_array};
use arrow_data::ArrayData;
use arrow_schema::{DataType, SchemaRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use respool::BoxError;

use super::capsule::{ARRAY, SCHEMA, pointer};
use super::plain::plain_batch;
use super::schema::schema_in;
use super::shadow::shadowed;

/// What a panic of arrow-rs in an import means.
pub(super) const NOT_OF_ITS_TYPE: &str = "an Arrow array is not what its schema says";

/// A batch of this schema; `rows` is the type of a whole batch: a struct of the columns.
///
/// # Safety
/// The array is valid and of that type.
pub(super) unsafe fn batch_from(
    array: FFI_ArrowArray,
    schema: &SchemaRef,
    rows: &DataType,
) -> Result<RecordBatch, BoxError> {
    let imported = catch_unwind(AssertUnwindSafe(|| {
        // Of no rows there is nothing to read, and old writers leave out what arrow-rs would read.
        if array.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(schema)));
        }
        let array = match plain_batch(array, schema)? {
            Ok(batch) => return Ok(batch),
            Err(array) => array,
        };
        // SAFETY: as the caller promises.
        let data = unsafe { array_data(array, rows) }?;
        batch_of(data, schema)
    }));
    imported.unwrap_or_else(|_| Err(NOT_OF_ITS_TYPE.into()))
}

/// The data of an imported array.
///
/// # Safety
/// The array is valid and of this type.
unsafe fn array_data(array: FFI_ArrowArray, data_type: &DataType) -> Result<ArrayData, BoxError> {
    // SAFETY: as the caller promises.
    let array = unsafe { shadowed(array, data_type) };
    // SAFETY: as the caller promises; a shadow shows the same values.
    Ok(unsafe { from_ffi_and_data_type(array, data_type.clone()) }?)
}

/// A batch from an imported struct array.
fn batch_of(data: ArrayData, schema: &SchemaRef) -> Result<RecordBatch, BoxError> {
    let rows = StructArray::from(data);
    if rows.null_count() > 0 {
        return Err("a batch of the Arrow stream has rows that are NULL as a whole".into());
    }
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let (_, columns, _) = rows.into_parts();
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

/// The batch behind `object.__arrow_c_array__()`.
pub(crate) fn import_batch(object: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    let (schema, array) = array_capsules(object)?;
    let schema = schema_in(&schema)?;
    imported("batch", || {
        let rows = DataType::Struct(schema.fields().clone());
        // SAFETY: the two capsules come from one call, so the schema describes the array.
        unsafe { batch_from(array, &schema, &rows) }
    })
}

/// The array behind `object.__arrow_c_array__()`.
pub(crate) fn import_array(object: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    let (schema, array) = array_capsules(object)?;
    let pointer = pointer(&schema, SCHEMA)?.cast::<FFI_ArrowSchema>();
    // SAFETY: invariant 1; the capsule outlives this borrow.
    let schema = unsafe { &*pointer };
    imported("array", || {
        let data_type = DataType::try_from(schema)?;
        if array.is_empty() {
            return Ok(new_empty_array(&data_type));
        }
        // SAFETY: the two capsules come from one call, so the schema describes the array.
        let data = unsafe { array_data(array, &data_type) }?;
        Ok(make_array(data))
    })
}

/// The schema's capsule and the array, moved out of its own.
fn array_capsules<'py>(
    object: &Bound<'py, PyAny>,
) -> PyResult<(Bound<'py, PyAny>, FFI_ArrowArray)> {
    let (schema, array): (Bound<'_, PyAny>, Bound<'_, PyAny>) =
        object.call_method0("__arrow_c_array__")?.extract()?;
    let pointer = pointer(&array, ARRAY)?.cast::<FFI_ArrowArray>();
    // SAFETY: invariants 1 and 2, as for streams.
    let array = unsafe { FFI_ArrowArray::from_raw(pointer) };
    if array.is_released() {
        return Err(PyValueError::new_err(
            "this Arrow array was already consumed",
        ));
    }
    Ok((schema, array))
}

/// Runs an import; a panic of it is an error too.
fn imported<T>(what: &str, import: impl FnOnce() -> Result<T, BoxError>) -> PyResult<T> {
    catch_unwind(AssertUnwindSafe(import))
        .unwrap_or_else(|_| Err(NOT_OF_ITS_TYPE.into()))
        .map_err(|error| PyValueError::new_err(format!("cannot read this Arrow {what}: {error}")))
}
