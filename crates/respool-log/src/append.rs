//! The writer of a log: append, roll, seal, finish, flush.
//!
//! One writer at a time does all the writing, and readers never wait for it. The order is always:
//! data, index entry, publication.

mod resume;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;

use crate::encode::{Compressor, DictionaryRecord, Encoder, MAGIC, Plan, schema_message};
use crate::format::{Failure, Layout};
use crate::journal::Journal;
use crate::published::{Published, Record};
use crate::quota::{Account, Quota};
use crate::segment::{Growing, Reach};
use crate::storage::{Beginning, Storage};
use crate::{Error, LogOptions, Result};

#[derive(Debug)]
pub(crate) struct Writer {
    options: LogOptions,
    storage: Arc<dyn Storage>,
    reach: Arc<Reach>,
    published: Arc<Published>,
    account: Account,
    encoder: Encoder,
    plan: Plan,
    headers: Headers,
    layout: Layout,
    open: Option<Growing>,
    /// How many segments were begun.
    segments: u32,
    /// How many full segments of a temporary log keep their descriptors.
    kept_open: u32,
    /// The dictionaries of the record before, shared if the next needs the same.
    dictionaries: Option<Arc<[Arc<DictionaryRecord>]>>,
    journal: Journal,
    finished: bool,
}

/// The schema as it begins a segment.
#[derive(Debug)]
struct Headers {
    /// In the file layout, magic bytes included.
    file: Vec<u8>,
    stream: Vec<u8>,
}

impl Headers {
    fn new(schema: &SchemaRef) -> Self {
        let stream = schema_message(schema, 0);
        let mut file = MAGIC.to_vec();
        file.extend_from_slice(&schema_message(schema, MAGIC.len()));
        Self { file, stream }
    }

    fn of(&self, layout: Layout) -> &[u8] {
        match layout {
            Layout::File => &self.file,
            Layout::Stream => &self.stream,
        }
    }
}

impl Writer {
    pub(crate) fn new(
        schema: &SchemaRef,
        options: LogOptions,
        storage: Arc<dyn Storage>,
        reach: Arc<Reach>,
        published: Arc<Published>,
        quota: &Quota,
    ) -> Result<Self> {
        let compressor = compressor(&options)?;
        let Headers { file, stream } = Headers::new(schema);
        // What cannot work is found out before anything is made: a quota too small for a log without
        // batches, and then a directory in which no segment can be made.
        let (bytes, end) = Journal::size(storage.as_ref(), &options, &stream);
        let mut account = Account::new(quota, options.directory.clone());
        if storage.is_named() {
            account.reserve(bytes + end + file.len() as u64)?;
        }
        let mut beginning = Beginning::new(storage.as_ref());
        let segment = Growing::first(&mut beginning, &storage, &reach)?;
        let mut journal = Journal::begin(&storage, &mut beginning, &options, schema, &stream)?;
        beginning.keep();
        published.add_bytes(bytes);
        published.begun(&segment.segment);
        journal.begun(&segment);
        Ok(Self {
            encoder: Encoder::new(compressor, storage.is_named()),
            options,
            storage,
            reach,
            published,
            account,
            plan: Plan::default(),
            headers: Headers { file, stream },
            layout: Layout::File,
            open: Some(segment),
            segments: 1,
            kept_open: 0,
            dictionaries: None,
            journal,
            finished: false,
        })
    }

    /// What tells a persistent log from all others.
    pub(crate) fn identity(&self) -> Option<[u8; 16]> {
        self.journal.identity()
    }

    /// Stores a batch of the schema of the log, of which `shown` bytes show.
    pub(crate) fn append(&mut self, batch: &RecordBatch, shown: Option<u64>) -> Result<()> {
        self.journal.check()?;
        if self.finished {
            return Err(Error::Finished);
        }
        let appended = self.store(batch, shown);
        // The plan must not keep the buffers of the batch alive.
        self.plan.release();
        appended
    }

    fn store(&mut self, batch: &RecordBatch, shown: Option<u64>) -> Result<()> {
        if self.open.as_ref().is_some_and(|open| open.is_sealed) {
            // It could not be given its name.
            self.roll()?;
        }
        loop {
            // A segment that the quota may refuse is not made yet.
            let (number, end, is_empty) = match &self.open {
                Some(open) => (open.number, open.end(), open.records == 0),
                None => (self.segments, 0, true),
            };
            self.plan.begin(number, end);
            if end == 0 {
                self.plan.push_bytes(self.headers.of(self.layout));
            }
            self.encoder.batch(batch, &mut self.plan)?;
            // The file layout does not allow replacement.
            let replaces =
                self.plan.replaces && self.layout == Layout::File && self.journal.is_persistent();
            if replaces {
                self.roll()?;
                self.layout = Layout::Stream;
            } else if !is_empty && end + self.plan.len > self.segment_bytes() {
                self.roll()?;
            } else {
                break;
            }
        }
        let written = self.published.bytes() + self.plan.len;
        let total = written + self.journal.overhead(&self.plan);
        self.account.reserve(total)?;
        self.open_segment()?;
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let plan = &mut self.plan;
        open.write(plan)?;
        let shown = match (&self.journal, shown) {
            (Journal::Persistent(_), None) => shown_bytes(batch),
            (_, shown) => shown.unwrap_or_default(),
        };
        let entries = self.journal.enter(plan, open.number, shown)?;
        // From here on nothing fails.
        open.commit(plan);
        self.encoder.commit(plan);
        let held = self.encoder.dictionaries.bytes();
        self.published.set_dictionary_bytes(held);
        let dictionaries = match &self.dictionaries {
            Some(before) if same_records(before, &plan.dictionaries) => Some(Arc::clone(before)),
            _ if plan.dictionaries.is_empty() => None,
            _ => Some(Arc::from(plan.dictionaries.as_slice())),
        };
        self.dictionaries.clone_from(&dictionaries);
        self.published.add_bytes(plan.len + entries);
        // A failed append before this one may have left more than this one has written over.
        self.account.settle(total + open.tail());
        if let Some(message) = plan.messages.last() {
            let record = Record {
                segment: open.number,
                metadata_len: message.metadata_len,
                offset: message.offset,
                body_len: message.body_len,
                dictionaries,
            };
            let rows = batch.num_rows() as u64;
            self.published.push(record, rows, shown);
        }
        Ok(())
    }

    /// Makes what was appended durable.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.journal.flush(self.open.as_ref())?;
        if self.journal.is_persistent() && self.storage.is_removed().unwrap_or_default() {
            // The same number everywhere.
            const ENOENT: i32 = 2;
            let gone = std::io::Error::from_raw_os_error(ENOENT);
            let action = "cannot make the log durable, its directory was removed:";
            return Err(Error::io(action, self.options.directory.clone(), gone));
        }
        // A quota that is used up leaves no room to say so, which is no loss but of time.
        if self.account.add(self.journal.mark_size()).is_ok() {
            self.published.add_bytes(self.journal.mark());
        }
        Ok(())
    }

    /// Ends the log, as complete or as failed.
    pub(crate) fn finish(&mut self, failure: Option<&Failure>) -> Result<()> {
        self.journal.check()?;
        if self.finished {
            return Ok(());
        }
        self.roll()?;
        let closed = self.journal.close(failure)?;
        self.published.add_bytes(closed);
        self.account.settle(self.published.bytes());
        self.finished = true;
        self.encoder.dictionaries.clear();
        self.published.set_dictionary_bytes(0);
        Ok(())
    }

    /// Sees that a segment is open.
    fn open_segment(&mut self) -> Result<()> {
        if self.open.is_none() {
            let segment = Growing::create(&self.storage, &self.reach, self.segments, self.layout)?;
            self.segments += 1;
            self.published.begun(&segment.segment);
            self.journal.begun(&segment);
            self.open = Some(segment);
        }
        Ok(())
    }

    /// Closes the open segment, sealing it if other tools may open it.
    fn roll(&mut self) -> Result<()> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let header = self.headers.of(open.layout);
        let sealed = self.journal.seal(open, header)?;
        self.published.add_bytes(sealed);
        let total = self.published.bytes() + self.journal.close_size();
        self.account.settle(total);
        self.journal.publish(open)?;
        if self.journal.is_persistent() {
            // The next segment has to be readable by itself.
            self.encoder.dictionaries.clear();
            self.published.set_dictionary_bytes(0);
        }
        if !self.journal.is_persistent() && !open.segment.release(open.end()) {
            self.kept_open += 1;
        }
        self.open = None;
        Ok(())
    }

    /// The size at which the next segment is begun. Descriptors and maps are limited too, so the more
    /// of them a temporary log has, the larger its segments get.
    fn segment_bytes(&self) -> u64 {
        let doublings = self.kept_open / 32 + self.segments / 4096;
        let scale = 1u64.checked_shl(doublings).unwrap_or(u64::MAX);
        match self.journal {
            Journal::Temporary => self.options.segment_bytes.saturating_mul(scale),
            Journal::Persistent(_) => self.options.segment_bytes,
        }
    }
}

fn compressor(options: &LogOptions) -> Result<Option<Compressor>> {
    let compressor = options.compression.map(Compressor::new).transpose();
    compressor.map_err(|e| Error::io("cannot begin", &options.directory, e))
}

/// The bytes that a batch shows of its buffers.
fn shown_bytes(batch: &RecordBatch) -> u64 {
    let shown = |column: &ArrayRef| {
        let data = column.to_data();
        let shown = data.get_slice_memory_size();
        shown.unwrap_or_else(|_| data.get_array_memory_size()) as u64
    };
    batch.columns().iter().map(shown).sum()
}

fn same_records(a: &[Arc<DictionaryRecord>], b: &[Arc<DictionaryRecord>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
}
