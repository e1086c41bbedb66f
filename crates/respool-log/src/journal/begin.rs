//! How a persistent log begins: its manifest, then an empty index.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::INDEX;
use crate::format::{Header, INDEX_MAGIC, encode_manifest};
use crate::options::Compression;
use crate::storage::{Storage, StorageFile, write_all};
use crate::{Error, LogOptions, Result};

/// The name of the manifest.
const MANIFEST: &str = "_manifest";
/// Its name until it is whole.
const MANIFEST_PART: &str = "_manifest.part";

/// Writes the manifest and the header of the index. Returns the index and the length of the
/// manifest.
pub(super) fn begin(
    storage: &dyn Storage,
    options: &LogOptions,
    schema: &[u8],
) -> Result<(Arc<dyn StorageFile>, u64)> {
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
    let manifest = encode_manifest(header, schema);
    let written = || -> io::Result<()> {
        let file = storage.create(MANIFEST_PART)?;
        write_all(file.as_ref(), &mut [IoSlice::new(&manifest)], 0)?;
        file.sync()?;
        storage.rename(MANIFEST_PART, MANIFEST)
    };
    written().map_err(|e| Error::io("cannot write", storage.path(MANIFEST), e))?;
    let begun = || -> io::Result<Arc<dyn StorageFile>> {
        let file = storage.create(INDEX)?;
        let bytes = header.encode(INDEX_MAGIC);
        write_all(file.as_ref(), &mut [IoSlice::new(&bytes)], 0)?;
        storage.sync_directory()?;
        Ok(file)
    };
    let file = begun().map_err(|e| Error::io("cannot write", storage.path(INDEX), e))?;
    Ok((file, manifest.len() as u64))
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
