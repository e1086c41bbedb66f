//! Logs with a name: opened, gone on with, looked at.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use respool::{Cache, Error, LogError, LogOptions, LogReader, LogState, Skip};

use crate::attach::{detached, inside};
use crate::budget::{PyBudget, check_sizes};
use crate::cache::{PyCache, told};
use crate::door::joined;
use crate::events::Events;
use crate::feeding::{BatchRows, Feeding, Prefetch};
use crate::metadata::dict_of;
use crate::number::Number;
use crate::options::{Disk, options, room_beside, timeout_of};
use crate::path::PathArgument;
use crate::pyarrow::schema_to_pyarrow;
use crate::size::SizeArgument;
use crate::source::{Sourced, source_of};

/// Open a cache that was kept with ``respool.cache(source, path=...)``, in this process or another.
///
/// Reads no data; batches come straight out of the files. Several processes may open one log, also while
/// another still fills it: it is followed then, and a read waits for what is to come.
///
/// Parameters
/// ----------
/// path
///     The directory of the log.
/// timeout
///     Seconds, or a ``datetime.timedelta``, that a read waits for the process that fills the log while nothing
///     comes; None waits for ever. Ctrl-C ends a wait on the main thread. An engine that reads on threads of its own, as DuckDB does
///     for a registered cache and Polars for a lazy one, sees it only between two batches: give it a timeout.
/// memory
///     Bytes to hold of batches that have to be decoded (a compressed log), or text; None is no bound.
/// budget
///     A :class:`respool.Budget` that bounds this memory together with that of other caches.
/// on_event
///     As for :class:`StreamCache`: what comes of a log that is followed, and how it ends.
///
/// Returns
/// -------
/// StreamCache
///     Of a log that is not whole, because its source failed or its writer is gone, reading gives the batches
///     and then raises ``IncompleteStreamError``; ``.prefix()`` reads what there is, and
///     :func:`respool.resume` goes on with it.
///
/// Raises
/// ------
/// FileNotFoundError
///     If there is no log.
/// PermissionError
///     If the directory or a file in it belongs to somebody else, others may write to it, or it is a link.
/// CorruptLogError, OSError, ValueError
///     If the log is damaged, can't be read, or was written by a newer respool.
/// RuntimeError
///     If this very process fills the log: read the cache that does.
/// TimeoutError
///     By a read that has waited for so long. The next read waits again.
///
/// Examples
/// --------
/// >>> import os, tempfile
/// >>> import pyarrow as pa, respool
/// >>> path = os.path.join(tempfile.mkdtemp(dir="."), "numbers")
/// >>> with respool.cache(pa.table({"x": [1, 2, 3]}), path=path) as cache:
/// ...     cache.ingest_all()
/// 1
/// >>> again = respool.open(path)
/// >>> again.complete, pa.table(again)["x"].to_pylist()
/// (True, [1, 2, 3])
#[pyfunction]
#[pyo3(signature = (path, *, timeout=None, memory=Some(SizeArgument::default_share()), budget=None, on_event=None))]
#[pyo3(text_signature = "(path, *, timeout=None, memory='25%', budget=None, on_event=None)")]
pub(crate) fn open<'py>(
    py: Python<'py>,
    path: PathArgument,
    timeout: Option<&Bound<'py, PyAny>>,
    memory: Option<SizeArgument>,
    budget: Option<&Bound<'py, PyBudget>>,
    on_event: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyCache>> {
    let _inside = inside()?;
    let timeout = timeout_of(timeout)?;
    let mut options = options(py, memory.as_ref(), &Feeding::default())?;
    if let Some(budget) = budget.map(Bound::get) {
        check_sizes(memory.as_ref(), None)?;
        options = budget.bound(py, options)?;
    }
    let events = Events::of(on_event)?;
    let options = told(options, events.as_ref());
    let PathArgument(path) = path;
    let opened = detached(py, || {
        let cache = Cache::open(&path, timeout, &options);
        let cache = cache.map_err(|error| or_no_log(error, &path))?;
        let is_ended = cache.snapshot()?.is_ended();
        let place = cache.place();
        let is_ours = place.is_some_and(|(_, identity)| Cache::is_filled_here(identity));
        // It would wait for itself. Let go here: that closes files.
        Ok((is_ended || !is_ours).then_some(cache))
    })?;
    let cache = opened.ok_or_else(|| {
        PyRuntimeError::new_err(format!(
            "the log in {} is being filled by this process: read the cache that fills it",
            path.display()
        ))
    })?;
    joined(
        Bound::new(py, PyCache::of(&cache, None, events, false, None))?,
        budget,
    )
}

/// Go on with a log that was not filled to its end.
///
/// Everything whole and good that is in it stays. The source has to give the same stream again, or go on
/// behind what the log has.
///
/// Parameters
/// ----------
/// path
///     The directory of the log.
/// source
///     As for :func:`respool.cache`. For an iterable the schema is that of the log.
/// skip
///     What is done with what the log has already: ``"check"`` compares the first rows of the source with
///     it, ``"trust"`` leaves out as many rows unseen, and a number leaves out so many batches of the source:
///     0 where it begins behind what the log has.
/// memory, disk, prefetch, batch_rows, coalesce_rows, schema, budget, on_event
///     As for :func:`respool.cache`.
///
/// Returns
/// -------
/// StreamCache
///     What is new is pulled when a reader first asks for it.
///
/// Raises
/// ------
/// BlockingIOError
///     If another process still writes to it; the message says which.
/// ValueError
///     If the log is complete or its schema is another one; by a read, if the source gives other values than
///     the log has. No batch of the log is changed then.
/// FileNotFoundError, OSError
///     As :func:`respool.open`.
///
/// Examples
/// --------
/// >>> import os, tempfile
/// >>> import pyarrow as pa, respool
/// >>> def numbers(n):
/// ...     for i in range(n):
/// ...         yield pa.record_batch({"x": [i]})
/// ...     if n < 3:
/// ...         raise OSError("the wire broke")
/// >>> path = os.path.join(tempfile.mkdtemp(dir="."), "numbers")
/// >>> with respool.cache(numbers(2), path=path, schema=pa.schema({"x": pa.int64()})) as cache:
/// ...     cache.ingest_all()
/// Traceback (most recent call last):
///     ...
/// OSError: the wire broke
/// >>> with respool.resume(path, numbers(3)) as cache:
/// ...     pa.table(cache)["x"].to_pylist()
/// [0, 1, 2]
#[pyfunction]
#[pyo3(signature = (
    path,
    source,
    *,
    skip=SkipArgument(Skip::Check),
    memory=Some(SizeArgument::default_share()),
    disk=Some(Disk::Auto),
    prefetch=None,
    batch_rows=None,
    coalesce_rows=None,
    schema=None,
    budget=None,
    on_event=None,
))]
#[pyo3(
    text_signature = "(path, source, *, skip='check', memory='25%', disk='auto', prefetch=None, batch_rows=None, coalesce_rows=None, schema=None, budget=None, on_event=None)"
)]
#[expect(clippy::too_many_arguments, reason = "keywords of one door")]
pub(crate) fn resume<'py>(
    py: Python<'py>,
    path: PathArgument,
    source: &Bound<'py, PyAny>,
    skip: SkipArgument,
    memory: Option<SizeArgument>,
    disk: Option<Disk>,
    prefetch: Option<Prefetch>,
    batch_rows: Option<BatchRows>,
    coalesce_rows: Option<Number>,
    schema: Option<&Bound<'py, PyAny>>,
    budget: Option<&Bound<'py, PyBudget>>,
    on_event: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyCache>> {
    let _inside = inside()?;
    let PathArgument(path) = path;
    let feeding = Feeding {
        prefetch,
        batch_rows,
        coalesce_rows,
    };
    let mut options = options(py, memory.as_ref(), &feeding)?;
    let mut quota = None;
    if let Some(budget) = budget.map(Bound::get) {
        check_sizes(memory.as_ref(), disk.as_ref())?;
        options = budget.bound(py, options)?;
        quota = Some(budget.quota(py)?);
    }
    let events = Events::of(on_event)?;
    let options = told(options, events.as_ref());
    let (of_log, there) = detached(py, || {
        let log = LogReader::open(&path);
        let log = log.map_err(|error| or_no_log(error.into(), &path))?;
        Ok((log.schema().clone(), log.file_bytes()?))
    })?;
    let is_stream = source.hasattr("__arrow_c_stream__")? || source.hasattr("scanner")?;
    let known = match schema {
        None if !is_stream && source.hasattr("__iter__")? => Some(schema_to_pyarrow(py, &of_log)?),
        _ => None,
    };
    let Sourced {
        source,
        origin,
        rows,
    } = source_of(source, schema.or(known.as_ref()))?;
    // Where it begins behind what the log has it does not know of all.
    let rows = rows.filter(|_| !matches!(skip.0, Skip::Batches(_)));
    let mut log = LogOptions::new(&path).allow_tmpfs(true);
    let cache = detached(py, || {
        // What the log has already counts in its quota.
        log.capacity = disk
            .map(|disk| room_beside(&disk, &path, there))
            .transpose()?;
        let resumed = match &quota {
            Some(quota) => Cache::resume_within(source, log, skip.0, &options, quota),
            None => Cache::resume(source, log, skip.0, &options),
        };
        resumed.map_err(|error| or_no_log(error, &path))
    })?;
    joined(
        PyCache::entered(py, PyCache::of(&cache, origin, events, true, rows))?,
        budget,
    )
}

/// The error of opening a log, said in the caller's terms where there is none.
fn or_no_log(error: Error, directory: &Path) -> Error {
    match error {
        Error::Log(LogError::Io { path, source, .. })
            if source.kind() == std::io::ErrorKind::NotFound
                && (path == directory || path == directory.join("_manifest")) =>
        {
            let action = if holds_named_caches(directory) {
                "named caches are opened with respool.named(name, fill, directory=...), \
                 and there is no respool log in"
            } else if directory.join("_index").exists() {
                "there is no _manifest, without which nothing of a log can be read, in"
            } else if is_address(directory) && !directory.exists() {
                "a cache of a server is opened with respool.flight.open(uri), and there is no respool log in"
            } else if directory.components().count() == 1 && !directory.exists() {
                "there is no respool log (a name is opened with respool.named, and respool.ls lists names)"
            } else {
                "there is no respool log in"
            };
            let path = directory.to_owned();
            Error::Log(LogError::Io {
                action,
                path,
                source,
            })
        }
        other => other,
    }
}

/// Whether a path is the address of a server, of which `pathlib` has made one slash of two.
fn is_address(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let scheme = text.split_once(":/").map(|(scheme, _)| scheme);
    matches!(scheme, Some("grpc" | "grpc+tls" | "grpc+tcp"))
}

/// Whether a directory looks like one of named caches, or of one of them: numbered logs are in it.
fn holds_named_caches(directory: &Path) -> bool {
    let directories = |directory: &Path| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir())
    };
    let is_numbered = |path: PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|it| it.len() >= 8 && it.bytes().all(|byte| byte.is_ascii_digit()))
            && path.join("_manifest").is_file()
    };
    directories(directory).any(is_numbered)
        || directories(directory).any(|home| directories(&home).any(is_numbered))
}

/// The `skip` argument of [`resume`].
pub(crate) struct SkipArgument(Skip);

impl<'py> FromPyObject<'_, 'py> for SkipArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let refused = || {
            PyValueError::new_err(format!(
                "skip is \"check\", \"trust\" or a number of batches, not {}",
                object
                    .repr()
                    .map_or_else(|_| "that".to_owned(), |it| it.to_string())
            ))
        };
        if let Ok(text) = object.cast::<PyString>() {
            return match text.to_str()? {
                "check" => Ok(Self(Skip::Check)),
                "trust" => Ok(Self(Skip::Trust)),
                _ => Err(refused()),
            };
        }
        if object.is_instance_of::<pyo3::types::PyBool>() {
            return Err(refused());
        }
        let batches: usize = object.extract().map_err(|_| refused())?;
        Ok(Self(Skip::Batches(batches)))
    }
}

/// What a log says of itself, without a cache of it.
///
/// Returns
/// -------
/// dict
///     state ("growing", "abandoned", "complete", "failed"), failure, rows, batches, nbytes, file_bytes (bytes),
///     created (seconds since 1970), ttl (seconds or None), key, metadata, identity.
#[pyfunction]
#[pyo3(name = "_peek")]
pub(crate) fn peek(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let log = detached(py, || Ok(LogReader::open(&path)?))?;
    let (state, failure) = match log.state() {
        LogState::Growing => ("growing", None),
        LogState::Abandoned => ("abandoned", None),
        LogState::Complete => ("complete", None),
        LogState::Failed(failure) => ("failed", Some(failure.text)),
    };
    let about = PyDict::new(py);
    about.set_item("state", state)?;
    about.set_item("failure", failure)?;
    about.set_item("rows", log.num_rows())?;
    about.set_item("batches", log.len())?;
    about.set_item("nbytes", log.shown_bytes())?;
    about.set_item("file_bytes", detached(py, || Ok(log.file_bytes()?))?)?;
    let created = UNIX_EPOCH + Duration::from_micros(log.created());
    let created = created.duration_since(UNIX_EPOCH).unwrap_or_default();
    about.set_item("created", created.as_secs_f64())?;
    about.set_item("ttl", log.time_to_live().map(|time| time.as_secs_f64()))?;
    about.set_item("key", log.key().map(|key| PyBytes::new(py, key)))?;
    about.set_item("metadata", dict_of(py, log.metadata())?)?;
    about.set_item("identity", PyBytes::new(py, &log.identity()))?;
    detached(py, || {
        drop(log);
        Ok(())
    })?;
    Ok(about)
}
