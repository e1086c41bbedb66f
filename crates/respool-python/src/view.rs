//! `StreamCacheView`: everything that a cache and its views have in common.
//!
//! The file is long because the docstrings that Python shows are written here, and each method is its
//! conversion and one call of the engine.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use pyo3::PyTraverseError;
use pyo3::exceptions::{
    PyFileNotFoundError, PyIndexError, PyKeyboardInterrupt, PyTypeError, PyValueError,
};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyCapsule, PyDict, PyList, PyTuple};
use respool::predicate::{Term, Verdict};
use respool::{Brought, Position, Residence, View, counted};

use crate::arrow::{export_schema, export_stream, import_schema, schema_in};
use crate::attach::{Detached, detached};
use crate::describe::{Portrait, describe};
use crate::error::{ENOENT, OrRaise};
use crate::frames::PyFrames;
use crate::number::Number;
use crate::origin::Owner;
use crate::path::PathArgument;
use crate::predicate::{PyPredicate, PyTerm};
use crate::progress::Progress;
use crate::pyarrow::{batch_to_pyarrow, schema_to_pyarrow, table_of};
use crate::reader::PyReader;
use crate::signals::{Signals, owed, swallowed};
use crate::size::memory;

/// A replayable view of a cache: a projection, a cast, a slice, a filter, or everything.
///
/// A view copies nothing. It is replayed like a cache: by iterating, by ``pyarrow``, DuckDB, Polars and
/// whatever else takes Arrow streams, as often as you like. Columns that a view leaves out are not read
/// from the log. Every number that a view gives is its own; what belongs to the whole, ``view.cache`` has.
///
/// Where the cache has a ``path``, a cache, a view and a LazyFrame of one pickle as that and what they show:
/// the process that unpickles them opens the log, once for all of them, and follows it where it still grows.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3], "y": ["a", "b", "c"]}))
/// >>> view = cache.select("y").slice(1)
/// >>> pa.table(view).to_pydict()
/// {'y': ['b', 'c']}
/// >>> view.column_names, view.num_columns, view.schema.field("y").type
/// (['y'], 1, DataType(string))
/// >>> view.num_rows, view.num_batches, view.cache.num_rows, view.complete
/// (2, 1, 3, True)
/// >>> cache.select("x").nbytes
/// 24
#[pyclass(
    frozen,
    subclass,
    weakref,
    module = "respool",
    name = "StreamCacheView"
)]
pub(crate) struct PyView {
    view: Detached<View>,
    /// `None`: this is the cache itself.
    owner: Option<Owner>,
    /// Whether a stream in C keeps the cache.
    is_kept: bool,
    /// How many rows there will be, where the source knows that.
    all_rows: Option<u64>,
}

impl PyView {
    /// The part of a cache that is a view.
    pub(crate) fn whole(view: View, is_kept: bool, all_rows: Option<u64>) -> Self {
        Self {
            view: Detached::new(view),
            owner: None,
            is_kept,
            all_rows,
        }
    }

    /// The part of one more object of the same cache.
    pub(crate) fn again(&self) -> Self {
        Self::whole(self.view.cache().view(), self.is_kept, self.all_rows)
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// Another view of the same cache.
    fn with(slf: &Bound<'_, Self>, view: View) -> Self {
        Self {
            // The owner, which is dropped after it, has the cache.
            view: Detached::light(view),
            owner: Some(Self::owner(slf)),
            is_kept: slf.get().is_kept,
            all_rows: None,
        }
    }

    fn owner(slf: &Bound<'_, Self>) -> Owner {
        let this = slf.get();
        match &this.owner {
            Some(owner) => owner.clone_ref(slf.py()),
            None => Owner::new(slf.clone().into_any(), this.is_kept),
        }
    }

    fn open(&self, py: Python<'_>, from_start: bool) -> PyResult<respool::Reader> {
        owed()?;
        detached(py, || {
            if from_start {
                self.view.reader_at(Position::default(), &Signals)
            } else {
                self.view.reader_from_frontier()
            }
        })
    }
}

/// What a pickle holds: what to call, and a path, the identity of the log there, what is shown, and timeout
/// and memory to open it with.
type Reduced<'py> = (
    Bound<'py, PyAny>,
    (
        OsString,
        Bound<'py, PyBytes>,
        Option<Bound<'py, PyBytes>>,
        Option<f64>,
        Option<u64>,
    ),
);

/// Numbers of columns, given as names and numbers, one by one or in a list.
fn column_indexes(view: &View, columns: &Bound<'_, PyTuple>) -> PyResult<Vec<usize>> {
    let py = columns.py();
    let last = view.schema().fields().len().saturating_sub(1);
    let mut indexes = Vec::new();
    let mut add = |column: Bound<'_, PyAny>| -> PyResult<()> {
        if let Ok(index) = column.extract::<usize>() {
            indexes.push(index);
        } else if let Ok(name) = column.extract::<String>() {
            indexes.push(view.column(&name).or_raise(py)?);
        } else {
            return Err(PyValueError::new_err(format!(
                "a column is a name or a number from 0 to {last}, not {}",
                column.repr()?
            )));
        }
        Ok(())
    };
    for column in columns {
        let is_one = column.extract::<String>().is_ok() || column.extract::<usize>().is_ok();
        match column.try_iter() {
            Ok(several) if !is_one => {
                for column in several {
                    add(column?)?;
                }
            }
            _ => add(column)?,
        }
    }
    Ok(indexes)
}

#[pymethods]
impl PyView {
    /// The schema of every batch, a ``pyarrow.Schema``. Reads nothing.
    #[getter]
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        schema_to_pyarrow(py, &self.view.schema())
    }

    /// The names of the columns.
    #[getter]
    fn column_names<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let schema = self.view.schema();
        PyList::new(py, schema.fields().iter().map(|field| field.name()))
    }

    /// The number of columns.
    #[getter]
    fn num_columns(&self) -> usize {
        self.view.schema().fields().len()
    }

    /// The cache that this is a view of; of a cache, itself.
    #[getter]
    fn cache(slf: &Bound<'_, Self>) -> Py<PyAny> {
        Self::owner(slf).cache(slf.py())
    }

    /// Rows shown of what is stored so far. Of a filtered view, zone maps and what they leave open is read.
    #[getter]
    fn num_rows(&self, py: Python<'_>) -> PyResult<u64> {
        let counted = detached(py, || {
            self.view.cache().check_open()?;
            self.view.count(&Signals)
        });
        counted.map(|(_, rows)| rows)
    }

    /// Whether rows are left out that have to be read for that; for ``respool._export``.
    #[getter]
    fn _is_filtered(&self) -> bool {
        self.view.is_filtered()
    }

    /// Batches shown of what is stored so far. Of a filtered view, as for ``num_rows``.
    #[getter]
    fn num_batches(&self, py: Python<'_>) -> PyResult<usize> {
        let counted = detached(py, || {
            self.view.cache().check_open()?;
            self.view.count(&Signals)
        });
        counted.map(|(batches, _)| batches)
    }

    /// Bytes that the stored batches show, wherever they are. Those of a part are found by reading it.
    #[getter]
    fn nbytes(&self, py: Python<'_>) -> PyResult<u64> {
        detached(py, || {
            self.view.cache().check_open()?;
            self.view.num_bytes(&Signals)
        })
    }

    /// Whether everything that this view shows is stored. Of a cache, a view of all its rows or a filtered one that
    /// is so once the source has ended without an error; of a slice or a prefix, whatever becomes of the source.
    #[getter]
    fn complete(&self, py: Python<'_>) -> PyResult<bool> {
        let extent = detached(py, || self.view.extent())?;
        Ok(extent.is_complete)
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
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2))
    /// >>> first, second = cache.reader(), cache.reader()
    /// >>> next(first).num_rows, next(first).num_rows, next(second).num_rows
    /// (2, 1, 2)
    /// >>> cache.reader(from_start=False).read_all().num_rows
    /// 0
    #[pyo3(signature = (from_start=true))]
    fn reader(slf: &Bound<'_, Self>, from_start: bool) -> PyResult<PyReader> {
        let py = slf.py();
        let reader = slf.get().open(py, from_start)?;
        PyReader::new(py, reader, Self::owner(slf))
    }

    /// View some of the columns.
    ///
    /// Parameters
    /// ----------
    /// *columns
    ///     Names or numbers, in the order wanted, one by one or in lists.
    ///
    /// Returns
    /// -------
    /// StreamCacheView
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If a column is not there, or a name is not unique.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1], "y": [2], "z": [3]}))
    /// >>> cache.select("z", "x").column_names, cache.select(["y"]).column_names
    /// (['z', 'x'], ['y'])
    #[pyo3(signature = (*columns))]
    fn select(slf: &Bound<'_, Self>, columns: &Bound<'_, PyTuple>) -> PyResult<Self> {
        let view = &slf.get().view;
        let indexes = column_indexes(view, columns)?;
        Ok(Self::with(
            slf,
            view.select_indexes(&indexes).or_raise(slf.py())?,
        ))
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
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
    /// >>> cache.slice(1).to_arrow().to_pydict(), cache.slice(1, 1).num_rows
    /// ({'x': [2, 3]}, 1)
    #[pyo3(signature = (offset, length=None))]
    fn slice(slf: &Bound<'_, Self>, offset: Number, length: Option<Number>) -> Self {
        let length = length.map(|length| length.0);
        Self::with(slf, slf.get().view.slice(offset.0, length))
    }

    /// View the rows for which a condition holds.
    ///
    /// Zone maps let every reader of the view skip the batches that can't hold such a row, in pyarrow and
    /// in plain iteration too.
    ///
    /// Parameters
    /// ----------
    /// condition
    ///     What ``pyarrow.parquet.read_table(filters=)`` takes, such as ``[("x", ">", 3)]``; a ``polars.Expr``
    ///     or a ``pyarrow.compute.Expression`` that can be translated exactly.
    ///
    /// Returns
    /// -------
    /// StreamCacheView
    ///     Its batches are as those of the cache, without the rows that don't pass; batches of no rows are
    ///     left out.
    ///
    /// Raises
    /// ------
    /// TypeError
    ///     If ``condition`` is none of these.
    /// ValueError
    ///     If a part of it can't be translated, which the message names; a column is not there; or the view
    ///     was filtered and then sliced.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3], "y": ["a", "b", "c"]}))
    /// >>> view = cache.filter([("x", ">", 1), ("y", "!=", "c")])
    /// >>> [pa.table(view).to_pydict() for _ in range(2)]
    /// [{'x': [2], 'y': ['b']}, {'x': [2], 'y': ['b']}]
    fn filter(slf: &Bound<'_, Self>, condition: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = slf.py();
        let translate = py.import("respool._filters")?.getattr("predicate")?;
        let predicate = translate.call1((condition, slf))?;
        Self::_filtered(slf, predicate.cast::<PyPredicate>()?)
    }

    /// The rows that pass a predicate of ours; for `respool.duckdb`.
    fn _filtered(slf: &Bound<'_, Self>, predicate: &Bound<'_, PyPredicate>) -> PyResult<Self> {
        let view = slf.get().view.filter(&predicate.get().0);
        Ok(Self::with(slf, view.or_raise(slf.py())?))
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
    ///
    /// Notes
    /// -----
    /// A timestamp without a zone is local time of the zone that it gets: noon becomes 11:00 UTC in a winter of
    /// ``Europe/Zurich``, where pyarrow's ``cast`` takes it for UTC. One that loses its zone, or gets another,
    /// stays the same moment; without a zone it is UTC then. A date, a time of day or a text of it is that of its zone.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
    /// >>> view = cache.cast(pa.schema({"x": pa.float32()}))
    /// >>> view.schema.field("x").type
    /// DataType(float)
    fn cast(slf: &Bound<'_, Self>, schema: &Bound<'_, PyAny>) -> PyResult<Self> {
        let schema = import_schema(schema)?;
        let view = slf.get().view.cast(&schema);
        Ok(Self::with(slf, view.or_raise(slf.py())?))
    }

    /// One batch by its number, a ``pyarrow.RecordBatch``. Pulls up to it.
    ///
    /// Parameters
    /// ----------
    /// i
    ///     The number of the batch, from 0.
    ///
    /// Returns
    /// -------
    /// pyarrow.RecordBatch
    ///
    /// Raises
    /// ------
    /// IndexError
    ///     If there are not so many batches, or the number is negative: the last batch of a stream is not
    ///     known before its end.
    /// BaseException
    ///     What the source raised, after all that it gave before.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2))
    /// >>> cache.batch(1).to_pydict()
    /// {'x': [3]}
    fn batch<'py>(&self, py: Python<'py>, i: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let index = match i.extract::<Number>() {
            Ok(Number(index)) => usize::try_from(index).unwrap_or(usize::MAX),
            Err(error) if error.is_instance_of::<PyValueError>(py) => {
                return Err(PyIndexError::new_err(format!(
                    "no batch {i}: batches are numbered from 0"
                )));
            }
            Err(error) => return Err(error),
        };
        owed()?;
        let batch = detached(py, || self.view.batch(index, &Signals))?;
        let Some(batch) = batch else {
            let batches = counted(self.num_batches(py)?, "batch", "batches");
            return Err(PyIndexError::new_err(format!(
                "no batch {i}: it has {batches}"
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
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2))
    /// >>> cache.head(1).num_rows, pa.table(cache.prefix()).num_rows
    /// (1, 2)
    fn prefix(slf: &Bound<'_, Self>) -> PyResult<Self> {
        let py = slf.py();
        let shown = slf.get().view();
        let view = detached(py, || shown.prefix())?;
        Ok(Self::with(slf, view))
    }

    /// Read the first rows into a ``pyarrow.Table``; pulls no more than it needs.
    ///
    /// Parameters
    /// ----------
    /// n
    ///     How many rows, at most.
    ///
    /// Returns
    /// -------
    /// pyarrow.Table
    ///
    /// Raises
    /// ------
    /// BaseException
    ///     What the source raised, where it gave fewer rows before.
    /// ValueError
    ///     If the number is negative, or the cache is closed.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2))
    /// >>> cache.head(2).to_pydict(), cache.upstream_exhausted
    /// ({'x': [1, 2]}, False)
    #[pyo3(signature = (n=Number(5)), text_signature = "($self, n=5)")]
    fn head<'py>(slf: &Bound<'py, Self>, n: Number) -> PyResult<Bound<'py, PyAny>> {
        let head = Self::slice(slf, Number(0), Some(n));
        Self::to_arrow(&Bound::new(slf.py(), head)?)
    }

    /// Read everything into a ``pyarrow.Table`` that shares the cache's buffers.
    ///
    /// Returns
    /// -------
    /// pyarrow.Table
    ///     Its chunks are the batches.
    ///
    /// Raises
    /// ------
    /// BaseException
    ///     What the source raised, after all that it gave before.
    /// MemoryCapacityError, DiskCapacityError
    ///     If a batch does not fit. It is kept: read again after ``resize``.
    /// ValueError
    ///     If the cache is closed.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2))
    /// >>> [cache.to_arrow().num_rows for _ in range(2)]
    /// [3, 3]
    fn to_arrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let schema = slf.get().schema(py)?;
        let reader = Bound::new(py, Self::reader(slf, true)?)?;
        table_of(reader.as_any(), &schema)
    }

    /// As :meth:`to_arrow`.
    ///
    /// Returns
    /// -------
    /// pyarrow.Table
    ///
    /// Raises
    /// ------
    /// BaseException
    ///     As :meth:`to_arrow`.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> respool.StreamCache(pa.table({"x": [1, 2, 3]})).to_pyarrow().num_rows
    /// 3
    fn to_pyarrow<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::to_arrow(slf)
    }

    /// Read everything into a ``polars.DataFrame``.
    ///
    /// Returns
    /// -------
    /// polars.DataFrame
    ///
    /// Raises
    /// ------
    /// ImportError
    ///     If Polars is not installed.
    /// TypeError
    ///     If a column has a type that Polars has not; the message says what to cast.
    /// BaseException
    ///     What the source raised, after all that it gave before.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> respool.StreamCache(pa.table({"x": [1, 2, 3]})).to_polars().shape
    /// (3, 1)
    fn to_polars<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::lazy(slf)?.call_method0("collect")
    }

    /// Read everything into a ``pandas.DataFrame``.
    ///
    /// Parameters
    /// ----------
    /// **options
    ///     As for ``pyarrow.Table.to_pandas``.
    ///
    /// Returns
    /// -------
    /// pandas.DataFrame
    ///
    /// Raises
    /// ------
    /// ImportError
    ///     If pandas is not installed.
    /// BaseException
    ///     What the source raised, after all that it gave before.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> respool.StreamCache(pa.table({"x": [1, 2, 3]})).to_pandas().shape
    /// (3, 1)
    #[pyo3(signature = (**options))]
    fn to_pandas<'py>(
        slf: &Bound<'py, Self>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Self::to_arrow(slf)?.call_method("to_pandas", (), options)
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
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
    /// >>> cache.to_duckdb().filter("x > 1").aggregate("sum(x)").fetchall()
    /// [(5,)]
    #[pyo3(signature = (con=None))]
    fn to_duckdb<'py>(
        slf: &Bound<'py, Self>,
        con: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let options = PyDict::new(py);
        options.set_item("con", con)?;
        py.import("respool.duckdb")?
            .call_method("relation", (slf,), Some(&options))
    }

    /// Write everything into an Arrow IPC file, batch by batch.
    ///
    /// The file takes its name when all of it is on the disk: an error of the source, Ctrl-C or a full
    /// disk leave what had the name before, or nothing. A FIFO or a character device is written to instead.
    ///
    /// Parameters
    /// ----------
    /// path
    ///     The file, which is replaced if it is there. A name that ends in ``.arrows`` gets the streaming
    ///     format, any other the file format.
    /// compression
    ///     ``"lz4"``, ``"zstd"`` or None.
    /// progress
    ///     True: in a terminal or a notebook a bar of tqdm, if that is installed (extra ``progress``), else a line on
    ///     standard error. A callable: called with batches and rows so far.
    ///
    /// Returns
    /// -------
    /// int
    ///     Rows written.
    ///
    /// Raises
    /// ------
    /// BaseException
    ///     What the source raised.
    /// OSError
    ///     If the file can't be written, or the path leads to a directory, a socket or a disk.
    /// ValueError
    ///     If a column has other dictionaries in a later batch, which the file format can't hold; or the
    ///     directory is that of a kept log.
    ///
    /// Notes
    /// -----
    /// The segments of a *complete* kept log are Arrow IPC files, which other programs read without an
    /// export: ``pyarrow.dataset.dataset(directory, format="ipc")``, ``pl.scan_ipc(directory/"*.arrow")``.
    /// They know nothing of the log: of one that still grows, or that its writer left, they see the sealed
    /// segments alone, and of one whose source failed everything, without the error. Once a column changes
    /// its dictionary, all later segments are streams, ``*.arrows``: the dataset refuses them, and the glob
    /// leaves them out silently. ``pyarrow.Table.unify_dictionaries`` before the cache keeps that from
    /// happening.
    ///
    /// Examples
    /// --------
    /// >>> import os, tempfile
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
    /// >>> with tempfile.TemporaryDirectory() as directory:
    /// ...     path = os.path.join(directory, "x.arrow")
    /// ...     rows = cache.filter([("x", ">", 1)]).to_ipc(path, compression="zstd")
    /// ...     rows, pa.ipc.open_file(path).read_all().to_pydict()
    /// (2, {'x': [2, 3]})
    #[pyo3(
        signature = (path, *, compression=None, progress=None),
        text_signature = "($self, path, *, compression=None, progress=False)"
    )]
    fn to_ipc<'py>(
        slf: &Bound<'py, Self>,
        path: PathArgument,
        compression: Option<&Bound<'py, PyAny>>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let options = PyDict::new(py);
        options.set_item("compression", compression)?;
        options.set_item("progress", progress)?;
        py.import("respool._export")?.call_method(
            "to_ipc",
            (slf, path.0.into_os_string()),
            Some(&options),
        )
    }

    /// Write everything into a Parquet file, batch by batch.
    ///
    /// The file takes its name when all of it is on the disk: an error of the source, Ctrl-C or a full
    /// disk leave what had the name before, or nothing. A FIFO or a character device is written to instead.
    /// Batches are gathered to row groups.
    ///
    /// Parameters
    /// ----------
    /// path
    ///     The file, which is replaced if it is there.
    /// progress
    ///     True: in a terminal or a notebook a bar of tqdm, if that is installed (extra ``progress``), else a line on
    ///     standard error. A callable: called with batches and rows so far.
    /// row_group_size
    ///     The most rows of a row group.
    /// **options
    ///     As for ``pyarrow.parquet.ParquetWriter``.
    ///
    /// Returns
    /// -------
    /// int
    ///     Rows written.
    ///
    /// Raises
    /// ------
    /// BaseException
    ///     What the source raised.
    /// OSError
    ///     If the file can't be written, or the path leads to a directory, a socket or a disk.
    /// ValueError
    ///     If the directory is that of a kept log.
    /// pyarrow.ArrowNotImplementedError
    ///     If a column has a type that pyarrow does not write.
    ///
    /// Examples
    /// --------
    /// >>> import os, tempfile
    /// >>> import pyarrow as pa, pyarrow.parquet, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
    /// >>> with tempfile.TemporaryDirectory() as directory:
    /// ...     path = os.path.join(directory, "x.parquet")
    /// ...     rows = cache.to_parquet(path, compression="zstd")
    /// ...     rows, pa.parquet.read_table(path).to_pydict()
    /// (3, {'x': [1, 2, 3]})
    #[pyo3(
        signature = (path, *, progress=None, row_group_size=Number(1 << 20), **options),
        text_signature = "($self, path, *, progress=False, row_group_size=1048576, **options)"
    )]
    fn to_parquet<'py>(
        slf: &Bound<'py, Self>,
        path: PathArgument,
        progress: Option<&Bound<'py, PyAny>>,
        row_group_size: Number,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let all = options.map_or_else(|| Ok(PyDict::new(py)), PyDictMethods::copy)?;
        all.set_item("progress", progress)?;
        // More than there can ever be is as good as all, also for pyarrow.
        all.set_item(
            "row_group_size",
            row_group_size.0.min(i64::MAX.unsigned_abs()),
        )?;
        py.import("respool._export")?.call_method(
            "to_parquet",
            (slf, path.0.into_os_string()),
            Some(&all),
        )
    }

    /// Pull from the source everything that this shows.
    ///
    /// Parameters
    /// ----------
    /// progress
    ///     True: in a terminal or a notebook a bar of tqdm, if that is installed (extra ``progress``), else a line on
    ///     standard error. A callable: called with batches and rows so far.
    ///
    /// Returns
    /// -------
    /// int
    ///     Batches that this shows.
    ///
    /// Raises
    /// ------
    /// BaseException
    ///     What the source raised. What was stored before stays readable; see :meth:`prefix`.
    /// MemoryCapacityError, DiskCapacityError
    ///     If a batch does not fit. It is kept: call again after ``resize``.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2))
    /// >>> cache.ingest_all(progress=lambda batches, rows: None), cache.complete
    /// (2, True)
    #[pyo3(signature = (progress=None), text_signature = "($self, progress=False)")]
    fn ingest_all<'py>(
        &self,
        py: Python<'py>,
        progress: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<usize> {
        owed()?;
        let progress = Progress::new(py, progress, self.all_rows)?;
        loop {
            // A look at signals and progress attaches to Python: not for every batch.
            let interval = progress.interval();
            let more = detached(py, || self.view.ingest_for(interval, &Signals));
            // Between two pulls nothing is lost: an interrupted ingest can go on.
            py.check_signals()?;
            let more = more?;
            progress.show(py, &self.view, !more)?;
            if !more {
                return self.num_batches(py);
            }
        }
    }

    /// Stream what the view shows of the columns with these numbers and the rows that pass; for
    /// `respool.duckdb`.
    #[pyo3(signature = (columns=None, predicate=None))]
    fn _scan<'py>(
        slf: &Bound<'py, Self>,
        columns: Option<Vec<usize>>,
        predicate: Option<PyRef<'py, PyPredicate>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        let predicate = predicate.map(|predicate| predicate.0.clone());
        let view = &slf.get().view;
        let reader = detached(py, || {
            let view = match &predicate {
                Some(predicate) => view.filter(predicate)?,
                None => View::clone(view),
            };
            let view = match &columns {
                Some(columns) => view.select_indexes(columns)?,
                None => view,
            };
            view.as_kept()?.reader_at(Position::default(), &Signals)
        });
        export_stream(py, reader?, Self::owner(slf).keeper(py))
    }

    /// Rows stored of the view, of a filtered one at most.
    #[getter]
    fn _rows(&self, py: Python<'_>) -> PyResult<u64> {
        let extent = detached(py, || self.view.extent())?;
        Ok(extent.rows)
    }

    /// As `_rows`, but of a filtered view an estimate, for which a few batches may be filtered.
    fn _estimate(&self, py: Python<'_>) -> PyResult<u64> {
        let estimated = detached(py, || self.view.estimated_rows(&Signals));
        estimated.inspect_err(|error| {
            // As below.
            if error.is_instance_of::<PyKeyboardInterrupt>(py) {
                swallowed();
            }
        })
    }

    /// The schema, with views for text and binaries where they are kept so.
    #[getter]
    fn _schema_with_views<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let schema = detached(py, || self.view.schema_with_views())?;
        schema_to_pyarrow(py, &schema)
    }

    /// Whether zone maps decide nearly every stored batch, and the others can be filtered exactly.
    fn _is_decided(&self, py: Python<'_>, predicate: &Bound<'_, PyPredicate>) -> PyResult<bool> {
        let predicate = &predicate.get().0;
        let view = &self.view;
        let decided = detached(py, || {
            Ok(view.can_leave_out()
                && predicate.supports(&view.schema())
                && view.is_decided(predicate, &Signals)?)
        });
        decided.inspect_err(|error| {
            // DuckDB, which asks, makes an error of its own of it.
            if error.is_instance_of::<PyKeyboardInterrupt>(py) {
                swallowed();
            }
        })
    }

    /// For each stored batch: False if no row passes, True if every row does, None if some may.
    fn _prove(
        &self,
        py: Python<'_>,
        predicate: &Bound<'_, PyPredicate>,
    ) -> PyResult<Vec<Option<bool>>> {
        let predicate = &predicate.get().0;
        let proved = detached(py, || self.view.prove(predicate, &Signals));
        let (_, verdicts) = proved?;
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

    /// Replay columns as frames; for `respool.polars`. Stored batches marked False in `kept` are left out;
    /// `from_log` reads from a mapped log what memory holds too.
    #[pyo3(signature = (columns=None, *, kept=None, from_log=false))]
    fn _frames(
        slf: &Bound<'_, Self>,
        columns: Option<Vec<usize>>,
        kept: Option<Vec<bool>>,
        from_log: bool,
    ) -> PyResult<PyFrames> {
        let py = slf.py();
        let view = &slf.get().view;
        let reader = detached(py, || {
            let view = narrowed(view, columns.as_deref(), kept.as_deref())?;
            let reader = view.reader_at(Position::default(), &Signals)?;
            Ok(if from_log { reader.from_log() } else { reader })
        });
        Ok(PyFrames::new(reader?, Self::owner(slf)))
    }

    /// Have the system bring in these columns of a mapped log, for frames that share its pages: `"there"` if
    /// they seem to be in memory, `"coming"` if they were asked for, `"much"` if that would take too much
    /// of it: they are left where they are.
    #[pyo3(signature = (columns=None, *, kept=None))]
    fn _bring(
        &self,
        py: Python<'_>,
        columns: Option<Vec<usize>>,
        kept: Option<Vec<bool>>,
    ) -> PyResult<&'static str> {
        let view = &self.view;
        let brought = detached(py, || {
            narrowed(view, columns.as_deref(), kept.as_deref())?.bring(memory() / 4, &Signals)
        });
        Ok(match brought? {
            Brought::There => "there",
            Brought::Coming => "coming",
            Brought::TooMuch => "much",
        })
    }

    /// Where everything can be had for nothing, as often as wanted: `"memory"`, `"log"` (a mapped one), or None.
    #[getter]
    fn _place(&self, py: Python<'_>) -> PyResult<Option<&'static str>> {
        let residence = detached(py, || self.view.residence())?;
        Ok(residence.map(|residence| match residence {
            Residence::Memory => "memory",
            Residence::MappedLog => "log",
        }))
    }

    /// Whether `_place` will stay what it is until the cache is closed or resized: nothing more comes in
    /// that could move what is there, and it is not so large that its pages will not stay in memory.
    #[getter]
    fn _is_settled(&self, py: Python<'_>) -> PyResult<bool> {
        let cache = detached(py, || self.view.extent())?.cache;
        Ok(cache.is_ended() && (cache.bytes < LARGE || cache.bytes < memory() / 2))
    }

    /// Of a cache whose log has a path: that, which log it is, and what is shown. Any other is a source that
    /// is read once and what was read of it: neither goes into a pickle.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Reduced<'py>> {
        let py = slf.py();
        let this = slf.get();
        let Some((path, identity)) = Self::_place_of_log(slf) else {
            return Err(PyTypeError::new_err(format!(
                "cannot pickle a cache, a view or a LazyFrame of one ({}): it reads a stream that belongs \
                 to this process; keep it on disk first, with respool.cache(source, path=...), or pickle \
                 its data, such as pyarrow.table(cache)",
                detached(py, || Ok(describe(&this.view)))?
            )));
        };
        let manifest = Path::new(&path).join("_manifest");
        if detached(py, || Ok(fs::symlink_metadata(manifest).is_err()))? {
            return Err(PyFileNotFoundError::new_err((
                ENOENT,
                "cannot pickle what shows a log that was moved or removed: nobody could open it there",
                path,
            )));
        }
        let is_cache = this.owner.is_none();
        let (saved, timeout, memory) = detached(py, || {
            let cache = this.view.cache();
            cache.check_open()?;
            let saved = (!is_cache).then(|| this.view.to_bytes()).transpose()?;
            Ok((saved, cache.timeout(), cache.capacities()?.0))
        })?;
        let timeout = timeout.map(|timeout| timeout.as_secs_f64());
        let module = py.import("respool._pickle")?;
        let cache = Self::owner(slf).cache(py);
        module.call_method1("share", (cache, &path, &identity))?;
        let saved = saved.map(|saved| PyBytes::new(py, &saved));
        let arguments = (path, identity, saved, timeout, memory);
        Ok((module.getattr("reopen")?, arguments))
    }

    /// What is shown of the cache, in bytes: those that a pickle holds.
    fn _saved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = detached(py, || self.view.to_bytes())?;
        Ok(PyBytes::new(py, &saved))
    }

    /// The view that was saved in a pickle; of a cache.
    fn _restored(slf: &Bound<'_, Self>, saved: &[u8]) -> PyResult<Self> {
        let py = slf.py();
        let whole = slf.get().view();
        let view = detached(py, || View::from_bytes(whole, saved))?;
        Ok(Self::with(slf, view))
    }

    /// The path of the log and which one is there; None if it has no path.
    #[getter]
    fn _place_of_log<'py>(slf: &Bound<'py, Self>) -> Option<(OsString, Bound<'py, PyBytes>)> {
        let cache = slf.get().view.cache();
        let (path, identity) = cache.place()?;
        Some((path.into(), PyBytes::new(slf.py(), &identity)))
    }

    /// A polars LazyFrame of this cache or view; as :func:`respool.polars.scan`.
    ///
    /// Returns
    /// -------
    /// polars.LazyFrame
    ///     Collect it as often as you like.
    ///
    /// Raises
    /// ------
    /// ImportError
    ///     If Polars is not installed.
    /// ValueError
    ///     If two columns have the same name.
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
    fn _encoded(slf: &Bound<'_, Self>) -> PyResult<Option<Self>> {
        let py = slf.py();
        let view = slf.get().view();
        let encoded = detached(py, || view.encoded(&Signals));
        let encoded = encoded?;
        Ok(encoded.map(|cache| Self {
            view: Detached::new(cache.view()),
            ..Self::with(slf, slf.get().view().clone())
        }))
    }

    /// Whether there is a column of that name. Reads nothing.
    fn __contains__(&self, name: &str) -> bool {
        let schema = self.view.schema();
        schema.fields().iter().any(|field| field.name() == name)
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<PyReader> {
        Self::reader(slf, true)
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        slf: &Bound<'py, Self>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let py = slf.py();
        let mut reader = slf.get().open(py, true)?;
        if let Some(requested) = requested_schema {
            let schema = schema_in(requested)?;
            reader = detached(py, || reader.shown_as(|view| view.conform(&schema)))?;
        }
        export_stream(py, reader, Self::owner(slf).keeper(py))
    }

    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        export_schema(py, &self.view.schema())
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let text = detached(py, || Ok(describe(&self.view)))?;
        Ok(format!("<respool.StreamCacheView {text}>"))
    }

    /// What it is, for notebooks. Asks the source for nothing.
    fn _repr_html_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.py()
            .import("respool._html")?
            .call_method1("shown", (slf,))
    }

    /// What a picture of it is made of; for `respool._html`.
    fn _portrait<'py>(
        slf: &Bound<'py, Self>,
        rows: usize,
        columns: usize,
    ) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let this = slf.get();
        let portrait = detached(py, || Ok(Portrait::of(&this.view, rows, columns)))?;
        portrait.into_dict(py, &this.schema(py)?)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.owner {
            Some(owner) => owner.traverse(&visit),
            None => Ok(()),
        }
    }
}

/// Bytes that are always less than half of the memory.
const LARGE: u64 = 64 << 20;

/// Some columns of a view, without the stored batches that are marked False.
fn narrowed(
    view: &View,
    columns: Option<&[usize]>,
    kept: Option<&[bool]>,
) -> respool::Result<View> {
    let mut view = match columns {
        Some(columns) => view.select_indexes(columns)?,
        None => View::clone(view),
    };
    if let Some(kept) = kept.filter(|_| view.can_leave_out()) {
        let stored = view.stored_batches()?;
        // More may have come since they were marked: what has no mark is read.
        let from = match (stored.get(kept.len()), stored.last()) {
            (Some(unmarked), _) => *unmarked,
            (None, last) => last.map_or(0, |last| last + 1),
        };
        let marked = stored.iter().zip(kept);
        let kept: Vec<usize> = marked
            .filter(|(_, kept)| **kept)
            .map(|(at, _)| *at)
            .collect();
        view = view.batches(&kept, from)?;
    }
    Ok(view)
}
