//! `View`: a replayable projection, cast, slice or filter of a cache.

mod cast;
pub(crate) mod columns;
mod counted;
mod extent;
pub(crate) mod filter;
mod position;
mod saved;
pub(crate) mod selection;
mod shown;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};

pub use self::extent::{Extent, Residence};
pub use self::position::Position;

use self::columns::Columns;
use self::counted::Counted;
use self::filter::Filter;
use self::selection::{Selection, slice};
use crate::error::{Error, Result};
use crate::pack::Encodings;
use crate::predicate::Predicate;
use crate::store::Store;

/// A replayable projection, cast, slice or filter of a cache. It copies nothing; columns that are left
/// out are not read from the log either, nor are batches in which zone maps see that no row passes.
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
/// use respool::predicate::{Operator, Predicate, Scalar, Term};
/// # use respool::{Cache, Options};
/// # let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// # let batch = RecordBatch::try_from_iter([("x", Arc::clone(&column)), ("y", column)])?;
/// # let source = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
/// let cache = Cache::new(source, &Options::new())?;
/// let x = Term::new(&cache.schema(), 0, &[]).ok_or("no column")?;
/// let above_one = Predicate::compare(x, Operator::Gt, &Scalar::from(1));
/// let view = cache.view().filter(&above_one)?.select(&["y"])?.slice(1, Some(1));
/// let rows: usize = view.reader()?.map(|batch| batch.map_or(0, |b| b.num_rows())).sum();
/// assert_eq!((rows, view.schema().fields().len()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct View {
    store: Arc<Store>,
    schema: SchemaRef,
    /// `None` shows the columns as they are.
    columns: Option<Arc<Columns>>,
    selection: Selection,
    filters: Vec<Arc<Filter>>,
    /// Of the rows that pass the filters, and of those of the batches that are not left out, the ones that
    /// are shown.
    passing: Range<u64>,
    /// How far somebody counted them, of a slice of them.
    counted: Counted,
}

impl View {
    pub(crate) fn whole(store: Arc<Store>) -> Self {
        Self {
            schema: Arc::clone(&store.schema),
            store,
            columns: None,
            selection: Selection::all(),
            filters: Vec::new(),
            passing: 0..u64::MAX,
            counted: Counted::default(),
        }
    }

    /// What is shown; in a forked child the log opened anew, where it has a name.
    pub(crate) fn store(&self) -> &Arc<Store> {
        self.store.here()
    }

    /// What it was made of, in a forked child too. Opens nothing.
    pub(crate) fn shown(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn into_store(self) -> Arc<Store> {
        self.store
    }

    pub(crate) fn selection(&self) -> &Selection {
        &self.selection
    }

    pub(crate) fn filters(&self) -> &[Arc<Filter>] {
        &self.filters
    }

    pub(crate) fn counted(&self) -> &Counted {
        &self.counted
    }

    pub(crate) fn passing(&self) -> Range<u64> {
        self.passing.clone()
    }

    /// The schema of every batch of the view. Opens nothing.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Whether the view shows every column and row as it is.
    pub fn is_whole(&self) -> bool {
        self.columns.is_none() && self.selection.is_all() && !self.is_filtered()
    }

    /// Whether rows are left out that a predicate does not hold for.
    pub fn is_filtered(&self) -> bool {
        !self.filters.is_empty()
    }

    /// Whether every row is shown, of whatever columns.
    pub(crate) fn shows_all_rows(&self) -> bool {
        self.selection.is_all() && !self.is_filtered() && self.can_leave_out()
    }

    /// Whether what the view shows of a batch is known only by going through those before it.
    pub(crate) fn is_counted(&self) -> bool {
        self.is_filtered() || !self.can_leave_out()
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
        Ok(self.shaped(self.shape().select(indexes)?))
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
            (None, _) => Err(Error::invalid(format!(
                "no column {name:?}; the columns are {:?}",
                names(&self.schema)
            ))),
        }
    }

    /// The same columns with other types. A value that the new type can't hold is an error when its
    /// batch is read, never a NULL and never another value.
    ///
    /// A float is an approximation: from and to one, numbers other than integers are rounded to the nearest.
    /// What is not zero is true. A timestamp gives its date or its time of day; one without a zone
    /// is local time of the zone that it gets. Children of structs are found by their names.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where names or their order differ, where children of structs have
    /// other names, where a time zone is not known, or no such cast exists.
    pub fn cast(&self, schema: &SchemaRef) -> Result<Self> {
        let (from, to) = (names(&self.schema), names(schema));
        if from != to {
            return Err(Error::invalid(format!(
                "cannot cast: the columns are {from:?}, the new schema has {to:?}; select first"
            )));
        }
        let mut outputs = self.shape().outputs().to_vec();
        let fields = self.schema.fields().iter().zip(schema.fields());
        for (output, (from, to)) in outputs.iter_mut().zip(fields) {
            if from.data_type() == to.data_type() {
                continue;
            }
            cast::check(from, to)?;
            output.casts.push(Arc::clone(to));
        }
        Ok(self.shaped(Columns::new(Arc::clone(schema), outputs)))
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
        self.select(&names(schema))?.cast(schema)
    }

    /// The same columns in the encodings that they are [kept](crate::Options::with_encodings) in, but for those
    /// that are cast: for an engine to which these are the same types. A cache that still fills may come to
    /// others, so there only text is shown so, as views.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub fn as_kept(&self) -> Result<Self> {
        Ok(match self.store().kept_schema()? {
            Some(kept) => self.shaped(self.shape().as_kept(&kept)),
            None => self.clone(),
        })
    }

    /// The schema, with views for the columns of text and binaries that are kept as views whatever comes.
    ///
    /// # Errors
    /// As [`View::as_kept`].
    pub fn schema_with_views(&self) -> Result<SchemaRef> {
        Ok(match self.store().encodings() {
            Some(Encodings::Views) => self.as_kept()?.schema(),
            Some(Encodings::DuckDb) | None => self.schema(),
        })
    }

    /// Rows `offset .. offset + length` of the view; to the end without a length. A slice that
    /// reaches past the last row is shorter, as in Python. It shows the batches that it has rows of, and no
    /// batch of no rows; so does a filtered view.
    #[must_use]
    pub fn slice(&self, offset: u64, length: Option<u64>) -> Self {
        let mut view = self.clone();
        if self.is_filtered() || self.selection.leaves_out() {
            if self.can_leave_out() {
                view.counted = Counted::default();
            }
            view.passing = slice(&self.passing, offset, length);
        } else {
            view.selection = self.selection.slice(offset, length);
        }
        view
    }

    /// The rows for which the predicate holds, whose columns are numbered as in the view.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a predicate that can't be applied exactly, and for a view that
    /// was filtered, or lost batches, and then sliced.
    pub fn filter(&self, predicate: &Predicate) -> Result<Self> {
        if !self.can_leave_out() {
            return Err(Error::invalid(
                "cannot filter a slice of a filtered view or of some batches: filter, then slice",
            ));
        }
        let mut view = self.clone();
        let filter = Filter::new(predicate, &self.shape())?;
        view.filters.push(Arc::new(filter));
        Ok(view)
    }

    /// Whether the view is a slice of no rows, whatever is stored.
    pub(crate) fn shows_nothing(&self) -> bool {
        self.selection.rows().is_empty() || self.passing.is_empty()
    }

    /// Whether rows and batches can be left out: not of a slice of a filtered view or of some batches, in which they
    /// count.
    pub fn can_leave_out(&self) -> bool {
        self.passing == (0..u64::MAX)
    }

    /// The batches stored up to now, as a view that ends there: without an error where the source
    /// failed, without waiting where it goes on.
    ///
    /// # Errors
    /// [`Error::Forked`]; [`Error::Log`] where what another process has written can't be read.
    pub fn prefix(&self) -> Result<Self> {
        self.store().catch_up()?;
        let stored = self.store().snapshot()?.batches;
        Ok(Self {
            selection: self.selection.below(stored),
            counted: Counted::default(),
            ..self.clone()
        })
    }

    /// Every `world`-th batch from number `rank` on: together, `world` such views show everything once.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where `rank` is not below `world`, where the view does not show every
    /// row, and where readers use batches up (`max_readers` without a log), which would keep them all.
    pub fn stride(&self, rank: usize, world: usize) -> Result<Self> {
        if rank >= world {
            return Err(Error::invalid(format!(
                "rank is from 0 to {}, not {rank}",
                world.saturating_sub(1)
            )));
        }
        if !self.selection.is_all() || !self.can_leave_out() {
            return Err(Error::invalid(
                "cannot take every n-th batch of a part: take them of the whole cache, then slice",
            ));
        }
        if self.store().snapshot()?.is_used_up_by_readers {
            return Err(Error::invalid(
                "cannot take every n-th batch where max_readers lets batches go: give the cache a log",
            ));
        }
        Ok(Self {
            selection: Selection::stride(rank, world),
            ..self.clone()
        })
    }

    /// Of the view's batches those with the listed numbers, ascending, and all from number `from` on;
    /// numbers as in the cache.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a view that was filtered, or lost batches, and then sliced.
    pub fn batches(&self, listed: &[usize], from: usize) -> Result<Self> {
        if !self.can_leave_out() {
            return Err(Error::invalid(
                "cannot leave batches out of a slice of a filtered view or of some batches",
            ));
        }
        Ok(Self {
            selection: self.selection.listed(listed, from),
            ..self.clone()
        })
    }

    /// For an output column that is shown as it is: its number in the cache.
    pub fn base_column(&self, output: usize) -> Option<usize> {
        match &self.columns {
            None => (output < self.schema.fields().len()).then_some(output),
            Some(columns) => columns.base_column(output),
        }
    }

    fn shape(&self) -> Columns {
        match &self.columns {
            Some(columns) => Columns::clone(columns),
            None => Columns::new(self.schema(), Columns::identity(&self.schema)),
        }
    }

    fn shaped(&self, columns: Columns) -> Self {
        let schema = Arc::clone(columns.schema());
        let columns = (!columns.is_identity(&self.store.schema)).then(|| Arc::new(columns));
        Self {
            schema,
            columns,
            ..self.clone()
        }
    }
}

fn names(schema: &Schema) -> Vec<&str> {
    let fields = schema.fields().iter();
    fields.map(|field| field.name().as_str()).collect()
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View")
            .field("schema", &self.schema)
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}
