//! How far the rows were counted that pass the filters of a view.

use std::sync::Arc;

use super::Position;
use crate::sync::Mutex;

/// Where a replay was that went from the first batch to there. Shared by views of the same batches and
/// filters, whatever they show of the rows that pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counted(Arc<Mutex<Position>>);

impl Counted {
    pub(crate) fn position(&self) -> Position {
        *self.0.lock()
    }

    pub(crate) fn reached(&self, position: Position) {
        let mut counted = self.0.lock();
        if position.batch > counted.batch {
            *counted = position;
        }
    }
}
