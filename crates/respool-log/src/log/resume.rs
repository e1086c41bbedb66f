//! Logs that another writer has left.

use std::sync::Arc;

use crate::locks::Mutex;

use super::Log;
#[cfg(doc)]
use crate::Error;
use crate::append::Writer;
use crate::decode::{Bits, Decoder};
use crate::quota::Quota;
use crate::reader::LogReader;
use crate::segment::Reach;
use crate::storage::{FileStorage, Storage};
use crate::{LogOptions, Result};

impl Log {
    /// Goes on with a log that was not finished, or that failed: everything whole and good is kept,
    /// what is left of a batch that was not is cut off, and batches are appended behind.
    ///
    /// Codec and size of segments are those of the log, whatever the options say.
    ///
    /// # Errors
    /// [`Error::Finished`] where the log is complete, and [`Error::Locked`] where it has a writer.
    ///
    /// ```
    /// use arrow_array::record_batch;
    /// use respool_log::{Log, LogOptions};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let parent = tempfile::tempdir()?;
    /// # let directory = parent.path().join("log");
    /// let options = LogOptions::new(&directory).allow_tmpfs(true);
    /// let batch = record_batch!(("n", Int64, [1, 2, 3]))?;
    /// let log = Log::create(batch.schema(), options.clone())?;
    /// log.append(&batch)?;
    /// drop(log); // or a crash
    ///
    /// let log = Log::resume(options)?;
    /// assert_eq!(log.len(), 1);
    /// log.append(&batch)?;
    /// log.finish()?;
    /// assert_eq!(Log::open(&directory)?.len(), 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(options: LogOptions) -> Result<Self> {
        let quota = Quota::new(options.capacity);
        Self::resume_within(options, &quota)
    }

    /// [Goes on](Self::resume) with a log within a quota that other logs share; the capacity of the
    /// options does not count. What the log has already is charged whether the quota has it or not.
    pub fn resume_within(options: LogOptions, quota: &Quota) -> Result<Self> {
        let storage = FileStorage::claimed(&options)?;
        Self::resume_storage(options, quota, Arc::new(storage))
    }

    /// [Goes on](Self::resume) with a log in a storage that is claimed.
    pub fn resume_storage(
        options: LogOptions,
        quota: &Quota,
        storage: Arc<dyn Storage>,
    ) -> Result<Self> {
        let earlier = LogReader::to_resume(&options, Arc::clone(&storage))?;
        let options = LogOptions {
            compression: earlier.compression(),
            segment_bytes: earlier.manifest().header.segment_bytes,
            ..options
        };
        let schema = Arc::clone(earlier.schema());
        let decoder = Decoder::new(schema, options.compression, true)?;
        let refuses_maps = storage.refuses_maps();
        let reach = Arc::new(Reach::new(&options, quota.capacity(), refuses_maps));
        let directory = options.directory.clone();
        let (writer, published) = Writer::resume(&earlier, options, storage, &reach, quota)?;
        Ok(Self {
            directory,
            identity: Some(earlier.identity()),
            compressed: earlier.compression().is_some(),
            brought: Bits::new(decoder.schema().fields().len()),
            decoder,
            reach,
            published,
            quota: quota.clone(),
            earlier: Some(earlier),
            writer: Mutex::new(writer),
        })
    }
}
