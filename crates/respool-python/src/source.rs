//! What can be cached: streams, arrays, datasets, lazy frames, iterables of batches.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchIterator};
use arrow_schema::SchemaRef;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use respool::{BoxError, Collected, Source};

use crate::arrow::{ImportedStream, import_batch, import_schema};
use crate::attach::attached;
use crate::error::Raised;
use crate::exit::{self, SHUTTING_DOWN};
use crate::origin::Origin;
use crate::pyarrow::schema_to_pyarrow;

/// A source, and what it has of Python that the garbage collector has to see.
pub(crate) struct Sourced {
    pub(crate) source: Box<dyn Source>,
    pub(crate) origin: Option<Arc<Origin>>,
    /// How many rows it has, where it knows that.
    pub(crate) rows: Option<u64>,
}

impl Sourced {
    fn stream(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self::plain(ImportedStream::from_object(object)?))
    }

    fn plain(source: impl Source + 'static) -> Self {
        Self {
            source: Box::new(source),
            origin: None,
            rows: None,
        }
    }

    fn with_rows(self, rows: Option<u64>) -> Self {
        Self { rows, ..self }
    }
}

/// The source that a Python object is; `schema` is for iterables.
///
/// # Errors
/// `TypeError` where it is none; `ValueError` where it was consumed already.
pub(crate) fn source_of(
    object: &Bound<'_, PyAny>,
    schema: Option<&Bound<'_, PyAny>>,
) -> PyResult<Sourced> {
    if let Some(schema) = schema {
        return iterable(object, schema);
    }
    if is_of(object, "polars.", "LazyFrame")? {
        return Sourced::stream(&collected(object)?);
    }
    if object.hasattr("__arrow_c_stream__")? {
        let rows = rows_of(object)?;
        return Ok(Sourced::stream(object)?.with_rows(rows));
    }
    if object.hasattr("__arrow_c_array__")? {
        let batch = import_batch(object)?;
        let (schema, rows) = (batch.schema(), batch.num_rows() as u64);
        return Ok(
            Sourced::plain(RecordBatchIterator::new([Ok(batch)], schema)).with_rows(Some(rows)),
        );
    }
    // A pyarrow Dataset, a pyarrow Scanner, and what looks like them.
    if object.hasattr("scanner")? {
        return source_of(&object.call_method0("scanner")?, None);
    }
    if object.hasattr("to_reader")? {
        return Sourced::stream(&object.call_method0("to_reader")?);
    }
    Err(not_a_source(object))
}

fn iterable(object: &Bound<'_, PyAny>, schema: &Bound<'_, PyAny>) -> PyResult<Sourced> {
    if object.hasattr("__arrow_c_stream__")? {
        return Err(PyValueError::new_err(
            "schema= is for iterables of batches; a stream has its own schema: use .cast(schema) on the cache",
        ));
    }
    let mut iterator = object.try_iter().map_err(|error| {
        // What `__iter__` itself raises says more than we could.
        if error.is_instance_of::<PyTypeError>(object.py()) && object.getattr("__iter__").is_err() {
            not_a_source(object)
        } else {
            error
        }
    })?;
    let mut first = Item::End;
    let schema = if let Some(schema) = schema_of(schema)? {
        schema
    } else {
        let Some(item) = iterator.next().transpose()? else {
            return Err(PyValueError::new_err(
                "schema=\"first\" takes the schema of the first item, but there is none: give a schema",
            ));
        };
        first = Item::of(&item, None)?;
        match &first {
            Item::Batch(batch) => batch.schema(),
            Item::Stream(stream) => stream.schema(),
            Item::End => return Err(not_a_source(object)),
        }
    };
    let origin = Origin::new(iterator)?;
    Ok(Sourced {
        source: Box::new(BatchIterator {
            origin: Arc::clone(&origin),
            schema,
            item: first,
        }),
        origin: Some(origin),
        rows: None,
    })
}

/// The `schema` argument; None if it is to be that of the first item.
///
/// # Errors
/// `TypeError` or `ValueError` where it is neither.
pub(crate) fn schema_of(schema: &Bound<'_, PyAny>) -> PyResult<Option<SchemaRef>> {
    match schema.cast::<PyString>() {
        Ok(text) if text == "first" => Ok(None),
        Ok(text) => Err(PyValueError::new_err(format!(
            "schema is a pyarrow.Schema, another object with __arrow_c_schema__, or \"first\", not {text:?}"
        ))),
        Err(_) => import_schema(schema).map(Some),
    }
}

fn not_a_source(object: &Bound<'_, PyAny>) -> PyErr {
    let kind = object
        .get_type()
        .name()
        .map_or_else(|_| "this object".to_owned(), |name| name.to_string());
    let is_path =
        object.is_instance_of::<PyString>() || object.hasattr("__fspath__").unwrap_or(false);
    let hint = if is_path {
        "; a log in a directory is opened by respool.open(path), and files of data come as a Dataset \
         (pyarrow.dataset.dataset(path)) or a LazyFrame (polars.scan_parquet(path))"
    } else if object.is_instance_of::<PyDict>() {
        "; pyarrow.table(...) makes a table of columns"
    } else if object.is_instance_of::<PyBytes>() {
        "; pyarrow.ipc.open_stream(...) reads the bytes of an Arrow stream"
    } else if object.try_iter().is_ok() {
        "; an iterable of batches needs schema=: that of all, or \"first\" for that of its first one"
    } else if object.is_callable() {
        "; call it, if it makes one"
    } else {
        ""
    };
    PyTypeError::new_err(format!(
        "cannot cache {kind}: it has neither __arrow_c_stream__ nor __arrow_c_array__, and is no \
         pyarrow Dataset or Scanner and no polars LazyFrame{hint}"
    ))
}

/// Whether an object is of that class of that library, without importing it.
fn is_of(object: &Bound<'_, PyAny>, library: &str, class: &str) -> PyResult<bool> {
    let kind = object.get_type();
    // `__module__` may be anything that somebody set.
    let Ok(module) = kind.module() else {
        return Ok(false);
    };
    Ok(module.to_cow()?.starts_with(library) && kind.name()? == class)
}

/// The rows of what is all there already: a table, a data frame. Of anything else a number of rows may be one of
/// what it has so far.
fn rows_of(object: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    let is_frame = |library, name| is_of(object, library, name);
    let number = if is_frame("pyarrow.", "Table")? || is_frame("pyarrow.", "RecordBatch")? {
        object.getattr("num_rows")?
    } else if is_frame("polars.", "DataFrame")? {
        object.getattr("height")?
    } else if is_frame("pandas", "DataFrame")? {
        return object.len().map(|rows| Some(rows as u64));
    } else {
        return Ok(None);
    };
    Ok(number.extract().ok())
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

/// An iterable that we iterate ourselves, so that its exceptions come back as themselves.
struct BatchIterator {
    origin: Arc<Origin>,
    schema: SchemaRef,
    /// What was taken of the iterator and is not used up.
    item: Item,
}

/// What an iterable gave.
enum Item {
    Batch(RecordBatch),
    Stream(ImportedStream),
    End,
}

impl Item {
    /// `schema` is what a pandas frame, whose columns tell less, is to become.
    fn of(item: &Bound<'_, PyAny>, schema: Option<&SchemaRef>) -> PyResult<Self> {
        if is_of(item, "pandas.", "DataFrame")? {
            return Self::of_pandas(item, schema);
        }
        if item.hasattr("__arrow_c_array__")? {
            return import_batch(item).map(Self::Batch);
        }
        if item.hasattr("__arrow_c_stream__")? {
            return ImportedStream::from_object(item).map(Self::Stream);
        }
        Err(PyTypeError::new_err(format!(
            "an iterable of batches gave an object of type {}, which has neither __arrow_c_array__ nor \
             __arrow_c_stream__ and is no pandas DataFrame",
            item.get_type().name()?
        )))
    }

    fn of_pandas(frame: &Bound<'_, PyAny>, schema: Option<&SchemaRef>) -> PyResult<Self> {
        let py = frame.py();
        let arguments = PyDict::new(py);
        arguments.set_item("preserve_index", false)?;
        if let Some(schema) = schema {
            arguments.set_item("schema", schema_to_pyarrow(py, schema)?)?;
        }
        let class = py.import("pyarrow")?.getattr("RecordBatch")?;
        let batch = class.call_method("from_pandas", (frame,), Some(&arguments))?;
        import_batch(&batch).map(Self::Batch)
    }
}

impl BatchIterator {
    /// The next item; an exception ends the source, and stays with the origin.
    fn next_item(&self) -> Result<Item, BoxError> {
        let next = attached(|py| {
            let iterator = self.origin.iterator(py);
            if exit::reads_ahead() && self.origin.is_taken(py) {
                return Err(Box::new(Collected) as BoxError);
            }
            let Some(mut iterator) = iterator else {
                return Ok(Item::End);
            };
            let next = match iterator.next() {
                None => Ok(Item::End),
                Some(item) => item.and_then(|item| Item::of(&item, Some(&self.schema))),
            };
            if !matches!(next, Ok(Item::Batch(_) | Item::Stream(_))) {
                self.origin.end(py);
            }
            next.map_err(|raised| Box::new(Raised::new(py, &self.origin, &raised)) as BoxError)
        });
        next.unwrap_or_else(|| Err(SHUTTING_DOWN.into()))
    }
}

impl Source for BatchIterator {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        loop {
            match std::mem::replace(&mut self.item, Item::End) {
                Item::Batch(batch) => return Ok(Some(batch)),
                Item::Stream(mut stream) => {
                    if let Some(batch) = stream.next_batch()? {
                        self.item = Item::Stream(stream);
                        return Ok(Some(batch));
                    }
                }
                Item::End => {}
            }
            self.item = self.next_item()?;
            if matches!(self.item, Item::End) {
                return Ok(None);
            }
        }
    }
}
