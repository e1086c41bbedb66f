//! `Scan`: a replay of some columns and, with a predicate, of some rows.
//!
//! Zone maps are asked first. Of a batch that they decide, nothing of the predicate's columns is read
//! again: it is left out, or passed on as it is. Only a batch that they leave open is filtered.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::lookup::Found;
use crate::predicate::{Predicate, Verdict, filter};
use crate::reader::{Polled, Reader, Step};
use crate::view::View;

/// A replay of some columns and rows of a view.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
/// use respool::predicate::{Operator, Predicate, Scalar, Term};
/// use respool::{Cache, Options, Uninterrupted};
///
/// # let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// # let batch = RecordBatch::try_from_iter([("x", Arc::clone(&column)), ("y", column)])?;
/// # let source = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
/// let cache = Cache::new(source, &Options::new())?;
/// let x = Term::new(&cache.schema(), 0, &[]).ok_or("no column")?;
/// let above_one = Predicate::compare(x, Operator::Gt, &Scalar::from(1));
/// let mut scan = cache.view().scan(Some(&[1]), Some(above_one))?;
/// let batch = scan.next_batch(&Uninterrupted)?.ok_or("no batch")?;
/// assert_eq!((batch.num_rows(), batch.num_columns()), (2, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Scan {
    /// Its view shows the columns asked for.
    reader: Reader,
    filter: Option<Filter>,
    /// For each batch from the first one of the view on: whether it is read. All others are.
    kept: Vec<bool>,
    first: usize,
    /// Read from the log what is in memory too.
    from_log: bool,
}

#[derive(Debug)]
struct Filter {
    /// Columns of `view`, by their numbers there.
    predicate: Predicate,
    /// Shows the columns asked for, then those that only the predicate needs.
    view: View,
    /// Columns asked for: the first so many of `view`.
    shown: usize,
    /// What zone maps say of batches that were stored when the scan began, and the first one's number.
    verdicts: Vec<Verdict>,
    first: usize,
}

/// Batches looked at before all are.
const SAMPLES: usize = 16;

impl From<Reader> for Scan {
    fn from(reader: Reader) -> Self {
        Self {
            reader,
            filter: None,
            kept: Vec::new(),
            first: 0,
            from_log: false,
        }
    }
}

impl View {
    /// A replay of the columns with these numbers (all if `None`), in the order asked for, and of the
    /// rows that pass the predicate, whose columns are numbered as in the view.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a column that is not there or a predicate that can't be applied
    /// exactly; otherwise as [`View::reader`].
    pub fn scan(&self, columns: Option<&[usize]>, predicate: Option<Predicate>) -> Result<Scan> {
        let all: Vec<usize>;
        let columns = if let Some(columns) = columns {
            columns
        } else {
            all = (0..self.schema().fields().len()).collect();
            &all
        };
        let filter = predicate
            .map(|predicate| self.filter(columns, &predicate))
            .transpose()?;
        let reader = self.select_indexes(columns)?.reader()?;
        Ok(Scan {
            filter,
            ..Scan::from(reader)
        })
    }

    fn filter(&self, columns: &[usize], predicate: &Predicate) -> Result<Filter> {
        if !predicate.supports(&self.schema()) {
            return Err(Error::invalid(format!(
                "cannot apply this predicate exactly: {predicate}"
            )));
        }
        let mut read = columns.to_vec();
        read.extend(
            predicate
                .columns()
                .into_iter()
                .filter(|column| !columns.contains(column)),
        );
        let position = |column: usize| read.iter().position(|other| *other == column);
        let (batches, verdicts) = self.prove(predicate)?;
        Ok(Filter {
            predicate: predicate.renumbered(&position),
            view: self.select_indexes(&read)?,
            shown: columns.len(),
            verdicts,
            first: batches.start,
        })
    }

    /// What zone maps say of each stored batch of the view, and which batches those are.
    ///
    /// # Errors
    /// Where a column can't be read from the log.
    pub fn prove(&self, predicate: &Predicate) -> Result<(Range<usize>, Vec<Verdict>)> {
        let batches = self.batch_range();
        let verdicts = self.prove_in(predicate, batches.clone())?;
        Ok((batches, verdicts))
    }

    /// Whether zone maps decide so many of the stored batches that filtering the others one after the
    /// other costs next to nothing.
    ///
    /// Looks at a few batches first: most predicates that zone maps can't decide show it there.
    ///
    /// # Errors
    /// As [`View::prove`].
    pub fn is_decided(&self, predicate: &Predicate) -> Result<bool> {
        let batches = self.batch_range();
        let few = |open: usize, of: usize| open <= (of / 16).max(2) && open * 4 <= of;
        let open = |verdicts: &[Verdict]| verdicts.iter().filter(|v| **v == Verdict::Some).count();
        if batches.len() > 4 * SAMPLES {
            let mut verdicts = Vec::with_capacity(SAMPLES);
            for sample in 0..SAMPLES {
                let batch = batches.start + sample * batches.len() / SAMPLES;
                verdicts.extend(self.prove_in(predicate, batch..batch + 1)?);
            }
            if !few(open(&verdicts), SAMPLES) {
                return Ok(false);
            }
        }
        let verdicts = self.prove_in(predicate, batches)?;
        Ok(few(open(&verdicts), verdicts.len()))
    }

    fn prove_in(&self, predicate: &Predicate, batches: Range<usize>) -> Result<Vec<Verdict>> {
        let shared = &self.cache().shared;
        let based = predicate.renumbered(&|column| self.base_column(column));
        let load = |batch: usize, column: usize| -> Result<ArrayRef> {
            match shared.find(batch)? {
                Found::Stored(stored) => {
                    Ok(Arc::clone(shared.read(&stored, Some(&[column]))?.column(0)))
                }
                Found::End | Found::Pending => Err(Error::Closed),
            }
        };
        based.prove_stored(&shared.zones, batches, &load)
    }
}

impl Scan {
    /// The schema of every batch.
    pub fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }

    /// Leaves out the batches that are marked `false`; the marks are for the first batches of the
    /// view's [`batch_range`](View::batch_range), what has no mark is read.
    #[must_use]
    pub fn keeping(self, kept: Vec<bool>) -> Self {
        Self {
            first: self.reader.view().batch_range().start,
            kept,
            ..self
        }
    }

    /// Reads batches that are in memory and in a mapped log from the log: who keeps what it reads
    /// then holds no memory that the cache counts on giving back.
    #[must_use]
    pub fn from_log(self) -> Self {
        Self {
            from_log: true,
            ..self
        }
    }

    fn keeps(&self, batch: usize) -> bool {
        let mark = batch.checked_sub(self.first).map(|at| self.kept.get(at));
        mark.flatten().copied().unwrap_or(true)
    }

    /// The next batch with rows that pass, if it is stored; never waits for the source.
    ///
    /// # Errors
    /// As [`Reader::poll`].
    pub fn poll(&mut self) -> Result<Polled> {
        loop {
            let mut stored = match self.reader.step()? {
                Step::Stored(stored) => stored,
                Step::End => return Ok(Polled::End),
                Step::Pending => return Ok(Polled::Pending),
            };
            let verdict = match &self.filter {
                _ if !self.keeps(stored.index) => Verdict::None,
                Some(filter) => filter.verdict(stored.index),
                None => Verdict::All,
            };
            if self.from_log && verdict != Verdict::None {
                self.reader.view().cache().shared.prefer_log(&mut stored);
            }
            let batch = match (verdict, &self.filter) {
                (Verdict::None, _) => None,
                (Verdict::Some, Some(filter)) => filter.passing(&filter.view.read(&stored)?)?,
                (Verdict::All | Verdict::Some, _) => Some(self.reader.view().read(&stored)?),
            };
            self.reader.pass();
            if let Some(batch) = batch {
                return Ok(Polled::Batch(batch));
            }
        }
    }

    /// The next batch with rows that pass, pulled from the source if nobody did yet.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn next_batch(&mut self, interrupt: &dyn Interrupt) -> Result<Option<RecordBatch>> {
        loop {
            match self.poll()? {
                Polled::Batch(batch) => return Ok(Some(batch)),
                Polled::End => return Ok(None),
                Polled::Pending => self.reader.advance(interrupt)?,
            }
        }
    }
}

impl Filter {
    /// A batch that came after the scan began is filtered: zone maps don't slow the first pass.
    fn verdict(&self, batch: usize) -> Verdict {
        let known = batch
            .checked_sub(self.first)
            .and_then(|at| self.verdicts.get(at));
        known.copied().unwrap_or(Verdict::Some)
    }

    /// The rows that pass, with the columns asked for; `None` if no row does.
    fn passing(&self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let doing = "cannot filter a batch";
        let mask = self.predicate.apply(batch).map_err(Error::arrow(doing))?;
        let shown: Vec<usize> = (0..self.shown).collect();
        let batch = batch.project(&shown).map_err(Error::arrow(doing))?;
        let passing = filter(&batch, &mask).map_err(Error::arrow(doing))?;
        Ok((passing.num_rows() > 0).then_some(passing))
    }
}
