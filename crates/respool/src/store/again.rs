//! What a source gives again of a log that is gone on with: compared, or believed.

use arrow_array::RecordBatch;
use respool_log::LogReader;

use super::Store;
use super::lookup::Found;
use crate::error::{Error, Result};

/// What is done with what a source gives that the log has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The source begins from the start: the rows that the log has are compared with it, one by one.
    Check,
    /// The source begins from the start: so many rows of it are left out as the log has.
    Trust,
    /// So many batches of the source are left out: none where it begins behind what the log has.
    Batches(usize),
}

/// That a source does not give again what the log has. No batch of the log is changed; one that had failed is one
/// that was left from then on.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot go on with the log: {0}; nothing of it was changed: give a source that begins as the first one did, or fill a \
     new log"
)]
pub struct Mismatch(String);

/// How much is still to be left out.
#[derive(Debug)]
pub(crate) enum Again {
    Rows(Rows),
    Batches(usize),
}

#[derive(Debug)]
pub(crate) struct Rows {
    is_compared: bool,
    /// Rows of the source so far.
    row: u64,
    /// Rows that the log has.
    known: u64,
    /// The batch of the log that holds that row, and where it begins.
    batch: usize,
    stored: Option<(u64, RecordBatch)>,
    /// Batches without rows that the log has at its end.
    empty: usize,
}

impl Again {
    /// # Errors
    /// Where the index of the log can't be read.
    pub(super) fn new(skip: Skip, earlier: Option<&LogReader>) -> Result<Self> {
        let (mut empty, known) = (0, earlier.map_or(0, LogReader::num_rows));
        for batch in (0..earlier.map_or(0, LogReader::len)).rev() {
            match earlier.map(|log| log.info(batch)).transpose()? {
                Some(info) if info.rows == 0 => empty += 1,
                _ => break,
            }
        }
        Ok(match skip {
            Skip::Batches(batches) => Self::Batches(batches),
            Skip::Check | Skip::Trust => Self::Rows(Rows {
                is_compared: skip == Skip::Check,
                row: 0,
                known,
                batch: 0,
                stored: None,
                empty,
            }),
        })
    }

    /// Whether everything was left out that is to be.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Rows(rows) => rows.row == rows.known && rows.empty == 0,
            Self::Batches(left) => *left == 0,
        }
    }

    /// What is new of a batch of the source.
    ///
    /// # Errors
    /// A [`Mismatch`], also where the log can't be read.
    pub(crate) fn rest(
        &mut self,
        batch: RecordBatch,
        store: &Store,
    ) -> Result<Option<RecordBatch>, Mismatch> {
        match self {
            Self::Batches(left) => {
                *left -= 1;
                Ok(None)
            }
            Self::Rows(rows) => rows.rest(batch, store),
        }
    }

    /// That the source is at its end.
    ///
    /// # Errors
    /// A [`Mismatch`] where something was still to be left out.
    pub(crate) fn ended(&self) -> Result<(), Mismatch> {
        let text = match self {
            Self::Batches(0) => return Ok(()),
            Self::Rows(Rows { row, known, .. }) if row == known => return Ok(()),
            Self::Batches(left) => {
                format!("the source ended when {left} more of its batches were to be skipped")
            }
            Self::Rows(Rows { row, known, .. }) => {
                format!("the source ended after {row} rows, and the log has {known} already")
            }
        };
        Err(Mismatch(text))
    }
}

impl Rows {
    fn rest(&mut self, batch: RecordBatch, store: &Store) -> Result<Option<RecordBatch>, Mismatch> {
        if self.row == self.known {
            let is_known = batch.num_rows() == 0 && self.empty > 0;
            self.empty = if is_known { self.empty - 1 } else { 0 };
            return Ok((!is_known).then_some(batch));
        }
        let left = usize::try_from(self.known - self.row).unwrap_or(usize::MAX);
        let again = batch.num_rows().min(left);
        let mut done = 0;
        while self.is_compared && done < again {
            let unreadable = |error| Mismatch(format!("it can't be read: {error}"));
            let (first, stored) = self.stored(store).map_err(unreadable)?;
            let at = usize::try_from(self.row + done as u64 - first).unwrap_or(usize::MAX);
            let at = at.min(stored.num_rows());
            let count = (again - done).min(stored.num_rows() - at);
            let (old, new) = (stored.slice(at, count), batch.slice(done, count));
            if old.columns() != new.columns() {
                return Err(difference(first + at as u64, &old, &new));
            }
            done += count;
            if at + count == stored.num_rows() {
                self.batch += 1;
                self.stored = None;
            }
        }
        self.row += again as u64;
        Ok((again < batch.num_rows()).then(|| batch.slice(again, batch.num_rows() - again)))
    }

    /// The batch of the log that comes next, and its first row.
    fn stored(&mut self, store: &Store) -> Result<(u64, RecordBatch)> {
        loop {
            if let Some(stored) = &self.stored {
                return Ok(stored.clone());
            }
            let Found::Stored(found) = store.find(self.batch)? else {
                return Err(Error::Closed);
            };
            if found.rows.count == 0 {
                self.batch += 1;
                continue;
            }
            self.stored = Some((found.rows.first, store.read(&found, None)?));
        }
    }
}

/// Where the rows differ.
fn difference(row: u64, old: &RecordBatch, new: &RecordBatch) -> Mismatch {
    let fields = old.schema_ref().fields().iter();
    let columns = old.columns().iter().zip(new.columns()).zip(fields);
    for ((old, new), field) in columns {
        let differs = |at: &usize| old.slice(*at, 1) != new.slice(*at, 1);
        if let Some(at) = (0..old.len()).find(differs) {
            return Mismatch(format!(
                "row {}, column {:?}: the source gives another value than the log has",
                row + at as u64,
                field.name()
            ));
        }
    }
    Mismatch(format!(
        "the source gives other values than the log has, from row {row} on"
    ))
}
