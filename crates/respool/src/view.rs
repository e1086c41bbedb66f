//! `View`: a replayable projection, cast or slice of a cache.
//!
//! Long for the number of its questions, each of a few lines; that they are all answered from three
//! fields is seen best in one place.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::{FieldRef, Schema, SchemaRef};

use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::lookup::{Found, Stored};
use crate::reader::Reader;

/// A replayable projection, cast or slice of a cache. It copies nothing; columns that are left out
/// are not read from the log either.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
/// # use respool::{Cache, Options};
/// # let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// # let batch = RecordBatch::try_from_iter([("x", Arc::clone(&column)), ("y", column)])?;
/// # let source = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
/// let cache = Cache::new(source, &Options::new())?;
/// let view = cache.view().select(&["y"])?.slice(1, Some(1));
/// let rows: usize = view.reader()?.map(|batch| batch.map_or(0, |b| b.num_rows())).sum();
/// assert_eq!((rows, view.schema().fields().len()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct View {
    cache: Cache,
    schema: SchemaRef,
    /// `None` shows the columns as they are.
    shape: Option<Arc<Shape>>,
    /// Rows of the cache that are shown.
    rows: Range<u64>,
    /// Batches of the cache that are shown, where not all: the view ends there whatever the source did.
    batches: Option<usize>,
}

/// Which columns are shown, and as what.
#[derive(Debug)]
struct Shape {
    /// Columns to read, numbers in the cache's schema, ascending, each once.
    base: Vec<usize>,
    outputs: Vec<Output>,
}

#[derive(Clone, Debug)]
struct Output {
    /// Column of the cache.
    column: usize,
    /// Position in `Shape::base`.
    at: usize,
    /// Casts, one after the other.
    casts: Vec<FieldRef>,
}

impl View {
    pub(crate) fn whole(cache: Cache) -> Self {
        Self {
            schema: cache.schema(),
            cache,
            shape: None,
            rows: 0..u64::MAX,
            batches: None,
        }
    }

    /// The cache that is shown.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The schema of every batch of the view. Opens nothing.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Whether the view shows every column and row as it is.
    pub fn is_whole(&self) -> bool {
        self.shape.is_none() && self.shows_all_rows() && self.batches.is_none()
    }

    fn shows_all_rows(&self) -> bool {
        self.rows == (0..u64::MAX)
    }

    /// The named columns, in the order asked for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that is not there, or that several columns have.
    pub fn select<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let indexes = names
            .iter()
            .map(|name| self.column(name.as_ref()))
            .collect::<Result<Vec<_>>>()?;
        self.select_indexes(&indexes)
    }

    /// The columns with these numbers, in the order asked for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a number that is not there.
    pub fn select_indexes(&self, indexes: &[usize]) -> Result<Self> {
        let schema = self.schema.project(indexes).map_err(|_| {
            let columns = self.schema.fields().len();
            Error::invalid(format!(
                "cannot select columns {indexes:?} of {columns} columns"
            ))
        })?;
        let outputs = self.outputs();
        let outputs = indexes
            .iter()
            .filter_map(|index| outputs.get(*index).cloned())
            .collect();
        Ok(self.shaped(Arc::new(schema), outputs))
    }

    /// The number of a column.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a name that is not there, or that several columns have.
    pub fn column(&self, name: &str) -> Result<usize> {
        let fields = self.schema.fields();
        let mut found = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.name() == name);
        match (found.next(), found.next()) {
            (Some((index, _)), None) => Ok(index),
            (Some(_), Some(_)) => Err(Error::invalid(format!(
                "column name {name:?} is not unique: select by number"
            ))),
            (None, _) => {
                let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
                Err(Error::invalid(format!(
                    "no column {name:?}; the columns are {names:?}"
                )))
            }
        }
    }

    /// The same columns with other types. A value that the new type can't hold is an error when its
    /// batch is read, never a NULL.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where names or their order differ, or no such cast exists.
    pub fn cast(&self, schema: &SchemaRef) -> Result<Self> {
        let (from, to) = (self.schema.fields(), schema.fields());
        let names = |schema: &Schema| {
            schema
                .fields()
                .iter()
                .map(|f| f.name().clone())
                .collect::<Vec<_>>()
        };
        if from.len() != to.len()
            || from
                .iter()
                .zip(to)
                .any(|(from, to)| from.name() != to.name())
        {
            return Err(Error::invalid(format!(
                "cannot cast: the columns are {:?}, the new schema has {:?}; select first",
                names(&self.schema),
                names(schema)
            )));
        }
        let mut outputs = self.outputs();
        for (output, (from, to)) in outputs.iter_mut().zip(from.iter().zip(to)) {
            if from.data_type() == to.data_type() {
                continue;
            }
            if !can_cast_types(from.data_type(), to.data_type()) {
                return Err(Error::invalid(format!(
                    "cannot cast column {:?} from {} to {}",
                    from.name(),
                    from.data_type(),
                    to.data_type()
                )));
            }
            output.casts.push(Arc::clone(to));
        }
        Ok(self.shaped(Arc::clone(schema), outputs))
    }

    /// The columns of the schema, found by name, with its types: what `requested_schema` of the C
    /// stream interface asks for.
    ///
    /// # Errors
    /// As [`View::select`] and [`View::cast`].
    pub fn conform(&self, schema: &SchemaRef) -> Result<Self> {
        if self.schema.fields() == schema.fields() {
            return Ok(self.clone());
        }
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        self.select(&names)?.cast(schema)
    }

    /// Rows `offset .. offset + length` of the view; to the end without a length. A slice that
    /// reaches past the last row is shorter, as in Python.
    #[must_use]
    pub fn slice(&self, offset: u64, length: Option<u64>) -> Self {
        let start = self.rows.start.saturating_add(offset).min(self.rows.end);
        let end = length.map_or(self.rows.end, |length| {
            start.saturating_add(length).min(self.rows.end)
        });
        Self {
            rows: start..end,
            ..self.clone()
        }
    }

    /// The batches stored up to now, as a view that ends there: without an error where the source
    /// failed, without waiting where it goes on.
    #[must_use]
    pub fn prefix(&self) -> Self {
        let stored = self.cache.num_batches();
        let batches = Some(self.batches.map_or(stored, |batches| batches.min(stored)));
        Self {
            batches,
            ..self.clone()
        }
    }

    /// A replay from the first batch.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Released`] where the first batch is gone.
    pub fn reader(&self) -> Result<Reader> {
        Reader::open(self.clone(), 0)
    }

    /// A reader of what is not stored yet.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn reader_from_frontier(&self) -> Result<Reader> {
        Reader::open(self.clone(), self.cache.num_batches())
    }

    /// Rows shown of those that are stored.
    pub fn num_rows(&self) -> u64 {
        let state = self.cache.shared.state.lock();
        let stored = match self.batches {
            Some(batches) => state
                .slots
                .get(batches)
                .map_or(state.rows, |slot| slot.first_row),
            None => state.rows,
        };
        self.rows.end.min(stored).saturating_sub(self.rows.start)
    }

    /// Numbers of the stored batches that the view shows something of.
    pub fn batch_range(&self) -> Range<usize> {
        let state = self.cache.shared.state.lock();
        let limit = self.batches.unwrap_or(usize::MAX).min(state.slots.len());
        if self.shows_all_rows() {
            return 0..limit;
        }
        let first = state.batch_of_row(self.rows.start).min(limit);
        if self.rows.is_empty() {
            return first..first;
        }
        let last = state
            .batch_of_row(self.rows.end - 1)
            .saturating_add(1)
            .min(limit);
        first..last.max(first)
    }

    /// Whether nothing will be added to what the view shows.
    pub fn is_complete(&self) -> bool {
        if self.batches.is_some() || self.cache.is_complete() {
            return true;
        }
        self.rows.end <= self.cache.num_rows()
    }

    /// Batch `index` of the view; pulls up to it. `None` where there are not so many.
    ///
    /// # Errors
    /// As [`Reader::next_batch`].
    pub fn batch(&self, index: usize, interrupt: &dyn Interrupt) -> Result<Option<RecordBatch>> {
        if self.shows_all_rows() {
            if self.batches.is_some_and(|batches| index >= batches)
                || !self.cache.ingest_to(index, interrupt)?
            {
                return Ok(None);
            }
            return match self.cache.shared.find(index)? {
                Found::Stored(stored) => self.read(&stored).map(Some),
                Found::End | Found::Pending => Ok(None),
            };
        }
        let mut reader = self.reader()?;
        for _ in 0..index {
            if reader.next_batch(interrupt)?.is_none() {
                return Ok(None);
            }
        }
        reader.next_batch(interrupt)
    }

    /// For an output column that is shown as it is: its number in the cache.
    pub fn base_column(&self, output: usize) -> Option<usize> {
        match &self.shape {
            None => (output < self.schema.fields().len()).then_some(output),
            Some(shape) => {
                let output = shape.outputs.get(output)?;
                output.casts.is_empty().then_some(output.column)
            }
        }
    }

    /// What the view shows of a stored batch.
    pub(crate) fn read(&self, stored: &Stored) -> Result<RecordBatch> {
        let columns = self.shape.as_ref().map(|shape| shape.base.as_slice());
        let batch = self.cache.shared.read(stored, columns)?;
        self.show(batch, stored.first_row)
    }

    pub(crate) fn rows(&self) -> Range<u64> {
        self.rows.clone()
    }

    pub(crate) fn last_batch(&self) -> Option<usize> {
        self.batches
    }

    /// Turns a batch of the columns read that begins at `first_row` into what the view shows of it.
    fn show(&self, batch: RecordBatch, first_row: u64) -> Result<RecordBatch> {
        let batch = self.cut(batch, first_row);
        let Some(shape) = &self.shape else {
            return Ok(batch);
        };
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = shape
            .outputs
            .iter()
            .map(|output| {
                let mut column = Arc::clone(batch.column(output.at));
                for field in &output.casts {
                    let strict = CastOptions {
                        safe: false,
                        ..CastOptions::default()
                    };
                    column = cast_with_options(&column, field.data_type(), &strict).map_err(
                        |error| {
                            let (name, from, to) =
                                (field.name(), column.data_type(), field.data_type());
                            Error::invalid(format!(
                                "cannot cast column {name:?} from {from} to {to}: {error}"
                            ))
                        },
                    )?;
                }
                Ok(column)
            })
            .collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(Error::arrow("cannot give a batch the schema of the view"))
    }

    /// Cuts off the rows outside the slice.
    fn cut(&self, batch: RecordBatch, first_row: u64) -> RecordBatch {
        let rows = batch.num_rows();
        let within = |row: u64| {
            usize::try_from(row.saturating_sub(first_row)).map_or(rows, |row| row.min(rows))
        };
        let (start, end) = (within(self.rows.start), within(self.rows.end));
        if (start, end) == (0, rows) {
            batch
        } else {
            batch.slice(start, end.saturating_sub(start))
        }
    }

    fn outputs(&self) -> Vec<Output> {
        match &self.shape {
            Some(shape) => shape.outputs.clone(),
            None => (0..self.schema.fields().len())
                .map(|column| Output {
                    column,
                    at: column,
                    casts: Vec::new(),
                })
                .collect(),
        }
    }

    fn shaped(&self, schema: SchemaRef, mut outputs: Vec<Output>) -> Self {
        let all = self.cache.shared.schema.fields().len();
        let mut base: Vec<usize> = outputs.iter().map(|output| output.column).collect();
        base.sort_unstable();
        base.dedup();
        for output in &mut outputs {
            output.at = base.partition_point(|column| *column < output.column);
        }
        let as_it_is = schema == self.cache.shared.schema
            && outputs.len() == all
            && outputs
                .iter()
                .enumerate()
                .all(|(at, o)| o.column == at && o.casts.is_empty());
        let shape = (!as_it_is).then(|| Arc::new(Shape { base, outputs }));
        Self {
            schema,
            shape,
            ..self.clone()
        }
    }
}
