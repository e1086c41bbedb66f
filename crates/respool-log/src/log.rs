//! The log itself: what is written where, and what of it is published.
//!
//! One writer at a time holds the writer's lock and does all the writing. Readers never take that
//! lock: they look up a record in the list of published ones, which is locked for as long as it
//! takes to push or copy an entry. The order is always: data, index entry, publication.
//!
//! The file is long because this order is its subject: an append and everything it may set off
//! (a new segment, a seal, a refusal) is read here from top to bottom.

use std::fmt;
use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_ipc::Block;
use arrow_schema::SchemaRef;
use parking_lot::{Mutex, RwLock};

use crate::decode::Decoder;
use crate::encode::{
    Compressor, DictionaryRecord, END_OF_STREAM, Encoder, Kind, MAGIC, Plan, footer, schema_message,
};
use crate::index::{ENTRY_LEN, Entry, Layout};
use crate::persistent::{INDEX, Index};
use crate::segment::{Reach, Segment};
use crate::storage::{FileStorage, Storage, write_all};
use crate::{Error, LogOptions, Result};

/// A quota that is none.
const UNLIMITED: u64 = u64::MAX;

/// An append-only log of record batches of one schema. Cheap to read from many threads at once
/// while another appends.
pub struct Log {
    decoder: Decoder,
    options: LogOptions,
    storage: Arc<dyn Storage>,
    reach: Arc<Reach>,
    published: RwLock<Published>,
    writer: Mutex<Writer>,
    capacity: AtomicU64,
    used: AtomicU64,
    rows: AtomicU64,
}

#[derive(Debug, Default)]
struct Published {
    records: Vec<Record>,
    segments: Vec<Arc<Segment>>,
}

/// Where a batch is.
#[derive(Debug, Clone)]
struct Record {
    segment: u32,
    metadata_len: u32,
    offset: u64,
    body_len: u64,
    dictionaries: Option<Arc<[Arc<DictionaryRecord>]>>,
}

#[derive(Debug)]
struct Writer {
    encoder: Encoder,
    plan: Plan,
    /// The schema as it begins a segment in the file layout, magic bytes included, and in the
    /// stream layout.
    file_header: Vec<u8>,
    stream_header: Vec<u8>,
    layout: Layout,
    open: Option<Open>,
    /// How many segments were begun.
    segments: u32,
    records: u64,
    /// The dictionaries of the record before, shared if the next needs the same.
    dictionaries: Option<Arc<[Arc<DictionaryRecord>]>>,
    index: Option<Index>,
    /// Segments with bytes that were not synced yet.
    unsynced: Vec<Arc<Segment>>,
    finished: bool,
    /// The first failure to sync, which is final.
    failed: Option<(std::path::PathBuf, Arc<std::io::Error>)>,
}

/// The segment that grows.
#[derive(Debug)]
struct Open {
    segment: Arc<Segment>,
    number: u32,
    /// The committed end: nothing past it counts.
    end: u64,
    batches: Vec<Block>,
    dictionaries: Vec<Block>,
    records: u64,
    published: bool,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("directory", &self.options.directory)
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
        let storage = FileStorage::temporary(&options)?;
        Self::with_storage(schema, options, Arc::new(storage))
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
        let storage = FileStorage::named(&options)?;
        Self::with_storage(schema, options, Arc::new(storage))
    }

    /// Begins a log in files of the given storage: persistent if they have names.
    pub fn with_storage(
        schema: SchemaRef,
        options: LogOptions,
        storage: Arc<dyn Storage>,
    ) -> Result<Self> {
        let decoder = Decoder::new(schema, options.compression.is_some())?;
        let reach = Reach::new(&options, storage.refuses_maps());
        let compressor = match options.compression {
            None => None,
            Some(compression) => Some(
                Compressor::new(compression)
                    .map_err(|e| Error::io("cannot begin", &options.directory, e))?,
            ),
        };
        let stream_header = schema_message(decoder.schema(), 0);
        let mut file_header = MAGIC.to_vec();
        file_header.extend_from_slice(&schema_message(decoder.schema(), MAGIC.len()));
        let mut used = 0;
        let mut index = None;
        if storage.is_named() {
            let (begun, manifest) = Index::create(storage.as_ref(), &options, &stream_header)?;
            used = begun.end() + manifest;
            index = Some(begun);
        }
        let log = Self {
            decoder,
            reach: Arc::new(reach),
            published: RwLock::default(),
            capacity: AtomicU64::new(options.capacity.unwrap_or(UNLIMITED)),
            options,
            storage,
            writer: Mutex::new(Writer {
                encoder: Encoder::new(compressor),
                plan: Plan::default(),
                file_header,
                stream_header,
                layout: Layout::File,
                open: None,
                segments: 0,
                records: 0,
                dictionaries: None,
                index,
                unsynced: Vec::new(),
                finished: false,
                failed: None,
            }),
            used: AtomicU64::new(used),
            rows: AtomicU64::new(0),
        };
        {
            // What cannot work is found out now: a quota too small for a log without batches, and
            // a directory in which no segment can be made.
            let mut writer = log.writer.lock();
            let writer = &mut *writer;
            if writer.index.is_some() {
                writer.plan.push_bytes(&writer.file_header);
                log.reserve(writer)?;
                writer.plan.release();
            }
            log.open_segment(writer)?;
        }
        Ok(log)
    }

    /// Stores a batch; its record number is the length of the log before.
    ///
    /// After an error everything stored before is still readable, and the same batch can be
    /// appended again.
    pub fn append(&self, batch: &RecordBatch) -> Result<()> {
        self.check_schema(batch)?;
        let mut writer = self.writer.lock();
        let writer = &mut *writer;
        writer.check()?;
        if writer.finished {
            return Err(Error::Finished);
        }
        let appended = self.append_checked(writer, batch);
        // The plan must not keep the buffers of the batch alive.
        writer.plan.release();
        appended
    }

    fn append_checked(&self, writer: &mut Writer, batch: &RecordBatch) -> Result<()> {
        loop {
            // A segment that the quota may refuse is not made yet.
            let (number, end, is_empty) = match &writer.open {
                Some(open) => (open.number, open.end, open.records == 0),
                None => (writer.segments, 0, true),
            };
            writer.plan.begin(number, end);
            if end == 0 {
                writer.plan.push_bytes(match writer.layout {
                    Layout::File => &writer.file_header,
                    Layout::Stream => &writer.stream_header,
                });
            }
            writer.encoder.batch(batch, &mut writer.plan)?;
            let replaces =
                writer.index.is_some() && writer.layout == Layout::File && writer.plan.replaces;
            if replaces {
                self.roll(writer)?;
                writer.layout = Layout::Stream;
            } else if !is_empty && end + writer.plan.len > self.options.segment_bytes {
                self.roll(writer)?;
            } else {
                break;
            }
        }
        self.reserve(writer)?;
        self.open_segment(writer)?;
        let Some(open) = &mut writer.open else {
            return Ok(());
        };
        let plan = &mut writer.plan;
        write_all(open.segment.file.as_ref(), &mut plan.slices(), open.end)
            .map_err(|e| Error::io("cannot write to", &open.segment.path, e))?;
        let mut used = plan.len;
        if let Some(index) = &mut writer.index {
            let before = index.end();
            index
                .write_plan(plan, open.number, writer.records)
                .map_err(|e| Error::io("cannot write to", self.storage.path(INDEX), e))?;
            index.advance(plan);
            used += index.end() - before;
            for message in &plan.messages {
                let block = Block::new(
                    message.offset.cast_signed(),
                    message.metadata_len.cast_signed(),
                    message.body_len.cast_signed(),
                );
                match message.kind {
                    Kind::Batch => open.batches.push(block),
                    Kind::Dictionary(_) => open.dictionaries.push(block),
                }
            }
        }
        // From here on nothing fails.
        open.end += plan.len;
        open.records += 1;
        writer.records += 1;
        writer.encoder.commit(plan);
        let dictionaries = match &writer.dictionaries {
            Some(before) if same_records(before, &plan.dictionaries) => Some(Arc::clone(before)),
            _ if plan.dictionaries.is_empty() => None,
            _ => Some(Arc::from(plan.dictionaries.as_slice())),
        };
        writer.dictionaries.clone_from(&dictionaries);
        let rows = batch.num_rows() as u64;
        self.used.fetch_add(used, Ordering::Relaxed);
        if let Some(message) = plan.messages.last() {
            let record = Record {
                segment: open.number,
                metadata_len: message.metadata_len,
                offset: message.offset,
                body_len: message.body_len,
                dictionaries,
            };
            let mut published = self.published.write();
            if !open.published {
                published.segments.push(Arc::clone(&open.segment));
                open.published = true;
            }
            published.records.push(record);
            self.rows.fetch_add(rows, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Reads a batch. `projection` lists top-level columns in any order; the bytes of other columns
    /// are not touched.
    pub fn read(&self, record: usize, projection: Option<&[usize]>) -> Result<RecordBatch> {
        let columns = self.schema().fields().len();
        if let Some(&index) = projection
            .unwrap_or_default()
            .iter()
            .find(|&&c| c >= columns)
        {
            return Err(Error::OutOfRange {
                what: "column",
                index,
                len: columns,
            });
        }
        let (place, segment) = {
            let published = self.published.read();
            let place = published.records.get(record).cloned();
            let segment = place
                .as_ref()
                .and_then(|place| published.segments.get(place.segment as usize))
                .cloned();
            match (place, segment) {
                (Some(place), Some(segment)) => (place, segment),
                _ => {
                    return Err(Error::OutOfRange {
                        what: "record",
                        index: record,
                        len: published.records.len(),
                    });
                }
            }
        };
        let len = u64::from(place.metadata_len) + place.body_len;
        let bytes = match projection {
            Some(columns) if !self.reach.maps() => {
                let wanted = |metadata: &[u8]| self.decoder.wanted(metadata, columns);
                segment.read_parts(place.offset, place.metadata_len as usize, len, &wanted)
            }
            _ => segment.published(place.offset, len),
        };
        bytes
            .and_then(|bytes| {
                self.decoder.batch(
                    &bytes,
                    place.metadata_len as usize,
                    place.dictionaries.as_deref().unwrap_or_default(),
                    projection,
                    &|dictionary| self.fetch(dictionary),
                )
            })
            .map_err(|e| match e {
                Error::Arrow(e) => segment.corrupt(place.offset, e.to_string()),
                e => e,
            })
    }

    /// The bytes of a dictionary record.
    fn fetch(&self, dictionary: &DictionaryRecord) -> Result<Buffer> {
        let segment = self
            .published
            .read()
            .segments
            .get(dictionary.segment as usize)
            .cloned();
        let segment = segment.ok_or(Error::OutOfRange {
            what: "segment",
            index: dictionary.segment as usize,
            len: 0,
        })?;
        let len = u64::from(dictionary.metadata_len) + dictionary.body_len;
        segment.published(dictionary.offset, len)
    }

    /// How many batches are stored.
    pub fn len(&self) -> usize {
        self.published.read().records.len()
    }

    /// Whether no batch is stored.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows the stored batches have together.
    pub fn num_rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// The bytes in use in the files of the log.
    pub fn bytes(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// The quota in bytes.
    pub fn capacity(&self) -> Option<u64> {
        Some(self.capacity.load(Ordering::Relaxed)).filter(|&capacity| capacity != UNLIMITED)
    }

    /// Changes the quota. One that is smaller than what is in use only stops the next append.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        self.capacity
            .store(capacity.unwrap_or(UNLIMITED), Ordering::Relaxed);
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    /// Whether batches read from the log point into its files, so that they weigh almost nothing
    /// on the heap.
    pub fn is_zero_copy(&self) -> bool {
        self.options.compression.is_none() && self.reach.maps()
    }

    /// Makes a persistent log durable up to here; for a temporary log there is nothing to do.
    ///
    /// The first failure is final: after it the operating system may have dropped what it could not
    /// write, so no later success would mean anything.
    pub fn flush(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        let writer = &mut *writer;
        writer.check()?;
        let Some(index) = &writer.index else {
            return Ok(());
        };
        let mut failed = None;
        for segment in &writer.unsynced {
            if let Err(e) = segment.file.sync() {
                failed = Some((segment.path.clone(), e));
                break;
            }
        }
        if failed.is_none() {
            let synced = index.sync().and_then(|()| self.storage.sync_directory());
            failed = synced.err().map(|e| (self.storage.path(INDEX), e));
        }
        if let Some((path, e)) = failed {
            writer.failed = Some((path, Arc::new(e)));
            return writer.check();
        }
        let open = writer.open.as_ref().map(|open| &open.segment);
        writer
            .unsynced
            .retain(|segment| open.is_some_and(|open| Arc::ptr_eq(open, segment)));
        Ok(())
    }

    /// Ends the log: no batch can be appended any more. A persistent log gets its last segment
    /// sealed and the closing entry that proves that it is whole; call [`flush`](Self::flush)
    /// afterwards to make that durable.
    pub fn finish(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        let writer = &mut *writer;
        writer.check()?;
        if writer.finished {
            return Ok(());
        }
        if writer.index.is_some() {
            if writer.records == 0 {
                self.open_segment(writer)?;
            }
            self.roll(writer)?;
            let entry = Entry::Close {
                batches: writer.records,
                rows: self.num_rows(),
            };
            self.write_entry(writer, entry)?;
        }
        writer.finished = true;
        writer.open = None;
        writer.encoder.dictionaries.clear();
        Ok(())
    }

    /// Sees that a segment is open.
    fn open_segment<'a>(&self, writer: &'a mut Writer) -> Result<&'a mut Open> {
        if writer.open.is_none() {
            let number = writer.segments;
            let name = segment_name(number);
            let path = self.storage.path(&name);
            let file = self
                .storage
                .create(&name)
                .map_err(|e| Error::io("cannot create a segment of the log:", &path, e))?;
            let segment = Arc::new(Segment::new(file, path, Arc::clone(&self.reach)));
            writer.segments += 1;
            if writer.index.is_some() {
                writer.unsynced.push(Arc::clone(&segment));
            }
            writer.open = Some(Open {
                segment,
                number,
                end: 0,
                batches: Vec::new(),
                dictionaries: Vec::new(),
                records: 0,
                published: false,
            });
        }
        writer.open.as_mut().ok_or(Error::Finished)
    }

    /// Closes the open segment, sealing it if other tools may open it.
    fn roll(&self, writer: &mut Writer) -> Result<()> {
        let Some(open) = &writer.open else {
            return Ok(());
        };
        if writer.index.is_some() {
            let mut seal = Vec::new();
            if open.end == 0 {
                seal.extend_from_slice(match writer.layout {
                    Layout::File => &writer.file_header,
                    Layout::Stream => &writer.stream_header,
                });
            }
            match writer.layout {
                Layout::File => {
                    let schema = self.schema();
                    seal.extend_from_slice(&footer(schema, &open.dictionaries, &open.batches));
                }
                Layout::Stream => seal.extend_from_slice(&END_OF_STREAM),
            }
            let mut parts = [IoSlice::new(&seal)];
            write_all(open.segment.file.as_ref(), &mut parts, open.end)
                .map_err(|e| Error::io("cannot write to", &open.segment.path, e))?;
            let entry = Entry::Seal {
                segment: open.number,
                batches: open.records,
                end: open.end,
                len: open.end + seal.len() as u64,
                layout: writer.layout,
            };
            self.write_entry(writer, entry)?;
            self.used.fetch_add(seal.len() as u64, Ordering::Relaxed);
            // The next segment has to be readable by itself.
            writer.encoder.dictionaries.clear();
        }
        writer.open = None;
        Ok(())
    }

    fn write_entry(&self, writer: &mut Writer, entry: Entry) -> Result<()> {
        let Some(index) = &mut writer.index else {
            return Ok(());
        };
        index
            .write_entry(entry)
            .map_err(|e| Error::io("cannot write to", self.storage.path(INDEX), e))?;
        self.used.fetch_add(ENTRY_LEN as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Refuses a plan that would take the log over its quota, now or when it is sealed.
    fn reserve(&self, writer: &Writer) -> Result<()> {
        let capacity = self.capacity.load(Ordering::Relaxed);
        if capacity == UNLIMITED {
            return Ok(());
        }
        let used = self.bytes();
        let mut asked = writer.plan.len;
        if writer.index.is_some() {
            let messages = writer.plan.messages.len() as u64;
            let blocks = writer
                .open
                .as_ref()
                .map_or(0, |open| open.batches.len() + open.dictionaries.len());
            asked += messages * ENTRY_LEN as u64;
            // The seal: end marker, footer (schema, a block for each message, frame), two entries.
            asked += writer.stream_header.len() as u64
                + (blocks as u64 + messages) * size_of::<Block>() as u64
                + 128
                + 2 * ENTRY_LEN as u64;
        }
        if used.saturating_add(asked) > capacity {
            return Err(Error::OutOfSpace {
                path: self.options.directory.clone(),
                asked,
                used,
                capacity,
            });
        }
        Ok(())
    }

    fn check_schema(&self, batch: &RecordBatch) -> Result<()> {
        let schema = self.schema();
        if Arc::ptr_eq(schema, batch.schema_ref()) {
            return Ok(());
        }
        let (ours, theirs) = (schema.fields().len(), batch.num_columns());
        if ours != theirs {
            return Err(Error::Schema {
                reason: format!("the batch has {theirs} columns, the log {ours}"),
            });
        }
        for (field, column) in schema.fields().iter().zip(batch.columns()) {
            if field.data_type() != column.data_type() {
                return Err(Error::Schema {
                    reason: format!(
                        "column {:?} of the batch is {}, that of the log {}",
                        field.name(),
                        column.data_type(),
                        field.data_type()
                    ),
                });
            }
            if !field.is_nullable() && column.null_count() > 0 {
                return Err(Error::Schema {
                    reason: format!("column {:?} has nulls and must not", field.name()),
                });
            }
        }
        Ok(())
    }
}

impl Writer {
    fn check(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some((path, source)) => Err(Error::Unsynced {
                path: path.clone(),
                source: Arc::clone(source),
            }),
        }
    }
}

fn same_records(a: &[Arc<DictionaryRecord>], b: &[Arc<DictionaryRecord>]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| Arc::ptr_eq(a, b))
}

/// The name of a segment: sorts in order, and other tools know the extension.
fn segment_name(number: u32) -> String {
    format!("{number:08}.arrow")
}
