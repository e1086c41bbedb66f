//! How a persistent log begins: an empty index, then its manifest.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::format::{Damage, ENTRY_LEN, Header, INDEX_MAGIC, Manifest, Walk};
use crate::format::{INDEX, MANIFEST, MANIFEST_PART};
use crate::options::Compression;
use crate::storage::{Beginning, Storage, StorageFile, write_all};
use crate::{Error, LogOptions, Result};

/// What is said of a log that begins.
pub(super) fn manifest(options: &LogOptions, schema: &[u8]) -> Manifest {
    Manifest {
        header: Header {
            identity: identity(),
            codec: match options.compression {
                None => 0,
                Some(Compression::Lz4) => 1,
                Some(Compression::Zstd) => 2,
            },
            segment_bytes: options.segment_bytes,
            len: 0,
            records: 0,
        },
        schema: schema.to_vec(),
        created: now(),
        writer: concat!("respool-log ", env!("CARGO_PKG_VERSION")).to_owned(),
        key: options.key.clone(),
        time_to_live: options
            .time_to_live
            .map(|time| u64::try_from(time.as_micros()).unwrap_or(u64::MAX)),
        metadata: options.metadata.clone(),
    }
}

/// What a log takes beside its segments before it has any batch.
pub(super) fn size(options: &LogOptions, schema: &[u8]) -> u64 {
    (ENTRY_LEN + manifest(options, schema).encode().len()) as u64
}

/// Writes the header of the index, then the manifest: where that is, a log has begun. Both and
/// their names are durable then, that of the directory too. Returns the index, and where it ends.
pub(super) fn begin(
    storage: &dyn Storage,
    beginning: &mut Beginning<'_>,
    options: &LogOptions,
    schema: &[u8],
) -> Result<(Arc<dyn StorageFile>, Header, Walk)> {
    let manifest = manifest(options, schema);
    let header = manifest.header;
    let bytes = header.encode(INDEX_MAGIC);
    let index = write(beginning, INDEX, &bytes)
        .map_err(|e| Error::io("cannot write", storage.path(INDEX), e))?;
    let bad = |e: Damage| Error::damage(storage.path(INDEX), 0, e);
    let (_, walk) = Walk::begin(&bytes).map_err(bad)?;
    let mut begin = || -> io::Result<()> {
        write(beginning, MANIFEST_PART, &manifest.encode())?;
        beginning.rename(MANIFEST_PART, MANIFEST)?;
        storage.sync_directory()?;
        storage.sync_parent()
    };
    begin().map_err(|e| Error::io("cannot write", storage.path(MANIFEST), e))?;
    Ok((index, header, walk))
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

/// Microseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
    })
}

/// Sixteen random bytes, from the randomness that every hash map of the process begins with.
fn identity() -> [u8; 16] {
    let seed = (now(), std::process::id());
    let high = RandomState::new().hash_one(seed);
    let low = RandomState::new().hash_one(seed);
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}
