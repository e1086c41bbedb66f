//! `Budget`: one bound on memory and one on disk for many caches.
//!
//! A third of the file is docstrings.

use std::path::PathBuf;
use std::sync::OnceLock;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use respool::fork::Process;
use respool::{Cache, LogOptions, Options, Quota, counted};

use crate::attach::detached;
use crate::describe::size;
use crate::options::{Disk, disk_directory, room};
use crate::path::PathArgument;
use crate::size::SizeArgument;
use crate::view::PyView;

/// What many caches may use together: memory, and disk for their logs.
///
/// For a program that makes caches without knowing how many: each is given ``budget=``, and together they stay
/// within it. Who comes first has the memory; a batch that finds none goes to its cache's log, or, without one,
/// is refused with :class:`~respool.exceptions.MemoryCapacityError` until another cache gives some back. Bytes that
/// several caches hold, as slices of one table, count once.
///
/// It is a context manager that closes the caches that were made with it. A forked child has a budget of its own of
/// the same size, and nothing in it.
///
/// Parameters
/// ----------
/// memory
///     Bytes to hold in memory, or text: ``"4 GiB"``, or a share of the machine's memory; None is no bound.
/// disk
///     Quota of all logs: bytes, text, a share of what is free, ``"auto"`` (90% of what is free), or None: caches
///     have no log then, but for those whose log is kept, which has no bound.
/// directory
///     Where the logs lie that go with the process, where a cache does not say it, and of which disk a share is
///     meant. If None, as for :func:`respool.cache`.
///
/// Raises
/// ------
/// ValueError
///     If a size can't be read.
/// OSError
///     If there is no directory for a log. One that is named and missing is an error of the first cache that is to
///     have its log there: kept logs may lie elsewhere.
///
/// Examples
/// --------
/// >>> import pyarrow as pa, respool
/// >>> with respool.Budget(memory="64 MiB", disk="1 GiB") as budget:
/// ...     caches = [respool.cache(pa.table({"x": [i]}), budget=budget) for i in range(3)]
/// ...     rows = [pa.table(cache).num_rows for cache in caches]
/// ...     rows, budget.metrics()["caches"], budget.metrics()["memory_capacity"]
/// ([1, 1, 1], 3, 67108864)
#[pyclass(frozen, weakref, module = "respool", name = "Budget")]
pub(crate) struct PyBudget {
    bounds: Bounds,
    directory: Option<PathBuf>,
    has_logs: bool,
}

/// What is used, by the caches of one process.
struct Bounds {
    memory: respool::Budget,
    disk: Quota,
    /// A `weakref.WeakValueDictionary` of them, by their ids: unlike a `WeakSet` it can be listed while other threads
    /// add to it.
    caches: Py<PyAny>,
    /// The sizes it began with: in a child of this process nothing of it can be asked for them.
    began: (Option<u64>, Option<u64>),
    process: Process,
    anew: OnceLock<Box<Bounds>>,
}

impl Bounds {
    fn new(py: Python<'_>, memory: Option<u64>, disk: Option<u64>) -> PyResult<Self> {
        Ok(Self {
            memory: respool::Budget::new(memory),
            disk: Quota::new(disk),
            caches: py
                .import("weakref")?
                .call_method0("WeakValueDictionary")?
                .unbind(),
            began: (memory, disk),
            process: Process::here(),
            anew: OnceLock::new(),
        })
    }

    /// These; in a forked child those of the child. Nothing of the parent's is locked for it.
    fn here(&self, py: Python<'_>) -> PyResult<&Self> {
        if self.process.is_here() {
            return Ok(self);
        }
        if self.anew.get().is_none() {
            let (memory, disk) = self.began;
            // Of two threads one is too late, and takes the other's.
            let _ = self.anew.set(Box::new(Self::new(py, memory, disk)?));
        }
        self.anew.get().map_or(Ok(self), |anew| anew.here(py))
    }

    /// The caches that are open.
    fn open(&self, py: Python<'_>) -> PyResult<Vec<Py<PyView>>> {
        let listed = self.caches.bind(py).call_method0("valuerefs")?;
        let mut all: Vec<Py<PyView>> = Vec::new();
        for reference in listed.try_iter()? {
            let cache = reference?.call0()?;
            if !cache.is_none() {
                all.push(cache.extract()?);
            }
        }
        let (mut open, mut engines) = (Vec::new(), Vec::new());
        for cache in all {
            engines.push(cache.get().view().cache());
            open.push(cache);
        }
        let are_open = detached(py, || {
            Ok(engines
                .iter()
                .map(|engine| engine.check_open().is_ok())
                .collect::<Vec<_>>())
        })?;
        let mut are_open = are_open.into_iter();
        open.retain(|_| are_open.next().unwrap_or(false));
        Ok(open)
    }
}

impl PyBudget {
    /// The same options within the budget's memory.
    pub(crate) fn bound(&self, py: Python<'_>, options: Options) -> PyResult<Options> {
        Ok(options.with_budget(&self.bounds.here(py)?.memory))
    }

    /// The quota of logs.
    pub(crate) fn quota(&self, py: Python<'_>) -> PyResult<Quota> {
        Ok(self.bounds.here(py)?.disk.clone())
    }

    /// Whether caches have logs that go with the process.
    pub(crate) fn has_logs(&self) -> bool {
        self.has_logs
    }

    /// Where these lie, if that was said.
    pub(crate) fn directory(&self) -> Option<&PathBuf> {
        self.directory.as_ref()
    }

    /// Adds a log that is kept, within the quota.
    pub(crate) fn with_named_log(
        &self,
        py: Python<'_>,
        options: Options,
        log: LogOptions,
    ) -> PyResult<Options> {
        Ok(options.with_named_log_within(log, &self.quota(py)?))
    }

    /// Takes note of a cache that was made within it.
    pub(crate) fn join(&self, cache: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = cache.py();
        let caches = &self.bounds.here(py)?.caches;
        caches.bind(py).set_item(cache.as_ptr() as usize, cache)
    }
}

/// Refuses sizes of its own for a cache that has a budget.
///
/// # Errors
/// `ValueError`.
pub(crate) fn check_sizes(memory: Option<&SizeArgument>, disk: Option<&Disk>) -> PyResult<()> {
    let has_memory = !memory.is_some_and(SizeArgument::is_default);
    if has_memory || matches!(disk, Some(Disk::Capacity(_))) {
        return Err(PyValueError::new_err(
            "memory and disk are those of the budget, which many caches share: leave them out, change them there with \
             budget.resize, or leave budget out (disk=None, for no log, may be given)",
        ));
    }
    Ok(())
}

#[pymethods]
impl PyBudget {
    #[new]
    #[pyo3(signature = (*, memory=Some(SizeArgument::default_share()), disk=Some(Disk::Auto), directory=None))]
    #[pyo3(text_signature = "(*, memory='25%', disk='auto', directory=None)")]
    fn new(
        py: Python<'_>,
        memory: Option<SizeArgument>,
        disk: Option<Disk>,
        directory: Option<PathArgument>,
    ) -> PyResult<Self> {
        let memory = memory.map(|size| size.of_memory());
        let directory = directory.map(|PathArgument(directory)| directory);
        let capacity = match &disk {
            None => None,
            Some(disk) => {
                let of = match &directory {
                    Some(directory) => directory.clone(),
                    None => disk_directory(py, false)?,
                };
                Some(detached(py, || room(disk, &of))?)
            }
        };
        Ok(Self {
            bounds: Bounds::new(py, memory, capacity)?,
            directory,
            has_logs: disk.is_some(),
        })
    }

    /// What the caches use together; sizes in bytes.
    ///
    /// Returns
    /// -------
    /// dict
    ///     caches (open ones), memory_bytes, memory_capacity, log_bytes, log_capacity. A capacity of None is no
    ///     bound.
    ///
    /// Examples
    /// --------
    /// >>> import respool
    /// >>> budget = respool.Budget(memory="1 MiB", disk=None)
    /// >>> budget.metrics()["memory_capacity"], budget.metrics()["memory_bytes"]
    /// (1048576, 0)
    fn metrics<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let bounds = self.bounds.here(py)?;
        let caches = bounds.open(py)?.len();
        let (memory, disk) = (bounds.memory.clone(), bounds.disk.clone());
        let (used, capacity) = detached(py, || Ok((memory.used(), memory.capacity())))?;
        let dict = PyDict::new(py);
        dict.set_item("caches", caches)?;
        dict.set_item("memory_bytes", used)?;
        dict.set_item("memory_capacity", capacity)?;
        dict.set_item("log_bytes", disk.used())?;
        dict.set_item("log_capacity", disk.capacity())?;
        Ok(dict)
    }

    /// Change the bounds.
    ///
    /// What memory then holds too much goes to the logs of the caches that have one. A batch that did not fit is
    /// kept; the next read stores it.
    ///
    /// Parameters
    /// ----------
    /// memory, disk
    ///     As for the constructor, but None is no bound: whether there are logs was said when it was made. What is
    ///     not given stays.
    ///
    /// Raises
    /// ------
    /// ValueError
    ///     If it was made without logs (``disk=None``) and is given room for them.
    /// OSError
    ///     If a log can't take what memory gives up. The bounds are changed all the same.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> budget = respool.Budget(memory=100, disk=None)
    /// >>> cache = respool.cache(pa.table({"x": list(range(1000))}), budget=budget)
    /// >>> cache.ingest_all()
    /// Traceback (most recent call last):
    ///     ...
    /// respool.exceptions.MemoryCapacityError: cannot keep the next batch in memory: ...
    /// >>> budget.resize(memory="1 MiB")
    /// >>> cache.ingest_all()
    /// 1
    #[pyo3(signature = (**bounds))]
    #[pyo3(text_signature = "($self, *, memory=..., disk=...)")]
    fn resize(&self, py: Python<'_>, bounds: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        let here = self.bounds.here(py)?;
        // All are read before one is changed: what can't be read changes nothing.
        let (mut new_memory, mut new_disk) = (None, None);
        for (name, value) in bounds.into_iter().flatten() {
            match name.cast::<PyString>()?.to_cow()?.as_ref() {
                "memory" => {
                    let value: Option<SizeArgument> = value.extract()?;
                    new_memory = Some(value.map(|it| it.of_memory()));
                }
                "disk" => {
                    let value: Option<Disk> = value.extract()?;
                    if !self.has_logs && value.is_some() {
                        return Err(PyValueError::new_err(
                            "this budget was made with disk=None, so caches made with it have no logs: make another \
                             one with disk=",
                        ));
                    }
                    let bytes = match value {
                        None => None,
                        Some(disk) => {
                            let of = match &self.directory {
                                Some(directory) => directory.clone(),
                                None => disk_directory(py, false)?,
                            };
                            Some(detached(py, || room(&disk, &of))?)
                        }
                    };
                    new_disk = Some(bytes);
                }
                other => {
                    return Err(PyTypeError::new_err(format!(
                        "resize takes memory and disk, not {other}"
                    )));
                }
            }
        }
        let caches: Vec<Cache> = here
            .open(py)?
            .iter()
            .map(|cache| cache.get().view().cache())
            .collect();
        let (memory, disk) = (here.memory.clone(), here.disk.clone());
        detached(py, || {
            if let Some(bytes) = new_memory {
                memory.set_capacity(bytes);
            }
            if let Some(bytes) = new_disk {
                disk.set_capacity(bytes);
            }
            let rebound = caches.iter().map(Cache::rebound);
            let failed = rebound.filter_map(Result::err).collect::<Vec<_>>();
            failed.into_iter().next().map_or(Ok(()), Err)
        })
    }

    /// Close the caches that were made with it and are still there.
    ///
    /// Raises
    /// ------
    /// OSError
    ///     If a log that is kept could not be made durable. All are closed all the same.
    ///
    /// Examples
    /// --------
    /// >>> import pyarrow as pa, respool
    /// >>> budget = respool.Budget(memory="1 MiB", disk=None)
    /// >>> cache = respool.cache(pa.table({"x": [1]}), budget=budget)
    /// >>> budget.close()
    /// >>> cache.closed
    /// True
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        let mut closed = Ok(());
        for cache in self.bounds.here(py)?.open(py)? {
            closed = closed.and(cache.call_method0(py, "close").map(drop));
        }
        closed
    }

    fn __enter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
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

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let bounds = self.bounds.here(py)?;
        let caches = bounds.open(py)?.len();
        let memory = bounds.memory.clone();
        let (used, capacity) = detached(py, || Ok((memory.used(), memory.capacity())))?;
        let of = |capacity: Option<u64>| {
            capacity.map_or_else(String::new, |bytes| format!(" of {}", size(bytes)))
        };
        Ok(format!(
            "<respool.Budget {}{} in memory, {}, {}>",
            size(used),
            of(capacity),
            if self.has_logs {
                let (used, capacity) = (bounds.disk.used(), bounds.disk.capacity());
                format!("{}{} in logs", size(used), of(capacity))
            } else {
                "no logs".to_owned()
            },
            counted(caches, "cache", "caches"),
        ))
    }
}
