//! What can be cached: streams, arrays, datasets, lazy frames, iterables of batches.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchIterator};
use arrow_schema::SchemaRef;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator};
use respool::{BoxError, Source};

use crate::c_stream::{ImportedStream, import_batch};

/// The source that a Python object is.
///
/// # Errors
/// `TypeError` where it is none; `ValueError` where it was consumed already.
pub(crate) fn source_of(
    object: &Bound<'_, PyAny>,
    schema: Option<SchemaRef>,
) -> PyResult<Box<dyn Source>> {
    if let Some(schema) = schema {
        if object.hasattr("__arrow_c_stream__")? {
            return Err(PyValueError::new_err(
                "schema= is for iterables of batches; a stream has its own schema: use .cast(schema) on the cache",
            ));
        }
        let iterator = object
            .try_iter()
            .map_err(|_| not_a_source(object))?
            .unbind();
        return Ok(Box::new(BatchIterator {
            iterator: Some(iterator),
            schema,
        }));
    }
    if is_lazy_frame(object)? {
        return Ok(Box::new(ImportedStream::from_object(&collected(object)?)?));
    }
    if object.hasattr("__arrow_c_stream__")? {
        return Ok(Box::new(ImportedStream::from_object(object)?));
    }
    if object.hasattr("__arrow_c_array__")? {
        let batch = import_batch(object)?;
        let schema = batch.schema();
        return Ok(Box::new(RecordBatchIterator::new([Ok(batch)], schema)));
    }
    // A pyarrow Dataset, a pyarrow Scanner, and what looks like them.
    if object.hasattr("scanner")? {
        return source_of(&object.call_method0("scanner")?, None);
    }
    if object.hasattr("to_reader")? {
        return Ok(Box::new(ImportedStream::from_object(
            &object.call_method0("to_reader")?,
        )?));
    }
    Err(not_a_source(object))
}

fn not_a_source(object: &Bound<'_, PyAny>) -> PyErr {
    let kind = object
        .get_type()
        .name()
        .map_or_else(|_| "this object".to_owned(), |name| name.to_string());
    let hint = if object.try_iter().is_ok() {
        "; an iterable of batches needs schema="
    } else {
        ""
    };
    PyTypeError::new_err(format!(
        "cannot cache {kind}: it has neither __arrow_c_stream__ nor __arrow_c_array__, and is no \
         pyarrow Dataset or Scanner and no polars LazyFrame{hint}"
    ))
}

fn is_lazy_frame(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let class = object.get_type();
    let module = class.module()?;
    Ok(module.to_cow()?.starts_with("polars.") && class.name()? == "LazyFrame")
}

/// The frame's result as a stream: batch by batch where polars can, whole where it is too old.
fn collected<'py>(frame: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if !frame.hasattr("collect_batches")? {
        return frame.call_method0("collect");
    }
    let arguments = PyDict::new(frame.py());
    // Nothing is computed before the first batch is asked for, and batches come in the frame's order.
    arguments.set_item("lazy", true)?;
    arguments.set_item("maintain_order", true)?;
    frame.call_method("collect_batches", (), Some(&arguments))
}

/// An iterable of batches that we iterate ourselves, so that its exceptions come back as themselves.
struct BatchIterator {
    /// `None` once released.
    iterator: Option<Py<PyIterator>>,
    schema: SchemaRef,
}

impl Source for BatchIterator {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        let next = Python::try_attach(|py| {
            let Some(iterator) = &self.iterator else {
                return Ok(None);
            };
            let mut iterator = iterator.bind(py).clone();
            iterator
                .next()
                .transpose()?
                .map(|item| batch_of(&item))
                .transpose()
        });
        match next {
            Some(next) => next.map_err(|error: PyErr| Box::new(error) as BoxError),
            None => Err("Python is shutting down".into()),
        }
    }
}

fn batch_of(item: &Bound<'_, PyAny>) -> PyResult<RecordBatch> {
    if item.hasattr("__arrow_c_array__")? {
        return import_batch(item);
    }
    Err(PyTypeError::new_err(format!(
        "an iterable of batches gave a {}, which has no __arrow_c_array__",
        item.get_type().name()?
    )))
}

impl Drop for BatchIterator {
    fn drop(&mut self) {
        // A generator's `finally` runs now, attached, rather than at some later attach.
        let iterator = self.iterator.take();
        Python::try_attach(move |_| drop(iterator));
    }
}
