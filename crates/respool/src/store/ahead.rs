//! What the store knows of the thread that reads its source ahead.

use std::collections::VecDeque;

use super::Store;
use crate::ahead::Distance;
use crate::error::Result;
use crate::interrupt::Interrupt;

/// There until the source has ended.
#[derive(Debug)]
pub(crate) struct Ahead {
    distance: Distance,
    /// Batches that readers have come to, or wait for: one more than the number of the furthest.
    asked: usize,
    /// Bytes of each stored batch from there on, where bytes are counted.
    unread: VecDeque<u64>,
    /// Their sum.
    bytes: u64,
    pub(crate) thread: Thread,
}

/// The thread that reads ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thread {
    /// Not there before somebody waits for a batch.
    Unborn,
    /// It asks the source, or will where that is due.
    Works,
    /// It could not store what it was given. Who reads that batch tries again, and gets the error.
    Parked,
    /// It ended, or could not begin: readers ask the source themselves.
    Gone,
}

impl Ahead {
    pub(super) fn new(distance: Distance) -> Self {
        Self {
            distance,
            asked: 0,
            unread: VecDeque::new(),
            bytes: 0,
            thread: Thread::Unborn,
        }
    }

    /// Whether readers leave it to the thread to ask the source.
    pub(crate) fn works(&self) -> bool {
        self.thread == Thread::Works
    }

    /// Whether the source is to be asked for more than the batches that are stored.
    pub(crate) fn is_due(&self, stored: usize) -> bool {
        let unread = stored.saturating_sub(self.asked);
        stored < self.asked
            || match self.distance {
                Distance::Batches(most) => unread < most,
                Distance::Bytes(most) => self.bytes < most,
            }
    }

    /// Takes note that somebody is at a batch; says whether nobody was before.
    pub(crate) fn ask(&mut self, batch: usize) -> bool {
        let asked = batch.saturating_add(1);
        let is_new = asked > self.asked;
        if is_new {
            let passed = (asked - self.asked).min(self.unread.len());
            self.bytes -= self.unread.drain(..passed).sum::<u64>();
            self.asked = asked;
        }
        is_new
    }

    pub(super) fn stored(&mut self, batch: usize, bytes: u64) {
        if batch >= self.asked && matches!(self.distance, Distance::Bytes(_)) {
            self.unread.push_back(bytes);
            self.bytes += bytes;
        }
        // There is room again.
        if self.thread == Thread::Parked {
            self.thread = Thread::Works;
        }
    }
}

impl Store {
    /// A reader is at that stored batch.
    pub(crate) fn reached(&self, batch: usize) {
        let Some(bell) = self.bell.as_ref().filter(|bell| !bell.is_over()) else {
            return;
        };
        let Ok(mut state) = self.look() else {
            return;
        };
        let stored = state.slots.len();
        let is_due = |ahead: &mut Ahead| ahead.ask(batch) && ahead.works() && ahead.is_due(stored);
        if state.ahead.as_mut().is_some_and(is_due) {
            bell.ring();
        }
    }

    /// Waits for the thread of a closed store to leave, for a while.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    pub(crate) fn wait_for_reading_ahead(&self, interrupt: &dyn Interrupt) -> Result<()> {
        match &self.bell {
            Some(bell) if self.check_process().is_ok() => bell.wait_until_left(interrupt),
            _ => Ok(()),
        }
    }

    /// There may be room where there was none.
    pub(super) fn make_room(&self) {
        let Some(bell) = &self.bell else {
            return;
        };
        let Ok(mut state) = self.look() else {
            return;
        };
        if let Some(ahead) = &mut state.ahead
            && ahead.thread == Thread::Parked
        {
            ahead.thread = Thread::Works;
            bell.ring();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_counted_from_the_furthest_reader_on() {
        let mut ahead = Ahead::new(Distance::Batches(2));
        assert!(ahead.is_due(0) && ahead.is_due(1) && !ahead.is_due(2));
        assert!(ahead.ask(0) && !ahead.ask(0));
        assert!(ahead.is_due(2) && !ahead.is_due(3));
        assert!(ahead.ask(9));
        assert!(ahead.is_due(9) && ahead.is_due(11) && !ahead.is_due(12));
        assert!(!ahead.ask(3) && !ahead.is_due(12));
    }

    #[test]
    fn bytes_are_those_of_batches_that_nobody_has_come_to() {
        let mut ahead = Ahead::new(Distance::Bytes(100));
        for batch in 0..3 {
            assert!(ahead.is_due(batch));
            ahead.stored(batch, 40);
        }
        assert!(!ahead.is_due(3));
        ahead.ask(0);
        assert!(ahead.is_due(3));
        ahead.stored(3, 1000);
        assert!(!ahead.is_due(4));
        ahead.ask(2);
        assert!(!ahead.is_due(4));
        ahead.ask(7);
        // What somebody waits for already is not ahead.
        ahead.stored(4, 1000);
        assert!(ahead.is_due(5) && ahead.is_due(8));
        ahead.stored(8, 100);
        assert!(!ahead.is_due(9));
    }

    #[test]
    fn a_batch_that_somebody_stores_ends_the_rest() {
        let mut ahead = Ahead::new(Distance::Batches(2));
        ahead.thread = Thread::Parked;
        ahead.stored(0, 0);
        assert!(ahead.works());
    }
}
