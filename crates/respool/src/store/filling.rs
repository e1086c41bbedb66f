//! Which logs this process fills: who opened one of them beside its cache would wait for itself.

use parking_lot::Mutex;

use super::Store;
use super::records::Records;
use crate::fork::Process;

/// Locked for a moment, and never in a forked child, where it may be locked for ever.
static FILLING: Mutex<Vec<([u8; 16], Process)>> = Mutex::new(Vec::new());

/// That a store fills a log with a name; taken back by dropping it.
#[derive(Debug)]
pub(super) struct Filling {
    identity: [u8; 16],
    process: Process,
}

impl Filling {
    /// `None` where the log has no name or is only read.
    pub(super) fn of(log: Option<&Records>) -> Option<Self> {
        let identity = log?.written()?.identity()?;
        let process = Process::here();
        FILLING.lock().push((identity, process));
        Some(Self { identity, process })
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if self.process.is_here() {
            let mut filling = FILLING.lock();
            filling.retain(|(identity, _)| *identity != self.identity);
        }
    }
}

impl Store {
    /// Whether a store of this process fills that log.
    pub(crate) fn is_filled_here(identity: [u8; 16]) -> bool {
        let Some(filling) = FILLING.try_lock() else {
            return false;
        };
        let mut filling = filling.iter();
        filling.any(|(known, process)| *known == identity && process.is_here())
    }
}
