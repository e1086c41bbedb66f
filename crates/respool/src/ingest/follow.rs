//! Waiting for the process that writes a log.

use std::time::{Duration, Instant};

use respool_log::{Progress, State};

use super::turn::Turn;
use crate::error::{Error, Result, Unfinished};
use crate::events::{Event, EventKind};
use crate::store::Store;
use crate::store::upstream::{Follow, Upstream};
use crate::sync::{current_thread, now};

/// How soon somebody asks again who has not stopped waiting.
const AGAIN: Duration = Duration::from_millis(100);

impl Turn<'_> {
    /// As [`Turn::look`], but waits until that time for something to come.
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
        if self.take_note(&progress, time, waits_since)? {
            return Ok(time);
        }
        let Some(Upstream::Writer(follow)) = &mut self.upstream else {
            return Ok(time);
        };
        match follow.timeout {
            Some(timeout) if time.saturating_duration_since(since) >= timeout => {
                // The next attempt waits again.
                follow.waits = None;
                Err(stalled(follow, timeout, self.batches))
            }
            _ => Ok(time),
        }
    }

    /// Publishes what was written meanwhile, and the end if it is there. Waits for nothing.
    fn look(&mut self) -> Result<()> {
        // What came last, and then that nothing comes any more.
        for _ in 0..2 {
            let Some(Upstream::Writer(follow)) = &self.upstream else {
                return Ok(());
            };
            let progress = follow.log.wait(self.batches, Duration::ZERO)?;
            let time = now();
            self.take_note(&progress, time, time)?;
        }
        Ok(())
    }

    /// Publishes what a look at the log has shown, batches or else the end; tells whether there was any.
    fn take_note(
        &mut self,
        progress: &Progress,
        time: Instant,
        waits_since: Instant,
    ) -> Result<bool> {
        let Some(Upstream::Writer(follow)) = &mut self.upstream else {
            return Ok(false);
        };
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
            return Ok(true);
        }
        if progress.state == State::Growing {
            return Ok(false);
        }
        let unfinished = Unfinished::of(&follow.log, &progress.state);
        self.end(unfinished.map_or(Ok(()), |unfinished| Err(unfinished.into())))?;
        Ok(true)
    }
}

impl Store {
    /// Takes note of what another process has written since it was looked at last. Neither waits for more, nor for a
    /// thread that waits for more: that takes note of it in a moment.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Log`] where what was written can't be read.
    pub(crate) fn catch_up(&self) -> Result<()> {
        let mut state = self.look()?;
        let is_written = matches!(state.upstream, Some(Upstream::Writer(_)));
        if state.closed || state.puller.is_some() || !is_written {
            return Ok(());
        }
        let Some(upstream) = state.upstream.take() else {
            return Ok(());
        };
        let stored = (state.slots.len(), state.rows);
        state.puller = Some(current_thread());
        drop(state);
        match Turn::new(self, upstream, stored, false).look() {
            // Closed meanwhile: what there was is what there is.
            Err(Error::Closed) => Ok(()),
            looked => looked,
        }
    }
}

fn stalled(follow: &Follow, timeout: Duration, batches: usize) -> Error {
    Error::Stalled {
        directory: follow.log.directory(),
        seconds: timeout.as_secs_f64(),
        batches,
    }
}
