//! What a log keeps of its segments on disk: nothing, or an index and a manifest.
//!
//! A temporary log needs no account of itself. A persistent log gets an entry for all that it
//! writes, seals its segments so that other tools can open them, and is made durable.

mod begin;
mod index;
mod persistent;
mod resume;

use std::sync::Arc;

use arrow_schema::SchemaRef;

use crate::encode::Plan;
use crate::format::{Failure, Layout};
use crate::reader::LogReader;
use crate::segment::{Growing, Reach};
use crate::storage::{Beginning, Storage};
use crate::{LogOptions, Result};

use persistent::Persistent;
pub(crate) use resume::Resumed;

/// Whether a log is persistent, and if so, its account of itself.
#[derive(Debug)]
pub(crate) enum Journal {
    /// Nothing is kept, sealed or synced.
    Temporary,
    /// All of that.
    Persistent(Box<Persistent>),
}

impl Journal {
    /// What a log with this schema message takes beside its segments when it begins, and what its
    /// end would take.
    pub(crate) fn size(storage: &dyn Storage, options: &LogOptions, schema: &[u8]) -> (u64, u64) {
        if storage.is_named() {
            (
                begin::size(options, schema),
                persistent::seal_size(schema.len() as u64, 0),
            )
        } else {
            (0, 0)
        }
    }

    /// Begins the journal that the storage asks for.
    pub(crate) fn begin(
        storage: &Arc<dyn Storage>,
        beginning: &mut Beginning<'_>,
        options: &LogOptions,
        schema: &SchemaRef,
        message: &[u8],
    ) -> Result<Self> {
        if !storage.is_named() {
            return Ok(Self::Temporary);
        }
        let journal = Persistent::begin(storage, beginning, options, schema, message)?;
        Ok(Self::Persistent(Box::new(journal)))
    }

    /// Goes on with the log of a reader. `header` begins a segment.
    pub(crate) fn resume(
        storage: &Arc<dyn Storage>,
        reader: &LogReader,
        reach: &Arc<Reach>,
        header: &dyn Fn(Layout) -> Vec<u8>,
    ) -> Result<Resumed> {
        resume::resume(storage, reader, reach, header)
    }

    pub(crate) fn is_persistent(&self) -> bool {
        matches!(self, Self::Persistent(_))
    }

    /// What tells a persistent log from all others.
    pub(crate) fn identity(&self) -> Option<[u8; 16]> {
        match self {
            Self::Temporary => None,
            Self::Persistent(journal) => Some(journal.header.identity),
        }
    }

    /// Fails where an earlier failure was final.
    pub(crate) fn check(&self) -> Result<()> {
        match self {
            Self::Temporary => Ok(()),
            Self::Persistent(journal) => journal.check(),
        }
    }

    /// What a plan and the end of the log after it will take beside the bytes of the plan.
    pub(crate) fn overhead(&self, plan: &Plan) -> u64 {
        match self {
            Self::Temporary => 0,
            Self::Persistent(journal) => journal.overhead(plan),
        }
    }

    /// What the end of the log will take, when the last segment is sealed.
    pub(crate) fn close_size(&self) -> u64 {
        match self {
            Self::Temporary => 0,
            Self::Persistent(_) => persistent::CLOSE_SIZE,
        }
    }

    /// Takes note of a segment that was begun.
    pub(crate) fn begun(&mut self, segment: &Growing) {
        match self {
            Self::Temporary => {}
            Self::Persistent(journal) => journal.begun(segment),
        }
    }

    /// Enters a plan that is on disk, of a batch that shows some bytes. Returns what the entries take;
    /// after an error none counts.
    pub(crate) fn enter(&mut self, plan: &Plan, segment: u32, shown: u64) -> Result<u64> {
        match self {
            Self::Temporary => Ok(0),
            Self::Persistent(journal) => journal.enter(plan, segment, shown),
        }
    }

    /// Ends a segment, whose header is `header`. Returns what that takes, and 0 the second time.
    pub(crate) fn seal(&mut self, segment: &mut Growing, header: &[u8]) -> Result<u64> {
        match self {
            Self::Temporary => segment.cut().map(|()| 0),
            Self::Persistent(journal) => journal.seal(segment, header),
        }
    }

    /// Gives a segment that has ended its final name.
    pub(crate) fn publish(&mut self, segment: &mut Growing) -> Result<()> {
        match self {
            Self::Temporary => Ok(()),
            Self::Persistent(journal) => journal.publish(segment),
        }
    }

    /// Ends the log, as complete or as failed. Returns what that takes.
    pub(crate) fn close(&mut self, failure: Option<&Failure>) -> Result<u64> {
        match self {
            Self::Temporary => Ok(0),
            Self::Persistent(journal) => journal.close(failure),
        }
    }

    /// Makes all of it durable, also the segment that still grows.
    pub(crate) fn flush(&mut self, open: Option<&Growing>) -> Result<()> {
        match self {
            Self::Temporary => Ok(()),
            Self::Persistent(journal) => journal.flush(open),
        }
    }

    /// Enters that all of it is durable, after a flush. Returns what that takes.
    pub(crate) fn mark(&mut self) -> u64 {
        match self {
            Self::Temporary => 0,
            Self::Persistent(journal) => journal.mark(),
        }
    }

    /// What [`mark`](Self::mark) would take now.
    pub(crate) fn mark_size(&self) -> u64 {
        match self {
            Self::Temporary => 0,
            Self::Persistent(journal) => journal.mark_size(),
        }
    }
}
