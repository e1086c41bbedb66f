//! A copy in other encodings that is kept beside a log with a name: made once, opened from then on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use respool_log::{LogOptions, LogReader, State};

use crate::error::Result;
use crate::options::Options;
use crate::store::{Snapshot, Store};

/// The directory below that of the log; who reads its segments skips names that begin so.
const NAME: &str = "_encoded";

/// The copy of all rows, if there is one beside the log.
pub(super) fn kept(store: &Store, cache: &Snapshot) -> Option<Arc<Store>> {
    let location = store.location()?;
    let log = LogReader::open(location.directory.join(NAME)).ok()?;
    let is_of_this = log.key() == Some(&location.identity) && log.len() == cache.batches;
    if !is_of_this || log.state() != State::Complete {
        return None;
    }
    let options = Options::new().with_budget(&store.budget);
    Store::opened(log, &options, None).ok()
}

/// A place for a copy that is not whole yet.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    of: PathBuf,
}

impl Draft {
    /// `None` where the log goes with the process.
    pub(super) fn of(store: &Store) -> Option<Self> {
        static DRAFTS: AtomicU64 = AtomicU64::new(0);
        let of = store.location()?.directory.clone();
        let number = DRAFTS.fetch_add(1, Ordering::Relaxed);
        let name = format!("{NAME}-{}-{number}.part", std::process::id());
        Some(Self {
            path: of.join(name),
            of,
        })
    }

    /// The options of its log.
    pub(super) fn options(&self, store: &Store) -> Result<Options> {
        let key = store.location().map(|location| location.identity.to_vec());
        let log = LogOptions::new(&self.path).key(key).allow_tmpfs(true);
        let options = Options::new().with_budget(&store.budget);
        Ok(match store.log_quota()? {
            Some(quota) => options.with_named_log_within(log, &quota),
            None => options.with_named_log(log),
        })
    }

    /// Gives the whole copy its name, if no other has it, and opens the one that has.
    pub(super) fn publish(self, store: &Store, cache: &Snapshot) -> Option<Arc<Store>> {
        let target = self.of.join(NAME);
        match std::fs::rename(&self.path, &target) {
            Ok(()) => {}
            Err(error) if is_taken(&error) => {
                if let Some(kept) = kept(store, cache) {
                    return Some(kept);
                }
                // What is there is of no use: a copy that was cut short, or of another log.
                remove(&target);
                std::fs::rename(&self.path, &target).ok()?;
            }
            Err(_) => return None,
        }
        kept(store, cache)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty)
}

/// As far as it goes: what is left is skipped by who reads, and goes with the log.
fn remove(path: &Path) {
    let _gone = std::fs::remove_dir_all(path);
}
