//! Streams of other libraries, as sources.
#![expect(
    unsafe_code,
    reason = "a stream of C is a table of raw function pointers"
)]

use std::ffi::{CStr, c_int};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::ffi::{FFI_ArrowArray, FFI_ArrowSchema};
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_schema::{DataType, SchemaRef};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use respool::{BoxError, Source};

use super::capsule::{STREAM, pointer};
use super::import::batch_from;
use super::schema::read_schema;
use crate::attach::detached;
use crate::error::{StreamError, source_error};

/// A stream of another library, as a source.
pub(crate) struct ImportedStream {
    /// `None` once released.
    stream: Option<FFI_ArrowArrayStream>,
    schema: SchemaRef,
    /// The type of a whole batch: a struct of the columns.
    rows: DataType,
}

impl ImportedStream {
    /// Moves the stream out of the capsule that `object.__arrow_c_stream__()` gives.
    pub(crate) fn from_object(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let capsule = object.call_method0("__arrow_c_stream__")?;
        let pointer = pointer(&capsule, STREAM)?.cast::<FFI_ArrowArrayStream>();
        // SAFETY: invariant 1: the pointer is to an initialised stream, and invariant 2: from_raw
        // leaves a released one in its place.
        let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer) };
        if stream.release().is_none() {
            return Err(PyValueError::new_err(
                "this Arrow stream was already consumed",
            ));
        }
        // Asking for the schema may run foreign code that waits: not while attached.
        let py = object.py();
        detached(py, || Ok(Self::new(stream)))?.map_err(|error| source_error(py, &*error))
    }

    fn new(mut stream: FFI_ArrowArrayStream) -> Result<Self, BoxError> {
        let mut schema = FFI_ArrowSchema::empty();
        let Some(get_schema) = stream.get_schema() else {
            return Err(no_callback("get_schema"));
        };
        // SAFETY: invariant 3, and `schema` is a released structure to be filled.
        let code = unsafe { get_schema(&raw mut stream, &raw mut schema) };
        if code != 0 {
            return Err(Box::new(last_error(&mut stream, code)));
        }
        let schema = read_schema(&schema).map_err(StreamError::bad_schema)?;
        let rows = DataType::Struct(schema.fields().clone());
        Ok(Self {
            stream: Some(stream),
            schema: Arc::new(schema),
            rows,
        })
    }
}

impl Source for ImportedStream {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let Some(get_next) = stream.get_next() else {
            return Err(no_callback("get_next"));
        };
        let mut array = FFI_ArrowArray::empty();
        // SAFETY: invariant 3, and `array` is a released structure to be filled.
        let code = unsafe { get_next(&raw mut *stream, &raw mut array) };
        if code != 0 {
            return Err(Box::new(last_error(stream, code)));
        }
        if array.is_released() {
            return Ok(None);
        }
        // SAFETY: invariant 3: the array has the type that the stream's schema says.
        unsafe { batch_from(array, &self.schema, &self.rows) }.map(Some)
    }
}

fn no_callback(name: &str) -> BoxError {
    format!("the Arrow stream has no {name} callback: it was released").into()
}

fn last_error(stream: &mut FFI_ArrowArrayStream, code: c_int) -> StreamError {
    let text = stream.get_last_error().and_then(|get_last_error| {
        // SAFETY: invariant 3; asked right after a call that failed.
        let text = unsafe { get_last_error(&raw mut *stream) };
        if text.is_null() {
            return None;
        }
        // SAFETY: a text that is not null is NUL-terminated and lives until the next call.
        let text = unsafe { CStr::from_ptr(text) };
        Some(text.to_string_lossy().into_owned())
    });
    StreamError::new(code, text.unwrap_or_default())
}
