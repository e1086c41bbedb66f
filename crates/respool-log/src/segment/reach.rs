//! Maps or reads: how the records of a log are reached.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::LogOptions;
use crate::options::Access;

/// How the records of a log are reached, decided once for all its segments.
#[derive(Debug)]
pub(crate) struct Reach {
    access: Access,
    /// Set when mapping failed once or was refused: from then on records are read.
    reads: AtomicBool,
    /// How much address space the map of a segment reserves, as long as that suffices.
    reserve: u64,
    /// How much it reserves if not: the quota may be raised while the log grows.
    segment_bytes: u64,
}

impl Reach {
    pub(crate) fn new(options: &LogOptions, capacity: Option<u64>, refuses_maps: bool) -> Self {
        let access = options.access;
        let reads = match access {
            Access::Auto => refuses_maps,
            Access::Map => false,
            Access::Read => true,
        };
        Self {
            access,
            reads: AtomicBool::new(reads),
            reserve: options.segment_bytes.min(capacity.unwrap_or(u64::MAX)),
            segment_bytes: options.segment_bytes,
        }
    }

    pub(crate) fn maps(&self) -> bool {
        !self.reads.load(Ordering::Relaxed)
    }

    /// Whether a map that fails is an error.
    pub(super) fn must_map(&self) -> bool {
        self.access == Access::Map
    }

    /// Records are read from now on.
    pub(super) fn stop_mapping(&self) {
        self.reads.store(true, Ordering::Relaxed);
    }

    /// Whether a full segment may be mapped for the sake of its descriptor alone. Where address
    /// space is limited, it is kept for those who read.
    pub(super) fn maps_full_segments(&self) -> bool {
        #[cfg(unix)]
        {
            use rustix::process::{Resource, getrlimit};
            self.maps() && getrlimit(Resource::As).current.is_none()
        }
        #[cfg(not(unix))]
        self.maps()
    }

    /// How far a map should reach that has to reach to `end`.
    pub(super) fn reserve(&self, end: u64) -> u64 {
        if end <= self.reserve {
            self.reserve
        } else {
            // A segment may be larger: one batch may be, and where descriptors are short all are.
            end.next_multiple_of(self.segment_bytes.max(1))
        }
    }
}
