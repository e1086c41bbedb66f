//! What a cache may use, checked once and trusted afterwards.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use respool_log::{Log, LogOptions, Quota};

use crate::ahead::ReadAhead;
use crate::batch_rows::BatchRows;
use crate::error::{Error, Result};
use crate::events::{Listener, Listening};
use crate::ledger::Budget;
use crate::pack::Encodings;

/// When a batch is written to the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WritePolicy {
    /// Every batch at once.
    #[default]
    OnInsertion,
    /// Only when memory overflows, oldest batches first: a stream that fits never touches the disk.
    OnEviction,
}

impl FromStr for WritePolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "on_insertion" => Ok(Self::OnInsertion),
            "on_eviction" => Ok(Self::OnEviction),
            other => Err(Error::invalid(format!(
                "write_policy is \"on_insertion\" or \"on_eviction\", not {other:?}"
            ))),
        }
    }
}

impl fmt::Display for WritePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnInsertion => "on_insertion",
            Self::OnEviction => "on_eviction",
        })
    }
}

/// What a cache may use. The default keeps everything in memory, without a bound.
///
/// ```
/// use respool::{LogOptions, Options, WritePolicy};
///
/// let options = Options::new()
///     .with_memory_capacity(64 << 20)
///     .with_log(LogOptions::new("/var/tmp"))
///     .with_write_policy(WritePolicy::OnEviction);
/// assert_eq!(options.memory_capacity(), Some(64 << 20));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    memory_capacity: Option<u64>,
    budget: Option<Budget>,
    log: Option<LogChoice>,
    write_policy: WritePolicy,
    max_readers: Option<usize>,
    batch_rows: Option<BatchRows>,
    read_ahead: Option<ReadAhead>,
    encodings: Option<Encodings>,
    listening: Option<Listening>,
}

/// What log there is to be.
#[derive(Clone, Debug)]
pub(crate) struct LogChoice {
    options: LogOptions,
    /// What it shares with other logs.
    quota: Option<Quota>,
    has_name: bool,
}

impl LogChoice {
    /// Begins the log.
    pub(crate) fn begin(&self, schema: SchemaRef) -> Result<Log> {
        let own = || Quota::new(self.options.capacity);
        let quota = self.quota.clone().unwrap_or_else(own);
        let options = self.options.clone();
        Ok(if self.has_name {
            Log::create_within(schema, options, &quota)?
        } else {
            Log::temporary_within(schema, options, &quota)?
        })
    }

    pub(crate) fn has_name(&self) -> bool {
        self.has_name
    }

    /// The same within a quota.
    pub(crate) fn within(self, quota: &Quota) -> Self {
        Self {
            quota: Some(quota.clone()),
            ..self
        }
    }
}

impl Options {
    /// Everything in memory, without a bound, without a log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bounds the memory tier, in bytes.
    #[must_use]
    pub fn with_memory_capacity(mut self, bytes: u64) -> Self {
        self.memory_capacity = Some(bytes);
        self.budget = None;
        self
    }

    /// Bounds the memory tier together with that of other caches.
    #[must_use]
    pub fn with_budget(mut self, budget: &Budget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// Adds a temporary log for what memory does not hold.
    #[must_use]
    pub fn with_log(mut self, log: LogOptions) -> Self {
        self.log = Some(LogChoice {
            options: log,
            quota: None,
            has_name: false,
        });
        self
    }

    /// Adds a log with a name, in a directory of its own, which outlives the process. Every batch is
    /// written to it at once.
    #[must_use]
    pub fn with_named_log(mut self, log: LogOptions) -> Self {
        self.log = Some(LogChoice {
            options: log,
            quota: None,
            has_name: true,
        });
        self
    }

    /// Adds a temporary log that shares a quota with others, whatever its options say of one.
    #[must_use]
    pub fn with_log_within(mut self, log: LogOptions, quota: &Quota) -> Self {
        self.log = Some(LogChoice {
            options: log,
            quota: Some(quota.clone()),
            has_name: false,
        });
        self
    }

    /// Adds a log with a name that shares a quota with others, whatever its options say of one.
    #[must_use]
    pub fn with_named_log_within(mut self, log: LogOptions, quota: &Quota) -> Self {
        self.log = Some(LogChoice {
            options: log,
            quota: Some(quota.clone()),
            has_name: true,
        });
        self
    }

    /// The same without a log.
    pub(crate) fn without_log(&self) -> Self {
        Self {
            log: None,
            ..self.clone()
        }
    }

    /// The same with a budget of its own, of the same size.
    pub(crate) fn with_own_budget(&self) -> Self {
        Self {
            memory_capacity: self.memory_capacity(),
            budget: None,
            // Who is told is of the process that the cache is of.
            listening: None,
            ..self.clone()
        }
    }

    /// When batches go to the log; without a log this has no effect.
    #[must_use]
    pub fn with_write_policy(mut self, policy: WritePolicy) -> Self {
        self.write_policy = policy;
        self
    }

    /// A hint: once this many readers exist, a batch that all have passed may leave memory. Without
    /// a log it is then gone; with a log nothing is ever lost.
    #[must_use]
    pub fn with_max_readers(mut self, readers: usize) -> Self {
        self.max_readers = Some(readers);
        self
    }

    /// Joins small batches of the source until one has at least this many rows, whoever waits for them.
    #[must_use]
    pub fn with_coalesce_rows(mut self, rows: usize) -> Self {
        self.batch_rows = Some(BatchRows::patient(rows));
        self
    }

    /// Joins batches of the source with fewer rows than `least`, and cuts those with more than `most` into slices.
    ///
    /// Nobody waits for rows to be joined to those that are there: the first ones are given as they come, later
    /// ones 5 ms after the source was asked for them, if somebody waits. So a batch has fewer rows where the source
    /// takes longer for it, at its end, and where rows can't be joined.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where `most` is 0 or less than `least`.
    pub fn with_batch_rows(mut self, least: usize, most: usize) -> Result<Self> {
        self.batch_rows = Some(BatchRows::new(least, most)?);
        Ok(self)
    }

    /// Has a thread read the source ahead of its readers.
    #[must_use]
    pub fn with_read_ahead(mut self, ahead: ReadAhead) -> Self {
        self.read_ahead = Some(ahead);
        self
    }

    /// Keeps batches in the encodings that somebody reads without converting, and only so. Who reads the cache
    /// gets them as they came. Not for a log with a name.
    #[must_use]
    pub fn with_encodings(mut self, encodings: Encodings) -> Self {
        self.encodings = Some(encodings);
        self
    }

    /// Tells somebody what the cache does while it does it.
    #[must_use]
    pub fn with_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listening = Some(Listening(listener));
        self
    }

    pub(crate) fn listening(&self) -> Option<&Listening> {
        self.listening.as_ref()
    }

    /// See [`Options::with_encodings`].
    pub fn encodings(&self) -> Option<Encodings> {
        self.encodings
    }

    /// The bound of the memory tier in bytes; `None` is no bound.
    pub fn memory_capacity(&self) -> Option<u64> {
        match &self.budget {
            Some(budget) => budget.capacity(),
            None => self.memory_capacity,
        }
    }

    /// What bounds the memory tier: a budget of its own, if no other was given.
    pub(crate) fn budget(&self) -> Budget {
        let shared = self.budget.clone();
        shared.unwrap_or_else(|| Budget::new(self.memory_capacity))
    }

    /// Whether other caches have the same budget.
    pub(crate) fn shares_budget(&self) -> bool {
        self.budget.is_some()
    }

    /// Whether other logs have the same quota.
    pub(crate) fn shares_quota(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.quota.is_some())
    }

    /// The log, if there is to be one.
    pub fn log(&self) -> Option<&LogOptions> {
        self.log.as_ref().map(|log| &log.options)
    }

    pub(crate) fn log_choice(&self) -> Option<&LogChoice> {
        self.log.as_ref()
    }

    /// When batches go to the log.
    pub fn write_policy(&self) -> WritePolicy {
        self.write_policy
    }

    /// See [`Options::with_max_readers`].
    pub fn max_readers(&self) -> Option<usize> {
        self.max_readers
    }

    /// See [`Options::with_batch_rows`] and [`Options::with_coalesce_rows`].
    pub(crate) fn batch_rows(&self) -> Option<BatchRows> {
        self.batch_rows
    }

    /// See [`Options::with_read_ahead`].
    pub fn read_ahead(&self) -> Option<ReadAhead> {
        self.read_ahead
    }
}
