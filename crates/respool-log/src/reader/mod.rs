//! Logs that are there: opened without a look at their data, read with every check.
//!
//! What is read of a record is verified when it is first read, and believed after. The index is asked
//! for one entry at a time and never held, so a log of a million batches is opened as fast as a small
//! one, and takes as little memory.

mod dictionaries;
mod follow;
mod index;
mod known;
mod segments;
mod sidecars;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parking_lot::RwLock;

use crate::decode::{Decoder, Trust, VerifiedBits, caught};
use crate::encode::DictionaryRecord;
use crate::format::{ENTRY_LEN, EntryKind, Extent, Failure, Header, Manifest, Status, Totals};
use crate::journal::{FAILURE, INDEX, MANIFEST};
use crate::options::Compression;
use crate::segment::Reach;
use crate::storage::{FileStorage, Storage, read_all};
use crate::{Error, LogOptions, Result};

use dictionaries::Dictionaries;
pub use follow::Progress;
use index::{Found, IndexFile};
pub(crate) use known::{Known, Sealed};
use segments::Segments;
pub(crate) use sidecars::is_sidecar;

/// How a log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// A writer has it: there may be more.
    Growing,
    /// Its writer is gone and has not ended it. What is there is good; it may not be all.
    Abandoned,
    /// It has everything.
    Complete,
    /// What it was filled from failed. What is there is good; there should have been more.
    Failed(Failure),
}

/// A log of another process, or of another day.
///
/// ```
/// use arrow_array::record_batch;
/// use respool_log::{Log, LogOptions, State};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let parent = tempfile::tempdir()?;
/// # let directory = parent.path().join("log");
/// let batch = record_batch!(("n", Int64, [1, 2, 3]))?;
/// let log = Log::create(batch.schema(), LogOptions::new(&directory).allow_tmpfs(true))?;
/// log.append(&batch)?;
/// log.finish()?;
///
/// let reader = Log::open(&directory)?;
/// assert_eq!(reader.state(), State::Complete);
/// assert_eq!(reader.read(0, None)?, batch);
/// # Ok(())
/// # }
/// ```
pub struct LogReader {
    storage: Arc<dyn Storage>,
    manifest: Manifest,
    decoder: Decoder,
    index: IndexFile,
    known: RwLock<Known>,
    state: RwLock<State>,
    segments: Segments,
    dictionaries: Dictionaries,
    bits: VerifiedBits,
}

impl fmt::Debug for LogReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogReader")
            .field("directory", &self.directory())
            .field("len", &self.len())
            .field("state", &*self.state.read())
            .finish_non_exhaustive()
    }
}

/// What a batch is, without a look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordInfo {
    /// Its first row, counted over the log.
    pub first_row: u64,
    /// Its rows.
    pub rows: u64,
    /// The bytes that its rows showed when it was appended.
    pub shown_bytes: u64,
    /// The bytes that it takes in its segment, dictionaries left out.
    pub stored_bytes: u64,
}

impl LogReader {
    /// Opens the log in a directory.
    pub fn open(directory: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(&LogOptions::new(directory.as_ref()))
    }

    /// Opens the log in the directory of the options, of which only the access counts besides.
    pub fn open_with(options: &LogOptions) -> Result<Self> {
        let storage = FileStorage::existing(options)?;
        Self::with_storage(options, Arc::new(storage))
    }

    /// Opens the log in a storage.
    pub fn with_storage(options: &LogOptions, storage: Arc<dyn Storage>) -> Result<Self> {
        let reader = Self::of_storage(options, storage)?;
        reader.refresh()?;
        Ok(reader)
    }

    /// Opens the log in a storage, whoever writes to it.
    pub(crate) fn of_storage(options: &LogOptions, storage: Arc<dyn Storage>) -> Result<Self> {
        let manifest = read_file(storage.as_ref(), MANIFEST)?;
        let path = storage.path(MANIFEST);
        let manifest = Manifest::decode(&manifest).map_err(|e| Error::damage(&path, 0, e))?;
        let bad = |reason: String| Error::Corrupt {
            path: path.clone(),
            offset: ENTRY_LEN as u64,
            reason,
        };
        let schema = caught(|| {
            let schema = arrow_ipc::convert::try_schema_from_ipc_buffer(&manifest.schema)?;
            Ok(Arc::new(schema))
        });
        let schema: SchemaRef = schema.map_err(|e| bad(e.to_string()))?;
        let compression = compression(&manifest.header);
        let decoder = Decoder::new(schema, compression, true).map_err(|e| bad(e.to_string()))?;
        let file = storage.open(INDEX, false);
        let file = file.map_err(|e| Error::io("cannot open", storage.path(INDEX), e))?;
        let index = IndexFile::new(file, storage.path(INDEX));
        let (header, known) = Known::open(&index)?;
        if header.identity != manifest.header.identity {
            return Err(Error::Corrupt {
                path: index.path,
                offset: 16,
                reason: "it is the index of another log".to_owned(),
            });
        }
        let reading = LogOptions {
            segment_bytes: manifest.header.segment_bytes.clamp(1, 1 << 30),
            ..options.clone()
        };
        let reach = Arc::new(Reach::new(&reading, None, storage.refuses_maps()));
        let columns = decoder.schema().fields().len();
        Ok(Self {
            segments: Segments::new(Arc::clone(&storage), reach),
            storage,
            manifest,
            decoder,
            index,
            known: RwLock::new(known),
            state: RwLock::new(State::Growing),
            dictionaries: Dictionaries::default(),
            bits: VerifiedBits::new(columns),
        })
    }

    /// Opens a log to go on with it: without its end, if it failed, and without what is not good.
    pub(crate) fn to_resume(options: &LogOptions, storage: Arc<dyn Storage>) -> Result<Self> {
        let reader = Self::of_storage(options, storage)?;
        let closed = reader.known.read().walk.closed;
        match closed {
            Some(Status::Complete) => return Err(Error::Finished),
            Some(Status::Failed) => reader.known.write().reopen(&reader.index)?,
            None => {}
        }
        reader.cut_tail()?;
        Ok(reader)
    }

    /// How the log stood when it was opened, or when it was last [looked at](Self::refresh).
    pub fn state(&self) -> State {
        self.state.read().clone()
    }

    /// Looks for more batches and for how the log stands now. Returns that.
    pub fn refresh(&self) -> Result<State> {
        if matches!(*self.state.read(), State::Complete | State::Failed(_)) {
            return Ok(self.state());
        }
        let has_writer = self.storage.has_writer();
        let path = || self.storage.path(crate::storage::LOCK);
        let has_writer = has_writer.map_err(|e| Error::io("cannot look at", path(), e))?;
        // After the look at the lock: what a writer that is gone has written is all there.
        let mut known = self.known.write();
        if known.walk.closed.is_none() {
            known.scan(&self.index)?;
        }
        let state = match known.walk.closed {
            None if has_writer => State::Growing,
            None => State::Abandoned,
            Some(Status::Complete) => State::Complete,
            Some(Status::Failed) => State::Failed(self.failure(known.walk.totals.records)),
        };
        drop(known);
        self.state.write().clone_from(&state);
        Ok(state)
    }

    /// Why the log failed. That it did is proven, so a reason that can't be read is one too.
    fn failure(&self, records: u64) -> Failure {
        let path = self.storage.path(FAILURE);
        let read = || {
            let bytes = read_file(self.storage.as_ref(), FAILURE)?;
            let damage = |e| Error::damage(&path, 0, e);
            let (header, failure) = Failure::decode(&bytes).map_err(damage)?;
            if self.speaks_of(&header, records) {
                return Ok(failure);
            }
            Err(Error::Corrupt {
                path: path.clone(),
                offset: 16,
                reason: "it is that of another log".to_owned(),
            })
        };
        read().unwrap_or_else(|e: Error| Failure {
            kind: String::new(),
            text: format!("what the log was filled from failed, and why is not known: {e}"),
        })
    }

    fn speaks_of(&self, header: &Header, records: u64) -> bool {
        header.identity == self.manifest.header.identity && header.records == records
    }

    /// Reads a batch. `projection` lists top-level columns in any order; the bytes of other columns
    /// are not touched.
    ///
    /// What is read of a batch for the first time is verified: damage is an error that names the file
    /// and the place, never other data.
    pub fn read(&self, record: usize, projection: Option<&[usize]>) -> Result<RecordBatch> {
        let columns = self.schema().fields().len();
        crate::log::check_projection(projection, columns)?;
        let (found, among) = self.find(record)?;
        let extent = found.extent;
        let opened = self.segments.get(extent.segment, among.sealed.as_ref())?;
        let corrupt = |e| match e {
            Error::Arrow(e) => opened.segment.corrupt(extent.offset, e.to_string()),
            e => e,
        };
        let dictionaries = self.dictionaries.needed(
            &self.index,
            &self.decoder,
            extent.segment,
            &among,
            found.slot,
            projection,
        )?;
        let verified = match projection {
            None => self.bits.look(record, 0..columns),
            Some(some) => self.bits.look(record, some.iter().copied()),
        };
        let trust = match &verified {
            Ok(verified) => Trust::Verified(*verified),
            Err(fresh) => Trust::Unverified {
                crc: extent.crc,
                rows: found.rows,
                fresh,
            },
        };
        let bytes = match projection {
            Some(some) if !self.segments.maps() => {
                let body_len = usize::try_from(extent.body_len).unwrap_or(usize::MAX);
                let with_table = verified.is_err();
                let wanted =
                    |metadata: &[u8]| self.decoder.wanted(metadata, body_len, some, with_table);
                opened.parts(&extent, &wanted)
            }
            _ => opened.message(&extent),
        };
        let fetch = |dictionary: &DictionaryRecord| opened.message(&extent_of(dictionary));
        let batch = bytes
            .and_then(|bytes| {
                let metadata_len = extent.metadata_len as usize;
                self.decoder.batch(
                    &bytes,
                    metadata_len,
                    &dictionaries,
                    projection,
                    &fetch,
                    trust,
                )
            })
            .map_err(corrupt)?;
        if let Err(fresh) = &verified {
            self.bits.set(record, fresh);
        }
        Ok(batch)
    }

    fn find(&self, record: usize) -> Result<(Found, known::Among)> {
        let number = record as u64;
        let (among, len) = {
            let known = self.known.read();
            (known.among(number), known.walk.totals.records)
        };
        let among = among.ok_or_else(|| known::out_of_range(record, len))?;
        let found = self
            .index
            .find(number, among.first, among.low, among.high)?;
        let end = among.sealed.map(|sealed| (sealed.end, sealed.segment));
        let fits = |(end, segment)| found.extent.end() <= end && found.extent.segment == segment;
        if end.is_none_or(fits) {
            Ok((found, among))
        } else {
            let damage = crate::format::Damage::Value("end");
            Err(self.index.damage(found.slot, damage))
        }
    }

    /// What is known of a batch without reading it.
    pub fn info(&self, record: usize) -> Result<RecordInfo> {
        let (found, _) = self.find(record)?;
        Ok(RecordInfo {
            first_row: found.first_row,
            rows: found.rows,
            shown_bytes: found.shown,
            stored_bytes: found.extent.len(),
        })
    }

    /// Verifies the batches that were not made durable, of a log whose writer is gone, and lets go of
    /// all from the first that is not good. Returns how many are left.
    ///
    /// After a crash of the writer there is nothing to let go; after one of the machine the last
    /// batches may have an entry and no data.
    pub fn verify_tail(&self) -> Result<usize> {
        if *self.state.read() == State::Abandoned {
            self.cut_tail()?;
        }
        Ok(self.len())
    }

    /// Drops the batches behind the last durable entry from the first that is not good.
    pub(crate) fn cut_tail(&self) -> Result<()> {
        let mut known = self.known.write();
        let (mut walk, mut good) = (None, None);
        // From the beginning, because a walk can't begin in the middle.
        let mut at = self.beginning()?;
        while at.slot < known.walk.slot {
            let bytes = self.index.read(at.slot, 1)?;
            let here = at.slot;
            let entry = at.step(&bytes).map_err(|e| self.index.damage(here, e))?;
            let message = match entry.kind {
                EntryKind::Batch { extent, .. } => Some((extent, None)),
                EntryKind::Dictionary { id, extent, .. } => Some((extent, i64::try_from(id).ok())),
                _ => None,
            };
            if let Some((extent, id)) = message.filter(|_| here >= known.walk.durable) {
                let number = extent.segment as usize;
                let sealed = known.seals.get(number).copied();
                if !self.is_good(&extent, id, sealed)? {
                    walk = good.or_else(|| self.beginning().ok());
                    break;
                }
            }
            if at.is_whole() {
                good = Some(at);
            }
        }
        if let Some(walk) = walk {
            known.cut(walk);
            self.dictionaries.forget();
        }
        Ok(())
    }

    fn beginning(&self) -> Result<crate::format::Walk> {
        let header = self.index.read(0, 1)?;
        let walk = crate::format::Walk::begin(&header);
        walk.map(|(_, walk)| walk)
            .map_err(|e| self.index.damage(0, e))
    }

    /// Whether a message is there as it was written. An error is one of reading.
    fn is_good(&self, extent: &Extent, id: Option<i64>, sealed: Option<Sealed>) -> Result<bool> {
        let opened = match self.segments.get(extent.segment, sealed.as_ref()) {
            Ok(opened) => opened,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(false);
            }
            Err(e) => return Err(e),
        };
        let verified = opened.message(extent).and_then(|bytes| {
            let metadata_len = extent.metadata_len as usize;
            caught(|| self.decoder.verify(&bytes, metadata_len, extent.crc, id))
        });
        match verified {
            Ok(()) => Ok(true),
            Err(Error::Arrow(_) | Error::Corrupt { .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// How many batches there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.totals().records).unwrap_or(usize::MAX)
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows the batches have together.
    pub fn num_rows(&self) -> u64 {
        self.totals().rows
    }

    /// The bytes that the rows of all batches showed when they were appended.
    pub fn shown_bytes(&self) -> u64 {
        self.totals().shown
    }

    fn totals(&self) -> Totals {
        self.known.read().walk.totals
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        self.decoder.schema()
    }

    /// The directory of the log.
    pub fn directory(&self) -> PathBuf {
        self.storage.path("")
    }

    /// Sixteen bytes that no other log has.
    pub fn identity(&self) -> [u8; 16] {
        self.manifest.header.identity
    }

    /// What the owner of the log knows it by.
    pub fn key(&self) -> Option<&[u8]> {
        self.manifest.key.as_deref()
    }

    /// When the log was created, in microseconds since 1970.
    pub fn created(&self) -> u64 {
        self.manifest.created
    }

    /// For how long the log is good, as its owner says.
    pub fn time_to_live(&self) -> Option<Duration> {
        self.manifest.time_to_live.map(Duration::from_micros)
    }

    /// What else the owner says of the log.
    pub fn metadata(&self) -> &[(String, Vec<u8>)] {
        &self.manifest.metadata
    }

    /// How the buffers are compressed.
    pub fn compression(&self) -> Option<Compression> {
        compression(&self.manifest.header)
    }

    /// Whether batches point into the files, so that they weigh almost nothing on the heap.
    pub fn is_zero_copy(&self) -> bool {
        self.manifest.header.codec == 0 && self.segments.maps()
    }

    /// The bytes of heap that the dictionaries take that were decoded last.
    pub fn held_bytes(&self) -> u64 {
        if self.is_zero_copy() {
            0
        } else {
            self.decoder.decoded_bytes()
        }
    }

    /// What is known, for who goes on with the log.
    pub(crate) fn known(&self) -> Known {
        self.known.read().clone()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Every message of a segment, as its footer lists them: where it lies, and whether it is a
    /// dictionary.
    pub(crate) fn messages(&self, segment: usize) -> Result<Vec<(Extent, bool)>> {
        let among = self.known.read().segment(segment);
        let mut found = Vec::new();
        for slot in among.low..among.high {
            match self.index.entry(slot)?.kind {
                EntryKind::Batch { extent, .. } => found.push((extent, false)),
                EntryKind::Dictionary { extent, .. } => found.push((extent, true)),
                _ => {}
            }
        }
        Ok(found)
    }
}

fn extent_of(dictionary: &DictionaryRecord) -> Extent {
    Extent {
        segment: dictionary.segment,
        offset: dictionary.offset,
        metadata_len: dictionary.metadata_len,
        body_len: dictionary.body_len,
        crc: dictionary.crc,
    }
}

fn compression(header: &Header) -> Option<Compression> {
    match header.codec {
        1 => Some(Compression::Lz4),
        2 => Some(Compression::Zstd),
        _ => None,
    }
}

/// All of a small file.
fn read_file(storage: &dyn Storage, name: &str) -> Result<Vec<u8>> {
    let read = || -> io::Result<Vec<u8>> {
        let file = storage.open(name, false)?;
        let len = usize::try_from(file.size()?).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        let out_of_memory = |e| io::Error::new(io::ErrorKind::OutOfMemory, e);
        bytes.try_reserve_exact(len).map_err(out_of_memory)?;
        bytes.resize(len, 0);
        read_all(file.as_ref(), &mut bytes, 0)?;
        Ok(bytes)
    };
    read().map_err(|e| Error::io("cannot read", storage.path(name), e))
}
