//! A temporary log of batches whose encodings widen: one log after the other, each of one schema.

use std::sync::Arc;

use arrow_array::RecordBatch;
use respool_log::{Log, Quota, Seen, Wish};

use crate::error::{Error, Result};
use crate::options::LogChoice;
use crate::sync::RwLock;

/// Logs within one quota. There are few: encodings only ever widen.
#[derive(Debug)]
pub(crate) struct Chain {
    choice: LogChoice,
    quota: Quota,
    /// Each with the number of its first batch, ascending.
    logs: RwLock<Vec<(usize, Arc<Log>)>>,
}

impl Chain {
    /// A chain that begins with an empty log, and goes on as `choice` says.
    pub(crate) fn new(log: Log, choice: LogChoice) -> Self {
        let quota = log.quota().clone();
        Self {
            choice: choice.within(&quota),
            quota,
            logs: RwLock::new(vec![(0, Arc::new(log))]),
        }
    }

    /// Appends a batch, as one thread at a time may do.
    pub(crate) fn append(&self, batch: &RecordBatch, shown: Option<u64>) -> Result<()> {
        let last = self.logs.read().last().cloned();
        let log = match last {
            Some((_, log)) if log.schema() == batch.schema_ref() => log,
            last => {
                let log = Arc::new(self.choice.begin(batch.schema())?);
                let (unused, mut logs);
                logs = self.logs.write();
                let first = last.map_or(0, |(first, log)| first + log.len());
                // One that was begun for nothing goes.
                unused = logs.pop_if(|(_, log)| log.is_empty());
                logs.push((first, Arc::clone(&log)));
                drop(logs);
                drop(unused);
                log
            }
        };
        match shown {
            Some(shown) => log.append_shown(batch, shown)?,
            None => log.append(batch)?,
        }
        Ok(())
    }

    pub(crate) fn read(&self, record: usize, columns: Option<&[usize]>) -> Result<RecordBatch> {
        let (first, log) = self.find(record).ok_or(Error::Closed)?;
        Ok(log.read(record - first, columns)?)
    }

    /// As [`Log::look`].
    pub(crate) fn look(
        &self,
        record: usize,
        columns: Option<&[usize]>,
        wish: Wish,
    ) -> Option<Seen> {
        let (first, log) = self.find(record)?;
        log.look(record - first, columns, wish)
    }

    /// As [`Log::bring_head`].
    pub(crate) fn bring_head(&self, record: usize) {
        if let Some((first, log)) = self.find(record) {
            log.bring_head(record - first);
        }
    }

    /// The log that has a record, and the number of its first one.
    fn find(&self, record: usize) -> Option<(usize, Arc<Log>)> {
        let logs = self.logs.read();
        let after = logs.partition_point(|(first, _)| *first <= record);
        after.checked_sub(1).and_then(|at| logs.get(at).cloned())
    }

    pub(crate) fn len(&self) -> usize {
        let logs = self.logs.read();
        logs.last().map_or(0, |(first, log)| first + log.len())
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.sum(Log::bytes)
    }

    pub(crate) fn held_bytes(&self) -> u64 {
        self.sum(Log::held_bytes)
    }

    fn sum(&self, of: impl Fn(&Log) -> u64) -> u64 {
        self.logs.read().iter().map(|(_, log)| of(log)).sum()
    }

    pub(crate) fn is_zero_copy(&self) -> bool {
        self.logs.read().iter().all(|(_, log)| log.is_zero_copy())
    }

    pub(crate) fn quota(&self) -> &Quota {
        &self.quota
    }
}
