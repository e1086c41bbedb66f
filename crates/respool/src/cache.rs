//! `Cache`: the facade. It imports everything, and is imported by nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use respool_log::{Log, LogOptions, LogReader, Quota};

use crate::error::{Error, Result};
use crate::interrupt::{Interrupt, Uninterrupted};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::recode::recoded;
use crate::source::Source;
use crate::store::{Place, Skip, Snapshot, Store, check_resumed};
use crate::view::View;

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
/// assert_eq!(cache.snapshot()?.batches, 0);
/// // ... and two replays of it.
/// for _ in 0..2 {
///     let rows: usize = cache.view().reader()?.map(|batch| batch.map_or(0, |b| b.num_rows())).sum();
///     assert_eq!(rows, 6);
/// }
/// assert!(cache.snapshot()?.is_complete());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Cache {
    store: Arc<Store>,
}

/// What was left of a cache by its last handle. Dropping it runs code of the source, unmaps the log and
/// frees memory: to be done where that may take its time.
#[expect(missing_debug_implementations, reason = "there is nothing to see")]
pub struct Remains(#[expect(dead_code, reason = "held to be dropped")] Store);

impl Cache {
    /// A cache over a source. Nothing is read yet.
    ///
    /// # Errors
    /// [`Error::Log`](crate::Error::Log) where the log's directory can't be used.
    pub fn new(source: impl Source + 'static, options: &Options) -> Result<Self> {
        Self::from_boxed(Box::new(source), options)
    }

    /// As [`Cache::new`], for a source that is boxed already.
    ///
    /// # Errors
    /// As [`Cache::new`].
    pub fn from_boxed(source: Box<dyn Source>, options: &Options) -> Result<Self> {
        let store = Store::new(source, options)?;
        Ok(Self { store })
    }

    /// A cache over a log with a name: complete, or failed, or one that its writer has left, or one that another
    /// process fills at this time, which is followed. Reads none of its batches, but for what a writer that is
    /// gone has not made durable.
    ///
    /// Of the options those of the memory tier count. Who waits for another process for longer than
    /// `timeout` gets [`Error::Stalled`](crate::Error::Stalled).
    ///
    /// # Errors
    /// [`Error::Log`](crate::Error::Log) where there is no log, or it can't be read.
    pub fn open(directory: &Path, timeout: Option<Duration>, options: &Options) -> Result<Self> {
        let store = Store::opened(LogReader::open(directory)?, options, timeout)?;
        Ok(Self { store })
    }

    /// Whether a cache of this process fills the log with that identity: read that one. Who opens the log beside
    /// it waits for somebody else to read it.
    pub fn is_filled_here(identity: [u8; 16]) -> bool {
        Store::is_filled_here(identity)
    }

    /// Goes on with a log with a name that was not filled to its end. What it has already of the source is
    /// left out as `skip` says. Of the options' log its quota counts.
    ///
    /// # Errors
    /// [`Error::Log`](crate::Error::Log) where there is no log, it has a writer, or it is complete;
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) where the schema is another one.
    pub fn resume(
        source: Box<dyn Source>,
        log: LogOptions,
        skip: Skip,
        options: &Options,
    ) -> Result<Self> {
        let quota = Quota::new(log.capacity);
        let options = options.clone().with_named_log(log.clone());
        Self::resume_with(source, log, skip, &options, &quota)
    }

    /// As [`Cache::resume`], with a quota that other logs share, whatever the log's options say of one.
    ///
    /// # Errors
    /// As there.
    pub fn resume_within(
        source: Box<dyn Source>,
        log: LogOptions,
        skip: Skip,
        options: &Options,
        quota: &Quota,
    ) -> Result<Self> {
        let options = options.clone().with_named_log_within(log.clone(), quota);
        Self::resume_with(source, log, skip, &options, quota)
    }

    fn resume_with(
        source: Box<dyn Source>,
        log: LogOptions,
        skip: Skip,
        options: &Options,
        quota: &Quota,
    ) -> Result<Self> {
        let directory = log.directory.clone();
        // Before the log is claimed, and its end is taken off.
        check_resumed(
            &source.schema(),
            LogReader::open(&directory)?.schema(),
            &directory,
        )?;
        let log = Log::resume_within(log, quota).map_err(|error| match error {
            respool_log::Error::Finished => Error::invalid(format!(
                "cannot go on with the log in {}: it is complete; open it",
                directory.display()
            )),
            error => Error::Log(error),
        })?;
        let store = Store::resumed(source, log, skip, options)?;
        Ok(Self { store })
    }

    /// What is shown; in a forked child the log opened anew, where it has a name.
    fn store(&self) -> &Arc<Store> {
        self.store.here()
    }

    /// The schema of every batch. Opens nothing.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.store.schema)
    }

    /// The directory of a log with a name, and what tells it from any other.
    pub fn place(&self) -> Option<(&Path, [u8; 16])> {
        let location = self.store.location()?;
        Some((&location.directory, location.identity))
    }

    /// How long a read waits for another process that fills the log, where that was said.
    pub fn timeout(&self) -> Option<Duration> {
        self.store.location()?.timeout
    }

    /// What the owner of a log with a name says of it.
    pub fn metadata(&self) -> &[(String, Vec<u8>)] {
        self.store.location().map_or(&[], |it| &it.metadata)
    }

    /// Makes what is stored durable, in a log with a name.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed), [`Error::Forked`](crate::Error::Forked);
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) where there is no such log;
    /// [`Error::Log`](crate::Error::Log), after which nothing of this log can be made durable any more.
    pub fn flush(&self) -> Result<()> {
        self.store().flush()
    }

    /// The view that shows everything.
    pub fn view(&self) -> View {
        View::whole(Arc::clone(self.store()))
    }

    /// What there is at this moment, by one look; what another process writes is looked at too.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked) in a child of the process that made the cache;
    /// [`Error::Log`](crate::Error::Log) where what another process has written can't be read.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let store = self.store();
        store.catch_up()?;
        store.snapshot()
    }

    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed); [`Error::Forked`](crate::Error::Forked).
    pub fn check_open(&self) -> Result<()> {
        self.store().check_open()
    }

    /// Pulls for about so long; `false` where the source is at its end.
    ///
    /// # Errors
    /// What the source, the store or the interruption says.
    pub fn ingest_for(&self, time: Duration, interrupt: &dyn Interrupt) -> Result<bool> {
        self.view().ingest_for(time, interrupt)
    }

    /// Pulls everything and returns the number of batches.
    ///
    /// # Errors
    /// As [`Cache::ingest_for`].
    pub fn ingest_all(&self) -> Result<usize> {
        while self.ingest_for(Duration::MAX, &Uninterrupted)? {}
        Ok(self.snapshot()?.batches)
    }

    /// Changes the bounds, in bytes; `None` is no bound. What memory then holds too much goes to the log.
    ///
    /// A batch that could not be stored for want of room is stored by the next attempt.
    ///
    /// # Errors
    /// [`Error::Closed`](crate::Error::Closed); [`Error::Log`](crate::Error::Log) where the log can't take
    /// what memory gives up: the bounds are changed then too.
    pub fn resize(&self, memory: Option<u64>, disk: Option<u64>) -> Result<()> {
        let store = self.store();
        let resized = store.resize(memory, disk);
        store.tell();
        resized
    }

    /// Takes note that the budget, or the quota, that it shares with others has another size.
    ///
    /// # Errors
    /// As [`Cache::resize`].
    pub fn rebound(&self) -> Result<()> {
        let store = self.store();
        let (memory, disk) = store.capacities()?;
        let rebound = store.resize(memory, disk);
        store.tell();
        rebound
    }

    /// Whether memory, and the log, are bounded together with those of other caches.
    pub fn shares_bounds(&self) -> (bool, bool) {
        let store = self.store();
        (store.shares_budget, store.shares_quota)
    }

    /// The bounds now in force, in bytes: memory and log.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub fn capacities(&self) -> Result<(Option<u64>, Option<u64>)> {
        self.store().capacities()
    }

    /// The directory of the log, if there is one.
    pub fn log_directory(&self) -> Option<PathBuf> {
        let options = self.store().log_options();
        options.map(|options| options.directory.clone())
    }

    /// Tells its listener what there is to be told; done by whatever asks the source too. To be called where the
    /// listener may be.
    pub fn tell(&self) {
        self.store().tell();
    }

    /// Where the stored batches are, in the order of the stream, told for so many parts of it at most.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub fn places(&self, parts: usize) -> Result<Vec<Place>> {
        self.store().places(parts)
    }

    /// What was done so far, and what is held.
    ///
    /// # Errors
    /// As [`Cache::snapshot`].
    pub fn metrics(&self) -> Result<Metrics> {
        let store = self.store();
        store.catch_up()?;
        store.metrics()
    }

    /// Gives everything back: memory, log, source. Readers get [`Error::Closed`](crate::Error::Closed);
    /// batches that were handed out stay valid. A log with a name is durable then. Idempotent.
    ///
    /// A thread that reads ahead is waited for, for two seconds at most: a source that does not answer in this time
    /// is let go when it does.
    ///
    /// # Errors
    /// [`Error::Log`](crate::Error::Log) where a log with a name could not be made durable. The cache is closed
    /// all the same.
    pub fn close(&self) -> Result<()> {
        self.close_with(&Uninterrupted)
    }

    /// As [`Cache::close`]; the wait for a thread that reads ahead can be called off. The cache is closed then too.
    ///
    /// # Errors
    /// As there, and [`Error::Interrupted`](crate::Error::Interrupted).
    pub fn close_with(&self, interrupt: &dyn Interrupt) -> Result<()> {
        let store = self.store();
        let closed = store.close();
        store.tell();
        store.wait_for_reading_ahead(interrupt)?;
        closed
    }
}

impl View {
    /// The cache that is shown.
    pub fn cache(&self) -> Cache {
        Cache {
            store: Arc::clone(self.shown()),
        }
    }

    /// Lets the view go; what the last handle of a cache leaves comes back, and no other's.
    pub fn retire(self) -> Option<Remains> {
        Arc::into_inner(self.into_store()).map(Remains)
    }

    /// A cache of the same rows, converted to the encodings that DuckDB reads as they are; `None`
    /// where there is nothing to convert, and for a part of a cache whose source is not at its end: what
    /// comes yet needs the room.
    ///
    /// It has the same number of batches, stays within the bounds of the view's cache together with it,
    /// and is closed with it. That of a whole cache is kept and given again.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a view that is not complete; otherwise
    /// as [`Cache::ingest_all`]: above all where there is no room.
    pub fn encoded(&self, interrupt: &dyn Interrupt) -> Result<Option<Cache>> {
        let store = recoded(self, interrupt)?;
        Ok(store.map(|store| Cache { store }))
    }
}

impl crate::replay::Reader {
    /// Lets the reader go; as [`View::retire`].
    pub fn retire(self) -> Option<Remains> {
        self.into_view().retire()
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("metrics", &self.metrics())
            .finish_non_exhaustive()
    }
}
