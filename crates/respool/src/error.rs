//! The whole vocabulary of failure of the engine.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_schema::ArrowError;
use respool_log::{LogReader, State};

use crate::counted::counted;

/// An error of any kind, as a source or an interruption reports it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// What the engine returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. A variant exists only where a caller would act differently.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cache was closed; nothing can be read from it any more.
    #[error(
        "the cache is closed: make a new one over a new source, or open its log again where that is kept"
    )]
    Closed,

    /// The source failed. Sticky: every reader gets this error after the batches that came before it.
    #[error("{0}")]
    Source(Arc<SourceFailure>),

    /// A batch does not fit the memory bound and there is no log to put it into. The batch is kept.
    #[error(
        "cannot keep the next batch in memory: it needs {asked} bytes, {used} of {capacity} bytes \
         are used and there is no log; give it more memory (resize, or that of its budget) or a log (a directory)"
    )]
    MemoryFull {
        /// Bytes the batch would add.
        asked: u64,
        /// Bytes held now.
        used: u64,
        /// The bound in bytes.
        capacity: u64,
    },

    /// The rows of a step do not fit into memory. The next attempt is the same one.
    #[error(
        "cannot gather a step of {rows} rows: that takes {bytes} bytes, which the system does not have; take a smaller \
         batch_size, or fewer columns"
    )]
    StepTooLarge {
        /// Rows of one rank.
        rows: u64,
        /// Bytes that they take.
        bytes: u128,
    },

    /// The log could not be written or read. A batch that could not be written is kept.
    #[error(transparent)]
    Log(#[from] respool_log::Error),

    /// An Arrow kernel refused: a cast that would lose values, a column that is not there.
    #[error("{doing}: {source}")]
    Arrow {
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        source: ArrowError,
    },

    /// An argument that can't be used, or a batch of the source that can't be stored as its arrays
    /// contradict themselves.
    #[error("{0}")]
    InvalidArgument(String),

    /// The source read the cache that it feeds.
    #[error(
        "the source of this cache is reading the cache it feeds; read another cache, or finish ingesting first"
    )]
    Reentrant,

    /// The process was forked after the cache was made.
    #[error(
        "this cache belongs to the parent process: make a new one, or open the log again, after fork"
    )]
    Forked,

    /// Who writes the log that is followed has written nothing for so long. The next attempt waits again.
    #[error(
        "nothing was written to the log in {} for {seconds} s after batch {batches}; its writer is still there: \
         read on to wait longer, or read .prefix()",
        directory.display()
    )]
    Stalled {
        /// Where the log is.
        directory: PathBuf,
        /// For how long nothing came.
        seconds: f64,
        /// Batches that came before.
        batches: usize,
    },

    /// The batch was given up because `max_readers` readers had passed it and there is no log.
    #[error(
        "batch {batch} is gone: max_readers={max_readers} readers have passed it and the cache has \
         no log; raise max_readers, or give the cache a log (a directory)"
    )]
    Released {
        /// The batch asked for.
        batch: usize,
        /// The hint the cache was made with.
        max_readers: usize,
    },

    /// The caller's [`Interrupt`](crate::Interrupt) asked to stop waiting.
    #[error("interrupted while waiting for the source: {0}")]
    Interrupted(BoxError),
}

impl Error {
    pub(crate) fn arrow(doing: &'static str) -> impl FnOnce(ArrowError) -> Self {
        move |source| Self::Arrow { doing, source }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::InvalidArgument(text.into())
    }
}

impl From<Error> for ArrowError {
    fn from(error: Error) -> Self {
        match error {
            Error::Arrow { source, .. } => source,
            other => Self::ExternalError(Box::new(other)),
        }
    }
}

/// That a log is not whole: what it was filled from failed, or who filled it is gone.
#[derive(Debug)]
pub struct Unfinished {
    directory: PathBuf,
    batches: usize,
    rows: u64,
    /// What the source said.
    failure: Option<String>,
}

impl Unfinished {
    /// `None` for a log that is whole or may become it.
    pub(crate) fn of(log: &LogReader, state: &State) -> Option<Self> {
        let failure = match state {
            State::Growing | State::Complete => return None,
            State::Abandoned => None,
            State::Failed(failure) => Some(failure.text.clone()),
        };
        Some(Self {
            directory: log.directory(),
            batches: log.len(),
            rows: log.num_rows(),
            failure,
        })
    }

    /// Good batches; they stay readable.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Good rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether its writer has left it, rather than that its source failed.
    pub fn is_abandoned(&self) -> bool {
        self.failure.is_none()
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { batches, rows, .. } = self;
        let directory = self.directory.display();
        let so_far = so_far(*batches, *rows);
        write!(f, "the log in {directory} is not whole: after {so_far} ")?;
        match &self.failure {
            Some(failure) => write!(f, "its source failed: {failure}")?,
            None => write!(f, "its writer ended without finishing it")?,
        }
        write!(
            f,
            "; read what there is with .prefix(), or go on with resume"
        )
    }
}

impl StdError for Unfinished {}

fn so_far(batches: usize, rows: u64) -> String {
    let batches = counted(batches, "batch", "batches");
    format!("{batches} ({})", counted(rows, "row", "rows"))
}

/// The error that ended a source, and where.
pub struct SourceFailure {
    batches: usize,
    rows: u64,
    error: BoxError,
}

impl SourceFailure {
    pub(crate) fn new(batches: usize, rows: u64, error: BoxError) -> Self {
        Self {
            batches,
            rows,
            error,
        }
    }

    /// Good batches before the failure; they stay readable.
    pub fn batches(&self) -> usize {
        self.batches
    }

    /// Good rows before the failure.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The source's own error.
    pub fn error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.error
    }
}

impl fmt::Debug for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFailure")
            .field("batches", &self.batches)
            .field("rows", &self.rows)
            .field("error", &self.error)
            .finish()
    }
}

impl fmt::Display for SourceFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            batches,
            rows,
            error,
        } = self;
        let so_far = so_far(*batches, *rows);
        write!(f, "the source failed after {so_far}: {error}")
    }
}

impl StdError for SourceFailure {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.error)
    }
}
