//! Waiting for the process that writes a log.

use std::time::{Duration, Instant};

use respool_log::State;

use super::turn::Turn;
use crate::error::{Error, Result, Unfinished};
use crate::events::{Event, EventKind};
use crate::store::upstream::{Follow, Upstream};
use crate::sync::now;

/// How soon somebody asks again who has not stopped waiting.
const AGAIN: Duration = Duration::from_millis(100);

impl Turn<'_> {
    /// Publishes what was written meanwhile, or waits for it until that time.
    pub(super) fn follow(
        &mut self,
        begun: Instant,
        until: Instant,
        waits_since: Instant,
    ) -> Result<Instant> {
        let Some(Upstream::Writer(follow)) = &mut self.upstream else {
            return Ok(begun);
        };
        // Who asks again at once still waits, as an ingest does that looks at signals in between.
        let waits_since = match follow.waits {
            Some((since, last)) if begun.saturating_duration_since(last) < AGAIN => {
                since.min(waits_since)
            }
            _ => waits_since,
        };
        let since = follow
            .came
            .map_or(waits_since, |came| came.max(waits_since));
        let waited = begun.saturating_duration_since(since);
        let left = |timeout: Duration| timeout.saturating_sub(waited);
        let slice = until.saturating_duration_since(begun);
        let patience = follow.timeout.map_or(slice, |time| left(time).min(slice));
        let progress = follow.log.wait(self.batches, patience)?;
        let time = now();
        follow.waits = Some((waits_since, time));
        if progress.len > self.batches {
            follow.came = Some(time);
            follow.waits = None;
            let log = follow.log.clone();
            let last = log.info(progress.len - 1)?;
            let rows = last.first_row + last.rows;
            let mut state = self.store.look_open()?;
            state.follow(progress.len, rows, log.shown_bytes());
            drop(state);
            let (came_batches, came_rows) = (progress.len - self.batches, rows - self.rows);
            let first = self.batches;
            self.store.note(|| Event {
                batches: came_batches,
                rows: came_rows,
                took: time.saturating_duration_since(waits_since),
                ..Event::new(EventKind::Ingest, first)
            });
            self.store.advanced.notify_all();
            self.batches = progress.len;
            self.rows = rows;
            return Ok(time);
        }
        if progress.state == State::Growing {
            return match follow.timeout {
                Some(timeout) if time.saturating_duration_since(since) >= timeout => {
                    // The next attempt waits again.
                    follow.waits = None;
                    Err(stalled(follow, timeout, self.batches))
                }
                _ => Ok(time),
            };
        }
        let unfinished = Unfinished::of(&follow.log, &progress.state);
        self.end(unfinished.map_or(Ok(()), |unfinished| Err(unfinished.into())))?;
        Ok(time)
    }
}

fn stalled(follow: &Follow, timeout: Duration, batches: usize) -> Error {
    Error::Stalled {
        directory: follow.log.directory(),
        seconds: timeout.as_secs_f64(),
        batches,
    }
}
