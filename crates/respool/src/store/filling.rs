//! Which logs this process fills: who opened one of them beside its cache would wait for itself.

use std::sync::atomic::{AtomicU64, Ordering};

use respool_log::locks::{Mutex, MutexGuard};

use super::Store;
use super::records::Records;
use crate::fork::Process;

/// A log that is filled, by its identity.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Entry {
    number: u64,
    identity: [u8; 16],
    process: Process,
}

/// Held for a moment.
static FILLING: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// `None` where it can't be had: in a forked child a thread that is not there may hold it for ever. Then who asks
/// is not warned.
fn entries() -> Option<MutexGuard<'static, Vec<Entry>>> {
    if !Process::is_forked() {
        return Some(FILLING.lock());
    }
    for _ in 0..1000 {
        if let Some(entries) = FILLING.try_lock() {
            return Some(entries);
        }
        std::thread::yield_now();
    }
    None
}

/// That a store fills a log with a name; taken back by dropping it.
#[derive(Debug)]
pub(super) struct Filling(Entry);

impl Filling {
    /// `None` where the log has no name or is only read.
    pub(super) fn of(log: Option<&Records>) -> Option<Self> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let entry = Entry {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            identity: log?.written()?.identity()?,
            process: Process::here(),
        };
        entries()?.push(entry);
        Some(Self(entry))
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if self.0.process.is_here()
            && let Some(mut entries) = entries()
        {
            entries.retain(|entry| entry.number != self.0.number);
        }
    }
}

impl Store {
    /// Whether a store of this process fills that log.
    pub(crate) fn is_filled_here(identity: [u8; 16]) -> bool {
        entries().is_some_and(|entries| {
            let mut entries = entries.iter();
            entries.any(|entry| entry.identity == identity && entry.process.is_here())
        })
    }
}
