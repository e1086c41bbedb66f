//! `StreamCache`: what owns a source and the store.
//!
//! More than half of the file is docstrings.

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::PyTraverseError;
use pyo3::exceptions::PyValueError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use respool::{Cache, Error, Options, WritePolicy};

use crate::attach::{detached, inside};
use crate::describe::describe;
use crate::error::{OrRaise, cause};
use crate::events::Events;
use crate::exit;
use crate::feeding::{BatchRows, Feeding, Prefetch};
use crate::hold::Hold;
use crate::metadata::dict_of;
use crate::number::Number;
use crate::options::{compression_of, log_in, options};
use crate::origin::Origin;
use crate::path::PathArgument;
use crate::signals::Closing;
use crate::size::SizeArgument;
use crate::source::{Sourced, source_of};
use crate::view::PyView;

/// Reads an Arrow stream once and replays it for ever.
///
/// Nothing is read until a reader asks. Each batch is then pulled once and kept, in memory and, with
/// ``disk_path``, in a log that is read through a memory map; the log has no name and leaves nothing
/// behind. Everything that a view can do a cache can do: it is the view that shows
/// everything. It is a context manager that closes itself.
///
/// Parameters
/// ----------
/// reader
///     What to read: anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``, a pyarrow Dataset
///     or Scanner, a polars LazyFrame, or, with ``schema``, an iterable of batches, tables, data frames
///     of Polars or pandas.
/// memory_capacity
///     Bytes to hold in memory, or text such as ``"64 MiB"`` or ``"25%"``. If None there is no bound
///     without a log, and a quarter of the machine's memory with one.
/// disk_path
///     Directory for the log; it must exist and lie on a disk, not on a tmpfs.
/// disk_capacity
///     Quota of the log in bytes, or text; given with ``disk_path`` or not at all.
/// write_policy
///     ``"on_insertion"``: every batch goes to the log at once. ``"on_eviction"``: only when memory
///     overflows, oldest first.
/// max_readers
///     A hint: once so many readers exist, a batch that all have passed may leave memory. Without a
///     log it is then gone; a log keeps everything.
/// schema
///     For an iterable: what each batch must look like; ``"first"`` takes the schema of the first item,
///     which is read at once.
/// compression
///     ``"lz4"`` or ``"zstd"``: a smaller log that is not read without copying.
/// prefetch
///     How far ahead of its furthest reader the source is read, by a thread of its own: bytes (a number from
///     4096 on, or text such as ``"64 MiB"``) or batches (``"4 batches"``); None reads when it is asked. See Notes.
/// batch_rows
///     ``(least, most)`` rows of a batch: smaller ones are joined, larger ones cut into slices that share their
///     buffers. None in place of a number is no bound. No reader waits for rows to be joined: the first are
///     given as they come, later ones at the latest 5 ms after the source was asked for them. A batch has fewer
///     rows where the source takes longer for it, at the end, and where rows can't be joined.
/// coalesce_rows
///     As ``batch_rows=(coalesce_rows, None)``, but readers wait until a batch has so many rows.
/// allow_tmpfs
///     Accept a ``disk_path`` on a memory file system.
/// on_event
///     A callable that is told what the cache does: it is given one :class:`respool.typing.Event` at a time, for
///     logs and metrics. See there.
///
/// Raises
/// ------
/// TypeError
///     If ``reader`` is nothing that can be read.
/// ValueError
///     If a size can't be read, only one of ``disk_path`` and ``disk_capacity`` is given, the
///     directory is on a tmpfs, or the stream says that it was consumed already. A reader of pyarrow does
///     not say so: it is a stream of nothing then.
/// OSError
///     If the directory is missing or can't be written.
///
/// Notes
/// -----
/// With ``prefetch`` the thread begins when a reader first waits for a batch, and from then on it alone asks the
/// source for what readers wait for; ``ingest_all`` asks in the thread that calls it. So it must be a source that any
/// thread may ask: what belongs to one thread (a connection of sqlite3, context variables, an event loop) is to be
/// made by the source itself, in the generator. The thread rests where there is no room, and whoever reads the batch
/// that did not fit gets the error. Errors of the source come at their place, as without. It ends with the source,
/// with the cache and with the process; ``close()`` waits for it, for two seconds at most.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> batches = (pa.record_batch({"x": [i]}) for i in range(3))
/// >>> cache = respool.StreamCache(batches, schema=pa.schema({"x": pa.int64()}))
/// >>> cache.upstream_exhausted
/// False
/// >>> [pa.table(cache).num_rows for _ in range(2)]
/// [3, 3]
/// >>> cache.upstream_exhausted, cache.ingested_count, cache.error, cache.closed
/// (True, 3, None, False)
/// >>> cache.path, cache.metadata  # of a log that is kept; see respool.cache
/// (None, {})
#[pyclass(frozen, extends = PyView, module = "respool", name = "StreamCache")]
pub(crate) struct PyCache {
    origin: Option<Arc<Origin>>,
    /// Who is told of what it does.
    events: Option<Arc<Events>>,
    hold: Hold,
    /// The object that was shared, and shows the origin to the garbage collector.
    first: Option<Py<Self>>,
}

impl PyCache {
    pub(crate) fn made(
        py: Python<'_>,
        sourced: Sourced,
        options: Options,
        events: Option<Arc<Events>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let Sourced {
            source,
            origin,
            rows,
        } = sourced;
        let options = told(options, events.as_ref());
        let cache = detached(py, || Cache::from_boxed(source, &options))?;
        let fills = cache.place().is_some();
        Ok(Self::of(&cache, origin, events, fills, rows))
    }

    /// `fills`: whether it fills a log with a path. Then it is there for as long as a stream in C is: who else
    /// asks for that log here has to find it.
    pub(crate) fn of(
        cache: &Cache,
        origin: Option<Arc<Origin>>,
        events: Option<Arc<Events>>,
        fills: bool,
        rows: Option<u64>,
    ) -> PyClassInitializer<Self> {
        let is_kept = origin.is_some() || events.is_some() || fills;
        let view = PyView::whole(cache.view(), is_kept, rows);
        PyClassInitializer::from(view).add_subclass(Self {
            origin,
            events,
            hold: Hold::new(),
            first: None,
        })
    }

    /// The object of a cache. One that fills a log with a path is entered where others who ask for that log in
    /// this process find it.
    pub(crate) fn entered(
        py: Python<'_>,
        made: PyClassInitializer<Self>,
    ) -> PyResult<Bound<'_, Self>> {
        let object = Bound::new(py, made)?;
        let Some(identity) = Self::cache(&object).place().map(|(_, identity)| identity) else {
            return Ok(object);
        };
        let identity = PyBytes::new(py, &identity);
        py.import("respool._ours")?
            .call_method1("enter", (identity, &object))?;
        // It is there for as long as any other of the cache is, so it must not be one of those who close it.
        let shared = Self::_shared(&object)?;
        object.get().hold.give_back();
        Ok(shared.unwrap_or(object))
    }

    fn cache(slf: &Bound<'_, Self>) -> Cache {
        slf.as_super().get().view().cache()
    }
}

/// The same options, and who is told.
pub(crate) fn told(options: Options, events: Option<&Arc<Events>>) -> Options {
    match events {
        Some(events) => options.with_listener(Arc::<Events>::clone(events)),
        None => options,
    }
}

#[pymethods]
impl PyCache {
    #[new]
    #[pyo3(signature = (
        reader,
        memory_capacity=None,
        disk_path=None,
        disk_capacity=None,
        write_policy="on_insertion",
        max_readers=None,
        *,
        schema=None,
        compression=None,
        prefetch=None,
        batch_rows=None,
        coalesce_rows=None,
        allow_tmpfs=false,
        on_event=None,
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the names and positions of batchcorder"
    )]
    fn new(
        py: Python<'_>,
        reader: &Bound<'_, PyAny>,
        memory_capacity: Option<SizeArgument>,
        disk_path: Option<PathArgument>,
        disk_capacity: Option<SizeArgument>,
        write_policy: &str,
        max_readers: Option<Number>,
        schema: Option<&Bound<'_, PyAny>>,
        compression: Option<&str>,
        prefetch: Option<Prefetch>,
        batch_rows: Option<BatchRows>,
        coalesce_rows: Option<Number>,
        allow_tmpfs: bool,
        on_event: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let _inside = inside()?;
        let write_policy: WritePolicy = write_policy.parse().or_raise(py)?;
        // Without a bound everything would be held twice, in memory and in the log.
        let memory =
            memory_capacity.or_else(|| disk_path.as_ref().map(|_| SizeArgument::default_share()));
        let feeding = Feeding {
            prefetch,
            batch_rows,
            coalesce_rows,
        };
        let mut options = options(py, memory.as_ref(), &feeding)?.with_write_policy(write_policy);
        if let Some(Number(readers)) = max_readers {
            if readers == 0 {
                return Err(PyValueError::new_err("max_readers is at least 1"));
            }
            options = options.with_max_readers(usize::try_from(readers).unwrap_or(usize::MAX));
        }
        let compression = compression_of(compression)?;
        if compression.is_some() && disk_path.is_none() {
            return Err(PyValueError::new_err(
                "compression is for the log: give disk_path and disk_capacity too",
            ));
        }
        match (disk_path, disk_capacity) {
            (Some(PathArgument(directory)), Some(capacity)) => {
                let capacity = detached(py, || capacity.of_disk(&directory))?;
                let mut log = log_in(&directory, capacity, compression);
                log.allow_tmpfs = allow_tmpfs;
                options = options.with_log(log);
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => {
                return Err(PyValueError::new_err(
                    "disk_path and disk_capacity, the quota of the log, are given together or not at all",
                ));
            }
        }
        let events = Events::of(on_event)?;
        Self::made(py, source_of(reader, schema)?, options, events)
    }

    /// Give memory, log and source back.
    ///
    /// A thread that reads ahead (``prefetch``) is waited for, for two seconds at most.
    /// Readers raise ``ValueError`` afterwards; batches that were handed out stay valid. A log that is kept
    /// (``path``) is durable then. Closing again does nothing. What several have got from
    /// :func:`respool.named` in one process is closed by the last of them, and can be read until then.
    ///
    /// Raises
    /// ------
    /// OSError
    ///     If a log that is kept could not be made durable. The cache is closed all the same.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}))
    /// >>> batch = next(iter(cache))
    /// >>> cache.close()
    /// >>> batch.num_rows, cache.closed
    /// (3, True)
    /// >>> cache.head()
    /// Traceback (most recent call last):
    ///     ...
    /// ValueError: ...
    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let this = slf.get();
        if !this.hold.give_back() {
            return Ok(());
        }
        let cache = Self::cache(slf);
        let closed = detached(py, || match cache.close_with(&Closing) {
            // It is closed; what reads it ahead goes with the process.
            Err(Error::Interrupted(_)) if exit::is_near() => Ok(()),
            closed => closed,
        });
        let first = this.first.as_ref().map_or(this, Py::get);
        // A generator is closed now, as a file would be.
        if let Some(origin) = &first.origin {
            origin.end(py);
        }
        closed
    }

    /// One more object of this cache, to be closed by itself; None if it is closed.
    fn _shared<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, Self>>> {
        let py = slf.py();
        let this = slf.get();
        let Some(hold) = this.hold.share() else {
            return Ok(None);
        };
        let first = this.first.as_ref();
        let shared = Self {
            origin: None,
            events: None,
            hold,
            first: Some(first.map_or_else(|| slf.clone().unbind(), |first| first.clone_ref(py))),
        };
        let view = slf.as_super().get().again();
        let made = PyClassInitializer::from(view).add_subclass(shared);
        Bound::new(py, made).map(Some)
    }

    /// Make everything that is stored durable, in a log that is kept (``path``).
    ///
    /// What was acknowledged so is there after a crash of the machine; what was not, whole batches of it, after
    /// a crash of the process.
    ///
    /// Raises
    /// ------
    /// OSError
    ///     If the operating system could not write it. That is final: the log has to be written anew.
    /// ValueError
    ///     If the cache is closed, its log goes with the process, or it only reads a log that is not at its end.
    ///
    /// Examples
    /// --------
    /// >>> import os, tempfile
    /// >>> import pyarrow as pa, respool
    /// >>> path = os.path.join(tempfile.mkdtemp(dir="."), "numbers")
    /// >>> cache = respool.cache(pa.table({"x": [1, 2, 3]}), path=path)
    /// >>> cache.head(1).num_rows
    /// 1
    /// >>> cache.flush()  # what was read until now survives a crash of the machine
    /// >>> cache.close()
    fn flush(slf: &Bound<'_, Self>) -> PyResult<()> {
        let cache = Self::cache(slf);
        detached(slf.py(), || cache.flush())
    }

    /// The directory of a log that is kept, or None.
    #[getter]
    fn path(slf: &Bound<'_, Self>) -> Option<PathBuf> {
        let cache = Self::cache(slf);
        cache.place().map(|(path, _)| path.to_owned())
    }

    /// What was said of a log that is kept when it was made; a new dict each time.
    #[getter]
    fn metadata<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        dict_of(slf.py(), Self::cache(slf).metadata())
    }

    /// Whether the cache was closed.
    #[getter]
    fn closed(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let cache = Self::cache(slf);
        detached(slf.py(), || match cache.check_open() {
            Err(Error::Closed) => Ok(true),
            checked => checked.map(|()| false),
        })
    }

    /// The exception that ended the source, or None.
    #[getter]
    fn error(slf: &Bound<'_, Self>) -> PyResult<Option<PyErr>> {
        let py = slf.py();
        let cache = Self::cache(slf);
        let snapshot = detached(py, || cache.snapshot())?;
        Ok(match &snapshot.end {
            respool::End::Failed(failure) => Some(cause(py, failure)),
            respool::End::Open | respool::End::Complete => None,
        })
    }

    /// Batches pulled and stored so far.
    #[getter]
    fn ingested_count(slf: &Bound<'_, Self>) -> PyResult<usize> {
        let cache = Self::cache(slf);
        let snapshot = detached(slf.py(), || cache.snapshot())?;
        Ok(snapshot.batches)
    }

    /// Whether the source said that it is at its end; never True after an error.
    #[getter]
    fn upstream_exhausted(slf: &Bound<'_, Self>) -> PyResult<bool> {
        let cache = Self::cache(slf);
        let snapshot = detached(slf.py(), || cache.snapshot())?;
        Ok(snapshot.is_complete())
    }

    /// Change the bounds.
    ///
    /// What memory then holds too much goes to the log. A batch that did not fit is kept; the next read
    /// stores it.
    ///
    /// Parameters
    /// ----------
    /// memory, disk
    ///     Bytes or text, as for :func:`respool.cache`; None is no bound. What is not given stays.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If the cache is closed, or it has no log and ``disk`` is given.
    /// OSError
    ///     If the log can't take what memory gives up. The bounds are changed all the same.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": list(range(1000))}), 100)
    /// >>> cache.ingest_all()
    /// Traceback (most recent call last):
    ///     ...
    /// respool.exceptions.MemoryCapacityError: cannot keep the next batch in memory: ...
    /// >>> cache.resize(memory="1 MiB")
    /// >>> cache.ingest_all()
    /// 1
    #[pyo3(signature = (**bounds))]
    #[pyo3(text_signature = "($self, *, memory=..., disk=...)")]
    fn resize(slf: &Bound<'_, Self>, bounds: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let py = slf.py();
        let cache = Self::cache(slf);
        let (mut memory, mut disk) = detached(py, || cache.capacities())?;
        let (shares_memory, shares_disk) = cache.shares_bounds();
        for (name, value) in bounds.into_iter().flatten() {
            let value: Option<SizeArgument> = value.extract()?;
            match name.cast::<PyString>()?.to_cow()?.as_ref() {
                name @ ("memory" | "disk")
                    if (name == "memory" && shares_memory) || (name == "disk" && shares_disk) =>
                {
                    return Err(PyValueError::new_err(format!(
                        "{name} of this cache is that of a budget, which other caches share: use budget.resize({name}=...)"
                    )));
                }
                "memory" => memory = value.map(|size| size.of_memory()),
                "disk" => match cache.log_directory() {
                    Some(directory) => {
                        let asked = |size: SizeArgument| detached(py, || size.of_disk(&directory));
                        disk = value.map(asked).transpose()?;
                    }
                    None => {
                        return Err(PyValueError::new_err(
                            "disk can't be changed: this cache writes no log; give a new one a directory, or \
                             resize the cache that fills the log",
                        ));
                    }
                },
                other => {
                    return Err(pyo3::exceptions::PyTypeError::new_err(format!(
                        "resize takes memory and disk, not {other}"
                    )));
                }
            }
        }
        detached(py, || cache.resize(memory, disk))
    }

    /// What the cache did so far and what it holds; sizes in bytes, times in seconds.
    ///
    /// Returns
    /// -------
    /// dict
    ///     batches, rows, bytes; pulls, source_seconds, store_seconds; batches_in_memory,
    ///     memory_bytes, memory_capacity; batches_in_log, log_bytes, log_capacity; memory_hits,
    ///     log_reads; readers; encoded_memory_bytes, encoded_log_bytes (what the copies of
    ///     ``respool.duckdb.register(..., optimize=True)`` take of memory_bytes and log_bytes).
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1, 2, 3]}).to_reader(2))
    /// >>> for _ in range(5):
    /// ...     _ = pa.table(cache)
    /// >>> seen = cache.metrics()
    /// >>> seen["batches"], seen["rows"], seen["bytes"], seen["pulls"]  # two batches and the end
    /// (2, 3, 24, 3)
    fn metrics<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyDict>> {
        let py = slf.py();
        let cache = Self::cache(slf);
        let metrics = detached(py, || {
            let metrics = cache.metrics();
            cache.tell();
            metrics
        })?;
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
        dict.set_item("encoded_memory_bytes", metrics.encoded_memory_bytes)?;
        dict.set_item("encoded_log_bytes", metrics.encoded_log_bytes)?;
        Ok(dict)
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        let cache = Self::cache(slf);
        detached(slf.py(), || cache.check_open())?;
        Ok(slf.clone())
    }

    #[pyo3(signature = (exc_type, exc_value, traceback))]
    fn __exit__(
        slf: &Bound<'_, Self>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (exc_type, exc_value, traceback);
        Self::close(slf)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let view = slf.as_super().get().view();
        let text = detached(slf.py(), || Ok(describe(view)))?;
        Ok(format!("<respool.StreamCache {text}>"))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.first)?;
        if let Some(events) = &self.events {
            events.traverse(&visit)?;
        }
        match &self.origin {
            Some(origin) => origin.traverse(&visit),
            None => Ok(()),
        }
    }

    fn __clear__(&self) {
        if let Some(events) = &self.events {
            events.clear();
        }
        if let Some(origin) = &self.origin {
            origin.clear();
        }
    }
}
