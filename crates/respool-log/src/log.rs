//! The log as its callers see it: begun, appended to, read.

mod about;
mod read;
mod remove;
mod resume;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::locks::Mutex;
use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;

use crate::append::Writer;
use crate::decode::{Bits, Decoder};
use crate::encode::check_nesting;
use crate::format::Failure;
use crate::published::Published;
use crate::quota::Quota;
use crate::segment::Reach;
use crate::storage::{FileStorage, Storage};
use crate::types::check_batch;
use crate::{LogOptions, LogReader, Result};

/// An append-only log of record batches of one schema. Cheap to read from many threads at once
/// while another appends.
pub struct Log {
    directory: PathBuf,
    /// Of a persistent log.
    identity: Option<[u8; 16]>,
    compressed: bool,
    decoder: Decoder,
    /// Which columns were read by themselves since the log has ended, or while it grows.
    brought: Bits,
    reach: Arc<Reach>,
    published: Arc<Published>,
    quota: Quota,
    /// The batches that another writer has left.
    earlier: Option<LogReader>,
    writer: Mutex<Writer>,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("directory", &self.directory)
            .field("len", &self.len())
            .field("bytes", &self.bytes())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// Begins a log in nameless files, of which nothing is left when the process ends, however it
    /// ends. Nothing is synced, and no checksums are computed: no other process can touch the
    /// files and none will ever open them again, so a checksum would prove nothing.
    pub fn temporary(schema: SchemaRef, options: LogOptions) -> Result<Self> {
        let quota = Quota::new(options.capacity);
        Self::temporary_within(schema, options, &quota)
    }

    /// Begins a [temporary](Self::temporary) log within a quota that other logs share; the capacity
    /// of the options does not count.
    pub fn temporary_within(schema: SchemaRef, options: LogOptions, quota: &Quota) -> Result<Self> {
        let storage = FileStorage::temporary(&options)?;
        Self::begin(schema, options, quota, Arc::new(storage))
    }

    /// Begins a log in a directory of its own, which is made if it is missing and else must be
    /// empty: segments that other Arrow tools can open, an index, a manifest, and a lock that is
    /// held until the log is dropped.
    ///
    /// ```
    /// use arrow_array::record_batch;
    /// use respool_log::{Log, LogOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = tempfile::tempdir()?;
    /// # let directory = parent.path().join("log");
    /// let batch = record_batch!(("n", Int64, [1, 2, 3]))?;
    /// let log = Log::create(batch.schema(), LogOptions::new(&directory).allow_tmpfs(true))?;
    /// log.append(&batch)?;
    /// log.finish()?;
    /// log.flush()?;
    ///
    /// // The segments are Arrow IPC files.
    /// let file = std::fs::File::open(directory.join("00000000.arrow"))?;
    /// let mut reader = arrow_ipc::reader::FileReader::try_new(file, None)?;
    /// assert_eq!(reader.next().transpose()?, Some(batch));
    /// # Ok(())
    /// # }
    /// ```
    pub fn create(schema: SchemaRef, options: LogOptions) -> Result<Self> {
        let quota = Quota::new(options.capacity);
        Self::create_within(schema, options, &quota)
    }

    /// Begins a [persistent](Self::create) log within a quota that other logs share; the capacity of
    /// the options does not count.
    pub fn create_within(schema: SchemaRef, options: LogOptions, quota: &Quota) -> Result<Self> {
        // A schema that can't be stored is refused before a directory is made for it.
        Decoder::new(Arc::clone(&schema), None, true)?;
        check_nesting(&schema)?;
        let storage = FileStorage::named(&options)?;
        Self::begin(schema, options, quota, Arc::new(storage))
    }

    /// Begins a log in files of the given storage: persistent if they have names.
    pub fn with_storage(
        schema: SchemaRef,
        options: LogOptions,
        storage: Arc<dyn Storage>,
    ) -> Result<Self> {
        let quota = Quota::new(options.capacity);
        Self::begin(schema, options, &quota, storage)
    }

    fn begin(
        schema: SchemaRef,
        options: LogOptions,
        quota: &Quota,
        storage: Arc<dyn Storage>,
    ) -> Result<Self> {
        let directory = options.directory.clone();
        let compressed = options.compression.is_some();
        let decoder = Decoder::new(schema, options.compression, storage.is_named())?;
        if storage.is_named() {
            check_nesting(decoder.schema())?;
        }
        let reach = Arc::new(Reach::new(
            &options,
            quota.capacity(),
            storage.refuses_maps(),
        ));
        let published = Arc::new(Published::default());
        let writer = Writer::new(
            decoder.schema(),
            options,
            storage,
            Arc::clone(&reach),
            Arc::clone(&published),
            quota,
        )?;
        Ok(Self {
            directory,
            identity: writer.identity(),
            compressed,
            brought: Bits::new(decoder.schema().fields().len()),
            decoder,
            reach,
            published,
            quota: quota.clone(),
            earlier: None,
            writer: Mutex::new(writer),
        })
    }

    /// Opens the log in a directory, to read it.
    pub fn open(directory: impl AsRef<Path>) -> Result<LogReader> {
        LogReader::open(directory)
    }

    /// Stores a batch; its record number is the length of the log before.
    ///
    /// After an error everything stored before is still readable, and the same batch can be
    /// appended again.
    pub fn append(&self, batch: &RecordBatch) -> Result<()> {
        check_batch(self.schema(), batch)?;
        self.writer.lock().append(batch, None)
    }

    /// Stores a batch as [`append`](Self::append) does, and says how many bytes its rows show: what
    /// the index of a persistent log remembers. `append` counts them itself.
    pub fn append_shown(&self, batch: &RecordBatch, shown: u64) -> Result<()> {
        check_batch(self.schema(), batch)?;
        self.writer.lock().append(batch, Some(shown))
    }

    /// Makes a persistent log durable up to here; for a temporary log there is nothing to do.
    ///
    /// The first failure is final: after it the operating system may have dropped what it could not
    /// write, so no later success would mean anything. Of a log whose directory was removed nothing can be
    /// made durable.
    pub fn flush(&self) -> Result<()> {
        self.writer.lock().flush()
    }

    /// Ends the log: no batch can be appended any more. A persistent log gets its last segment
    /// sealed and, once all that is durable, the closing entry that proves that it is whole. When
    /// this returns that entry is durable too. After an error, it can be tried again.
    pub fn finish(&self) -> Result<()> {
        self.end(None)
    }

    /// Ends the log as [`finish`](Self::finish) does, and says that what it was filled from failed:
    /// the batches are good, and there should have been more.
    pub fn fail(&self, failure: &Failure) -> Result<()> {
        self.end(Some(failure))
    }

    fn end(&self, failure: Option<&Failure>) -> Result<()> {
        self.writer.lock().finish(failure)?;
        // What was written behind what was read may have taken its place in memory.
        self.brought.forget();
        Ok(())
    }
}
