//! What somebody will read by himself, through frames over the map, is brought in before.

use respool_log::Wish;

use crate::error::Result;
use crate::interrupt::{Interrupt, Watch};
use crate::store::lookahead::{Window, see};
use crate::sync::now;
use crate::view::View;

/// Batches looked at before all are.
const SAMPLES: usize = 8;

/// What was found of a view in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It seemed to be in memory.
    There,
    /// It is on its way.
    Coming,
    /// It is more than was allowed, and is left where it is.
    TooMuch,
}

impl View {
    /// Has the system bring in what the view shows of the log, if it is not there and takes no more than
    /// `most` bytes. Nobody waits for more of it than says where the rest is.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed), [`Error::Interrupted`](crate::Error::Interrupted); what
    /// can't be read is an error where it is read.
    pub fn bring(&self, most: u64, interrupt: &dyn Interrupt) -> Result<Brought> {
        let batches = self.stored_batches()?;
        let reader = self.passing_by(interrupt)?.from_log();
        let count = batches.len().min(SAMPLES);
        let samples = (0..count).filter_map(|at| batches.get(at * batches.len() / count));
        let mut bytes = 0u64;
        let mut is_there = true;
        for &batch in samples {
            let Some(mut seen) = see(&reader, batch, Wish::Look) else {
                continue;
            };
            if !seen.was_there {
                is_there = false;
                // Only with its metadata there its bytes are known.
                seen = see(&reader, batch, Wish::Bring).unwrap_or(seen);
            }
            bytes = bytes.saturating_add(seen.bytes);
        }
        if is_there {
            return Ok(Brought::There);
        }
        let all = u128::from(bytes) * batches.len() as u128 / count.max(1) as u128;
        if all > u128::from(most) {
            return Ok(Brought::TooMuch);
        }
        let mut watch = Watch::new(interrupt);
        let mut window = Window::from(batches.first().copied().unwrap_or(0));
        for &batch in &batches {
            window.fill(batch, &reader);
            watch.look(now())?;
        }
        Ok(Brought::Coming)
    }
}
