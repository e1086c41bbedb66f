//! The log of a store: one that it writes, or one that it has opened.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use respool_log::{Log, LogReader, Quota, Seen, Wish};

use super::chain::Chain;
use crate::error::{Error, Result};

/// Batch `i` is record `i`.
#[derive(Clone, Debug)]
pub(crate) enum Records {
    /// Written here: a temporary log, or one with a name.
    Written(Arc<Log>),
    /// Written here: temporary logs of batches that are kept in other encodings than they came in.
    Chained(Arc<Chain>),
    /// Written by another process, or on another day.
    Opened(Arc<LogReader>),
}

impl Records {
    pub(crate) fn read(&self, record: usize, columns: Option<&[usize]>) -> Result<RecordBatch> {
        Ok(match self {
            Self::Written(log) => log.read(record, columns)?,
            Self::Chained(log) => log.read(record, columns)?,
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
            Self::Chained(log) => log.look(record, columns, wish),
            Self::Opened(log) => log.look(record, columns, wish),
        }
    }

    /// Brings in what is needed to look at a batch.
    pub(crate) fn bring_head(&self, record: usize) {
        match self {
            Self::Written(log) => log.bring_head(record),
            Self::Chained(log) => log.bring_head(record),
            Self::Opened(log) => log.bring_head(record),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Written(log) => log.len(),
            Self::Chained(log) => log.len(),
            Self::Opened(log) => log.len(),
        }
    }

    /// Bytes in the files that this store answers for.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Written(log) => log.bytes(),
            Self::Chained(log) => log.bytes(),
            // Asked for a number to show.
            Self::Opened(log) => log.file_bytes().unwrap_or(0),
        }
    }

    /// Bytes of the ledger that the log holds beside its files.
    pub(crate) fn held_bytes(&self) -> u64 {
        match self {
            Self::Written(log) => log.held_bytes(),
            Self::Chained(log) => log.held_bytes(),
            Self::Opened(log) => log.held_bytes(),
        }
    }

    pub(crate) fn is_zero_copy(&self) -> bool {
        match self {
            Self::Written(log) => log.is_zero_copy(),
            Self::Chained(log) => log.is_zero_copy(),
            Self::Opened(log) => log.is_zero_copy(),
        }
    }

    /// The quota, if it is written here.
    pub(crate) fn quota(&self) -> Option<&Quota> {
        match self {
            Self::Written(log) => Some(log.quota()),
            Self::Chained(log) => Some(log.quota()),
            Self::Opened(_) => None,
        }
    }

    /// Whether it is written here.
    pub(crate) fn is_written(&self) -> bool {
        !matches!(self, Self::Opened(_))
    }

    /// Appends a batch, as one thread at a time may do; says how many bytes its rows show, if that is known.
    pub(crate) fn append(&self, batch: &RecordBatch, shown: Option<u64>) -> Result<()> {
        match (self, shown) {
            (Self::Written(log), Some(shown)) => log.append_shown(batch, shown)?,
            (Self::Written(log), None) => log.append(batch)?,
            (Self::Chained(log), shown) => log.append(batch, shown)?,
            (Self::Opened(_), _) => return Err(Error::invalid("this log is only read")),
        }
        Ok(())
    }

    /// The one log, which may have a name, if it is written here.
    pub(crate) fn written(&self) -> Option<&Arc<Log>> {
        match self {
            Self::Written(log) => Some(log),
            Self::Chained(_) | Self::Opened(_) => None,
        }
    }

    /// What knows the batches that were there before this store was.
    pub(crate) fn index(&self) -> Option<&LogReader> {
        match self {
            Self::Written(log) => log.earlier(),
            Self::Chained(_) => None,
            Self::Opened(log) => Some(log),
        }
    }

    /// The directory, of a log with a name, and its identity.
    pub(crate) fn location(&self) -> Option<(PathBuf, [u8; 16])> {
        match self {
            Self::Written(log) => Some((log.directory().to_owned(), log.identity()?)),
            Self::Chained(_) => None,
            Self::Opened(log) => Some((log.directory(), log.identity())),
        }
    }
}
