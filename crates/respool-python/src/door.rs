//! `cache()`, the friendly door to a cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_schema::Schema;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use respool::{Log, LogOptions, WritePolicy};

use crate::attach::detached;
use crate::cache::{PyCache, compression_of, log_in, options};
use crate::number::Number;
use crate::size::{SizeArgument, free};
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
    coalesce_rows: Option<Number>,
    compression: Option<&str>,
    schema: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyCache>> {
    let compression = compression_of(compression)?;
    if disk.is_none() && (directory.is_some() || compression.is_some()) {
        return Err(PyValueError::new_err(
            "directory and compression are for the log, and disk=None asks for none",
        ));
    }
    let mut options = options(memory.as_ref(), coalesce_rows.as_ref())?
        .with_write_policy(WritePolicy::OnEviction);
    if let Some(disk) = disk {
        let directory = match directory {
            Some(directory) => directory,
            None => disk_directory(py)?,
        };
        let capacity = detached(py, || match disk {
            Disk::Auto => free(&directory).map(|free| free / 10 * 9),
            Disk::Capacity(size) => size.of_disk(&directory),
        })?;
        options = options.with_log(log_in(&directory, capacity, compression));
    }
    Bound::new(py, PyCache::made(py, source_of(source, schema)?, &options)?)
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
    let usable = |directory: &Path| {
        Log::temporary(Arc::new(Schema::empty()), LogOptions::new(directory)).is_ok()
    };
    let found = detached(py, || Ok(candidates.into_iter().find(|path| usable(path))))?;
    found.ok_or_else(|| {
        PyOSError::new_err(
            "no directory for a log: the temporary directory, /var/tmp and the current directory \
             can't be written or are on a tmpfs; name one with directory=, or pass disk=None",
        )
    })
}
