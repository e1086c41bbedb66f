//! One error of each kind, as Python meets it, for the test that reads every message.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchIterator};
use arrow_schema::{ArrowError, Schema};
use pyo3::prelude::*;
use respool::{Cache, Error, LogError, Options};
use rustix::io::Errno;

use crate::attach::detached;
use crate::error::exception;

/// The name and the exception of one error of each kind.
#[pyfunction]
#[pyo3(name = "_every_error")]
pub(crate) fn every_error(py: Python<'_>) -> PyResult<Vec<(&'static str, Py<PyAny>)>> {
    let mut all = Vec::new();
    let mut last = None;
    while let Some((name, error)) = detached(py, || Ok(after(last.as_ref())))? {
        all.push((name, exception(py, &error).into_value(py).into_any()));
        last = Some(error);
    }
    let mut last = None;
    while let Some((name, error)) = after_of_log(last.as_ref()) {
        let told = Error::Log(error);
        all.push((name, exception(py, &told).into_value(py).into_any()));
        let Error::Log(error) = told else {
            break;
        };
        last = Some(error);
    }
    // What the system says is told by its number.
    for errno in [
        Errno::NOENT,
        Errno::ACCESS,
        Errno::MFILE,
        Errno::NOSPC,
        Errno::IO,
    ] {
        let told = Error::Log(io_error(errno));
        all.push((
            "LogError::Io",
            exception(py, &told).into_value(py).into_any(),
        ));
    }
    Ok(all)
}

/// The error that follows in the list. Without a wildcard: a new one does not compile before it has its place here.
fn after(last: Option<&Error>) -> Option<(&'static str, Error)> {
    Some(match last {
        None => ("Error::Closed", Error::Closed),
        Some(Error::Closed) => ("Error::Source", failed()),
        Some(Error::Source(_)) => (
            "Error::MemoryFull",
            Error::MemoryFull {
                asked: 300,
                used: 800,
                capacity: 1000,
            },
        ),
        Some(Error::MemoryFull { .. }) => (
            "Error::StepTooLarge",
            Error::StepTooLarge {
                rows: 500,
                bytes: 4000,
            },
        ),
        Some(Error::StepTooLarge { .. }) => {
            ("Error::Log", Error::Log(LogError::Tmpfs { path: place() }))
        }
        Some(Error::Log(_)) => (
            "Error::Arrow",
            Error::Arrow {
                doing: "cannot filter a batch",
                source: ArrowError::CastError("300 does not fit Int8".to_owned()),
            },
        ),
        Some(Error::Arrow { .. }) => (
            "Error::InvalidArgument",
            Error::InvalidArgument("no column \"x\"; the columns are [\"y\"]".to_owned()),
        ),
        Some(Error::InvalidArgument(_)) => ("Error::Reentrant", Error::Reentrant),
        Some(Error::Reentrant) => ("Error::Forked", Error::Forked),
        Some(Error::Forked) => (
            "Error::Stalled",
            Error::Stalled {
                directory: place(),
                seconds: 1.5,
                batches: 7,
            },
        ),
        Some(Error::Stalled { .. }) => (
            "Error::Released",
            Error::Released {
                batch: 3,
                max_readers: 2,
            },
        ),
        Some(Error::Released { .. }) => (
            "Error::Interrupted",
            Error::Interrupted("somebody called it off".into()),
        ),
        Some(Error::Interrupted(_)) => return None,
    })
}

/// As [`after`], of logs.
fn after_of_log(last: Option<&LogError>) -> Option<(&'static str, LogError)> {
    Some(match last {
        None => ("LogError::Io", io_error(Errno::PERM)),
        Some(LogError::Io { .. }) => (
            "LogError::OutOfSpace",
            LogError::OutOfSpace {
                path: place(),
                asked: 300,
                used: 800,
                capacity: 1000,
            },
        ),
        Some(LogError::OutOfSpace { .. }) => ("LogError::Tmpfs", LogError::Tmpfs { path: place() }),
        Some(LogError::Tmpfs { .. }) => (
            "LogError::Corrupt",
            LogError::Corrupt {
                path: file(),
                offset: 4096,
                reason: "its checksum does not fit".to_owned(),
            },
        ),
        Some(LogError::Corrupt { .. }) => (
            "LogError::Schema",
            LogError::Schema {
                reason: "columns of type X cannot be stored".to_owned(),
            },
        ),
        Some(LogError::Schema { .. }) => ("LogError::Finished", LogError::Finished),
        Some(LogError::Finished) => (
            "LogError::OutOfRange",
            LogError::OutOfRange {
                what: "record",
                index: 9,
                len: 7,
            },
        ),
        Some(LogError::OutOfRange { .. }) => (
            "LogError::Locked",
            LogError::Locked {
                path: place().join("lock"),
                owner: Some("process 1, host x, since y".to_owned()),
            },
        ),
        Some(LogError::Locked { .. }) => (
            "LogError::Refused",
            LogError::Refused {
                path: file(),
                reason: "it belongs to somebody else".to_owned(),
            },
        ),
        Some(LogError::Refused { .. }) => (
            "LogError::Newer",
            LogError::Newer {
                path: file(),
                reason: "it has format version 9, this program reads up to 1; upgrade".to_owned(),
            },
        ),
        Some(LogError::Newer { .. }) => (
            "LogError::Unsynced",
            LogError::Unsynced {
                path: file(),
                source: Arc::new(Errno::IO.into()),
            },
        ),
        Some(LogError::Unsynced { .. }) => (
            "LogError::Arrow",
            LogError::Arrow(ArrowError::IpcError("a message is cut".to_owned())),
        ),
        Some(LogError::Arrow(_)) => return None,
    })
}

fn place() -> PathBuf {
    PathBuf::from("/data/log")
}

fn file() -> PathBuf {
    place().join("00000000.arrow")
}

fn io_error(errno: Errno) -> LogError {
    LogError::Io {
        action: "cannot write to",
        path: file(),
        source: io::Error::from(errno),
    }
}

/// What a read says of a source that failed.
fn failed() -> Error {
    let schema = Arc::new(Schema::empty());
    let broken: Result<RecordBatch, _> = Err(ArrowError::ParseError("line 3 is cut".to_owned()));
    let source = RecordBatchIterator::new([broken], schema);
    let failure = Cache::new(source, &Options::new()).and_then(|cache| cache.ingest_all());
    failure.err().unwrap_or(Error::Closed)
}
