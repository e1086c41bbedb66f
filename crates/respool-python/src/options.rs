//! What a cache may use, from the arguments of Python: memory, and a log with a name or without.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::Schema;
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use respool::{Compression, Log, LogOptions, Options};

use crate::attach::detached;
use crate::feeding::Feeding;
use crate::metadata::entries_of;
use crate::size::{SizeArgument, free};

pub(crate) fn options(
    py: Python<'_>,
    memory: Option<&SizeArgument>,
    feeding: &Feeding,
) -> PyResult<Options> {
    let options = match memory {
        Some(size) => Options::new().with_memory_capacity(size.of_memory()),
        None => Options::new(),
    };
    feeding.add_to(py, options)
}

pub(crate) fn log_in(
    directory: &Path,
    capacity: u64,
    compression: Option<Compression>,
) -> LogOptions {
    let mut log = LogOptions::new(directory);
    log.capacity = Some(capacity);
    log.compression = compression;
    log
}

pub(crate) fn compression_of(name: Option<&str>) -> PyResult<Option<Compression>> {
    match name {
        None => Ok(None),
        Some("lz4") => Ok(Some(Compression::Lz4)),
        Some("zstd") => Ok(Some(Compression::Zstd)),
        Some(other) => Err(PyValueError::new_err(format!(
            "compression is \"lz4\", \"zstd\" or None, not {other:?}"
        ))),
    }
}

/// The options of a new log with a name.
///
/// # Errors
/// `TypeError` or `ValueError` where the metadata can't be kept or the time is none.
pub(crate) fn named_log(
    path: &Path,
    metadata: Option<&Bound<'_, PyAny>>,
    key: Option<&[u8]>,
    time_to_live: Option<f64>,
) -> PyResult<LogOptions> {
    let metadata = entries_of(metadata)?;
    if path.as_os_str().is_empty() {
        return Err(PyValueError::new_err(
            "path is the directory of the log, not empty",
        ));
    }
    Ok(LogOptions::new(path)
        .metadata(metadata)
        .key(key.map(<[u8]>::to_vec))
        .time_to_live(time_to_live.map(seconds).transpose()?))
}

fn seconds(time: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(time).map_err(|_| {
        PyValueError::new_err(format!(
            "a number of seconds from 0 on is wanted, not {time}"
        ))
    })
}

/// A time to wait, in any of the forms of named caches; `None` where there is no end.
///
/// # Errors
/// `TypeError` or `ValueError` where it is none.
pub(crate) fn timeout_of(timeout: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Duration>> {
    let Some(timeout) = timeout else {
        return Ok(None);
    };
    let ages = timeout.py().import("respool._named.ages")?;
    let time: Option<f64> = ages
        .call_method1("seconds", (timeout, "timeout"))?
        .extract()?;
    time.map(seconds).transpose()
}

/// The `disk` argument of [`cache`] and its like.
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

/// Bytes that a log in a directory, or in one that is to be made, may have. To be called detached.
pub(crate) fn room(disk: &Disk, directory: &Path) -> respool::Result<u64> {
    let there = directory.ancestors().find(|path| path.exists());
    let there = there.unwrap_or(Path::new("."));
    match disk {
        Disk::Auto => free(there).map(|free| free / 10 * 9),
        Disk::Capacity(size) => size.of_disk(there),
    }
}

/// As [`room`], for a log that has so many bytes already: a share is one of what is free besides.
pub(crate) fn room_beside(disk: &Disk, directory: &Path, bytes: u64) -> respool::Result<u64> {
    let room = room(disk, directory)?;
    Ok(match disk {
        Disk::Capacity(size) if !size.is_share() => room,
        Disk::Auto | Disk::Capacity(_) => room.saturating_add(bytes),
    })
}

/// The first directory for temporary files that can be written, and is on a disk if it has to be.
pub(crate) fn disk_directory(py: Python<'_>, allow_tmpfs: bool) -> PyResult<PathBuf> {
    let system: PathBuf = py
        .import("tempfile")?
        .call_method0("gettempdir")?
        .extract()?;
    let candidates = [system, PathBuf::from("/var/tmp"), PathBuf::from(".")];
    let usable = |directory: &Path| {
        let log = LogOptions::new(directory).allow_tmpfs(allow_tmpfs);
        Log::temporary(Arc::new(Schema::empty()), log).is_ok()
    };
    let found = detached(py, || Ok(candidates.into_iter().find(|path| usable(path))))?;
    found.ok_or_else(|| {
        PyOSError::new_err(
            "no directory for a log: the temporary directory, /var/tmp and the current directory \
             can't be written or are on a tmpfs; name one with directory=, or pass disk=None",
        )
    })
}
