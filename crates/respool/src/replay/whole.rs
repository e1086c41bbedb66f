//! Questions about a view that are answered by going through it.

use std::time::{Duration, Instant};

use arrow_array::RecordBatch;

use super::reader::{Polled, Reader, Step};
use crate::error::{Error, Result};
use crate::ingest::Goal;
use crate::interrupt::{Interrupt, Watch};
use crate::ledger::weigh::Weight;
use crate::predicate::{Predicate, Verdict};
use crate::store::lookup::Found;
use crate::store::slots::End;
use crate::sync::now;
use crate::view::Position;
use crate::view::View;
use crate::view::filter::prove;

/// Batches looked at before all are.
const SAMPLES: usize = 16;

impl View {
    /// Batch `index` of the view; pulls up to it. `None` where there are not so many.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn batch(&self, index: usize, interrupt: &dyn Interrupt) -> Result<Option<RecordBatch>> {
        let store = self.store();
        store.check_process_surely()?;
        if self.selection().is_prefix() && !self.is_filtered() {
            if self.selection().at_or_after(index).is_none() {
                return Ok(None);
            }
            store.advance(Goal::Batch(index), &mut Watch::new(interrupt))?;
            return match store.find(index)? {
                Found::Stored(stored) => self.read_alone(&stored).map(Some),
                Found::End | Found::Pending => Ok(None),
            };
        }
        let mut reader = self.passing_by(interrupt)?;
        let mut left = index;
        loop {
            if self.is_counted() {
                // Which batches have rows that pass is known only when they were looked at.
                let Some(batch) = reader.next_batch(interrupt)? else {
                    return Ok(None);
                };
                if left == 0 {
                    return Ok(Some(batch));
                }
            } else {
                match reader.step()? {
                    Step::Stored(stored) if left == 0 => {
                        return self.read_alone(&stored).map(Some);
                    }
                    Step::Stored(_) => reader.pass(),
                    Step::End => return Ok(None),
                    Step::Pending => {
                        reader.advance(interrupt)?;
                        continue;
                    }
                }
            }
            left -= 1;
        }
    }

    /// Pulls for about so long what the view shows; `false` where all of it is stored.
    ///
    /// # Errors
    /// What the source, the store or the interruption says.
    pub fn ingest_for(&self, time: Duration, interrupt: &dyn Interrupt) -> Result<bool> {
        // `None` where it is further away than time goes.
        let deadline = now().checked_add(time);
        let store = self.store();
        let mut watch = Watch::new(interrupt);
        if self.passing().end < u64::MAX && !self.shows_nothing() {
            return self.ingest_counted(deadline, &mut watch, interrupt);
        }
        let goal = match (self.selection().end(), self.selection().rows().end) {
            (Some(0), _) => return Ok(false),
            _ if self.shows_nothing() => return Ok(false),
            (Some(end), _) => Goal::Batch(end - 1),
            (None, u64::MAX) => Goal::End,
            (None, rows) => Goal::Rows(rows),
        };
        store.advance_until(goal, deadline, &mut watch)?;
        let cache = store.snapshot_of(&*store.look_open()?);
        if self.was_stored_in(&cache) {
            return Ok(false);
        }
        match &cache.end {
            End::Failed(failure) => Err(Error::Source(failure.clone())),
            End::Open | End::Complete => Ok(true),
        }
    }

    /// As [`View::ingest_for`], for a slice of rows that have to be counted.
    fn ingest_counted(
        &self,
        deadline: Option<Instant>,
        watch: &mut Watch<'_>,
        interrupt: &dyn Interrupt,
    ) -> Result<bool> {
        let store = self.store();
        let was_stored = || {
            let cache = store.snapshot_of(&*store.look_open()?);
            Ok::<_, Error>(self.was_stored_in(&cache))
        };
        if was_stored()? {
            return Ok(false);
        }
        let from = self.counted().position();
        let mut reader = Reader::open(self.select_indexes(&[])?, from, interrupt, false)?;
        loop {
            match reader.step()? {
                Step::Stored(stored) => {
                    reader.shown(stored)?;
                    reader.pass();
                }
                Step::End => return Ok(false),
                Step::Pending => store.advance_until(Goal::Batch(reader.next), deadline, watch)?,
            }
            let time = now();
            watch.look(time)?;
            if deadline.is_some_and(|deadline| time >= deadline) {
                return Ok(!was_stored()?);
            }
        }
    }

    /// Batches and rows of what is stored, after the filters; for a filtered view what zone maps leave
    /// open is read.
    ///
    /// # Errors
    /// As [`Reader::poll`]; [`Error::Interrupted`].
    pub fn count(&self, interrupt: &dyn Interrupt) -> Result<(usize, u64)> {
        if !self.is_counted() {
            let extent = self.extent()?;
            return Ok((extent.batches, extent.rows));
        }
        let (mut batches, mut rows) = (0, 0);
        self.select_indexes(&[])?.each(interrupt, &mut |batch| {
            batches += 1;
            rows += batch.num_rows() as u64;
        })?;
        Ok((batches, rows))
    }

    /// Bytes that the stored batches of the view show. Those of a part, a cast or a filtered view are
    /// found by reading it.
    ///
    /// # Errors
    /// As [`Reader::poll`]; [`Error::Interrupted`].
    pub fn num_bytes(&self, interrupt: &dyn Interrupt) -> Result<u64> {
        if self.is_whole() {
            self.store().catch_up()?;
            return Ok(self.store().snapshot()?.bytes);
        }
        let mut bytes = 0;
        self.each(interrupt, &mut |batch| bytes += Weight::of(batch).shown)?;
        Ok(bytes)
    }

    /// Visits what is stored.
    fn each(&self, interrupt: &dyn Interrupt, visit: &mut dyn FnMut(&RecordBatch)) -> Result<()> {
        let mut watch = Watch::new(interrupt);
        let mut reader = self.prefix()?.passing_by(interrupt)?;
        while let Polled::Batch(batch) = reader.poll()? {
            visit(&batch);
            watch.look(now())?;
        }
        Ok(())
    }

    /// A reader that does not count as one: it uses nothing up, and nothing waits for it.
    pub(crate) fn passing_by(&self, interrupt: &dyn Interrupt) -> Result<Reader> {
        Reader::open(self.clone(), Position::default(), interrupt, false)
    }

    /// What zone maps say of each stored batch of the view, in the order of
    /// [`stored_batches`](View::stored_batches).
    ///
    /// # Errors
    /// Where a column can't be read from the log; [`Error::Interrupted`].
    pub fn prove(
        &self,
        predicate: &Predicate,
        interrupt: &dyn Interrupt,
    ) -> Result<(Vec<usize>, Vec<Verdict>)> {
        let batches = self.stored_batches()?;
        let mut watch = Watch::new(interrupt);
        let verdicts = self.prove_some(predicate, &batches, &mut watch)?;
        Ok((batches, verdicts))
    }

    /// Whether zone maps decide so many of the stored batches that filtering the others one after the
    /// other costs next to nothing.
    ///
    /// Looks at a few batches first: most predicates that zone maps can't decide show it there.
    ///
    /// # Errors
    /// As [`View::prove`].
    pub fn is_decided(&self, predicate: &Predicate, interrupt: &dyn Interrupt) -> Result<bool> {
        let batches = self.stored_batches()?;
        let mut watch = Watch::new(interrupt);
        let few = |open: usize, of: usize| open <= (of / 16).max(2) && open * 4 <= of;
        let open = |verdicts: &[Verdict]| verdicts.iter().filter(|v| **v == Verdict::Some).count();
        if batches.len() > 4 * SAMPLES {
            let samples: Vec<usize> = (0..SAMPLES)
                .filter_map(|sample| batches.get(sample * batches.len() / SAMPLES).copied())
                .collect();
            if !few(
                open(&self.prove_some(predicate, &samples, &mut watch)?),
                SAMPLES,
            ) {
                return Ok(false);
            }
        }
        let verdicts = self.prove_some(predicate, &batches, &mut watch)?;
        Ok(few(open(&verdicts), verdicts.len()))
    }

    fn prove_some(
        &self,
        predicate: &Predicate,
        batches: &[usize],
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Verdict>> {
        let based = predicate.renumbered(&|column| self.base_column(column));
        let mut verdicts = Vec::with_capacity(batches.len());
        // Runs of numbers are proved at once.
        for run in batches.chunk_by(|a, b| a + 1 == *b) {
            if let [first, .., last] | [first @ last] = run {
                verdicts.extend(prove(self.store(), &based, *first..last + 1, watch)?);
            }
        }
        Ok(verdicts)
    }
}
