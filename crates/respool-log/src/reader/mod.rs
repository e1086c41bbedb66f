//! Logs that are there: opened without a look at their data, read with every check.
//!
//! What is read of a record is verified when it is first read, and believed after. The index is asked
//! for one entry at a time and never held, so a log of a million batches is opened as fast as a small
//! one, and takes as little memory.

mod about;
mod dictionaries;
mod follow;
mod index;
mod known;
mod read;
mod segments;
mod sidecars;
mod tail;

use std::cmp::Ordering;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::locks::RwLock;
use arrow_schema::SchemaRef;

use crate::decode::{Bits, Decoder, VerifiedBits, caught};
use crate::format::{Damage, ENTRY_LEN, Failure, Header, Manifest, Status};
use crate::format::{FAILURE, FAILURE_MAGIC, INDEX, MANIFEST, MANIFEST_MAGIC};
use crate::options::Compression;
use crate::segment::Reach;
use crate::storage::{FileStorage, Storage, read_all};
use crate::{Error, LogOptions, Result};

use dictionaries::Dictionaries;
pub use follow::Progress;
use index::IndexFile;
pub(crate) use known::{Known, Sealed};
pub use read::RecordInfo;
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
    /// Columns that were asked for before they were verified.
    asked: Bits,
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
        let manifest = read_file(storage.as_ref(), MANIFEST, MANIFEST_MAGIC)?;
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
            asked: Bits::new(columns),
        })
    }

    /// Opens a log to go on with it: without its end, if it failed, and without what is not good.
    pub(crate) fn to_resume(options: &LogOptions, storage: Arc<dyn Storage>) -> Result<Self> {
        let reader = Self::of_storage(options, storage)?;
        let closed = reader.known.read().walk.closed;
        match closed {
            Some(Status::Complete) => return Err(Error::Finished),
            Some(Status::Failed) => {
                let records = reader.known.read().walk.totals.records;
                // Said by `state` for as long as there is a reader, also when the file is gone.
                *reader.state.write() = State::Failed(reader.failure(records));
                reader.known.write().reopen(&reader.index)?;
            }
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
            let bytes = read_file(self.storage.as_ref(), FAILURE, FAILURE_MAGIC)?;
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

    /// What is known, for who goes on with the log.
    pub(crate) fn known(&self) -> Known {
        self.known.read().clone()
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

fn compression(header: &Header) -> Option<Compression> {
    match header.codec {
        1 => Some(Compression::Lz4),
        2 => Some(Compression::Zstd),
        _ => None,
    }
}

/// All of a file that begins with a header, which says how long it is. Nothing is read of one that is longer
/// or shorter, and nothing allocated for it.
fn read_file(storage: &dyn Storage, name: &str, magic: [u8; 8]) -> Result<Vec<u8>> {
    let failed = |e| Error::io("cannot read", storage.path(name), e);
    let file = storage.open(name, false).map_err(failed)?;
    let size = file.size().map_err(failed)?;
    let read = |len: u64| -> io::Result<Vec<u8>> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        let out_of_memory = |e| io::Error::new(io::ErrorKind::OutOfMemory, e);
        bytes.try_reserve_exact(len).map_err(out_of_memory)?;
        bytes.resize(len, 0);
        read_all(file.as_ref(), &mut bytes, 0)?;
        Ok(bytes)
    };
    let first = read(size.min(ENTRY_LEN as u64)).map_err(failed)?;
    let damage = |e| Error::damage(storage.path(name), 0, e);
    let header = Header::decode(&first, magic).map_err(damage)?;
    match header.len.cmp(&size) {
        Ordering::Less => Err(damage(Damage::Value("length"))),
        Ordering::Greater => Err(damage(Damage::Truncated)),
        Ordering::Equal => read(size).map_err(failed),
    }
}
