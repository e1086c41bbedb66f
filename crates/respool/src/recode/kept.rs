//! A copy in other encodings that is kept beside a log with a name: made once, opened from then on.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use respool_log::{Log, LogOptions, LogReader, State};

use crate::error::Result;
use crate::fork::Process;
use crate::options::Options;
use crate::store::{Location, Snapshot, Store};
use crate::view::View;

/// The directory below that of the log; who reads its segments skips names that begin so.
const NAME: &str = "_encoded";

/// The copy of all rows, if there is one beside the log.
pub(super) fn kept(view: &View, cache: &Snapshot) -> Option<Arc<Store>> {
    let store = view.store();
    let location = store.location()?;
    let log = LogReader::open(location.directory.join(NAME)).ok()?;
    let names = |schema: &arrow_schema::Schema| -> Vec<String> {
        let fields = schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    };
    let is_of_this = log.key() == Some(&location.identity)
        && (log.len(), log.num_rows()) == (cache.batches, cache.rows)
        && names(log.schema()) == names(&store.schema);
    if !is_of_this || log.state() != State::Complete {
        return None;
    }
    let options = Options::new().with_budget(&store.budget);
    Store::opened(log, &options, None).ok()
}

/// Removes a copy that was found damaged, unless somebody reads it.
pub(super) fn discard(store: &Store) {
    if let Some(location) = store.location().filter(|location| is_there(location)) {
        let _gone = Log::remove(location.directory.join(NAME));
    }
}

/// A place for a copy that is not whole yet.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    of: PathBuf,
    /// Whether there is something, and who has made it.
    made: Option<Process>,
}

impl Draft {
    /// `None` where the log goes with the process.
    pub(super) fn of(store: &Store) -> Option<Self> {
        let location = store.location()?;
        if !is_there(location) {
            return None;
        }
        let of = location.directory.clone();
        sweep(&of);
        // Another process must not have the same: not one in another container, nor a child with the same state.
        let number = RandomState::new().build_hasher().finish();
        let process = std::process::id();
        Some(Self {
            path: of.join(format!("{NAME}-{process}-{number:016x}.part")),
            of,
            made: None,
        })
    }

    /// Takes note that its log has begun.
    pub(super) fn begun(&mut self) {
        self.made = Some(Process::here());
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
    pub(super) fn publish(self, view: &View, cache: &Snapshot) -> Option<Arc<Store>> {
        let target = self.of.join(NAME);
        if !view.store().location().is_some_and(is_there) {
            return None;
        }
        match std::fs::rename(&self.path, &target) {
            Ok(()) => {}
            Err(error) if is_taken(&error) => {
                if let Some(kept) = kept(view, cache) {
                    return Some(kept);
                }
                // What is there is of no use: a copy of other batches.
                let _gone = Log::remove(&target);
                std::fs::rename(&self.path, &target).ok()?;
            }
            Err(_) => return None,
        }
        kept(view, cache)
    }
}

impl Drop for Draft {
    /// As far as it goes: what is left is skipped by who reads, and goes with the log.
    fn drop(&mut self) {
        if self.made.is_some_and(Process::is_here) {
            let _gone = Log::remove(&self.path);
        }
    }
}

/// Removes drafts that nobody writes any more.
fn sweep(directory: &std::path::Path) {
    let prefix = format!("{NAME}-");
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(&prefix)) {
            let _gone = Log::remove(entry.path());
        }
    }
}

/// Whether the directory is still that of the log: one that was removed may have been followed by another there.
fn is_there(location: &Location) -> bool {
    LogReader::open(&location.directory).is_ok_and(|log| log.identity() == location.identity)
}

fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty)
}
