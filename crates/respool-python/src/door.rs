//! `cache()`, the friendly door to a cache.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use respool::{Encodings, WritePolicy};

use crate::attach::{detached, inside};
use crate::budget::{PyBudget, check_sizes};
use crate::cache::PyCache;
use crate::error::OrRaise;
use crate::events::Events;
use crate::feeding::{BatchRows, Feeding, Prefetch};
use crate::metadata::entries_of;
use crate::number::Number;
use crate::options::{Disk, compression_of, disk_directory, log_in, named_log, options, room};
use crate::path::PathArgument;
use crate::size::SizeArgument;
use crate::source::source_of;

/// Cache a source, spilling to disk by itself.
///
/// Parameters
/// ----------
/// source
///     As for :class:`StreamCache`.
/// memory
///     Bytes to hold in memory, or text: ``"64 MiB"``, or a share of the machine's memory; None is no
///     bound.
/// disk
///     Quota of the log that takes what memory does not hold: bytes, text, a share of what is free,
///     ``"auto"`` (90% of what is free), or None for no log.
/// directory
///     Where the log lies. If None, the first of the system's temporary directory, ``/var/tmp`` and
///     the current directory that is on a disk.
/// path
///     A directory of its own for a log that is kept: new or empty; :func:`respool.open` gives it back, also in
///     other processes and while it is filled. Every batch goes into it at once. It is durable after
///     ``flush()`` or ``close()``, and once the source has come to its end.
/// metadata
///     For a log that is kept: a dict, for ``.metadata``, of what JSON gives back as it is: None, bool, int,
///     float, str, and lists and dicts of these.
/// prefetch, batch_rows, coalesce_rows, compression, schema
///     As for :class:`StreamCache`.
/// optimize
///     ``"duckdb"``: keep batches in the encodings that DuckDB reads without converting, and only so: decimals of
///     4 or 8 bytes, few distinct strings as a dictionary, other strings and binaries as views. ``"polars"`` or
///     ``"views"``: strings and binaries as views. Each batch is converted once, as it comes in, and everybody but
///     these engines gets it as it came. Not with ``path``.
/// allow_tmpfs
///     Accept a ``directory`` or ``path`` on a memory file system.
/// budget
///     A :class:`respool.Budget` that bounds memory and log of this cache together with those of others, in place
///     of ``memory`` and ``disk``.
/// on_event
///     As for :class:`StreamCache`.
///
/// Returns
/// -------
/// StreamCache
///     Writes to disk only when memory overflows, or, with ``path``, everything.
///
/// Raises
/// ------
/// OSError, TypeError, ValueError
///     As :class:`StreamCache`.
/// FileExistsError
///     If ``path`` holds something: a log is opened with :func:`respool.open`, one that was not filled to its
///     end gone on with by :func:`respool.resume`.
/// BlockingIOError
///     If this process or another writes to the log in ``path``; the message says which.
/// FileNotFoundError
///     If what ``path`` lies in is not there.
/// PermissionError
///     If ``path`` is there and others may write to it, or it is not yours.
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
    memory=Some(SizeArgument::default_share()),
    disk=Some(Disk::Auto),
    directory=None,
    path=None,
    metadata=None,
    prefetch=None,
    batch_rows=None,
    coalesce_rows=None,
    compression=None,
    schema=None,
    optimize=None,
    allow_tmpfs=false,
    budget=None,
    on_event=None,
))]
#[pyo3(
    text_signature = "(source, *, memory='25%', disk='auto', directory=None, path=None, metadata=None, prefetch=None, batch_rows=None, coalesce_rows=None, compression=None, schema=None, optimize=None, allow_tmpfs=False, budget=None, on_event=None)"
)]
#[expect(clippy::too_many_arguments, reason = "keywords of one door")]
pub(crate) fn cache<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    memory: Option<SizeArgument>,
    disk: Option<Disk>,
    directory: Option<PathArgument>,
    path: Option<PathArgument>,
    metadata: Option<&Bound<'py, PyAny>>,
    prefetch: Option<Prefetch>,
    batch_rows: Option<BatchRows>,
    coalesce_rows: Option<Number>,
    compression: Option<&str>,
    schema: Option<&Bound<'py, PyAny>>,
    optimize: Option<&str>,
    allow_tmpfs: bool,
    budget: Option<&Bound<'py, PyBudget>>,
    on_event: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyCache>> {
    let _inside = inside()?;
    let encodings: Option<Encodings> = optimize
        .map(|optimize| optimize.parse().or_raise(py))
        .transpose()?;
    if let Some(path) = path {
        if encodings.is_some() {
            return Err(PyValueError::new_err(
                "optimize is for a cache whose log goes with the process, and a log with a path keeps batches as \
                 they come: leave one of them out, or register the cache with optimize=True, which keeps a copy \
                 beside the log",
            ));
        }
        if directory.is_some() {
            return Err(PyValueError::new_err(
                "directory is for a log that goes with the process, and path for one that is kept: give one of them",
            ));
        }
        if budget.is_some() {
            check_sizes(memory.as_ref(), disk.as_ref())?;
        }
        let (key, ttl) = (None, None);
        return fill(
            py,
            source,
            path,
            key,
            ttl,
            metadata,
            memory,
            disk,
            prefetch,
            batch_rows,
            coalesce_rows,
            compression,
            schema,
            allow_tmpfs,
            budget,
            on_event,
        );
    }
    if !entries_of(metadata)?.is_empty() {
        return Err(PyValueError::new_err(
            "metadata is for a log that is kept: give it a path too",
        ));
    }
    let compression = compression_of(compression)?;
    if disk.is_none() && (directory.is_some() || compression.is_some()) {
        return Err(PyValueError::new_err(
            "directory and compression are for the log, and disk=None asks for none",
        ));
    }
    let feeding = Feeding {
        prefetch,
        batch_rows,
        coalesce_rows,
    };
    let mut options =
        options(py, memory.as_ref(), &feeding)?.with_write_policy(WritePolicy::OnEviction);
    let (disk, directory, quota) = match budget.map(Bound::get) {
        None => (disk, directory.map(|it| it.0), None),
        Some(budget) => {
            check_sizes(memory.as_ref(), disk.as_ref())?;
            options = budget.bound(py, options)?;
            let directory = directory.map(|it| it.0);
            let directory = directory.or_else(|| budget.directory().cloned());
            let disk = disk.filter(|_| budget.has_logs());
            (disk, directory, Some(budget.quota(py)?))
        }
    };
    if let Some(encodings) = encodings {
        options = options.with_encodings(encodings);
    }
    if let Some(disk) = disk {
        let directory = match directory {
            Some(directory) => directory,
            None => disk_directory(py, allow_tmpfs)?,
        };
        let capacity = detached(py, || room(&disk, &directory))?;
        let log = log_in(&directory, capacity, compression).allow_tmpfs(allow_tmpfs);
        options = match &quota {
            Some(quota) => options.with_log_within(log, quota),
            None => options.with_log(log),
        };
    }
    let events = Events::of(on_event)?;
    let made = PyCache::made(py, source_of(source, schema)?, options, events)?;
    let cache = Bound::new(py, made)?;
    joined(cache, budget)
}

/// As [`cache`] with a path, and what the log is known by and for how long it is good.
#[pyfunction]
#[pyo3(name = "_fill")]
#[pyo3(signature = (
    source,
    path,
    *,
    key=None,
    ttl=None,
    metadata=None,
    memory=Some(SizeArgument::default_share()),
    disk=Some(Disk::Auto),
    prefetch=None,
    batch_rows=None,
    coalesce_rows=None,
    compression=None,
    schema=None,
    allow_tmpfs=false,
    budget=None,
    on_event=None,
))]
#[pyo3(
    text_signature = "(source, path, *, key=None, ttl=None, metadata=None, memory='25%', disk='auto', prefetch=None, batch_rows=None, coalesce_rows=None, compression=None, schema=None, allow_tmpfs=False, budget=None, on_event=None)"
)]
#[expect(clippy::too_many_arguments, reason = "keywords of one door")]
pub(crate) fn fill<'py>(
    py: Python<'py>,
    source: &Bound<'py, PyAny>,
    path: PathArgument,
    key: Option<&[u8]>,
    ttl: Option<f64>,
    metadata: Option<&Bound<'py, PyAny>>,
    memory: Option<SizeArgument>,
    disk: Option<Disk>,
    prefetch: Option<Prefetch>,
    batch_rows: Option<BatchRows>,
    coalesce_rows: Option<Number>,
    compression: Option<&str>,
    schema: Option<&Bound<'py, PyAny>>,
    allow_tmpfs: bool,
    budget: Option<&Bound<'py, PyBudget>>,
    on_event: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyCache>> {
    let _inside = inside()?;
    let PathArgument(path) = path;
    let mut log = named_log(&path, metadata, key, ttl)?
        .compression(compression_of(compression)?)
        .allow_tmpfs(allow_tmpfs);
    let is_sized = matches!(disk, Some(Disk::Capacity(_)));
    log.capacity = detached(py, || disk.map(|disk| room(&disk, &path)).transpose())?;
    let feeding = Feeding {
        prefetch,
        batch_rows,
        coalesce_rows,
    };
    let mut options = options(py, memory.as_ref(), &feeding)?;
    if let Some(budget) = budget.map(Bound::get) {
        // A quota of named caches rules the disk then: it is that of a directory, and outlives the process.
        check_sizes(memory.as_ref(), None)?;
        options = budget.bound(py, options)?;
        options = if is_sized {
            options.with_named_log(log)
        } else {
            budget.with_named_log(py, options, log)?
        };
    } else {
        options = options.with_named_log(log);
    }
    let events = Events::of(on_event)?;
    let made = PyCache::made(py, source_of(source, schema)?, options, events)?;
    let cache = PyCache::entered(py, made)?;
    joined(cache, budget)
}

/// A cache, known to the budget that it was made within.
pub(crate) fn joined<'py>(
    cache: Bound<'py, PyCache>,
    budget: Option<&Bound<'py, PyBudget>>,
) -> PyResult<Bound<'py, PyCache>> {
    if let Some(budget) = budget {
        budget.get().join(cache.as_any())?;
    }
    Ok(cache)
}
