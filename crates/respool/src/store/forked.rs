//! A store in a forked child: what is on a log with a name is opened there anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use respool_log::LogReader;

use super::Store;
use crate::options::Options;

/// Where a log with a name is, and how it is opened again.
#[derive(Debug)]
pub(crate) struct Location {
    pub(crate) directory: PathBuf,
    /// What no other log has, also one that is there later.
    pub(crate) identity: [u8; 16],
    /// What its owner says of it.
    pub(crate) metadata: Vec<(String, Vec<u8>)>,
    /// The longest wait for the process that fills it.
    pub(crate) timeout: Option<Duration>,
    /// With a budget of their own: the ledger that is shared with the parent's caches may be locked for ever.
    pub(super) options: Options,
}

impl Store {
    /// This store; in a forked child the one that takes its place, where there is one. Nothing of the
    /// parent's is locked for it.
    pub(crate) fn here(self: &Arc<Self>) -> &Arc<Self> {
        if self.check_process().is_ok() {
            return self;
        }
        // Opened outside of every lock: this process may be forked meanwhile. Of two only one stays.
        match self.anew.get_or_init(|| Box::new(self.reopened())) {
            Some(store) => store.here(),
            None => self,
        }
    }

    fn reopened(&self) -> Option<Arc<Self>> {
        let location = self.location.as_ref()?;
        if self.is_closed.load(Ordering::Relaxed) {
            return None;
        }
        let log = LogReader::open(&location.directory).ok()?;
        if log.identity() != location.identity {
            return None;
        }
        Self::opened(log, &location.options, location.timeout).ok()
    }

    /// Where the log is, if it has a name.
    pub(crate) fn location(&self) -> Option<&Location> {
        self.location.as_ref()
    }
}
