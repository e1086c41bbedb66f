//! What a log with names has besides its segments: a manifest and an index.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::encode::{Kind, Plan};
use crate::index::{self, ENTRY_LEN, Entry, Extent, Header};
use crate::options::Compression;
use crate::storage::{Storage, StorageFile, write_all};
use crate::{Error, LogOptions, Result};

/// The name of the index of a persistent log.
pub(crate) const INDEX: &str = "_index";
/// The name of the manifest of a persistent log.
pub(crate) const MANIFEST: &str = "_manifest";
const MANIFEST_PART: &str = "_manifest.part";

/// The index under way.
#[derive(Debug)]
pub(crate) struct Index {
    file: Arc<dyn StorageFile>,
    end: u64,
    /// Dictionary entries of the segment under way.
    dictionaries: u32,
    scratch: Vec<u8>,
}

impl Index {
    /// Writes the manifest and begins the index. Returns the bytes written besides the index.
    pub(crate) fn create(
        storage: &dyn Storage,
        options: &LogOptions,
        schema: &[u8],
    ) -> Result<(Self, u64)> {
        let header = Header {
            identity: identity(),
            codec: match options.compression {
                None => 0,
                Some(Compression::Lz4) => 1,
                Some(Compression::Zstd) => 2,
            },
            segment_bytes: options.segment_bytes,
            schema_len: 0,
            schema_crc: 0,
        };
        let manifest = index::encode_manifest(header, schema);
        let written = || -> io::Result<()> {
            let file = storage.create(MANIFEST_PART)?;
            write_all(file.as_ref(), &mut [IoSlice::new(&manifest)], 0)?;
            file.sync()?;
            storage.rename(MANIFEST_PART, MANIFEST)
        };
        written().map_err(|e| Error::io("cannot write", storage.path(MANIFEST), e))?;
        let begun = || -> io::Result<Arc<dyn StorageFile>> {
            let file = storage.create(INDEX)?;
            let bytes = header.encode(index::INDEX_MAGIC);
            write_all(file.as_ref(), &mut [IoSlice::new(&bytes)], 0)?;
            storage.sync_directory()?;
            Ok(file)
        };
        let file = begun().map_err(|e| Error::io("cannot write", storage.path(INDEX), e))?;
        let index = Self {
            file,
            end: ENTRY_LEN as u64,
            dictionaries: 0,
            scratch: Vec::new(),
        };
        Ok((index, manifest.len() as u64))
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Writes the entries of a plan that is on disk. Nothing counts before [`Self::advance`].
    pub(crate) fn write_plan(&mut self, plan: &Plan, segment: u32, record: u64) -> io::Result<()> {
        self.scratch.clear();
        let mut dictionaries = self.dictionaries;
        for message in &plan.messages {
            let mut crc = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
            for slice in plan.message_slices(message) {
                crc.update(&slice);
            }
            let extent = Extent {
                segment,
                offset: message.offset,
                metadata_len: message.metadata_len,
                body_len: message.body_len,
                crc: u32::try_from(crc.finalize()).unwrap_or(u32::MAX),
            };
            let entry = match &message.kind {
                Kind::Batch => Entry::Batch {
                    record,
                    rows: message.rows,
                    dictionaries,
                    extent,
                },
                Kind::Dictionary(dictionary) => {
                    dictionaries += 1;
                    Entry::Dictionary {
                        id: dictionary.id,
                        values: message.rows,
                        extent,
                    }
                }
            };
            self.scratch.extend_from_slice(&entry.encode());
        }
        let mut parts = [IoSlice::new(&self.scratch)];
        write_all(self.file.as_ref(), &mut parts, self.end)
    }

    /// Counts what was written last.
    pub(crate) fn advance(&mut self, plan: &Plan) {
        self.end += self.scratch.len() as u64;
        let dictionaries = plan.messages.len().saturating_sub(1);
        self.dictionaries += u32::try_from(dictionaries).unwrap_or(0);
    }

    /// Writes and counts one entry that stands by itself.
    pub(crate) fn write_entry(&mut self, entry: Entry) -> io::Result<()> {
        let bytes = entry.encode();
        write_all(self.file.as_ref(), &mut [IoSlice::new(&bytes)], self.end)?;
        self.end += ENTRY_LEN as u64;
        if matches!(entry, Entry::Seal { .. }) {
            self.dictionaries = 0;
        }
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}

/// Sixteen random bytes, from the randomness that every hash map of the process begins with.
fn identity() -> [u8; 16] {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |now| now.as_nanos());
    let seed = (now, std::process::id());
    let high = RandomState::new().hash_one(seed);
    let low = RandomState::new().hash_one(seed);
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}
