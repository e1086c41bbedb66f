//! What is kept beside a log with a name once it is whole: the zones of its columns.
//!
//! It can be computed again, so whatever goes wrong here costs time alone and is nobody's error.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use respool_log::{LogReader, State as LogState};

use super::Store;
use super::records::Records;
use super::slots::End;
use crate::sync::Mutex;

/// What was read and written so far.
#[derive(Debug, Default)]
pub(super) struct Beside {
    recalled: Mutex<HashSet<usize>>,
    /// How many zones of a column are kept.
    kept: Mutex<HashMap<usize, usize>>,
    /// How many zones had been computed when it was last looked what is to be kept.
    looked: AtomicU64,
}

impl Store {
    /// Takes in what is kept of these columns.
    pub(crate) fn recall(&self, columns: &BTreeSet<usize>) {
        if self.location().is_none() {
            return;
        }
        let unknown: Vec<usize> = {
            let recalled = self.beside.recalled.lock();
            let unknown = columns.iter().filter(|column| !recalled.contains(column));
            unknown.copied().collect()
        };
        if unknown.is_empty() {
            return;
        }
        let Some((log, batches)) = self.whole_log() else {
            return;
        };
        for column in unknown {
            if let Ok(Some(bytes)) = log.read_sidecar(&name(column))
                && self.zones.add_bytes(column, &bytes, batches)
            {
                let counts = self.zones.counts();
                let kept = counts.into_iter().filter(|(known, _)| *known == column);
                self.beside.kept.lock().extend(kept);
            }
            self.beside.recalled.lock().insert(column);
        }
    }

    /// Keeps the zones of columns of which every batch is known.
    pub(crate) fn remember_whole(&self) {
        let computed = self.zones.computed();
        if self.location().is_some()
            && self.beside.looked.swap(computed, Ordering::Relaxed) != computed
        {
            let batches = self.snapshot().map_or(usize::MAX, |cache| cache.batches);
            self.remember_from(batches.max(1));
        }
    }

    /// Keeps all zones that are not kept.
    pub(super) fn remember(&self) {
        if self.location().is_some() {
            self.remember_from(1);
        }
    }

    /// Keeps the zones of columns of which so many are known.
    fn remember_from(&self, least: usize) {
        let fresh: Vec<(usize, usize)> = {
            let kept = self.beside.kept.lock();
            let is_fresh = |(column, count): &(usize, usize)| {
                *count >= least && kept.get(column).is_none_or(|kept| kept < count)
            };
            self.zones.counts().into_iter().filter(is_fresh).collect()
        };
        if fresh.is_empty() {
            return;
        }
        let Some((log, _)) = self.whole_log() else {
            return;
        };
        for (column, count) in fresh {
            let bytes = self.zones.to_bytes(column);
            let _written = log.write_sidecar(&name(column), &bytes);
            // Once, whatever became of it: a directory that can't be written is not asked at every query.
            self.beside.kept.lock().insert(column, count);
        }
    }

    /// The log, if it is whole, and how many batches it has.
    fn whole_log(&self) -> Option<(Arc<LogReader>, usize)> {
        let (log, batches) = {
            let state = self.look().ok()?;
            let is_whole = matches!(state.end, End::Complete) && !state.closed;
            let log = state.log.clone().filter(|_| is_whole);
            (log?, state.slots.len())
        };
        let log = match log {
            Records::Opened(log) => log,
            Records::Written(_) | Records::Chained(_) => {
                Arc::new(LogReader::open(&self.location()?.directory).ok()?)
            }
        };
        let is_ours = self.location()?.identity == log.identity();
        let is_whole = log.state() == LogState::Complete && log.len() == batches;
        (is_ours && is_whole).then_some((log, batches))
    }
}

fn name(column: usize) -> String {
    format!("zones.{column}")
}
