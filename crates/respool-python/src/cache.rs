//! `StreamCache`, and `cache()`, the friendly door to it.
//!
//! More than half of the file is the docstrings of the two.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::Schema;
use pyo3::exceptions::{PyOSError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use respool::{Cache, Compression, Log, LogOptions, Options, Source, WritePolicy};

use crate::c_stream::import_schema;
use crate::error::OrRaise;
use crate::size::{SizeArgument, free};
use crate::source::source_of;
use crate::view::PyView;

/// Reads an Arrow stream once and replays it for ever.
///
/// Nothing is read until a reader asks. Each batch is then pulled once and kept, in memory and, with
/// ``disk_path``, in a log that is read through a memory map; the log has no name and leaves nothing
/// behind. Everything that a view can do a cache can do: it is the view that shows everything.
///
/// Parameters
/// ----------
/// reader
///     What to read: anything with ``__arrow_c_stream__`` or ``__arrow_c_array__``, a pyarrow Dataset
///     or Scanner, a polars LazyFrame, or, with ``schema``, an iterable of batches.
/// memory_capacity
///     Bytes to hold in memory, or text such as ``"64 MiB"`` or ``"25%"``; no bound if None.
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
///     For an iterable of batches: what each batch must look like.
/// compression
///     ``"lz4"`` or ``"zstd"``: a smaller log that is not read without copying.
/// coalesce_rows
///     Join small batches of the source until one has so many rows.
/// allow_tmpfs
///     Accept a ``disk_path`` on a memory file system.
///
/// Raises
/// ------
/// TypeError
///     If ``reader`` is nothing that can be read.
/// ValueError
///     If a size can't be read, only one of ``disk_path`` and ``disk_capacity`` is given, the
///     directory is on a tmpfs, or the stream was consumed already.
/// OSError
///     If the directory is missing or can't be written.
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
/// >>> cache.upstream_exhausted
/// True
#[pyclass(frozen, extends = PyView, module = "respool", name = "StreamCache")]
pub(crate) struct PyCache;

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
        coalesce_rows=None,
        allow_tmpfs=false,
    ))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the names and positions of batchcorder"
    )]
    fn new(
        py: Python<'_>,
        reader: &Bound<'_, PyAny>,
        memory_capacity: Option<SizeArgument>,
        disk_path: Option<PathBuf>,
        disk_capacity: Option<SizeArgument>,
        write_policy: &str,
        max_readers: Option<usize>,
        schema: Option<&Bound<'_, PyAny>>,
        compression: Option<&str>,
        coalesce_rows: Option<usize>,
        allow_tmpfs: bool,
    ) -> PyResult<PyClassInitializer<Self>> {
        let write_policy: WritePolicy = write_policy.parse().or_raise(py)?;
        let mut options =
            options(memory_capacity.as_ref(), coalesce_rows)?.with_write_policy(write_policy);
        if let Some(readers) = max_readers {
            if readers == 0 {
                return Err(PyValueError::new_err("max_readers is at least 1"));
            }
            options = options.with_max_readers(readers);
        }
        let compression = compression_of(compression)?;
        match (disk_path, disk_capacity) {
            (Some(directory), Some(capacity)) => {
                let capacity = capacity.of_disk(py, &directory)?;
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
        let schema = schema.map(import_schema).transpose()?;
        made(py, source_of(reader, schema)?, options)
    }

    /// Give memory, log and source back.
    ///
    /// Readers raise ``ValueError`` afterwards; batches that were handed out stay valid. Closing
    /// again does nothing.
    fn close(slf: &Bound<'_, Self>) {
        let cache = cache_of(slf);
        slf.py().detach(|| cache.close());
    }

    /// Whether the cache was closed.
    #[getter]
    fn closed(slf: &Bound<'_, Self>) -> bool {
        let cache = cache_of(slf);
        slf.py().detach(|| cache.is_closed())
    }

    /// Change the bounds.
    ///
    /// A batch that did not fit is kept; the next read stores it.
    ///
    /// Parameters
    /// ----------
    /// memory_capacity, disk_capacity
    ///     Bytes or text, as for the constructor; None is no bound. What is not given stays.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If the cache is closed, or it has no log and ``disk_capacity`` is given.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": list(range(1000))}), 100)
    /// >>> cache.ingest_all()
    /// Traceback (most recent call last):
    ///     ...
    /// respool.exceptions.MemoryCapacityError: cannot keep the next batch in memory: ...
    /// >>> cache.resize(memory_capacity="1 MiB")
    /// >>> cache.ingest_all()
    /// 1
    #[pyo3(signature = (**bounds))]
    #[pyo3(text_signature = "($self, *, memory_capacity=..., disk_capacity=...)")]
    fn resize(
        slf: &Bound<'_, Self>,
        bounds: Option<&Bound<'_, pyo3::types::PyDict>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let cache = cache_of(slf);
        let (mut memory, mut disk) = cache.capacities();
        for (name, value) in bounds.into_iter().flatten() {
            let value: Option<SizeArgument> = value.extract()?;
            match name.cast::<PyString>()?.to_cow()?.as_ref() {
                "memory_capacity" => memory = value.map(|size| size.of_memory()),
                "disk_capacity" => match cache.log_directory() {
                    Some(directory) => {
                        disk = value.map(|size| size.of_disk(py, &directory)).transpose()?;
                    }
                    None => {
                        return Err(PyValueError::new_err(
                            "disk_capacity can't be changed: this cache has no log on disk",
                        ));
                    }
                },
                other => {
                    return Err(PyTypeError::new_err(format!(
                        "resize takes memory_capacity and disk_capacity, not {other}"
                    )));
                }
            }
        }
        py.detach(|| cache.resize(memory, disk)).or_raise(py)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> String {
        format!(
            "<respool.StreamCache {}>",
            slf.as_super().get().describe(slf.py())
        )
    }
}

fn cache_of<'a>(slf: &'a Bound<'_, PyCache>) -> &'a Cache {
    slf.as_super().get().view.cache()
}

/// Cache a source, spilling to disk by itself.
///
/// Parameters
/// ----------
/// source
///     As for :class:`StreamCache`.
/// memory
///     Bytes to hold in memory, or text: ``"64 MiB"``, or a share of the machine's memory.
/// disk
///     Quota of the log that takes what memory does not hold: bytes, text, a share of what is free,
///     ``"auto"`` (90% of what is free), or None for no log.
/// directory
///     Where the log lies. If None, the first of the system's temporary directory, ``/var/tmp`` and
///     the current directory that is on a disk.
/// coalesce_rows, compression, schema
///     As for :class:`StreamCache`.
///
/// Returns
/// -------
/// StreamCache
///     Writes to disk only when memory overflows.
///
/// Raises
/// ------
/// OSError, TypeError, ValueError
///     As :class:`StreamCache`.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> cache = respool.cache(pa.table({"x": [1, 2, 3]}), memory="64 MiB")
/// >>> pa.table(cache).num_rows
/// 3
#[pyfunction]
#[pyo3(signature = (
    source,
    *,
    memory=Some(SizeArgument::share(0.25)),
    disk=Some(Disk::Auto),
    directory=None,
    coalesce_rows=None,
    compression=None,
    schema=None,
))]
#[pyo3(
    text_signature = "(source, *, memory='25%', disk='auto', directory=None, coalesce_rows=None, compression=None, schema=None)"
)]
#[expect(clippy::too_many_arguments, reason = "keywords of one door")]
pub(crate) fn cache<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    memory: Option<SizeArgument>,
    disk: Option<Disk>,
    directory: Option<PathBuf>,
    coalesce_rows: Option<usize>,
    compression: Option<&str>,
    schema: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyCache>> {
    let compression = compression_of(compression)?;
    let mut options =
        options(memory.as_ref(), coalesce_rows)?.with_write_policy(WritePolicy::OnEviction);
    if let Some(disk) = disk {
        let directory = match directory {
            Some(directory) => directory,
            None => disk_directory(py)?,
        };
        let capacity = match disk {
            Disk::Auto => free(py, &directory)? / 10 * 9,
            Disk::Capacity(size) => size.of_disk(py, &directory)?,
        };
        options = options.with_log(log_in(&directory, capacity, compression));
    }
    let schema = schema.map(import_schema).transpose()?;
    Bound::new(py, made(py, source_of(source, schema)?, options)?)
}

/// The `disk` argument of [`cache`].
pub(crate) enum Disk {
    Auto,
    Capacity(SizeArgument),
}

impl<'py> FromPyObject<'_, 'py> for Disk {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        match object.extract::<&str>() {
            Ok("auto") => Ok(Self::Auto),
            _ => object.extract().map(Self::Capacity),
        }
    }
}

/// The first directory for temporary files that is on a disk and can be written.
fn disk_directory(py: Python<'_>) -> PyResult<PathBuf> {
    let system: PathBuf = py
        .import("tempfile")?
        .call_method0("gettempdir")?
        .extract()?;
    let candidates = [system, PathBuf::from("/var/tmp"), PathBuf::from(".")];
    let usable = |directory: &PathBuf| {
        Log::temporary(Arc::new(Schema::empty()), LogOptions::new(directory)).is_ok()
    };
    candidates.into_iter().find(usable).ok_or_else(|| {
        PyOSError::new_err(
            "no directory for a log: the temporary directory, /var/tmp and the current directory \
             can't be written or are on a tmpfs; name one with directory=, or pass disk=None",
        )
    })
}

fn options(memory: Option<&SizeArgument>, coalesce_rows: Option<usize>) -> PyResult<Options> {
    let mut options = Options::new();
    if let Some(size) = memory {
        options = options.with_memory_capacity(size.of_memory());
    }
    if let Some(rows) = coalesce_rows {
        if rows == 0 {
            return Err(PyValueError::new_err("coalesce_rows is at least 1"));
        }
        options = options.with_coalesce_rows(rows);
    }
    Ok(options)
}

fn log_in(directory: &Path, capacity: u64, compression: Option<Compression>) -> LogOptions {
    let mut log = LogOptions::new(directory);
    log.capacity = Some(capacity);
    log.compression = compression;
    log
}

fn compression_of(name: Option<&str>) -> PyResult<Option<Compression>> {
    match name {
        None => Ok(None),
        Some("lz4") => Ok(Some(Compression::Lz4)),
        Some("zstd") => Ok(Some(Compression::Zstd)),
        Some(other) => Err(PyValueError::new_err(format!(
            "compression is \"lz4\", \"zstd\" or None, not {other:?}"
        ))),
    }
}

fn made(
    py: Python<'_>,
    source: Box<dyn Source>,
    options: Options,
) -> PyResult<PyClassInitializer<PyCache>> {
    let cache = py
        .detach(|| Cache::from_boxed(source, &options))
        .or_raise(py)?;
    Ok(PyClassInitializer::from(PyView { view: cache.view() }).add_subclass(PyCache))
}
