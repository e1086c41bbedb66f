//! Following a log while another process fills it.

use std::time::{Duration, Instant};

use super::{LogReader, State};
use crate::Result;

/// How often a log is looked at: first soon, then more rarely.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(50);

/// What a wait has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// How many batches there are.
    pub len: usize,
    /// How the log stands: if there are no more batches than were known, and it still grows, the time
    /// is over.
    pub state: State,
}

impl LogReader {
    /// Waits until there are more batches than `beyond`, or the log has ended, or its writer is gone,
    /// or the time is over. Only whole batches count, and one that counts stays.
    pub fn wait(&self, beyond: usize, timeout: Duration) -> Result<Progress> {
        let begun = Instant::now();
        let mut pause = SHORTEST;
        loop {
            if self.len() > beyond {
                return Ok(self.progress(self.state()));
            }
            let state = self.refresh()?;
            let left = timeout.saturating_sub(begun.elapsed());
            if self.len() > beyond || state != State::Growing || left.is_zero() {
                return Ok(self.progress(state));
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST);
        }
    }

    fn progress(&self, state: State) -> Progress {
        let len = self.len();
        Progress { len, state }
    }
}
