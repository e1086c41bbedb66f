//! Errors of the engine as exceptions of Python, and as an errno and a text of the C stream interface.

use std::error::Error as StdError;
use std::ffi::c_int;
use std::fmt;
use std::path::Path;

use pyo3::create_exception;
use pyo3::exceptions::{
    PyKeyboardInterrupt, PyMemoryError, PyNotImplementedError, PyOSError, PyRuntimeError,
    PyValueError,
};
use pyo3::prelude::*;
use respool::Error;

create_exception!(
    respool.exceptions,
    MemoryCapacityError,
    PyMemoryError,
    "The next batch does not fit the memory bound and the cache has no log.\n\n\
     The batch is kept: after `resize` the next read goes on with it."
);
create_exception!(
    respool.exceptions,
    DiskCapacityError,
    PyOSError,
    "The log's quota does not allow the next batch; `errno` is ENOSPC, `filename` the directory.\n\n\
     The batch is kept: after `resize` the next read goes on with it."
);
create_exception!(
    respool.exceptions,
    CorruptLogError,
    PyOSError,
    "The bytes of a log are not what was written; `errno` is EIO, `filename` the file."
);

// The same numbers on every system with the C stream interface (its specification names them).
pub(crate) const EIO: c_int = 5;
const ENOMEM: c_int = 12;
const EINVAL: c_int = 22;
const ENOSPC: c_int = 28;
/// Linux; others say it differently, and pyarrow on those does too.
const ENOSYS: c_int = if cfg!(target_os = "linux") { 38 } else { 78 };

/// What a C stream says when it fails: a number and a text, and nothing else.
#[derive(Debug)]
pub(crate) struct StreamError {
    pub(crate) errno: c_int,
    pub(crate) text: String,
}

impl StreamError {
    /// Whether the producer was interrupted: its text is "KeyboardInterrupt", or ends with a
    /// traceback of one, which is how pyarrow carries an exception.
    fn is_interrupt(&self) -> bool {
        let names_it = |line: &str| {
            line.strip_prefix("KeyboardInterrupt")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        names_it(&self.text)
            || self
                .text
                .trim_end()
                .lines()
                .next_back()
                .is_some_and(names_it)
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            write!(
                f,
                "the Arrow stream failed with error {} and no message",
                self.errno
            )
        } else {
            f.write_str(&self.text)
        }
    }
}

impl StdError for StreamError {}

/// The exception for an error of the engine.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    let text = || error.to_string();
    match error {
        Error::Closed
        | Error::Released { .. }
        | Error::InvalidArgument(_)
        | Error::Arrow { .. } => PyValueError::new_err(text()),
        Error::Source(failure) => source_error(py, failure.error()),
        Error::MemoryFull { .. } => MemoryCapacityError::new_err(text()),
        Error::Log(log) => log_error(log),
        Error::Reentrant | Error::Forked => PyRuntimeError::new_err(text()),
        Error::Interrupted(cause) => match cause.downcast_ref::<PyErr>() {
            Some(error) => error.clone_ref(py),
            None => PyRuntimeError::new_err(text()),
        },
    }
}

/// The exception for an error of the source: its own object where it is one.
pub(crate) fn source_error(
    py: Python<'_>,
    error: &(dyn StdError + Send + Sync + 'static),
) -> PyErr {
    if let Some(error) = error.downcast_ref::<PyErr>() {
        return error.clone_ref(py);
    }
    if let Some(stream) = error.downcast_ref::<StreamError>() {
        let text = stream.to_string();
        return match stream.errno {
            _ if stream.is_interrupt() => PyKeyboardInterrupt::new_err(text),
            EINVAL => PyValueError::new_err(text),
            ENOMEM => PyMemoryError::new_err(text),
            ENOSYS => PyNotImplementedError::new_err(text),
            errno => PyOSError::new_err((errno, text)),
        };
    }
    if let Some(error) = error.downcast_ref::<Error>() {
        return exception(py, error);
    }
    if error.is::<respool::SchemaMismatch>() || error.is::<arrow_schema::ArrowError>() {
        return PyValueError::new_err(error.to_string());
    }
    PyRuntimeError::new_err(error.to_string())
}

fn log_error(error: &respool::LogError) -> PyErr {
    use respool::LogError as Log;

    let text = error.to_string();
    let at = |path: &Path| path.as_os_str().to_owned();
    match error {
        Log::Io { path, source, .. } => match source.raw_os_error() {
            // OSError picks FileNotFoundError, PermissionError and the like by the number.
            Some(errno) => PyOSError::new_err((errno, text, at(path))),
            None if source.kind() == std::io::ErrorKind::OutOfMemory => {
                PyMemoryError::new_err(text)
            }
            None => PyOSError::new_err((EIO, text, at(path))),
        },
        Log::OutOfSpace { path, .. } => DiskCapacityError::new_err((ENOSPC, text, at(path))),
        Log::Corrupt { path, .. } => CorruptLogError::new_err((EIO, text, at(path))),
        Log::Unsynced { path, .. } => PyOSError::new_err((EIO, text, at(path))),
        Log::Locked { path } => PyOSError::new_err((11, text, at(path))),
        Log::Tmpfs { .. }
        | Log::Schema { .. }
        | Log::Finished
        | Log::OutOfRange { .. }
        | Log::Arrow(_) => PyValueError::new_err(text),
    }
}

/// The errno and the text for a C stream: "Type: message", so that the type is not lost with the object.
pub(crate) fn c_error(error: &Error) -> (c_int, String) {
    if let Error::Source(failure) = error
        && let Some(stream) = failure.error().downcast_ref::<StreamError>()
    {
        return (stream.errno, stream.to_string());
    }
    Python::try_attach(|py| {
        let exception = exception(py, error);
        let name = exception
            .get_type(py)
            .name()
            .map_or_else(|_| "Error".to_owned(), |name| name.to_string());
        let value = exception.value(py);
        let errno = if value.is_instance_of::<PyValueError>() {
            EINVAL
        } else if value.is_instance_of::<PyMemoryError>() {
            ENOMEM
        } else if value.is_instance_of::<PyNotImplementedError>() {
            ENOSYS
        } else {
            value
                .getattr("errno")
                .and_then(|errno| errno.extract())
                .unwrap_or(EIO)
        };
        (errno, format!("{name}: {value}"))
    })
    .unwrap_or_else(|| (EIO, error.to_string()))
}

/// Turns results of the engine into results of Python.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for respool::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}
