//! Errors of the engine: what each is, as an exception of Python, and as an errno and a text for C.
//!
//! What an error is can be told without Python (`told`): a callback of a C stream may have to, at
//! interpreter exit.

mod ended;
mod of_log;
mod raised;
mod stream;
mod told;

use std::error::Error as StdError;
use std::ffi::c_int;

use pyo3::prelude::*;
use respool::{Error, SourceFailure, counted};

pub(crate) use self::raised::{Exception, Raised};
pub(crate) use self::stream::StreamError;
pub(crate) use self::told::{EIO, ENOENT};

use self::raised::Ends;
use self::told::Told;

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
    let is_now = is_now(failure);
    if !is_now && ends_a_program(failure) {
        let incomplete = incomplete(failure).raised(py);
        incomplete.set_cause(py, Some(cause(py, failure)));
        return incomplete;
    }
    match failure.error().downcast_ref::<Raised>() {
        Some(raised) => raised.exception(py, is_now),
        None => cause(py, failure),
    }
}

/// The exception that ended the source, as it was.
pub(crate) fn cause(py: Python<'_>, failure: &SourceFailure) -> PyErr {
    source_error(py, failure.error())
}

/// Whether this is the thread where the source ended, and is told of it for the first time.
fn is_now(failure: &SourceFailure) -> bool {
    let error = failure.error();
    if let Some(raised) = error.downcast_ref::<Raised>() {
        raised.ended.is_now()
    } else if let Some(stream) = error.downcast_ref::<StreamError>() {
        stream.ended.is_now()
    } else {
        false
    }
}

/// Whether the source ended by something that is to end a program.
fn ends_a_program(failure: &SourceFailure) -> bool {
    let error = failure.error();
    if let Some(raised) = error.downcast_ref::<Raised>() {
        raised.ends != Ends::Nothing
    } else if let Some(stream) = error.downcast_ref::<StreamError>() {
        stream.is_interrupt()
    } else {
        false
    }
}

fn incomplete(failure: &SourceFailure) -> Told {
    let text = format!(
        "the source was interrupted after {} ({}), so this is not the whole stream; \
         .prefix() reads what there is; a new cache over a new source reads it all, and respool.resume \
         goes on with a log that is kept",
        counted(failure.batches(), "batch", "batches"),
        counted(failure.rows(), "row", "rows")
    );
    Told::incomplete(text, failure.batches(), failure.rows())
}

/// The exception for an error of the source: its own object where it is one.
pub(crate) fn source_error(
    py: Python<'_>,
    error: &(dyn StdError + Send + Sync + 'static),
) -> PyErr {
    if let Some(raised) = error.downcast_ref::<Raised>() {
        return raised.exception(py, false);
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
            if !is_now(failure) && ends_a_program(failure) {
                incomplete(failure)
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
