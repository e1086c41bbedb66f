//! How far the rows were counted that pass the filters of a view.

use std::sync::Arc;

use super::Position;
use crate::fork::Process;
use crate::sync::Mutex;

/// Where a replay was that went from the first batch to there. Shared by views of the same batches and
/// filters, whatever they show of the rows that pass.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    position: Arc<Mutex<Position>>,
    process: Process,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            position: Arc::default(),
            process: Process::here(),
        }
    }
}

impl Counted {
    /// In a forked child, where the lock may be held for ever, nothing was counted.
    pub(crate) fn position(&self) -> Position {
        if self.process.is_here() {
            *self.position.lock()
        } else {
            Position::default()
        }
    }

    pub(crate) fn reached(&self, position: Position) {
        if !self.process.is_here() {
            return;
        }
        let mut counted = self.position.lock();
        if position.batch > counted.batch {
            *counted = position;
        }
    }
}
