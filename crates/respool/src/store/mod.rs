//! The store: which batches there are, where each of them is, and how many bytes that takes.
//!
//! It knows nothing of readers but their number and positions, and nothing of the source but that
//! there is one. Batches come in through `place`, are found through `lookup`, and go by `release`.

pub(crate) mod advice;
pub(crate) mod lookup;
mod place;
pub(crate) mod release;
mod resize;
mod shrink;
pub(crate) mod slots;
mod snapshot;

use std::sync::{Arc, Weak};

use arrow_schema::SchemaRef;
use respool_log::{Log, LogOptions, Quota};

pub use self::slots::End;
pub use self::snapshot::Snapshot;

use self::advice::Advice;
use self::slots::{Feed, State};
use crate::error::{Error, Result};
use crate::fork::Process;
use crate::ledger::Budget;
use crate::metrics::Counters;
use crate::options::{Options, WritePolicy};
use crate::source::Source;
use crate::sync::{Condvar, Mutex, MutexGuard, RwLock};
use crate::zones::ZoneMaps;

/// What the handles of one cache share.
pub(crate) struct Store {
    pub(crate) schema: SchemaRef,
    pub(crate) write_policy: WritePolicy,
    pub(crate) max_readers: Option<usize>,
    pub(crate) coalesce_rows: Option<usize>,
    log_options: Option<LogOptions>,
    state: Mutex<State>,
    /// Signalled when a slot is published, the end is known, a puller leaves, or the cache is closed.
    pub(crate) advanced: Condvar,
    pub(crate) budget: Budget,
    /// There with a bound and a log: only then is there something to choose.
    advice: RwLock<Option<Arc<Advice>>>,
    /// Held by who writes to the log: the puller, or who moves batches there to make room.
    spilling: Mutex<()>,
    /// Bytes of the ledger that the log holds beside its files.
    held_by_log: Mutex<u64>,
    pub(crate) counters: Counters,
    /// Computed column by column when a predicate first asks.
    pub(crate) zones: ZoneMaps,
    derived: Mutex<Derived>,
    process: Process,
}

/// Stores of the same rows in other encodings: within the same bounds, and closed with this one.
#[derive(Default)]
struct Derived {
    all: Vec<Weak<Store>>,
    /// That of everything, which is kept.
    whole: Option<Arc<Store>>,
}

impl Store {
    /// # Errors
    /// [`Error::Log`] where the log's directory can't be used.
    pub(crate) fn new(source: Box<dyn Source>, options: &Options) -> Result<Arc<Self>> {
        let schema = source.schema();
        let log = options
            .log()
            .map(|log| {
                let (schema, log) = (Arc::clone(&schema), log.clone());
                match options.quota() {
                    Some(quota) => Log::temporary_within(schema, log, quota),
                    None => Log::temporary(schema, log),
                }
            })
            .transpose()?
            .map(Arc::new);
        let budget = options.budget();
        let advice = Advice::within(budget.capacity(), log.is_some());
        let state = State {
            feed: Some(Feed::new(source)),
            log,
            ..State::default()
        };
        Ok(Arc::new(Self {
            schema,
            write_policy: options.write_policy(),
            max_readers: options.max_readers(),
            coalesce_rows: options.coalesce_rows(),
            log_options: options.log().cloned(),
            state: Mutex::new(state),
            advanced: Condvar::new(),
            budget,
            advice: RwLock::new(advice),
            spilling: Mutex::new(()),
            held_by_log: Mutex::default(),
            counters: Counters::default(),
            zones: ZoneMaps::new(),
            derived: Mutex::default(),
            process: Process::here(),
        }))
    }

    /// The state, locked; for a moment only.
    ///
    /// # Errors
    /// [`Error::Forked`] in a child of the process that made the cache: there the lock may be held by
    /// a thread that does not exist.
    pub(crate) fn look(&self) -> Result<MutexGuard<'_, State>> {
        self.check_process()?;
        Ok(self.state.lock())
    }

    /// As [`Store::look`], and [`Error::Closed`] where the cache is.
    pub(crate) fn look_open(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.look()?;
        if state.closed {
            return Err(Error::Closed);
        }
        Ok(state)
    }

    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn check_process(&self) -> Result<()> {
        if self.process.is_here() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    /// As [`Store::check_process`], also where the runtime does not tell of forks; a system call.
    pub(crate) fn check_process_surely(&self) -> Result<()> {
        if self.process.is_surely_here() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    /// The log's options, if there is a log.
    pub(crate) fn log_options(&self) -> Option<&LogOptions> {
        self.log_options.as_ref()
    }

    /// The quota of the log, if there is a log.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::Forked`].
    pub(crate) fn log_quota(&self) -> Result<Option<Quota>> {
        let log = self.look_open()?.log.clone();
        Ok(log.map(|log| log.quota().clone()))
    }

    /// Counts in the ledger what the log holds on the heap: dictionaries, above all.
    fn count_held_by_log(&self, log: &Log) {
        let mut counted = self.held_by_log.lock();
        // Asked while others wait to count: the last one is right. Of a closed cache nothing counts.
        let is_closed = self.look().is_ok_and(|state| state.closed);
        let bytes = if is_closed { 0 } else { log.held_bytes() };
        let before = std::mem::replace(&mut *counted, bytes);
        if before != bytes {
            self.budget.0.recount(before, bytes);
        }
    }

    /// The bounds now in force, in bytes: memory and log.
    ///
    /// # Errors
    /// [`Error::Forked`].
    pub(crate) fn capacities(&self) -> Result<(Option<u64>, Option<u64>)> {
        let log = self.look()?.log.clone();
        let disk = log.and_then(|log| log.capacity());
        Ok((self.budget.capacity(), disk))
    }

    /// Gives everything back: memory, log, source. Does nothing in a forked child.
    pub(crate) fn close(&self) {
        let Ok(mut state) = self.look() else {
            return;
        };
        state.closed = true;
        let taken = (
            std::mem::take(&mut state.slots),
            state.log.take(),
            state.feed.take(),
        );
        drop(state);
        let counted = std::mem::take(&mut *self.held_by_log.lock());
        self.budget.0.recount(counted, 0);
        self.advanced.notify_all();
        let derived = std::mem::take(&mut *self.derived.lock());
        for store in derived.all.iter().filter_map(Weak::upgrade) {
            store.close();
        }
        // Released here, with no lock held: the source may run foreign code.
        drop((taken, derived));
    }

    /// Notes a store of the same rows, to be closed with this one.
    ///
    /// # Errors
    /// [`Error::Closed`]: nobody would close it.
    pub(crate) fn derive(&self, store: &Arc<Self>) -> Result<()> {
        let state = self.look_open()?;
        let mut derived = self.derived.lock();
        drop(state);
        derived.all.retain(|known| known.strong_count() > 0);
        derived.all.push(Arc::downgrade(store));
        Ok(())
    }

    /// Keeps the store of all the same rows, and returns the one that is kept: another may have been first.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub(crate) fn keep_derived(&self, store: &Arc<Self>) -> Result<Arc<Self>> {
        let state = self.look_open()?;
        let mut derived = self.derived.lock();
        drop(state);
        Ok(Arc::clone(
            derived.whole.get_or_insert_with(|| Arc::clone(store)),
        ))
    }

    /// The store of the same rows that is kept, if there is one.
    pub(crate) fn derived_whole(&self) -> Option<Arc<Self>> {
        self.derived.lock().whole.clone()
    }

    fn derived(&self) -> Vec<Arc<Self>> {
        let derived = self.derived.lock();
        derived.all.iter().filter_map(Weak::upgrade).collect()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if self.process.is_here() {
            self.budget.0.recount(*self.held_by_log.get_mut(), 0);
            return;
        }
        // In a forked child, giving anything back may wait for a lock that nobody holds any more: the
        // ledger's, the log's, one of a library that the source comes from.
        let state = std::mem::take(self.state.get_mut());
        let derived = std::mem::take(self.derived.get_mut());
        let advice = self.advice.get_mut().take();
        let budget = self.budget.clone();
        Box::leak(Box::new((state, derived, advice, budget)));
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("snapshot", &self.snapshot())
            .finish_non_exhaustive()
    }
}
