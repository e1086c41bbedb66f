//! The log of a store: one that it writes, or one that it has opened.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use respool_log::{Log, LogReader, Quota, Seen, Wish};

use crate::error::Result;

/// Batch `i` is record `i`.
#[derive(Clone, Debug)]
pub(crate) enum Records {
    /// Written here: a temporary log, or one with a name.
    Written(Arc<Log>),
    /// Written by another process, or on another day.
    Opened(Arc<LogReader>),
}

impl Records {
    pub(crate) fn read(&self, record: usize, columns: Option<&[usize]>) -> Result<RecordBatch> {
        Ok(match self {
            Self::Written(log) => log.read(record, columns)?,
            Self::Opened(log) => log.read(record, columns)?,
        })
    }

    /// Looks at what a read touches, and brings in what is missing if that is wished.
    pub(crate) fn look(
        &self,
        record: usize,
        columns: Option<&[usize]>,
        wish: Wish,
    ) -> Option<Seen> {
        match self {
            Self::Written(log) => log.look(record, columns, wish),
            Self::Opened(log) => log.look(record, columns, wish),
        }
    }

    /// Brings in what is needed to look at a batch.
    pub(crate) fn bring_head(&self, record: usize) {
        match self {
            Self::Written(log) => log.bring_head(record),
            Self::Opened(log) => log.bring_head(record),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Written(log) => log.len(),
            Self::Opened(log) => log.len(),
        }
    }

    /// Bytes in the files that this store answers for.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Written(log) => log.bytes(),
            // Asked for a number to show.
            Self::Opened(log) => log.file_bytes().unwrap_or(0),
        }
    }

    /// Bytes of the ledger that the log holds beside its files.
    pub(crate) fn held_bytes(&self) -> u64 {
        match self {
            Self::Written(log) => log.held_bytes(),
            Self::Opened(log) => log.held_bytes(),
        }
    }

    pub(crate) fn is_zero_copy(&self) -> bool {
        match self {
            Self::Written(log) => log.is_zero_copy(),
            Self::Opened(log) => log.is_zero_copy(),
        }
    }

    /// The quota, if it is written here.
    pub(crate) fn quota(&self) -> Option<&Quota> {
        match self {
            Self::Written(log) => Some(log.quota()),
            Self::Opened(_) => None,
        }
    }

    pub(crate) fn written(&self) -> Option<&Arc<Log>> {
        match self {
            Self::Written(log) => Some(log),
            Self::Opened(_) => None,
        }
    }

    /// What knows the batches that were there before this store was.
    pub(crate) fn index(&self) -> Option<&LogReader> {
        match self {
            Self::Written(log) => log.earlier(),
            Self::Opened(log) => Some(log),
        }
    }

    /// The directory, of a log with a name, and its identity.
    pub(crate) fn location(&self) -> Option<(PathBuf, [u8; 16])> {
        match self {
            Self::Written(log) => Some((log.directory().to_owned(), log.identity()?)),
            Self::Opened(log) => Some((log.directory(), log.identity())),
        }
    }
}
