//! `Epochs`: the rows of a view in steps of the same size, in another order each time.
//!
//! More than half of the file is docstrings.

mod memory;
mod options;
mod rows;
mod saved;
mod steps;

use std::sync::{Arc, Weak};

use arrow_array::RecordBatch;
use pyo3::PyTraverseError;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict};
use respool::Error;
use respool::epochs::{EpochOptions, Epochs, Form};
use respool::fork::Process;
use respool::locks::Mutex;

use self::options::{Asked, Count, EpochNumber, asked};
use self::steps::{Going, PySteps};
use crate::attach::{Detached, detached};
use crate::pyarrow::{batch_to_pyarrow, schema_to_pyarrow};
use crate::signals::{Signals, owed};
use crate::view::PyView;

/// The rows of a cache in steps of the same size, in another order each epoch. Made by :func:`respool.epochs`.
///
/// Iterating gives the steps of the current epoch: this rank's rows of each, as a ``pyarrow.RecordBatch`` that shares
/// no memory with the cache. At its end the next epoch becomes the current one. A step counts as done when it was
/// delivered; what was only read ahead does not.
///
/// Each new iteration begins where the epoch did, as that of a ``DataLoader`` does: at its first step, or where a state
/// that was loaded says. So ``next(iter(epochs))`` looks at a step and takes none away. To go on after a ``break``, keep
/// the iterator, or load the state that was saved.
///
/// One iteration goes on at a time: a new one, another epoch and a loaded state end the one before. An object pickles
/// where its cache does, with its place, at which the copy begins.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> cache = respool.StreamCache(pa.table({"x": list(range(6))}))
/// >>> cache.ingest_all()
/// 1
/// >>> epochs = respool.epochs(cache, batch_size=2, seed=1)
/// >>> len(epochs), epochs.num_rows, epochs.batch_size, epochs.rank, epochs.world_size
/// (3, 6, 2, 0, 1)
/// >>> sorted(x for batch in epochs for x in batch["x"].to_pylist())
/// [0, 1, 2, 3, 4, 5]
/// >>> epochs.epoch, epochs.steps_done, epochs.schema.names
/// (1, 0, ['x'])
#[pyclass(frozen, weakref, module = "respool", name = "Epochs")]
pub(crate) struct PyEpochs {
    /// In a forked child they are made anew. Locked for a moment and by attached threads only.
    epochs: Mutex<(Process, Arc<Detached<Epochs>>)>,
    asked: Asked,
    view: Py<PyView>,
    /// Whether the cache was opened for this, and is closed with it.
    owns: bool,
    /// Locked as `epochs` is.
    at: Mutex<At>,
}

/// Where the current epoch is.
#[derive(Default)]
pub(crate) struct At {
    pub(crate) epoch: u64,
    /// Where each iteration over it begins: 0, or behind the steps that were done when a state was saved.
    pub(crate) start: u64,
    pub(crate) steps_done: u64,
    /// The iteration that goes on, as long as somebody has it.
    pub(crate) going: Weak<Going>,
    pub(crate) is_closed: bool,
}

impl At {
    fn beginning(&self) -> (u64, u64) {
        (self.epoch, self.start)
    }

    /// Whether this is the iteration that goes on.
    pub(crate) fn is_of(&self, going: &Arc<Going>) -> bool {
        std::ptr::eq(self.going.as_ptr(), Arc::as_ptr(going))
    }
}

impl PyEpochs {
    /// What steps are made from.
    fn epochs(&self, py: Python<'_>) -> PyResult<Arc<Detached<Epochs>>> {
        let (process, there) = {
            let epochs = self.epochs.lock();
            (epochs.0, Arc::clone(&epochs.1))
        };
        if self.at.lock().is_closed {
            return Err(closed());
        }
        if process.is_here() {
            return Ok(there);
        }
        let anew = made(py, self.view.get(), self.asked.options())?;
        let fresh = (Process::here(), Arc::clone(&anew));
        // Dropped after the lock is given back: that lets go of the GIL.
        let old = std::mem::replace(&mut *self.epochs.lock(), fresh);
        drop(old);
        Ok(anew)
    }

    fn begin(slf: &Bound<'_, Self>, form: Form) -> PyResult<PySteps> {
        let py = slf.py();
        let this = slf.get();
        owed()?;
        let epochs = this.epochs(py)?;
        let (beginning, before) = {
            let mut at = this.at.lock();
            (at.beginning(), std::mem::take(&mut at.going))
        };
        ended(py, before)?;
        let steps = detached(py, || epochs.begin(beginning.0, beginning.1, form))?;
        let schema = this.schema(py)?.unbind();
        let going = Arc::new(Going::new(steps));
        let before = {
            let mut at = this.at.lock();
            if at.is_closed {
                return Err(closed());
            }
            // Where another thread has gone elsewhere meanwhile, this one has ended before it began.
            let is_there = at.beginning() == beginning;
            is_there.then(|| {
                at.steps_done = at.start;
                std::mem::replace(&mut at.going, Arc::downgrade(&going))
            })
        };
        ended(py, before.unwrap_or_default())?;
        Ok(PySteps::new(slf.clone().unbind(), going, epochs, schema))
    }

    fn place(&self) -> (u64, u64) {
        let at = self.at.lock();
        (at.epoch, at.steps_done)
    }

    pub(crate) fn at(&self) -> &Mutex<At> {
        &self.at
    }

    fn set_place(&self, py: Python<'_>, epoch: u64, steps_done: u64) -> PyResult<()> {
        let before = {
            let mut at = self.at.lock();
            at.epoch = epoch;
            (at.start, at.steps_done) = (steps_done, steps_done);
            std::mem::take(&mut at.going)
        };
        ended(py, before)
    }
}

/// Ends an iteration, if somebody has it still. Waits for nobody.
fn ended(py: Python<'_>, going: Weak<Going>) -> PyResult<()> {
    match going.upgrade() {
        Some(going) => going.end(py),
        None => Ok(()),
    }
}

/// To be said where they are used after they were closed.
pub(crate) fn closed() -> PyErr {
    PyValueError::new_err("these epochs were closed: make new ones with respool.epochs(...)")
}

fn made(py: Python<'_>, view: &PyView, options: EpochOptions) -> PyResult<Arc<Detached<Epochs>>> {
    let view = view.view().clone();
    let epochs = detached(py, || Epochs::new(view, options, &Signals))?;
    Ok(Arc::new(Detached::new(epochs)))
}

#[pymethods]
impl PyEpochs {
    #[new]
    #[pyo3(signature = (
        view, *, batch_size, seed=None, shuffle=None, window=None, rank=Count(0), world_size=Count(1),
        tail="drop", prefetch=Count(2), follow=false, owns=false,
    ))]
    #[pyo3(
        text_signature = "(view, *, batch_size, seed=0, shuffle=None, window=None, rank=0, world_size=1, tail='drop', prefetch=2, follow=False, owns=False)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords of one door")]
    fn new(
        py: Python<'_>,
        view: &Bound<'_, PyView>,
        batch_size: Count,
        seed: Option<&Bound<'_, PyAny>>,
        shuffle: Option<&str>,
        window: Option<Count>,
        rank: Count,
        world_size: Count,
        tail: &str,
        prefetch: Count,
        follow: bool,
        owns: bool,
    ) -> PyResult<Self> {
        let mut options = EpochOptions::new(batch_size.0);
        options.window = window.map(|window| window.0);
        options.rank = rank.0;
        options.world_size = world_size.0;
        options.prefetch = prefetch.0;
        options.follow = follow;
        let asked = asked(py, options, seed, shuffle, tail)?;
        owed()?;
        let epochs = made(py, view.get(), asked.options())?;
        Ok(Self {
            epochs: Mutex::new((Process::here(), epochs)),
            asked,
            view: view.clone().unbind(),
            owns,
            at: Mutex::default(),
        })
    }

    /// The number of the current epoch.
    #[getter]
    fn epoch(&self) -> u64 {
        self.at.lock().epoch
    }

    /// Steps of the current epoch that were delivered, here by the last iteration and before a state was saved.
    #[getter]
    fn steps_done(&self) -> u64 {
        self.at.lock().steps_done
    }

    /// Rows of a step, of all ranks together.
    #[getter]
    fn batch_size(&self) -> usize {
        self.asked.options.batch_size
    }

    /// Which part of each step this gives.
    #[getter]
    fn rank(&self) -> usize {
        self.asked.options.rank
    }

    /// How many parts each step has.
    #[getter]
    fn world_size(&self) -> usize {
        self.asked.options.world_size
    }

    /// The schema of every step, a ``pyarrow.Schema``.
    #[getter]
    fn schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        schema_to_pyarrow(py, &self.view.get().view().schema())
    }

    /// Rows of the data, those of all ranks; None while the source is read.
    #[getter]
    fn num_rows(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        let epochs = self.epochs(py)?;
        detached(py, || epochs.num_rows())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        let epochs = self.epochs(py)?;
        let steps = detached(py, || epochs.steps())?;
        let steps = steps.ok_or_else(|| {
            PyTypeError::new_err(
                "nobody knows yet how many steps an epoch has: the source is followed and not at its end",
            )
        })?;
        Ok(usize::try_from(steps)?)
    }

    /// Go to an epoch. In the current one nothing changes, and a place in it that was loaded is kept; any other begins, and
    /// ends the iteration that goes on, without waiting for a source that is followed.
    ///
    /// Parameters
    /// ----------
    /// epoch
    ///     Its number, from 0.
    ///
    /// Raises
    /// ------
    /// ValueError, TypeError
    ///     If it is no such number.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.cache(pa.table({"x": [1, 2, 3, 4]}))
    /// >>> cache.ingest_all()
    /// 1
    /// >>> steps = respool.epochs(cache, batch_size=2, shuffle=None)
    /// >>> for epoch in range(2):
    /// ...     steps.set_epoch(epoch)
    /// ...     print(epoch, [batch["x"].to_pylist() for batch in steps])
    /// 0 [[1, 2], [3, 4]]
    /// 1 [[1, 2], [3, 4]]
    fn set_epoch(&self, py: Python<'_>, epoch: EpochNumber) -> PyResult<()> {
        if self.place().0 == epoch.0 {
            return Ok(());
        }
        self.set_place(py, epoch.0, 0)
    }

    /// Where the current epoch is, as a dict that JSON can hold, below 1 KiB whatever the data.
    ///
    /// It can be loaded in another process and by another number of ranks.
    ///
    /// Returns
    /// -------
    /// dict
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If these epochs are closed.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.cache(pa.table({"x": [1, 2, 3, 4]}))
    /// >>> cache.ingest_all()
    /// 1
    /// >>> steps = respool.epochs(cache, batch_size=2)
    /// >>> for batch in steps:
    /// ...     state = steps.state_dict()
    /// ...     break
    /// >>> state["epoch"], state["rows_done"]
    /// (0, 2)
    fn state_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let epochs = self.epochs(py)?;
        let (epoch, steps_done) = self.place();
        let state = detached(py, || epochs.state(epoch, steps_done))?;
        saved::dict_of(py, &state)
    }

    /// Go to where a state was taken, here or elsewhere. Each iteration over that epoch begins there.
    ///
    /// Parameters
    /// ----------
    /// state
    ///     What :meth:`state_dict` gave.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If it is of other data, another seed, batch size or way to shuffle; the message names it. If it is that of a
    ///     worker of a ``DataLoader``, which knows no place in the epoch.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.cache(pa.table({"x": [1, 2, 3, 4]}))
    /// >>> cache.ingest_all()
    /// 1
    /// >>> steps = respool.epochs(cache, batch_size=2, shuffle=None)
    /// >>> first = next(iter(steps))
    /// >>> again = respool.epochs(cache, batch_size=2, shuffle=None)
    /// >>> again.load_state_dict(steps.state_dict())
    /// >>> [batch["x"].to_pylist() for batch in again]
    /// [[3, 4]]
    #[pyo3(text_signature = "($self, state)")]
    fn load_state_dict(&self, py: Python<'_>, state: &Bound<'_, PyAny>) -> PyResult<()> {
        let epochs = self.epochs(py)?;
        let state = saved::state_of(state)?;
        let (epoch, steps_done) = detached(py, || epochs.restored(&state))?;
        self.set_place(py, epoch, steps_done)
    }

    /// Iterate as ``__iter__``, but over dicts of NumPy arrays, which may be written to.
    ///
    /// Returns
    /// -------
    /// Iterator[dict[str, numpy.ndarray]]
    ///     Each level of fixed-size lists of numbers is one more dimension.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If a column is anything else than numbers, bool, or fixed-size lists of numbers; by the step that has one, if
    ///     there are nulls. The message names the column.
    /// ImportError
    ///     If NumPy is not installed.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": [1.5, 2.5]}))
    /// >>> cache.ingest_all()
    /// 1
    /// >>> for step in respool.epochs(cache, batch_size=2, shuffle=None).arrays():
    /// ...     step["x"] *= 2
    /// ...     print(step["x"])
    /// [3. 5.]
    fn arrays<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let arrays = slf.py().import("respool._epochs")?.getattr("arrays")?;
        arrays.call1((slf,))
    }

    /// Name, kind and shape of each column as an array; for `respool._epochs`.
    #[getter]
    fn _columns(&self, py: Python<'_>) -> PyResult<Vec<(String, &'static str, Vec<usize>)>> {
        let epochs = self.epochs(py)?;
        let layout = detached(py, || epochs.layout())?;
        let places = layout.0.into_iter();
        let columns = places.map(|place| (place.name, place.kind, place.shape));
        Ok(columns.collect())
    }

    /// Iterate over what a callable makes of the memory of each step, the rows in it, and where each column begins; for
    /// `respool._epochs`. A step counts when the callable has made something of it.
    fn _memory(slf: &Bound<'_, Self>, shown: Py<PyAny>) -> PyResult<PySteps> {
        Ok(Self::begin(slf, Form::Arrays)?.shown_by(shown))
    }

    /// Read some rows, by their numbers in the order of the source.
    ///
    /// Any number of threads may take rows at the same time. What is in a mapped log is read from there row by
    /// row; of a compressed one whole batches are decoded, and the last 16 of them kept.
    ///
    /// Parameters
    /// ----------
    /// indices
    ///     Numbers from 0, in any order and as often as wanted: a sequence, a NumPy array or a ``pyarrow.Array``.
    ///
    /// Returns
    /// -------
    /// pyarrow.RecordBatch
    ///     The rows in the order asked for; it shares no memory with the cache.
    ///
    /// Raises
    /// ------
    /// IndexError
    ///     If there is no such row.
    /// TypeError
    ///     If they are no whole numbers, such as a mask, or one number by itself.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.StreamCache(pa.table({"x": ["a", "b", "c"]}))
    /// >>> cache.ingest_all()
    /// 1
    /// >>> respool.epochs(cache, batch_size=1).take([2, 0, 2])["x"].to_pylist()
    /// ['c', 'a', 'c']
    fn take<'py>(
        &self,
        py: Python<'py>,
        indices: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let epochs = self.epochs(py)?;
        let rows = rows::rows_of(indices)?;
        let taken: Result<RecordBatch, (u64, u64, bool)> = detached(py, || {
            let all = epochs.rows_so_far()?;
            match rows.iter().find(|row| **row >= all) {
                Some(row) => Ok::<_, Error>(Err((*row, all, epochs.num_rows()?.is_some()))),
                None => epochs.take(&rows).map(Ok),
            }
        })?;
        match taken {
            Ok(batch) => batch_to_pyarrow(batch, &self.schema(py)?),
            Err((row, all, is_whole)) => Err(rows::no_row(row, all, is_whole)),
        }
    }

    /// End the iteration that goes on, and with it the thread that reads ahead. Closing again does nothing.
    ///
    /// It does not wait for a source that is followed: who waits for a step on another thread gets an error at once, and
    /// who is in the source, as soon as that has answered.
    ///
    /// The cache stays open, unless it was opened for this, by a path.
    ///
    /// Raises
    /// ------
    /// OSError
    ///     If a log that was opened for this can't be closed.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> cache = respool.cache(pa.table({"x": [1, 2]}))
    /// >>> steps = respool.epochs(cache, batch_size=2, follow=True)
    /// >>> steps.close()
    /// >>> cache.closed
    /// False
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let (was_closed, going) = {
            let mut at = self.at.lock();
            let was_closed = std::mem::replace(&mut at.is_closed, true);
            (was_closed, std::mem::take(&mut at.going))
        };
        ended(py, going)?;
        if self.owns && !was_closed {
            let cache = self.view.bind(py).getattr("cache")?;
            cache.call_method0("close")?;
        }
        Ok(())
    }

    fn __iter__(slf: &Bound<'_, Self>) -> PyResult<PySteps> {
        Self::begin(slf, Form::Batch)
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, saved::Reduced<'py>)> {
        let py = slf.py();
        let this = slf.get();
        let restored = py.import("respool._epochs")?.getattr("restored")?;
        let state = this.state_dict(py)?;
        let view = this.view.bind(py).clone();
        Ok((restored, (view, this.asked.dict(py)?, state)))
    }

    fn __enter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        slf.get().epochs(slf.py())?;
        Ok(slf.clone())
    }

    #[pyo3(signature = (exc_type, exc_value, traceback))]
    fn __exit__(
        &self,
        py: Python<'_>,
        exc_type: &Bound<'_, PyAny>,
        exc_value: &Bound<'_, PyAny>,
        traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let _ = (exc_type, exc_value, traceback);
        self.close(py)
    }

    fn __repr__(&self) -> String {
        let (epoch, steps_done) = self.place();
        let closed = if self.at.lock().is_closed {
            "closed, "
        } else {
            ""
        };
        let EpochOptions {
            batch_size,
            rank,
            world_size,
            ..
        } = &self.asked.options;
        format!(
            "<respool.Epochs {closed}at step {steps_done} of epoch {epoch}, batch_size {batch_size}, rank {rank} of {world_size}>"
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.view)
    }
}
