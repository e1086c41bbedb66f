//! Errors of the engine: what each is, as an exception of Python, and as an errno and a text for C.
//!
//! What an error is can be told without Python ([`Told`]): a callback of a C stream may have to, at
//! interpreter exit.

use std::error::Error as StdError;
use std::ffi::c_int;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

use pyo3::exceptions::{
    PyException, PyKeyboardInterrupt, PyMemoryError, PyNotImplementedError, PyOSError,
    PyRuntimeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use respool::{Error, SourceFailure};

use crate::origin::Origin;

// The same numbers on every system with the C stream interface (its specification names them).
pub(crate) const EIO: c_int = 5;
const EAGAIN: c_int = 11;
const EACCES: c_int = 13;
const ENOMEM: c_int = 12;
const EINVAL: c_int = 22;
const ENOSPC: c_int = 28;
/// Linux; others say it differently, and pyarrow on those does too.
const ENOSYS: c_int = if cfg!(target_os = "linux") { 38 } else { 78 };

/// What kind of exception an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
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
    fn name(self) -> &'static str {
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

    fn errno(self) -> c_int {
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
struct Told {
    kind: Kind,
    text: String,
    /// The file or directory, where the kind is one of files.
    path: Option<PathBuf>,
}

impl Told {
    fn new(kind: Kind, text: impl ToString) -> Self {
        Self {
            kind,
            text: text.to_string(),
            path: None,
        }
    }

    fn at(kind: Kind, text: impl ToString, path: &Path) -> Self {
        Self {
            path: Some(path.to_owned()),
            ..Self::new(kind, text)
        }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::Closed
            | Error::Released { .. }
            | Error::InvalidArgument(_)
            | Error::Arrow { .. } => Self::new(Kind::Value, error),
            Error::Source(failure) => Self::of_source(failure.error()),
            Error::MemoryFull { .. } => Self::new(Kind::MemoryCapacity, error),
            Error::Log(log) => Self::of_log(log),
            Error::Reentrant | Error::Forked | Error::Interrupted(_) => {
                Self::new(Kind::Runtime, error)
            }
        }
    }

    fn of_source(error: &(dyn StdError + 'static)) -> Self {
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
        if error.is::<respool::SchemaMismatch>() || error.is::<arrow_schema::ArrowError>() {
            return Self::new(Kind::Value, error);
        }
        Self::new(Kind::Runtime, error)
    }

    fn of_log(error: &respool::LogError) -> Self {
        use respool::LogError as Log;

        match error {
            Log::Io { path, source, .. } => match source.raw_os_error() {
                Some(errno) => Self::at(Kind::Os(errno), error, path),
                None if source.kind() == std::io::ErrorKind::OutOfMemory => {
                    Self::new(Kind::Memory, error)
                }
                None => Self::at(Kind::Os(EIO), error, path),
            },
            Log::OutOfSpace { path, .. } => Self::at(Kind::DiskCapacity, error, path),
            Log::Corrupt { path, .. } => Self::at(Kind::CorruptLog, error, path),
            Log::Unsynced { path, .. } => Self::at(Kind::Os(EIO), error, path),
            Log::Locked { path, .. } => Self::at(Kind::Os(EAGAIN), error, path),
            Log::Refused { path, .. } => Self::at(Kind::Os(EACCES), error, path),
            Log::Tmpfs { .. }
            | Log::Schema { .. }
            | Log::Finished
            | Log::OutOfRange { .. }
            | Log::Newer { .. }
            | Log::Arrow(_) => Self::new(Kind::Value, error),
        }
    }

    fn raised(self, py: Python<'_>) -> PyErr {
        let Self { kind, text, path } = self;
        let path = path.map(PathBuf::into_os_string);
        match kind {
            Kind::Value => PyValueError::new_err(text),
            Kind::Runtime => PyRuntimeError::new_err(text),
            Kind::Memory => PyMemoryError::new_err(text),
            Kind::NotImplemented => PyNotImplementedError::new_err(text),
            Kind::KeyboardInterrupt => PyKeyboardInterrupt::new_err(text),
            // OSError picks FileNotFoundError, PermissionError and the like by the number.
            Kind::Os(errno) => match path {
                Some(path) => PyOSError::new_err((errno, text, path)),
                None => PyOSError::new_err((errno, text)),
            },
            Kind::MemoryCapacity | Kind::IncompleteStream => ours(py, kind, (text,)),
            Kind::DiskCapacity | Kind::CorruptLog => ours(py, kind, (kind.errno(), text, path)),
        }
    }
}

/// One of the exceptions of `respool.exceptions`.
fn ours<'py, A>(py: Python<'py>, kind: Kind, arguments: A) -> PyErr
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

/// What a C stream says when it fails: a number and a text, and nothing else.
#[derive(Debug)]
pub(crate) struct StreamError {
    errno: c_int,
    text: String,
    ended: Ended,
}

impl StreamError {
    pub(crate) fn new(errno: c_int, text: String) -> Self {
        Self {
            errno,
            text,
            ended: Ended::here(),
        }
    }

    /// A schema that can't be read: the argument is not right.
    pub(crate) fn bad_schema(text: String) -> Self {
        Self::new(EINVAL, text)
    }

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

/// An exception on its way through the engine, with what C can be told of it.
#[derive(Debug)]
pub(crate) struct Exception {
    raised: PyErr,
    told: Told,
    ends: Ends,
}

impl Exception {
    pub(crate) fn new(py: Python<'_>, raised: PyErr) -> Self {
        let (told, ends) = tell(py, &raised);
        Self { raised, told, ends }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.text)
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.text)
    }
}

impl StdError for Exception {}

/// What an iterable source raised. The exception itself is with the origin, where the garbage collector
/// sees it.
#[derive(Debug)]
pub(crate) struct Raised {
    origin: Arc<Origin>,
    told: Told,
    ends: Ends,
    ended: Ended,
}

impl Raised {
    pub(crate) fn new(py: Python<'_>, origin: &Arc<Origin>, raised: &PyErr) -> Self {
        origin.keep(py, raised);
        let (told, ends) = tell(py, raised);
        Self {
            origin: Arc::clone(origin),
            told,
            ends,
            ended: Ended::here(),
        }
    }

    fn exception(&self, py: Python<'_>) -> PyErr {
        let kept = self.origin.raised(py);
        kept.unwrap_or_else(|| PyRuntimeError::new_err(self.told.text.clone()))
    }
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told.text)
    }
}

impl StdError for Raised {}

/// Which thread a source ended on, and whether it was told. What is to end a program is raised there
/// and then, once; to anybody later it is the reason why the stream is not whole.
#[derive(Debug)]
struct Ended {
    thread: ThreadId,
    told: AtomicBool,
}

impl Ended {
    fn here() -> Self {
        Self {
            thread: thread::current().id(),
            told: AtomicBool::new(false),
        }
    }

    /// Whether to tell it as it is.
    fn is_now(&self) -> bool {
        self.thread == thread::current().id() && !self.told.swap(true, Ordering::SeqCst)
    }
}

/// What an exception is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// Nothing: it says what is wrong.
    Nothing,
    /// The program, or whatever the user wants to get out of.
    Interrupted,
    /// The program, as `SystemExit` does, or a generator.
    Otherwise,
}

/// What C can be told of an exception, and what it is to end.
fn tell(py: Python<'_>, raised: &PyErr) -> (Told, Ends) {
    let value = raised.value(py);
    let text = value
        .str()
        .map_or_else(|_| "no text".to_owned(), |text| text.to_string());
    let name = raised
        .get_type(py)
        .name()
        .map_or_else(|_| "Error".to_owned(), |name| name.to_string());
    let errno = || value.getattr("errno").and_then(|errno| errno.extract());
    let kind = if value.is_instance_of::<PyValueError>() {
        Kind::Value
    } else if value.is_instance_of::<PyMemoryError>() {
        Kind::Memory
    } else if value.is_instance_of::<PyNotImplementedError>() {
        Kind::NotImplemented
    } else {
        Kind::Os(errno().unwrap_or(EIO))
    };
    let ends = if value.is_instance_of::<PyKeyboardInterrupt>() {
        Ends::Interrupted
    } else if value.is_instance_of::<PyException>() {
        Ends::Nothing
    } else {
        Ends::Otherwise
    };
    (Told::new(kind, format!("{name}: {text}")), ends)
}

/// The exception for an error of the engine.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    match error {
        Error::Source(failure) => failed(py, failure),
        Error::Interrupted(cause) => match cause.downcast_ref::<Exception>() {
            Some(exception) => exception.raised.clone_ref(py),
            None => Told::of(error).raised(py),
        },
        _ => Told::of(error).raised(py),
    }
}

/// What a reader is told of a source that failed: its own exception, but for one that ended a program
/// some time ago.
fn failed(py: Python<'_>, failure: &SourceFailure) -> PyErr {
    if is_over(failure) {
        let incomplete = Told::new(Kind::IncompleteStream, incomplete(failure)).raised(py);
        incomplete.set_cause(py, Some(cause(py, failure)));
        return incomplete;
    }
    cause(py, failure)
}

/// The exception that ended the source, as it was.
pub(crate) fn cause(py: Python<'_>, failure: &SourceFailure) -> PyErr {
    source_error(py, failure.error())
}

/// Whether the source ended by something that ended a program, and was told to whom it concerned.
fn is_over(failure: &SourceFailure) -> bool {
    let error = failure.error();
    if let Some(raised) = error.downcast_ref::<Raised>() {
        return raised.ends != Ends::Nothing && !raised.ended.is_now();
    }
    if let Some(stream) = error.downcast_ref::<StreamError>() {
        return stream.is_interrupt() && !stream.ended.is_now();
    }
    false
}

fn incomplete(failure: &SourceFailure) -> String {
    format!(
        "the source was interrupted after {} batches ({} rows), so this is not the whole stream; \
         .prefix() reads what there is, a new cache over a new source reads it all",
        failure.batches(),
        failure.rows()
    )
}

/// The exception for an error of the source: its own object where it is one.
pub(crate) fn source_error(
    py: Python<'_>,
    error: &(dyn StdError + Send + Sync + 'static),
) -> PyErr {
    if let Some(raised) = error.downcast_ref::<Raised>() {
        return raised.exception(py);
    }
    if let Some(exception) = error.downcast_ref::<Exception>() {
        return exception.raised.clone_ref(py);
    }
    if let Some(error) = error.downcast_ref::<Error>() {
        return exception(py, error);
    }
    Told::of_source(error).raised(py)
}

/// What a C stream is told of an error.
pub(crate) struct ToldC {
    pub(crate) errno: c_int,
    /// "Type: message", so that the type is not lost with the object.
    pub(crate) text: String,
    /// Whether it was Ctrl-C, of which Python has to be told too.
    pub(crate) is_interrupt: bool,
}

/// What a C stream is told of an error. Asks nothing of Python.
pub(crate) fn c_error(error: &Error) -> ToldC {
    let with = |errno, text: &dyn ToString, is_interrupt| ToldC {
        errno,
        text: text.to_string(),
        is_interrupt,
    };
    let told = match error {
        Error::Source(failure) => {
            let error = failure.error();
            if is_over(failure) {
                Told::new(Kind::IncompleteStream, incomplete(failure))
            } else if let Some(raised) = error.downcast_ref::<Raised>() {
                let is_interrupt = raised.ends == Ends::Interrupted;
                return with(raised.told.kind.errno(), &raised.told.text, is_interrupt);
            } else if let Some(stream) = error.downcast_ref::<StreamError>() {
                return with(stream.errno, stream, stream.is_interrupt());
            } else {
                Told::of_source(error)
            }
        }
        Error::Interrupted(cause) => match cause.downcast_ref::<Exception>() {
            Some(Exception { told, ends, .. }) => {
                return with(told.kind.errno(), &told.text, *ends == Ends::Interrupted);
            }
            None => Told::of(error),
        },
        _ => Told::of(error),
    };
    let text = format!("{}: {}", told.kind.name(), told.text);
    with(told.kind.errno(), &text, false)
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
