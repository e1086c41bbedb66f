//! Sizes as Python callers give them, and how much memory and disk there is.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};
use respool::{ByteSize, LogError};

use crate::error::OrRaise;
use crate::number::standing_for;

/// A size argument: a number of bytes, or text such as "64 MiB" or "25%".
pub(crate) struct SizeArgument(ByteSize);

impl<'py> FromPyObject<'_, 'py> for SizeArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if object.is_instance_of::<PyString>() {
            let text: String = object.extract()?;
            return text.parse().or_raise(object.py()).map(Self);
        }
        if object.is_instance_of::<PyInt>() && !object.is_instance_of::<PyBool>() {
            return object
                .extract::<u64>()
                .map(|bytes| Self(ByteSize::Bytes(bytes)))
                .map_err(|_| {
                    PyValueError::new_err(format!(
                        "a size is between 0 and 2^63 bytes, not {}",
                        &*object
                    ))
                });
        }
        if let Some(index) = standing_for(object) {
            return Self::extract(index.as_borrowed());
        }
        Err(PyTypeError::new_err(format!(
            "a size is a number of bytes or text such as \"64 MiB\" or \"25%\", not {}",
            object.get_type().name()?
        )))
    }
}

impl SizeArgument {
    /// A share between 0 and 1.
    pub(crate) fn share(share: f64) -> Self {
        Self(ByteSize::Share(share))
    }

    /// The share of the machine's memory that a cache with a log holds where nothing is said.
    pub(crate) fn default_share() -> Self {
        Self::share(0.25)
    }

    /// Whether it is what is taken where nothing is said.
    pub(crate) fn is_default(&self) -> bool {
        self.0 == Self::default_share().0
    }

    pub(crate) fn is_share(&self) -> bool {
        matches!(self.0, ByteSize::Share(_))
    }

    /// Bytes; a share is one of the machine's memory.
    pub(crate) fn of_memory(&self) -> u64 {
        self.0.bytes_of(memory())
    }

    /// Bytes; a share is one of `whole` bytes.
    pub(crate) fn of(&self, whole: u64) -> u64 {
        self.0.bytes_of(whole)
    }

    /// Bytes; a share is one of what is free where the directory lies. To be called detached.
    pub(crate) fn of_disk(&self, directory: &Path) -> respool::Result<u64> {
        Ok(match self.0 {
            ByteSize::Bytes(bytes) => bytes,
            share @ ByteSize::Share(_) => share.bytes_of(free(directory)?),
        })
    }
}

/// Free bytes where the directory lies.
pub(crate) fn free(directory: &Path) -> respool::Result<u64> {
    let free = ask_free(directory).map_err(|source| LogError::Io {
        action: "cannot tell how much is free in",
        path: directory.to_owned(),
        source,
    })?;
    Ok(free)
}

#[cfg(unix)]
fn ask_free(directory: &Path) -> io::Result<u64> {
    let system = rustix::fs::statvfs(directory)?;
    Ok(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(not(unix))]
fn ask_free(directory: &Path) -> io::Result<u64> {
    fs4::available_space(directory)
}

/// Bytes of memory this process may use: the machine's, or less where its control group says so.
pub(crate) fn memory() -> u64 {
    /// 0 until somebody asked: three files are too much to read for each query.
    static KNOWN: AtomicU64 = AtomicU64::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let asked = ask_memory();
            KNOWN.store(asked, Ordering::Relaxed);
            asked
        }
        known => known,
    }
}

#[cfg(target_os = "linux")]
fn ask_memory() -> u64 {
    let machine = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            line.split_whitespace()
                .nth(1)?
                .parse::<u64>()
                .ok()
                .map(|kib| kib * 1024)
        });
    let limits = [
        "/sys/fs/cgroup/memory.max",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ];
    let group = limits
        .iter()
        .filter_map(|path| {
            std::fs::read_to_string(path)
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .min();
    // 4 GiB where the system does not say: small enough to be safe, large enough to be of use.
    machine.into_iter().chain(group).min().unwrap_or(4 << 30)
}

#[cfg(not(target_os = "linux"))]
fn ask_memory() -> u64 {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    system.total_memory()
}
