//! Where the next batch comes from: the source, or another process that writes the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use respool_log::LogReader;

use super::again::Again;
use super::place::Pending;
use crate::error::BoxError;
use crate::ledger::Charged;
use crate::pack::Packer;
use crate::source::Source;

/// Whoever brings the next batch.
pub(crate) enum Upstream {
    Source(Box<Feed>),
    Writer(Follow),
}

/// The source, and what was pulled from it but is not stored yet.
pub(crate) struct Feed {
    /// Absent while it is read ahead.
    pub(crate) source: Option<Box<dyn Source>>,
    /// What it said when it was read ahead.
    pub(crate) answer: Option<Answer>,
    /// Small batches that wait to be joined; they count in the ledger.
    pub(crate) joining: Vec<Charged>,
    /// Their rows.
    pub(crate) joining_rows: usize,
    /// When the first of them was asked for.
    pub(crate) joining_since: Option<Instant>,
    /// What the next slots will hold, the first first.
    pub(crate) pending: VecDeque<Pending>,
    /// How the source ended, once it did while batches were waiting or the log could not be closed.
    pub(crate) end: Option<Result<(), BoxError>>,
    /// What the source gives again of a log that is resumed.
    pub(crate) again: Option<Again>,
    /// What makes of a batch what is kept of it, where that is something else.
    pub(crate) packer: Option<Packer>,
}

/// What a source said.
pub(crate) struct Answer {
    pub(crate) pulled: Result<Option<RecordBatch>, BoxError>,
    /// When it was asked.
    pub(crate) asked: Instant,
    pub(crate) took: Duration,
}

impl Feed {
    pub(crate) fn new(source: Box<dyn Source>) -> Self {
        Self {
            source: Some(source),
            answer: None,
            joining: Vec::new(),
            joining_rows: 0,
            joining_since: None,
            pending: VecDeque::new(),
            end: None,
            again: None,
            packer: None,
        }
    }

    /// Whether there is something to be stored, or to be taken note of, before the source is asked again.
    pub(crate) fn has_something(&self) -> bool {
        self.answer.is_some() || !self.pending.is_empty() || self.end.is_some()
    }
}

/// A log that another process may still write.
pub(crate) struct Follow {
    pub(crate) log: Arc<LogReader>,
    /// For how long nothing may come before who waits gets an error; `None` for ever.
    pub(crate) timeout: Option<Duration>,
    /// When something came last.
    pub(crate) came: Option<Instant>,
    /// Since when somebody waits, and when he last did.
    pub(crate) waits: Option<(Instant, Instant)>,
}
