//! The store: which batches there are, where each of them is, and how many bytes that takes.
//!
//! It knows nothing of readers but their number and positions, and nothing of the source but that
//! there is one. Batches come in through `place`, are found through `lookup`, and go by `release`.

pub(crate) mod advice;
mod again;
pub(crate) mod ahead;
mod beside;
mod chain;
mod closing;
mod derived;
mod durable;
mod filling;
mod forked;
mod kept;
pub(crate) mod lookahead;
pub(crate) mod lookup;
mod opened;
pub(crate) mod place;
pub(crate) mod records;
pub(crate) mod release;
mod resize;
pub(crate) mod rows;
pub(crate) mod slots;
mod snapshot;
pub(crate) mod upstream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use arrow_schema::SchemaRef;
use once_cell::race::OnceBox;
use respool_log::{LogOptions, Quota};

pub use self::again::{Mismatch, Skip};
pub(crate) use self::opened::check_resumed;
pub use self::slots::End;
pub use self::snapshot::{Place, Snapshot};

use self::advice::Advice;
use self::ahead::Ahead;
use self::beside::Beside;
use self::chain::Chain;
use self::closing::Unclosed;
use self::derived::Derived;
use self::filling::Filling;
use self::forked::Location;
use self::kept::Kept;
use self::records::Records;
use self::slots::State;
use self::upstream::{Feed, Upstream};
use crate::ahead::{Bell, Within};
use crate::batch_rows::BatchRows;
use crate::error::{Error, Result};
use crate::events::{Event, Outbox};
use crate::fork::Process;
use crate::ledger::Budget;
use crate::metrics::Counters;
use crate::options::{LogChoice, Options, WritePolicy};
use crate::pack::Packer;
use crate::source::Source;
use crate::sync::{Condvar, Mutex, MutexGuard, RwLock};
use crate::zones::ZoneMaps;

/// What the handles of one cache share.
pub(crate) struct Store {
    pub(crate) schema: SchemaRef,
    pub(crate) write_policy: WritePolicy,
    pub(crate) max_readers: Option<usize>,
    pub(crate) batch_rows: Option<BatchRows>,
    /// Callers that wait for rows.
    pub(crate) waiting: AtomicUsize,
    /// Where a thread reads ahead, what it waits at, and within what it runs.
    pub(crate) bell: Option<Arc<Bell>>,
    pub(crate) within: Option<Within>,
    /// How batches are kept, where that is not how they came.
    kept: Option<Kept>,
    log_options: Option<LogOptions>,
    /// Where the log is, if it has a name.
    location: Option<Location>,
    state: Mutex<State>,
    /// Signalled when a slot is published, the end is known, a puller leaves, or the cache is closed.
    pub(crate) advanced: Condvar,
    pub(crate) budget: Budget,
    /// Whether the budget, and the quota of the log, are those of others too: who made them changes them.
    pub(crate) shares_budget: bool,
    pub(crate) shares_quota: bool,
    /// There with a bound and a log: only then is there something to choose.
    advice: RwLock<Option<Arc<Advice>>>,
    /// Held by who writes to the log: the puller, or who moves batches there to make room.
    spilling: Mutex<()>,
    /// Bytes of the ledger that the log holds beside its files.
    held_by_log: Mutex<u64>,
    pub(crate) counters: Counters,
    /// Where somebody wants to be told.
    pub(crate) outbox: Option<Outbox>,
    /// Computed column by column when a predicate first asks.
    pub(crate) zones: ZoneMaps,
    beside: Beside,
    derived: Mutex<Derived>,
    /// Until it is closed.
    filling: Mutex<Option<Filling>>,
    /// Held by who closes it.
    closing: Mutex<Option<Unclosed>>,
    /// Whether it wrote its log, and nothing more is written to that.
    is_let_go: AtomicBool,
    /// Whether a read has found the log damaged.
    is_damaged: AtomicBool,
    /// As the state says, for a forked child, which can't ask it.
    is_closed: AtomicBool,
    process: Process,
    /// In a forked child, the same log opened anew.
    anew: OnceBox<Option<Arc<Store>>>,
}

impl Store {
    /// A store that a source fills.
    ///
    /// # Errors
    /// [`Error::Log`] where the log's directory can't be used.
    pub(crate) fn new(source: Box<dyn Source>, options: &Options) -> Result<Arc<Self>> {
        let schema = source.schema();
        let packer = options.encodings().and_then(|it| Packer::new(it, &schema));
        let log = options.log_choice();
        if packer.is_some() && log.is_some_and(LogChoice::has_name) {
            return Err(Error::invalid(
                "a log with a name keeps batches as they come: encodings are for a log that goes with the process",
            ));
        }
        let log = log.map(|choice| {
            let log = choice.begin(Arc::clone(&schema))?;
            Ok::<_, Error>(match &packer {
                None => Records::Written(Arc::new(log)),
                Some(_) => Records::Chained(Arc::new(Chain::new(log, choice.clone()))),
            })
        });
        let log = log.transpose()?;
        let encodings = options.encodings().zip(packer.as_ref());
        let kept = encodings.map(|(encodings, packer)| Kept::new(encodings, packer));
        let mut feed = Feed::new(source);
        feed.packer = packer;
        let state = State {
            upstream: Some(Upstream::Source(Box::new(feed))),
            log,
            ..State::default()
        };
        Ok(Self::keeping(schema, kept, state, options, None))
    }

    /// A store over what is there already, or partly there.
    pub(crate) fn of(
        schema: SchemaRef,
        state: State,
        options: &Options,
        timeout: Option<Duration>,
    ) -> Arc<Self> {
        Self::keeping(schema, None, state, options, timeout)
    }

    fn keeping(
        schema: SchemaRef,
        kept: Option<Kept>,
        mut state: State,
        options: &Options,
        timeout: Option<Duration>,
    ) -> Arc<Self> {
        let is_fed = matches!(state.upstream, Some(Upstream::Source(_)));
        let read_ahead = options.read_ahead().filter(|_| is_fed);
        state.ahead = read_ahead.map(|it| Ahead::new(it.distance));
        let budget = options.budget();
        let advice = Advice::within(budget.capacity(), state.log.is_some());
        let location = state.log.as_ref().and_then(Records::location);
        let index = state.log.as_ref().and_then(Records::index);
        let metadata = match (index, options.log()) {
            (Some(index), _) => index.metadata().to_vec(),
            (None, Some(log)) => log.metadata.clone(),
            (None, None) => Vec::new(),
        };
        Arc::new(Self {
            schema,
            // A log with a name is to have everything.
            write_policy: if location.is_some() {
                WritePolicy::OnInsertion
            } else {
                options.write_policy()
            },
            max_readers: options.max_readers(),
            batch_rows: options.batch_rows(),
            waiting: AtomicUsize::new(0),
            bell: read_ahead.map(|_| Arc::default()),
            within: read_ahead.map(|it| it.within),
            kept,
            log_options: options.log().cloned(),
            location: location.map(|(directory, identity)| Location {
                // It is opened again where the process, or another, may be in another directory.
                directory: std::path::absolute(&directory).unwrap_or(directory),
                identity,
                metadata,
                timeout,
                options: options.without_log().with_own_budget(),
            }),
            filling: Mutex::new(Filling::of(state.log.as_ref())),
            state: Mutex::new(state),
            advanced: Condvar::new(),
            budget,
            shares_budget: options.shares_budget(),
            shares_quota: options.shares_quota(),
            advice: RwLock::new(advice),
            spilling: Mutex::new(()),
            held_by_log: Mutex::default(),
            counters: Counters::default(),
            outbox: options.listening().map(Outbox::new),
            zones: ZoneMaps::new(),
            beside: Beside::default(),
            derived: Mutex::default(),
            closing: Mutex::default(),
            is_let_go: AtomicBool::new(false),
            is_damaged: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            process: Process::here(),
            anew: OnceBox::new(),
        })
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
    /// [`Error::Closed`], [`Error::Forked`].
    pub(crate) fn check_open(&self) -> Result<()> {
        self.look_open().map(drop)
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

    /// Takes note of an event, where somebody wants to be told. May be called under any lock of the store.
    pub(crate) fn note(&self, event: impl FnOnce() -> Event) {
        if let Some(outbox) = &self.outbox {
            outbox.note(event());
        }
    }

    /// Tells what was noted. To be called with no lock held, and without the turn.
    pub(crate) fn tell(&self) {
        if let Some(outbox) = &self.outbox {
            outbox.tell();
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
        Ok(log.as_ref().and_then(Records::quota).cloned())
    }

    /// Counts in the ledger what the log holds on the heap: dictionaries, above all.
    fn count_held_by_log(&self, held: &dyn Fn() -> u64) {
        let mut counted = self.held_by_log.lock();
        // Asked while others wait to count: the last one is right. Of a closed cache nothing counts.
        let is_closed = self.look().is_ok_and(|state| state.closed);
        let bytes = if is_closed { 0 } else { held() };
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
        let disk = log
            .as_ref()
            .and_then(Records::quota)
            .and_then(Quota::capacity);
        Ok((self.budget.capacity(), disk))
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("snapshot", &self.snapshot())
            .finish_non_exhaustive()
    }
}
