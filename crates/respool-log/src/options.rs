//! How a log is laid out: checked once, trusted afterwards.

use std::path::PathBuf;
use std::time::Duration;

/// How the buffers of a record batch are made smaller on disk.
///
/// Batches of a compressed log are not zero-copy: each read decompresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// LZ4 frames: fast, modest.
    Lz4,
    /// Zstandard at level 1: slower, smaller.
    Zstd,
}

/// How records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Map, and fall back to reading where mapping fails (address space limits) or is not safe
    /// (network file systems).
    #[default]
    Auto,
    /// Map, or fail.
    Map,
    /// Read into memory, never map.
    Read,
}

/// Where a log lies and how large it may grow.
///
/// ```
/// use respool_log::{Access, Compression, LogOptions};
///
/// let options = LogOptions::new("/data/spill")
///     .capacity(Some(10 << 30))
///     .segment_bytes(64 << 20)
///     .compression(Some(Compression::Lz4))
///     .access(Access::Read);
/// assert_eq!(options.capacity, Some(10 << 30));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// Where the segments live. A temporary log wants an existing directory; a persistent log
    /// makes this directory, or takes it if it is empty.
    pub directory: PathBuf,
    /// Quota in bytes over all files of the log but its lock, which has less than 512 bytes.
    pub capacity: Option<u64>,
    /// A segment that would grow beyond this is followed by a new one. A batch that is larger gets
    /// a segment of its own.
    pub segment_bytes: u64,
    /// Compression of the buffers.
    pub compression: Option<Compression>,
    /// Accept a directory on tmpfs or ramfs.
    pub allow_tmpfs: bool,
    /// How records are read.
    pub access: Access,
    /// What the owner knows a persistent log by.
    pub key: Option<Vec<u8>>,
    /// For how long a persistent log is good, as its owner says.
    pub time_to_live: Option<Duration>,
    /// What else the owner says of a persistent log.
    pub metadata: Vec<(String, Vec<u8>)>,
}

impl LogOptions {
    /// The default size of a segment.
    pub const SEGMENT_BYTES: u64 = 256 << 20;

    /// Options for a log in `directory`: no quota, segments of 256 MiB, uncompressed, mapped.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            capacity: None,
            segment_bytes: Self::SEGMENT_BYTES,
            compression: None,
            allow_tmpfs: false,
            access: Access::Auto,
            key: None,
            time_to_live: None,
            metadata: Vec::new(),
        }
    }

    /// Sets the quota in bytes.
    #[must_use]
    pub fn capacity(mut self, capacity: Option<u64>) -> Self {
        self.capacity = capacity;
        self
    }

    /// Sets the size at which a new segment is begun.
    #[must_use]
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Sets the compression.
    #[must_use]
    pub fn compression(mut self, compression: Option<Compression>) -> Self {
        self.compression = compression;
        self
    }

    /// Allows a directory that is memory.
    #[must_use]
    pub fn allow_tmpfs(mut self, allow: bool) -> Self {
        self.allow_tmpfs = allow;
        self
    }

    /// Sets what a persistent log is known by.
    #[must_use]
    pub fn key(mut self, key: Option<Vec<u8>>) -> Self {
        self.key = key;
        self
    }

    /// Sets for how long a persistent log is good.
    #[must_use]
    pub fn time_to_live(mut self, time: Option<Duration>) -> Self {
        self.time_to_live = time;
        self
    }

    /// Sets what else is said of a persistent log.
    #[must_use]
    pub fn metadata(mut self, metadata: Vec<(String, Vec<u8>)>) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets how records are read.
    #[must_use]
    pub fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }
}
