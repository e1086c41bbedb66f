//! `StreamCacheView`: everything that a cache and its views have in common.
//!
//! The file is long because the docstrings that Python shows are written here, and each method is its
//! conversion and one call of the engine.

use std::fmt::Write as _;

use arrow_schema::SchemaRef;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict};
use respool::predicate::{Term, Verdict};
use respool::{Cache, View};

use crate::c_stream::{export_schema, export_stream, import_schema, schema_in};
use crate::error::{OrRaise, source_error};
use crate::frames::PyFrames;
use crate::predicate::{PyPredicate, PyTerm};
use crate::progress::Progress;
use crate::pyarrow::{batch_to_pyarrow, schema_to_pyarrow};
use crate::reader::PyReader;
use crate::signals::Signals;

/// A replayable view of a cache: a projection, a cast, a slice, or everything.
///
/// A view copies nothing. It is replayed like a cache: by iterating, by ``pyarrow``, DuckDB, Polars and
/// whatever else takes Arrow streams, as often as you like. Columns that a view leaves out are not read
/// from the log.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3], "y": ["a", "b", "c"]}))
/// >>> view = cache.select(["y"]).slice(1)
/// >>> pa.table(view).to_pydict()
/// {'y': ['b', 'c']}
/// >>> view.schema.names
/// ['y']
#[pyclass(frozen, subclass, module = "respool", name = "StreamCacheView")]
pub(crate) struct PyView {
    pub(crate) view: View,
}

impl PyView {
    fn cache(&self) -> &Cache {
        self.view.cache()
    }

    fn open(&self, py: Python<'_>, from_start: bool) -> PyResult<respool::Reader> {
        py.detach(|| {
            if from_start {
                self.view.reader()
            } else {
                self.view.reader_from_frontier()
            }
        })
        .or_raise(py)
    }

    pub(crate) fn describe(&self, py: Python<'_>) -> String {
        py.detach(|| self.description())
    }

    fn description(&self) -> String {
        let metrics = self.cache().metrics();
        let state = if self.cache().is_closed() {
            "closed"
        } else if self.cache().failure().is_some() {
            "failed"
        } else if self.view.is_complete() {
            "complete"
        } else {
            "filling"
        };
        let mut text = String::new();
        let (batches, rows) = (self.view.batch_range().len(), self.view.num_rows());
        let columns = self.view.schema().fields().len();
        let _ = write!(
            text,
            "{state}, {batches} batches, {rows} rows, {columns} columns"
        );
        let (memory, log) = (size(metrics.memory_bytes), size(metrics.log_bytes));
        let _ = write!(text, ", {memory} in memory, {log} in the log");
        text
    }
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let mut shown = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if shown < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{shown:.1} {unit}")
            };
        }
        shown /= 1024.0;
    }
    format!("{shown:.1} TiB")
}

#[pymethods]
impl PyView {
    /// The schema of every batch, a ``pyarrow.Schema``. Reads nothing.
    #[getter]
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        schema_to_pyarrow(py, &self.view.schema())
    }

    /// Rows shown of what is stored so far.
    #[getter]
    fn num_rows(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.view.num_rows())
    }

    /// Batches shown of what is stored so far.
    #[getter]
    fn num_batches(&self, py: Python<'_>) -> usize {
        py.detach(|| self.view.batch_range().len())
    }

    /// Bytes that the cache's stored batches show, wherever they are.
    #[getter]
    fn nbytes(&self, py: Python<'_>) -> u64 {
        py.detach(|| self.cache().num_bytes())
    }

    /// Whether everything that this view shows is stored, and the source ended without an error.
    #[getter]
    fn complete(&self, py: Python<'_>) -> bool {
        py.detach(|| self.view.is_complete())
    }

    /// The exception that ended the source, or None.
    #[getter]
    fn error(&self, py: Python<'_>) -> Option<PyErr> {
        py.detach(|| self.cache().failure())
            .map(|failure| source_error(py, failure.error()))
    }

    /// Batches that the cache has pulled and stored so far.
    #[getter]
    fn ingested_count(&self, py: Python<'_>) -> usize {
        py.detach(|| self.cache().num_batches())
    }

    /// Whether the source said that it is at its end; never True after an error.
    #[getter]
    fn upstream_exhausted(&self, py: Python<'_>) -> bool {
        py.detach(|| self.cache().is_complete())
    }

    /// Open a new, independent reader.
    ///
    /// Parameters
    /// ----------
    /// from_start
    ///     True: at batch 0. False: at the first batch that is not stored yet.
    ///
    /// Returns
    /// -------
    /// StreamCacheReader
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If the cache is closed, or ``max_readers`` let the first batch go.
    #[pyo3(signature = (from_start=true))]
    fn reader(&self, py: Python<'_>, from_start: bool) -> PyResult<PyReader> {
        PyReader::new(py, self.open(py, from_start)?)
    }

    /// View some of the columns.
    ///
    /// Parameters
    /// ----------
    /// columns
    ///     Names or numbers, in the order wanted.
    ///
    /// Returns
    /// -------
    /// StreamCacheView
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If a column is not there, or a name is not unique.
    fn select(&self, columns: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = columns.py();
        let schema = self.view.schema();
        let mut indexes = Vec::new();
        if columns.is_instance_of::<pyo3::types::PyString>() {
            return Err(PyTypeError::new_err(
                "select takes a list of columns, as in select([\"a\"])",
            ));
        }
        for column in columns.try_iter()? {
            let column = column?;
            if let Ok(index) = column.extract::<usize>() {
                indexes.push(index);
            } else if let Ok(name) = column.extract::<String>() {
                indexes.push(self.view.column(&name).or_raise(py)?);
            } else {
                let columns = schema.fields().len();
                return Err(PyValueError::new_err(format!(
                    "a column is a name or a number from 0 to {}, not {}",
                    columns.saturating_sub(1),
                    column.repr()?
                )));
            }
        }
        Ok(Self {
            view: self.view.select_indexes(&indexes).or_raise(py)?,
        })
    }

    /// View some of the rows.
    ///
    /// Parameters
    /// ----------
    /// offset
    ///     Rows to leave out at the start.
    /// length
    ///     Rows to show at most; to the end if None.
    ///
    /// Returns
    /// -------
    /// StreamCacheView
    ///     Shorter than ``length`` where there are not so many rows.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If a number is negative.
    #[pyo3(signature = (offset, length=None))]
    fn slice(&self, offset: i64, length: Option<i64>) -> PyResult<Self> {
        let checked = |name: &str, rows: i64| {
            u64::try_from(rows)
                .map_err(|_| PyValueError::new_err(format!("{name} is not negative: {rows}")))
        };
        let length = length.map(|rows| checked("length", rows)).transpose()?;
        Ok(Self {
            view: self.view.slice(checked("offset", offset)?, length),
        })
    }

    /// View the columns as other types.
    ///
    /// Parameters
    /// ----------
    /// schema
    ///     A schema with the same names in the same order.
    ///
    /// Returns
    /// -------
    /// StreamCacheView
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If names differ or no such cast exists. A value that the new type can't hold is an error
    ///     when its batch is read, never a NULL.
    fn cast(&self, py: Python<'_>, schema: &Bound<'_, PyAny>) -> PyResult<Self> {
        let schema = import_schema(schema)?;
        Ok(Self {
            view: self.view.cast(&schema).or_raise(py)?,
        })
    }

    /// One batch by its number, a ``pyarrow.RecordBatch``. Pulls up to it.
    ///
    /// Raises
    /// ------
    /// IndexError
    ///     If there are not so many batches.
    fn batch<'py>(&self, py: Python<'py>, i: usize) -> PyResult<Bound<'py, PyAny>> {
        let batch = py.detach(|| self.view.batch(i, &Signals)).or_raise(py)?;
        let Some(batch) = batch else {
            let batches = self.num_batches(py);
            return Err(PyIndexError::new_err(format!(
                "no batch {i}: there are {batches} batches"
            )));
        };
        batch_to_pyarrow(batch, &self.schema(py)?)
    }

    /// The batches stored up to now, as a view that ends there.
    ///
    /// It ends without an error where the source failed, and does not wait where the source goes on:
    /// the way to ask for a part on purpose.
    ///
    /// Returns
    /// -------
    /// StreamCacheView
    fn prefix(&self, py: Python<'_>) -> Self {
        Self {
            view: py.detach(|| self.view.prefix()),
        }
    }

    /// Read everything into a ``pyarrow.Table`` that shares the cache's buffers.
    fn to_pyarrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let schema = slf.get().schema(py)?;
        let reader = slf.get().reader(py, true)?;
        let batches = Bound::new(py, reader)?
            .try_iter()?
            .collect::<PyResult<Vec<_>>>()?;
        py.import("pyarrow")?
            .getattr("Table")?
            .call_method1("from_batches", (batches, schema))
    }

    /// A DuckDB relation over this view; see :func:`respool.duckdb.relation`.
    ///
    /// Parameters
    /// ----------
    /// con
    ///     The connection that is to run it; ``duckdb.default_connection()`` if None.
    ///
    /// Returns
    /// -------
    /// duckdb.DuckDBPyRelation
    ///     Lazy: each time it is shown or fetched the view is replayed.
    ///
    /// Raises
    /// ------
    /// ImportError
    ///     If DuckDB is not installed.
    /// TypeError
    ///     If a column has a type that DuckDB can't scan; the message says what to cast.
    #[pyo3(signature = (con=None))]
    fn to_duckdb<'py>(
        slf: &Bound<'py, Self>,
        con: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import("respool.duckdb")?
            .call_method1("relation", (slf, con))
    }

    /// Pull everything from the source.
    ///
    /// Parameters
    /// ----------
    /// progress
    ///     True: a line on standard error. A callable: called with batches and rows so far.
    ///
    /// Returns
    /// -------
    /// int
    ///     Batches of the whole stream.
    ///
    /// Raises
    /// ------
    /// BaseException
    ///     What the source raised. What was stored before stays readable; see :meth:`prefix`.
    /// MemoryCapacityError, DiskCapacityError
    ///     If a batch does not fit. It is kept: call again after ``resize``.
    #[pyo3(signature = (progress=None), text_signature = "($self, progress=False)")]
    fn ingest_all(&self, py: Python<'_>, progress: Option<&Bound<'_, PyAny>>) -> PyResult<usize> {
        let cache = self.cache();
        let mut progress = Progress::new(progress)?;
        loop {
            // A look at signals and progress attaches to Python: not for every batch.
            let interval = progress.interval();
            let more = py.detach(|| cache.ingest_for(interval, &Signals));
            // Between two pulls nothing is lost: an interrupted ingest can go on.
            py.check_signals()?;
            let more = more.or_raise(py)?;
            progress.show(py, cache, !more)?;
            if !more {
                return Ok(self.ingested_count(py));
            }
        }
    }

    /// What the cache did so far and what it holds; sizes in bytes, times in seconds.
    ///
    /// Returns
    /// -------
    /// dict
    ///     batches, rows, bytes; pulls, source_seconds, store_seconds; batches_in_memory,
    ///     memory_bytes, memory_capacity; batches_in_log, log_bytes, log_capacity; memory_hits,
    ///     log_reads; readers.
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let metrics = py.detach(|| self.cache().metrics());
        let dict = PyDict::new(py);
        dict.set_item("batches", metrics.batches)?;
        dict.set_item("rows", metrics.rows)?;
        dict.set_item("bytes", metrics.bytes)?;
        dict.set_item("pulls", metrics.pulls)?;
        dict.set_item("source_seconds", metrics.source_time.as_secs_f64())?;
        dict.set_item("store_seconds", metrics.store_time.as_secs_f64())?;
        dict.set_item("batches_in_memory", metrics.batches_in_memory)?;
        dict.set_item("memory_bytes", metrics.memory_bytes)?;
        dict.set_item("memory_capacity", metrics.memory_capacity)?;
        dict.set_item("batches_in_log", metrics.batches_in_log)?;
        dict.set_item("log_bytes", metrics.log_bytes)?;
        dict.set_item("log_capacity", metrics.log_capacity)?;
        dict.set_item("memory_hits", metrics.memory_hits)?;
        dict.set_item("log_reads", metrics.log_reads)?;
        dict.set_item("readers", metrics.readers)?;
        Ok(dict)
    }

    /// Stream the columns with these numbers and the rows that pass; for `respool.duckdb` and `respool.polars`.
    #[pyo3(signature = (columns=None, predicate=None))]
    fn _scan<'py>(
        &self,
        py: Python<'py>,
        columns: Option<Vec<usize>>,
        predicate: Option<PyRef<'py, PyPredicate>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let predicate = predicate.map(|predicate| predicate.0.clone());
        let scan = py
            .detach(|| self.view.scan(columns.as_deref(), predicate))
            .or_raise(py)?;
        export_stream(py, scan)
    }

    /// Whether zone maps decide nearly every stored batch, and the others can be filtered exactly.
    fn _is_decided(&self, py: Python<'_>, predicate: &Bound<'_, PyPredicate>) -> PyResult<bool> {
        let predicate = &predicate.get().0;
        py.detach(
            || Ok(predicate.supports(&self.view.schema()) && self.view.is_decided(predicate)?),
        )
        .or_raise(py)
    }

    /// For each stored batch: False if no row passes, True if every row does, None if some may.
    fn _prove(
        &self,
        py: Python<'_>,
        predicate: &Bound<'_, PyPredicate>,
    ) -> PyResult<Vec<Option<bool>>> {
        let predicate = &predicate.get().0;
        let (_, verdicts) = py.detach(|| self.view.prove(predicate)).or_raise(py)?;
        let known = |verdict: &Verdict| match verdict {
            Verdict::All => Some(true),
            Verdict::None => Some(false),
            Verdict::Some => None,
        };
        Ok(verdicts.iter().map(known).collect())
    }

    /// A column or, by further names, a field below it; None if it is not there or not unique.
    fn _term(&self, path: Vec<String>) -> Option<PyTerm> {
        let schema = self.view.schema();
        self.view.column(path.first()?).ok()?;
        let names: Vec<&str> = path.iter().map(String::as_str).collect();
        Term::named(&schema, &names).map(PyTerm)
    }

    /// Replay columns as frames; for `respool.polars`. Batches marked False in `kept` are left out; `from_log`
    /// reads from a mapped log what memory holds too.
    #[pyo3(signature = (columns=None, *, kept=None, from_log=false))]
    fn _frames(
        &self,
        py: Python<'_>,
        columns: Option<Vec<usize>>,
        kept: Option<Vec<bool>>,
        from_log: bool,
    ) -> PyResult<PyFrames> {
        let scan = py
            .detach(move || self.view.scan(columns.as_deref(), None))
            .or_raise(py)?
            .keeping(kept.unwrap_or_default());
        Ok(PyFrames::new(if from_log { scan.from_log() } else { scan }))
    }

    /// Where everything can be had for nothing, as often as wanted: `"memory"`, `"log"` (a mapped one), or None.
    #[getter]
    fn _place(&self, py: Python<'_>) -> Option<&'static str> {
        py.detach(|| {
            let cache = self.cache();
            if !self.view.is_complete() || cache.is_closed() || cache.is_used_up_by_readers() {
                None
            } else if cache.is_in_memory() {
                Some("memory")
            } else if cache.is_log_mapped() {
                Some("log")
            } else {
                None
            }
        })
    }

    /// Whether `_place` will stay what it is until the cache is closed or resized: nothing more comes in
    /// that could move what is there.
    #[getter]
    fn _is_settled(&self, py: Python<'_>) -> bool {
        py.detach(|| self.cache().is_ended())
    }

    /// A cache is a source that is read once and what was read of it: neither goes into a pickle.
    fn __reduce__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyTypeError::new_err(format!(
            "cannot pickle a cache, a view or a LazyFrame of one ({}): it reads a stream that belongs \
             to this process; pickle its data, such as pyarrow.table(cache), or make the cache where \
             it is used",
            self.describe(py)
        )))
    }

    /// A polars LazyFrame of this cache or view; as :func:`respool.polars.scan`.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
    /// >>> cache.lazy().select("x").sum().collect().item()
    /// 6
    fn lazy<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let scan = slf.py().import("respool.polars")?.getattr("scan")?;
        scan.call1((slf,))
    }

    /// The same rows in the encodings that DuckDB reads fastest; None if there is nothing to convert.
    fn _encoded(&self, py: Python<'_>) -> PyResult<Option<Self>> {
        let encoded = py.detach(|| self.view.encoded(&Signals)).or_raise(py)?;
        Ok(encoded.map(|cache| Self { view: cache.view() }))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<PyReader> {
        self.reader(py, true)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let mut reader = self.open(py, true)?;
        if let Some(requested) = requested_schema {
            let schema = schema_in(requested)?;
            reader = reader.shown_as(|view| view.conform(&schema)).or_raise(py)?;
        }
        export_stream(py, reader)
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        export_schema(py, &self.view.schema())
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<respool.StreamCacheView {}>", self.describe(py))
    }

    fn _repr_html_(&self, py: Python<'_>) -> String {
        let escape = |text: &str| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
        };
        let schema: SchemaRef = self.view.schema();
        let mut rows = String::new();
        for field in schema.fields() {
            let (name, kind) = (escape(field.name()), escape(&field.data_type().to_string()));
            let _ = write!(rows, "<tr><td>{name}</td><td>{kind}</td></tr>");
        }
        format!(
            "<div><p><b>respool</b> {}</p><table><tr><th>column</th><th>type</th></tr>{rows}</table></div>",
            escape(&self.describe(py))
        )
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    #[pyo3(signature = (exc_type, exc_value, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) {
        let _ = (exc_type, exc_value, traceback);
        py.detach(|| self.cache().close());
    }
}
