//! `Epochs`: what can be asked for.

use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use super::identity::identity;
use super::index::Index;
use super::layout::Layout;
use super::making::Maker;
use super::options::EpochOptions;
use super::order::Order;
use super::plan::Plan;
use super::shape::{Form, Shape};
use super::state::{State, differs};
use super::steps::Steps;
use super::take::Taken;
use crate::counted::counted;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::store::End;
use crate::sync::RwLock;
use crate::view::View;

/// The rows of a view in epochs: see [the module](super).
///
/// ```
/// # use std::sync::Arc;
/// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
/// use respool::epochs::{EpochOptions, Epochs, Form, Made};
/// use respool::{Cache, Options, Uninterrupted};
/// # let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5]));
/// # let batch = RecordBatch::try_from_iter([("x", column)])?;
/// # let source = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
/// let cache = Cache::new(source, &Options::new())?;
/// cache.ingest_all()?;
/// let epochs = Epochs::new(cache.view(), EpochOptions::new(2), &Uninterrupted)?;
/// assert_eq!(epochs.steps()?, Some(2));
/// let mut steps = epochs.begin(0, 0, Form::Batch)?;
/// while let Some(Made::Batch(step)) = steps.next_step(&Uninterrupted)? {
///     assert_eq!(step.num_rows(), 2);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Epochs {
    plan: Arc<Plan>,
    taken: Taken,
}

impl Epochs {
    /// # Errors
    /// [`Error::InvalidArgument`] for options that make no sense, for a view of which not everything is stored (but for
    /// what is [followed](EpochOptions::follow)), and for a slice of a filtered view; what counting the rows of a
    /// filtered view says.
    pub fn new(view: View, options: EpochOptions, interrupt: &dyn Interrupt) -> Result<Self> {
        options.check()?;
        if !view.can_leave_out() {
            return Err(Error::invalid(
                "epochs need to know the rows of each batch, which nobody has counted in a slice of a filtered view or of \
                 some batches: leave the slice out",
            ));
        }
        let extent = view.extent()?;
        if extent.cache.is_used_up_by_readers {
            return Err(Error::invalid(
                "epochs read everything again and again, and max_readers lets batches go: give the cache a log",
            ));
        }
        if options.follow && view.is_filtered() {
            return Err(Error::invalid(
                "a filtered view can't be followed, as its rows are counted first: read the source to its end \
                 (ingest_all), or filter what it gives",
            ));
        }
        let mut index = Index::default();
        index.extend(&view, interrupt)?;
        if !index.is_whole() && !options.follow {
            if let End::Failed(failure) = &extent.cache.end {
                return Err(Error::Source(Arc::clone(failure)));
            }
            return Err(Error::invalid(format!(
                "epochs are over everything, and the source was not read to its end ({} so far): read it \
                 first (ingest_all), or begin while it comes (follow=True)",
                counted(extent.cache.batches, "batch", "batches")
            )));
        }
        let plan = Plan {
            identity: identity(&view)?,
            index: RwLock::new(index),
            view,
            options,
        };
        Ok(Self {
            plan: Arc::new(plan),
            taken: Taken::default(),
        })
    }

    /// The schema of every step.
    pub fn schema(&self) -> SchemaRef {
        self.plan.view.schema()
    }

    /// What was asked for.
    pub fn options(&self) -> &EpochOptions {
        &self.plan.options
    }

    /// The view whose rows these are.
    pub fn view(&self) -> &View {
        &self.plan.view
    }

    /// Where each column lies of a step that is made as arrays.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for columns that can't be arrays of numbers.
    pub fn layout(&self) -> Result<Layout> {
        Layout::of(&self.schema())
    }

    /// All rows; `None` while more may come.
    ///
    /// # Errors
    /// What the store says.
    pub fn num_rows(&self) -> Result<Option<u64>> {
        self.plan.look()?;
        let index = self.plan.index.read();
        Ok(index.is_whole().then(|| index.rows()))
    }

    /// Rows that are there.
    ///
    /// # Errors
    /// What the store says.
    pub fn rows_so_far(&self) -> Result<u64> {
        self.plan.look()?;
        Ok(self.plan.index.read().rows())
    }

    /// Steps of each epoch; `None` while more rows may come.
    ///
    /// # Errors
    /// What the store says.
    pub fn steps(&self) -> Result<Option<u64>> {
        let rows = self.num_rows()?;
        Ok(rows.map(|rows| self.plan.steps_of(rows)))
    }

    /// Begins an epoch, or goes on with it behind so many steps.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where columns are not for this form, and for any epoch but the first while the source
    /// is read.
    pub fn begin(&self, epoch: u64, steps_done: u64, form: Form) -> Result<Steps> {
        let plan = &self.plan;
        plan.look()?;
        let shape = Shape::new(self.schema(), form)?;
        let index = plan.index.read();
        let order = if plan.is_followed(epoch) {
            Order::of_source()
        } else if index.is_whole() {
            let of = (plan.identity, plan.options.seed, epoch);
            Order::new(plan.options.shuffle, plan.window(&index), of, &index)?
        } else if let End::Failed(failure) = &plan.view.cache().snapshot()?.end {
            return Err(Error::Source(Arc::clone(failure)));
        } else {
            return Err(Error::invalid(format!(
                "epoch {epoch} begins when everything was read, and the source is not at its end: the first epoch \
                 reads it"
            )));
        };
        drop(index);
        let maker = Maker::new(Arc::clone(plan), order, shape);
        Ok(Steps::new(Arc::clone(plan), maker, epoch, steps_done))
    }

    /// A place in an epoch, to be saved.
    ///
    /// # Errors
    /// What the store says.
    pub fn state(&self, epoch: u64, steps_done: u64) -> Result<State> {
        self.plan.look()?;
        Ok(self.plan.state(epoch, steps_done))
    }

    /// The epoch and the steps done of a place that was saved, here or elsewhere.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where it is a place in something else, with the name of what differs.
    pub fn restored(&self, state: &State) -> Result<(u64, u64)> {
        self.plan.look()?;
        let ours = self.plan.state(state.epoch, 0);
        state.check(&ours)?;
        let steps = state.rows_done / ours.batch_size;
        let index = self.plan.index.read();
        if index.is_whole() && steps > self.plan.steps_of(index.rows()) {
            return Err(differs("rows_done", &state.rows_done, &index.rows()));
        }
        Ok((state.epoch, steps))
    }

    /// Rows by their numbers, in the order of the source and from 0, as one batch in the order asked for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a row that is not there; what reading says.
    pub fn take(&self, rows: &[u64]) -> Result<RecordBatch> {
        self.taken.take(&self.plan, rows)
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs")
            .field("options", &self.plan.options)
            .finish_non_exhaustive()
    }
}
