//! `Cache`: owns the source and the store.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_schema::SchemaRef;
use parking_lot::{Condvar, Mutex, RwLock};
use respool_log::{Log, LogOptions};

use crate::error::{Error, Result, SourceFailure};
use crate::fork;
use crate::interrupt::{Interrupt, Uninterrupted};
use crate::ledger::Ledger;
use crate::memory::MemoryTier;
use crate::metrics::{Counters, Metrics};
use crate::options::{Options, WritePolicy};
use crate::source::{Coalesce, Source};
use crate::state::{End, Feed, State};
use crate::view::View;
use crate::zones::ZoneMaps;

/// Reads a source once and replays it for ever. Clones share one store.
///
/// Nothing is read from the source until a reader asks; each batch is then pulled once and stored.
///
/// ```
/// use std::sync::Arc;
/// use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
/// use respool::{Cache, Options};
///
/// let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
/// let batch = RecordBatch::try_from_iter([("x", column)])?;
/// let schema = batch.schema();
/// // A reader that can be read once ...
/// let source = RecordBatchIterator::new([Ok(batch.clone()), Ok(batch)], schema);
/// let cache = Cache::new(source, &Options::new())?;
/// assert_eq!(cache.num_batches(), 0);
/// // ... and two replays of it.
/// for _ in 0..2 {
///     let rows: usize = cache.view().reader()?.map(|batch| batch.map_or(0, |b| b.num_rows())).sum();
///     assert_eq!(rows, 6);
/// }
/// assert!(cache.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cache {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) schema: SchemaRef,
    pub(crate) write_policy: WritePolicy,
    pub(crate) max_readers: Option<usize>,
    pub(crate) log_options: Option<LogOptions>,
    pub(crate) state: Mutex<State>,
    /// Signalled when a slot is published, the end is known, a puller leaves, or the cache is closed.
    pub(crate) advanced: Condvar,
    pub(crate) ledger: Arc<Ledger>,
    /// There with a bound and a log: only then is there something to choose.
    pub(crate) tier: RwLock<Option<Arc<MemoryTier>>>,
    pub(crate) counters: Counters,
    /// Computed column by column when a predicate first asks.
    pub(crate) zones: ZoneMaps,
    /// The same rows in other encodings; see `encode.rs`.
    pub(crate) encoded: Mutex<Option<Cache>>,
    process: u32,
    forks: usize,
}

impl Cache {
    /// A cache over a source. Nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Log`] where the log's directory can't be used.
    pub fn new(source: impl Source + 'static, options: &Options) -> Result<Self> {
        Self::from_boxed(Box::new(source), options)
    }

    /// As [`Cache::new`], for a source that is boxed already.
    ///
    /// # Errors
    /// As [`Cache::new`].
    pub fn from_boxed(mut source: Box<dyn Source>, options: &Options) -> Result<Self> {
        let schema = source.schema();
        if let Some(rows) = options.coalesce_rows() {
            source = Box::new(Coalesce::new(source, rows));
        }
        let log = options
            .log()
            .map(|log| Log::temporary(Arc::clone(&schema), log.clone()).map(Arc::new))
            .transpose()?;
        let tier = memory_tier(options.memory_capacity(), log.is_some());
        let shared = Shared {
            schema,
            write_policy: options.write_policy(),
            max_readers: options.max_readers(),
            log_options: options.log().cloned(),
            state: Mutex::new(State::new(
                Feed {
                    source,
                    pending: None,
                },
                log,
            )),
            advanced: Condvar::new(),
            ledger: Ledger::new(options.memory_capacity()),
            tier: RwLock::new(tier),
            counters: Counters::default(),
            zones: ZoneMaps::new(),
            encoded: Mutex::new(None),
            process: std::process::id(),
            forks: fork::count(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The schema of every batch. Opens nothing.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.shared.schema)
    }

    /// The view that shows everything.
    pub fn view(&self) -> View {
        View::whole(self.clone())
    }

    /// Batches stored so far.
    pub fn num_batches(&self) -> usize {
        self.shared.state.lock().slots.len()
    }

    /// Rows stored so far.
    pub fn num_rows(&self) -> u64 {
        self.shared.state.lock().rows
    }

    /// Bytes that the stored batches show, wherever they are.
    pub fn num_bytes(&self) -> u64 {
        self.shared.state.lock().bytes
    }

    /// Whether the source said end and every batch is stored.
    pub fn is_complete(&self) -> bool {
        matches!(self.shared.state.lock().end, End::Complete)
    }

    /// Whether the source will not be asked again: it said end, or it failed.
    pub fn is_ended(&self) -> bool {
        !matches!(self.shared.state.lock().end, End::Open)
    }

    /// The error that ended the source.
    pub fn failure(&self) -> Option<Arc<SourceFailure>> {
        match &self.shared.state.lock().end {
            End::Failed(failure) => Some(Arc::clone(failure)),
            End::Open | End::Complete => None,
        }
    }

    /// Whether every stored batch has a copy on the heap.
    pub fn is_in_memory(&self) -> bool {
        let state = self.shared.state.lock();
        !state.closed && state.slots.iter().all(|slot| slot.heap.is_some())
    }

    /// Whether the log, if there is one, is read through maps, so that its batches weigh nothing.
    pub fn is_log_mapped(&self) -> bool {
        let state = self.shared.state.lock();
        state.log.as_ref().is_some_and(|log| log.is_zero_copy())
    }

    /// Whether readers use batches up: what `max_readers` of them have passed is gone, for want of a log.
    pub fn is_used_up_by_readers(&self) -> bool {
        self.shared.max_readers.is_some() && self.shared.state.lock().log.is_none()
    }

    /// Whether the cache was closed.
    pub fn is_closed(&self) -> bool {
        self.shared.state.lock().closed
    }

    /// Pulls until batch `index` is stored; `false` where the source ended before it.
    ///
    /// # Errors
    /// What the source, the store or the interruption says.
    pub fn ingest_to(&self, index: usize, interrupt: &dyn Interrupt) -> Result<bool> {
        self.shared.advance(index, interrupt)?;
        let state = self.shared.state.lock();
        match &state.end {
            _ if index < state.slots.len() => Ok(true),
            End::Failed(failure) => Err(Error::Source(Arc::clone(failure))),
            End::Open | End::Complete => Ok(false),
        }
    }

    /// Pulls for about so long; `false` where the source is at its end.
    ///
    /// # Errors
    /// As [`Cache::ingest_to`].
    pub fn ingest_for(&self, time: Duration, interrupt: &dyn Interrupt) -> Result<bool> {
        let deadline = Instant::now() + time;
        self.shared
            .advance_until(usize::MAX, Some(deadline), interrupt)?;
        match &self.shared.state.lock().end {
            End::Open => Ok(true),
            End::Complete => Ok(false),
            End::Failed(failure) => Err(Error::Source(Arc::clone(failure))),
        }
    }

    /// Pulls everything and returns the number of batches.
    ///
    /// # Errors
    /// As [`Cache::ingest_to`].
    pub fn ingest_all(&self) -> Result<usize> {
        self.ingest_to(usize::MAX, &Uninterrupted)?;
        Ok(self.num_batches())
    }

    /// Changes the bounds, in bytes; `None` is no bound.
    ///
    /// A batch that could not be stored for want of room is stored by the next attempt.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn resize(&self, memory: Option<u64>, disk: Option<u64>) -> Result<()> {
        self.shared.check_process()?;
        let log = {
            let state = self.shared.state.lock();
            if state.closed {
                return Err(Error::Closed);
            }
            state.log.clone()
        };
        if let Some(log) = &log {
            log.set_capacity(disk);
        }
        self.shared.ledger.set_capacity(memory);
        let tier = memory_tier(memory, log.is_some());
        if let Some(tier) = &tier {
            let state = self.shared.state.lock();
            for (batch, slot) in state.slots.iter().enumerate().take(state.clean) {
                if let Some(heap) = &slot.heap {
                    tier.propose(batch, heap.cost());
                }
            }
        }
        (*self.shared.tier.write()).clone_from(&tier);
        if let Some(tier) = tier {
            self.shared.give_up(&tier.settle());
        }
        Ok(())
    }

    /// The bounds now in force, in bytes: memory and log.
    pub fn capacities(&self) -> (Option<u64>, Option<u64>) {
        let log = self.shared.state.lock().log.clone();
        (
            self.shared.ledger.capacity(),
            log.and_then(|log| log.capacity()),
        )
    }

    /// The directory of the log, if there is one.
    pub fn log_directory(&self) -> Option<PathBuf> {
        let options = self.shared.log_options.as_ref();
        options.map(|options| options.directory.clone())
    }

    /// What was done so far, and what is held.
    pub fn metrics(&self) -> Metrics {
        let (batches, rows, bytes, log, readers, in_memory) = {
            let state = self.shared.state.lock();
            let in_memory = state
                .slots
                .iter()
                .filter(|slot| slot.heap.is_some())
                .count();
            let open = state.readers.open;
            (
                state.slots.len(),
                state.rows,
                state.bytes,
                state.log.clone(),
                open,
                in_memory,
            )
        };
        self.shared.counters.metrics(&Metrics {
            batches,
            rows,
            bytes,
            readers,
            batches_in_memory: in_memory,
            memory_bytes: self.shared.ledger.total(),
            memory_capacity: self.shared.ledger.capacity(),
            batches_in_log: log.as_ref().map_or(0, |log| log.len()),
            log_bytes: log.as_ref().map_or(0, |log| log.bytes()),
            log_capacity: log.as_ref().and_then(|log| log.capacity()),
            ..Metrics::default()
        })
    }

    /// Gives everything back: memory, log, source. Readers get [`Error::Closed`]; batches that were
    /// handed out stay valid. Idempotent.
    pub fn close(&self) {
        let taken = {
            let mut state = self.shared.state.lock();
            state.closed = true;
            (
                std::mem::take(&mut state.slots),
                state.log.take(),
                state.feed.take(),
            )
        };
        self.shared.advanced.notify_all();
        let encoded = self.shared.encoded.lock().take();
        if let Some(encoded) = encoded {
            encoded.close();
        }
        // Released here, with no lock held: the source may run foreign code.
        drop(taken);
    }
}

fn memory_tier(capacity: Option<u64>, log: bool) -> Option<Arc<MemoryTier>> {
    capacity
        .filter(|_| log)
        .map(|capacity| Arc::new(MemoryTier::new(capacity)))
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// # Errors
    /// [`Error::Forked`] in a child of the process that made the cache: locks may be held by
    /// threads that don't exist there.
    pub(crate) fn check_process(&self) -> Result<()> {
        if self.forks == fork::count() {
            Ok(())
        } else {
            Err(Error::Forked)
        }
    }

    /// As [`Shared::check_process`], also where nobody called [`fork::happened`]; a system call.
    pub(crate) fn check_process_number(&self) -> Result<()> {
        if std::process::id() == self.process {
            self.check_process()
        } else {
            Err(Error::Forked)
        }
    }
}
