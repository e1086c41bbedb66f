//! What an error is, told without Python.

use std::error::Error as StdError;
use std::ffi::c_int;
use std::fmt;
use std::path::{Path, PathBuf};

use pyo3::exceptions::{
    PyKeyboardInterrupt, PyMemoryError, PyNotImplementedError, PyOSError, PyRuntimeError,
    PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use respool::Error;

use super::stream::StreamError;

// The same numbers on every system with the C stream interface (its specification names them).
pub(crate) const EIO: c_int = 5;
pub(crate) const ENOENT: c_int = 2;
pub(super) const EACCES: c_int = 13;
pub(super) const ENOMEM: c_int = 12;
pub(super) const EEXIST: c_int = 17;
pub(super) const EINVAL: c_int = 22;
pub(super) const ENOSPC: c_int = 28;
// Those of Linux, Windows' C library, and macOS with the other systems that come from BSD.
pub(super) const EAGAIN: c_int = one_of(11, 11, 35);
pub(super) const ETIMEDOUT: c_int = one_of(110, 138, 60);
/// pyarrow says the same on each of them.
pub(super) const ENOSYS: c_int = one_of(38, 40, 78);

const fn one_of(linux: c_int, windows: c_int, bsd: c_int) -> c_int {
    if cfg!(target_os = "linux") {
        linux
    } else if cfg!(windows) {
        windows
    } else {
        bsd
    }
}

/// What kind of exception an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Value,
    Runtime,
    Memory,
    NotImplemented,
    KeyboardInterrupt,
    Os(c_int),
    MemoryCapacity,
    DiskCapacity,
    CorruptLog,
    IncompleteStream,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Value => "ValueError",
            Self::Runtime => "RuntimeError",
            Self::Memory => "MemoryError",
            Self::NotImplemented => "NotImplementedError",
            Self::KeyboardInterrupt => "KeyboardInterrupt",
            Self::Os(_) => "OSError",
            Self::MemoryCapacity => "MemoryCapacityError",
            Self::DiskCapacity => "DiskCapacityError",
            Self::CorruptLog => "CorruptLogError",
            Self::IncompleteStream => "IncompleteStreamError",
        }
    }

    pub(super) fn errno(self) -> c_int {
        match self {
            Self::Value => EINVAL,
            Self::Memory | Self::MemoryCapacity => ENOMEM,
            Self::NotImplemented => ENOSYS,
            Self::Os(errno) => errno,
            Self::DiskCapacity => ENOSPC,
            Self::Runtime | Self::KeyboardInterrupt | Self::CorruptLog | Self::IncompleteStream => {
                EIO
            }
        }
    }
}

/// An error, told without Python.
pub(super) struct Told {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The file or directory, where the kind is one of files.
    path: Option<PathBuf>,
    /// The text where the path stands beside it, if it is another one.
    beside_path: Option<String>,
    /// Good batches and rows before it.
    counts: Option<(usize, u64)>,
}

impl Told {
    pub(super) fn new(kind: Kind, text: impl ToString) -> Self {
        Self {
            kind,
            // A text that names a value of a column may have what C gave for text and is none.
            text: String::from_utf8_lossy(text.to_string().as_bytes()).into_owned(),
            path: None,
            beside_path: None,
            counts: None,
        }
    }

    pub(super) fn at(kind: Kind, text: impl ToString, path: &Path) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..Self::new(kind, text)
        }
    }

    /// As [`Told::at`], with what is said where the path stands beside it.
    pub(super) fn beside(kind: Kind, text: impl ToString, path: &Path, beside: String) -> Self {
        Self {
            beside_path: Some(beside),
            ..Self::at(kind, text, path)
        }
    }

    /// That a stream is not whole, and how much of it there is.
    pub(super) fn incomplete(text: impl ToString, batches: usize, rows: u64) -> Self {
        Self {
            counts: Some((batches, rows)),
            ..Self::new(Kind::IncompleteStream, text)
        }
    }

    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::Closed | Error::Released { .. } | Error::InvalidArgument(_) => {
                Self::new(Kind::Value, error)
            }
            Error::Arrow { .. } => Self::new(
                Kind::Value,
                format!(
                    "{error}; leave the column out that it is about (.select), or cast it to a type that holds its \
                     values (.cast)"
                ),
            ),
            Error::Source(failure) => Self::of_source(failure.error()),
            Error::MemoryFull { .. } => Self::new(Kind::MemoryCapacity, error),
            Error::StepTooLarge { .. } => Self::new(Kind::Memory, error),
            Error::Log(log) => Self::of_log(log),
            Error::Stalled {
                directory,
                seconds,
                batches,
            } => {
                let beside = format!(
                    "nothing was written to this log for {seconds} s after batch {batches}; its writer is still \
                     there: read on to wait longer, or read .prefix()"
                );
                Self::beside(Kind::Os(ETIMEDOUT), error, directory, beside)
            }
            Error::Reentrant | Error::Forked => Self::new(Kind::Runtime, error),
            Error::Interrupted(_) => Self::new(
                Kind::Runtime,
                format!("{error}; nothing is lost, and the next read goes on"),
            ),
        }
    }

    pub(super) fn of_source(error: &(dyn StdError + 'static)) -> Self {
        if let Some(stream) = error.downcast_ref::<StreamError>() {
            let kind = match stream.errno {
                _ if stream.is_interrupt() => Kind::KeyboardInterrupt,
                EINVAL => Kind::Value,
                ENOMEM => Kind::Memory,
                ENOSYS => Kind::NotImplemented,
                errno => Kind::Os(errno),
            };
            return Self::new(kind, stream);
        }
        if let Some(error) = error.downcast_ref::<Error>() {
            return Self::of(error);
        }
        if let Some(unfinished) = error.downcast_ref::<respool::Unfinished>() {
            return Self::incomplete(error, unfinished.batches(), unfinished.rows());
        }
        if error.is::<respool::SchemaMismatch>()
            || error.is::<respool::Mismatch>()
            || error.is::<arrow_schema::ArrowError>()
        {
            return Self::new(Kind::Value, error);
        }
        Self::new(Kind::Runtime, error)
    }

    pub(super) fn raised(self, py: Python<'_>) -> PyErr {
        let Self {
            kind,
            text,
            path,
            beside_path,
            counts,
        } = self;
        let path = path.map(PathBuf::into_os_string);
        match kind {
            Kind::Value => PyValueError::new_err(text),
            Kind::Runtime => PyRuntimeError::new_err(text),
            Kind::Memory => PyMemoryError::new_err(text),
            Kind::NotImplemented => PyNotImplementedError::new_err(text),
            Kind::KeyboardInterrupt => PyKeyboardInterrupt::new_err(text),
            // OSError picks FileNotFoundError, PermissionError and the like by the number.
            Kind::Os(errno) => match path {
                Some(path) => PyOSError::new_err((errno, beside_path.unwrap_or(text), path)),
                None => PyOSError::new_err((errno, text)),
            },
            Kind::MemoryCapacity => ours(py, kind, (text,)),
            Kind::IncompleteStream => ours(py, kind, (text, counts)),
            Kind::DiskCapacity | Kind::CorruptLog => {
                ours(py, kind, (kind.errno(), beside_path.unwrap_or(text), path))
            }
        }
    }
}

/// One of the exceptions of `respool.exceptions`.
pub(super) fn ours<'py, A>(py: Python<'py>, kind: Kind, arguments: A) -> PyErr
where
    A: pyo3::call::PyCallArgs<'py>,
{
    static MODULE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let made = MODULE
        .get_or_try_init(py, || {
            Ok::<_, PyErr>(py.import("respool.exceptions")?.into_any().unbind())
        })
        .and_then(|module| module.bind(py).getattr(kind.name())?.call1(arguments));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}
