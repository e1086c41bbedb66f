//! A store over a log that is there: whole, left, failed, growing, or to be gone on with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::Schema;
use respool_log::{Log, LogReader, State as LogState};

use super::Store;
use super::again::{Again, Skip};
use super::records::Records;
use super::slots::{End, State};
use super::upstream::{Feed, Follow, Upstream};
use crate::error::{Error, Result, SourceFailure, Unfinished};
use crate::options::Options;
use crate::source::{Source, check_schema};

impl Store {
    /// Reads nothing of a log but what says how much it has; of one that its writer has left, also what was
    /// not made durable: after a crash of the machine not all of that need be there.
    pub(crate) fn opened(
        log: LogReader,
        options: &Options,
        timeout: Option<Duration>,
    ) -> Result<Arc<Self>> {
        log.verify_tail()?;
        let log = Arc::new(log);
        let mut state = State::default();
        state.follow(log.len(), log.num_rows(), log.shown_bytes());
        match Unfinished::of(&log, &log.state()) {
            Some(unfinished) => {
                let failure = SourceFailure::new(log.len(), log.num_rows(), Box::new(unfinished));
                state.end = End::Failed(Arc::new(failure));
            }
            None if log.state() == LogState::Complete => state.end = End::Complete,
            None => {
                state.upstream = Some(Upstream::Writer(Follow {
                    log: Arc::clone(&log),
                    timeout,
                    came: None,
                    waits: None,
                }));
            }
        }
        let schema = Arc::clone(log.schema());
        state.log = Some(Records::Opened(log));
        Ok(Self::of(schema, state, &options.without_log(), timeout))
    }

    /// Goes on with a log that was not filled to its end, with what a source gives after `skip`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the schemas differ.
    pub(crate) fn resumed(
        source: Box<dyn Source>,
        log: Log,
        skip: Skip,
        options: &Options,
    ) -> Result<Arc<Self>> {
        let schema = Arc::clone(log.schema());
        check_resumed(&source.schema(), &schema, log.directory())?;
        let mut state = State::default();
        if let Some(earlier) = log.earlier() {
            state.follow(earlier.len(), earlier.num_rows(), earlier.shown_bytes());
        }
        let mut feed = Feed::new(source);
        feed.again = Some(Again::new(skip, log.earlier())?);
        state.upstream = Some(Upstream::Source(Box::new(feed)));
        state.log = Some(Records::Written(Arc::new(log)));
        Ok(Self::of(schema, state, options, None))
    }
}

/// Whether a source may go on with a log.
///
/// # Errors
/// [`Error::InvalidArgument`] where the schemas differ.
pub(crate) fn check_resumed(source: &Schema, log: &Schema, directory: &Path) -> Result<()> {
    check_schema(source, log).map_err(|difference| {
        Error::invalid(format!(
            "cannot go on with the log in {}: {difference}",
            directory.display()
        ))
    })
}
