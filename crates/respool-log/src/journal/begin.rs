//! How a persistent log begins: an empty index, then its manifest.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::sync::Arc;

use super::INDEX;
use crate::format::{ENTRY_LEN, Header, INDEX_MAGIC, encode_manifest};
use crate::options::Compression;
use crate::storage::{Beginning, Storage, StorageFile, write_all};
use crate::{Error, LogOptions, Result};

/// The name of the manifest.
const MANIFEST: &str = "_manifest";
/// Its name until it is whole.
const MANIFEST_PART: &str = "_manifest.part";

/// What a log takes beside its segments before it has any batch.
pub(super) fn size(schema: &[u8]) -> u64 {
    // The header of the index; that of the manifest, and the schema.
    2 * ENTRY_LEN as u64 + schema.len() as u64
}

/// Writes the header of the index, then the manifest: where that is, a log has begun. Both and
/// their names are durable then, that of the directory too.
pub(super) fn begin(
    storage: &dyn Storage,
    beginning: &mut Beginning<'_>,
    options: &LogOptions,
    schema: &[u8],
) -> Result<Arc<dyn StorageFile>> {
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
    let index = write(beginning, INDEX, &header.encode(INDEX_MAGIC))
        .map_err(|e| Error::io("cannot write", storage.path(INDEX), e))?;
    let mut manifest = || -> io::Result<()> {
        write(beginning, MANIFEST_PART, &encode_manifest(header, schema))?;
        beginning.rename(MANIFEST_PART, MANIFEST)?;
        storage.sync_directory()?;
        storage.sync_parent()
    };
    manifest().map_err(|e| Error::io("cannot write", storage.path(MANIFEST), e))?;
    Ok(index)
}

fn write(
    beginning: &mut Beginning<'_>,
    name: &str,
    bytes: &[u8],
) -> io::Result<Arc<dyn StorageFile>> {
    let file = beginning.create(name)?;
    write_all(file.as_ref(), &mut [IoSlice::new(bytes)], 0)?;
    file.sync()?;
    Ok(file)
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
