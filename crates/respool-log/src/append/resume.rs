//! The writer of a log that another writer has left.

use std::sync::Arc;

use super::{Headers, Writer, compressor};
use crate::encode::{Encoder, Plan};
use crate::journal::Journal;
use crate::published::Published;
use crate::quota::{Account, Quota};
use crate::reader::LogReader;
use crate::segment::Reach;
use crate::storage::Storage;
use crate::{LogOptions, Result};

impl Writer {
    /// The writer of a log that another writer has left, and what it has published.
    pub(crate) fn resume(
        reader: &LogReader,
        options: LogOptions,
        storage: Arc<dyn Storage>,
        reach: &Arc<Reach>,
        quota: &Quota,
    ) -> Result<(Self, Arc<Published>)> {
        let compressor = compressor(&options)?;
        let headers = Headers::new(reader.schema());
        let header = |layout| headers.of(layout).to_vec();
        let resumed = Journal::resume(&storage, reader, reach, &header)?;
        let journal = Journal::Persistent(Box::new(resumed.journal));
        let bytes = resumed.bytes;
        let published = Published::resumed(resumed.segments, reader.totals(), bytes);
        let published = Arc::new(published);
        let mut account = Account::new(quota, options.directory.clone());
        // What is there takes its room, whether the quota has it or not.
        account.settle(bytes + journal.close_size());
        let writer = Self {
            encoder: Encoder::new(compressor, true),
            options,
            storage,
            reach: Arc::clone(reach),
            published: Arc::clone(&published),
            account,
            plan: Plan::default(),
            headers,
            layout: resumed.layout,
            open: None,
            segments: resumed.segments,
            kept_open: 0,
            dictionaries: None,
            journal,
            finished: false,
        };
        Ok((writer, published))
    }
}
