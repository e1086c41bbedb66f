//! How many bytes on disk logs may take together.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Error, Result};

/// A quota that is none.
const UNLIMITED: u64 = u64::MAX;

/// A bound in bytes that several logs share. Clones are the same quota.
///
/// A log charges what it is about to write before it writes, so two logs never take the same bytes,
/// and gives everything back when it is dropped.
///
/// ```
/// use arrow_array::record_batch;
/// use respool_log::{Log, LogOptions, Quota};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let batch = record_batch!(("n", Int64, [1, 2, 3]))?;
/// let options = LogOptions::new(std::env::temp_dir()).allow_tmpfs(true);
/// let quota = Quota::new(None);
/// let first = Log::temporary_within(batch.schema(), options.clone(), &quota)?;
/// let second = Log::temporary_within(batch.schema(), options, &quota)?;
/// first.append(&batch)?;
/// quota.set_capacity(Some(quota.used()));
/// assert!(second.append(&batch).is_err());
/// drop(first);
/// second.append(&batch)?;
/// assert_eq!(quota.used(), second.bytes());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Quota {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    capacity: AtomicU64,
    used: AtomicU64,
}

impl Quota {
    /// A quota of some bytes, or without a bound.
    pub fn new(capacity: Option<u64>) -> Self {
        Self {
            shared: Arc::new(Shared {
                capacity: AtomicU64::new(capacity.unwrap_or(UNLIMITED)),
                used: AtomicU64::new(0),
            }),
        }
    }

    /// The bound in bytes.
    pub fn capacity(&self) -> Option<u64> {
        let capacity = self.shared.capacity.load(Ordering::Relaxed);
        Some(capacity).filter(|&capacity| capacity != UNLIMITED)
    }

    /// Changes the bound. One that is smaller than what is in use only stops the next append.
    pub fn set_capacity(&self, capacity: Option<u64>) {
        let capacity = capacity.unwrap_or(UNLIMITED);
        self.shared.capacity.store(capacity, Ordering::Relaxed);
    }

    /// The bytes that all its logs have charged: what they hold on disk, what their ends will take
    /// where they are persistent, and what a failed append left and the next will write over.
    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Relaxed)
    }

    /// Takes some bytes, or says what is used and what the bound is.
    fn charge(&self, asked: u64) -> Result<(), (u64, u64)> {
        let used = &self.shared.used;
        used.try_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let capacity = self.shared.capacity.load(Ordering::Relaxed);
            used.checked_add(asked).filter(|&sum| sum <= capacity)
        })
        .map(drop)
        .map_err(|used| (used, self.shared.capacity.load(Ordering::Relaxed)))
    }
}

/// What one log has charged to its quota; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Account {
    quota: Quota,
    directory: PathBuf,
    charged: u64,
}

impl Account {
    pub(crate) fn new(quota: &Quota, directory: PathBuf) -> Self {
        Self {
            quota: quota.clone(),
            directory,
            charged: 0,
        }
    }

    /// Sees that at least `total` bytes are charged, before they are written.
    pub(crate) fn reserve(&mut self, total: u64) -> Result<()> {
        let asked = total.saturating_sub(self.charged);
        if asked > 0 {
            let charged = self.quota.charge(asked);
            charged.map_err(|(used, capacity)| Error::OutOfSpace {
                path: self.directory.clone(),
                asked,
                used,
                capacity,
            })?;
            self.charged = total;
        }
        Ok(())
    }

    /// Charges some bytes more, before they are written.
    pub(crate) fn add(&mut self, bytes: u64) -> Result<()> {
        self.reserve(self.charged + bytes)
    }

    /// Charges exactly `total` bytes: those that are there and those that are promised.
    pub(crate) fn settle(&mut self, total: u64) {
        let used = &self.quota.shared.used;
        if total >= self.charged {
            used.fetch_add(total - self.charged, Ordering::Relaxed);
        } else {
            used.fetch_sub(self.charged - total, Ordering::Relaxed);
        }
        self.charged = total;
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.settle(0);
    }
}
