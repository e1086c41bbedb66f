//! A storage that fails where it is told to. It is long because it wraps all that a storage can do.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::locks::Mutex;

use crate::map::Map;
use crate::storage::sealed::Sealed;
use crate::storage::{Storage, StorageFile};

/// What a storage can be asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Create a file.
    Create,
    /// Open a file.
    Open,
    /// Rename a file.
    Rename,
    /// Write to a file.
    Write,
    /// Read from a file.
    Read,
    /// Map a file.
    Map,
    /// Cut a file off.
    Truncate,
    /// Sync a file.
    Sync,
    /// Sync the directory.
    SyncDirectory,
    /// Sync the directory that the directory is in.
    SyncParent,
    /// Remove a file.
    Remove,
}

/// One call, as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// Of which file.
    pub name: String,
    /// At which offset, 0 where there is none.
    pub offset: u64,
    /// How many bytes, 0 where there are none.
    pub len: u64,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// With an error, and that once.
    Once,
    /// With an error, and every later call as well.
    Forever,
    /// A write stores half of its bytes and says so; the next call fails, once.
    ShortOnce,
    /// A write stores half of its bytes and says so; every later call fails.
    ShortForever,
    /// The process is killed, as by `kill -9`; a write stores half of its bytes before.
    Kill,
}

/// Which call fails, and how.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The number of the call, from 0, counting only calls of `operations`.
    pub call: u64,
    /// How it fails.
    pub mode: Mode,
    /// The error number of the operating system.
    pub errno: i32,
    /// The operations that count and that fail.
    pub operations: Vec<Operation>,
}

/// A storage that passes everything on to another one, records it, and fails where it is told to.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn Storage>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    fault: Mutex<Option<Fault>>,
    counted: AtomicU64,
    fired: AtomicU64,
    calls: Mutex<Vec<Call>>,
}

#[derive(Debug)]
struct FaultyFile {
    name: String,
    inner: Arc<dyn StorageFile>,
    state: Arc<State>,
}

/// What the state says to a call.
enum Verdict {
    Pass,
    Short,
    Fail(io::Error),
    Kill,
}

impl Faulty {
    /// Wraps a storage; without a fault it only records.
    pub fn new(inner: Arc<dyn Storage>, fault: Option<Fault>) -> Self {
        Self {
            inner,
            state: Arc::new(State {
                fault: Mutex::new(fault),
                counted: AtomicU64::new(0),
                fired: AtomicU64::new(0),
                calls: Mutex::default(),
            }),
        }
    }

    /// How many calls failed or were cut short.
    pub fn fired(&self) -> u64 {
        self.state.fired.load(Ordering::Relaxed)
    }

    /// Sets another fault; its calls are counted from here.
    pub fn set(&self, fault: Option<Fault>) {
        let mut place = self.state.fault.lock();
        self.state.counted.store(0, Ordering::Relaxed);
        *place = fault;
    }

    /// Lets everything succeed from now on.
    pub fn heal(&self) {
        self.set(None);
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.state.calls.lock().clone()
    }
}

impl State {
    fn call(&self, operation: Operation, name: &str, offset: u64, len: u64) -> Verdict {
        self.calls.lock().push(Call {
            operation,
            name: name.to_owned(),
            offset,
            len,
        });
        let fault = self.fault.lock();
        let Some(fault) = fault.as_ref().filter(|f| f.operations.contains(&operation)) else {
            return Verdict::Pass;
        };
        let number = self.counted.fetch_add(1, Ordering::Relaxed);
        let shortens = matches!(fault.mode, Mode::ShortOnce | Mode::ShortForever);
        let lasts = matches!(fault.mode, Mode::Forever | Mode::ShortForever);
        let is_short = shortens && operation == Operation::Write && number == fault.call;
        // The caller goes on after a short write; it is the next call that fails.
        let mut fails = number == fault.call || (lasts && number > fault.call);
        fails |= shortens && number == fault.call + 1;
        let verdict = if fault.mode == Mode::Kill && number == fault.call {
            Verdict::Kill
        } else if is_short {
            Verdict::Short
        } else if fails {
            Verdict::Fail(io::Error::from_raw_os_error(fault.errno))
        } else {
            Verdict::Pass
        };
        if !matches!(verdict, Verdict::Pass) {
            self.fired.fetch_add(1, Ordering::Relaxed);
        }
        verdict
    }

    fn check(&self, operation: Operation, name: &str, offset: u64, len: u64) -> io::Result<()> {
        match self.call(operation, name, offset, len) {
            Verdict::Pass | Verdict::Short => Ok(()),
            Verdict::Fail(e) => Err(e),
            Verdict::Kill => kill(),
        }
    }
}

/// Ends the process without a word.
fn kill<T>() -> io::Result<T> {
    #[cfg(unix)]
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
    Err(io::ErrorKind::Interrupted.into())
}

/// The first half of some bytes.
fn half(parts: &[IoSlice<'_>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = parts.iter().flat_map(|p| p.iter().copied()).collect();
    bytes.truncate(bytes.len().div_ceil(2));
    bytes
}

impl Sealed for Faulty {}
impl Sealed for FaultyFile {}

impl Storage for Faulty {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        self.state.check(Operation::Create, name, 0, 0)?;
        Ok(Arc::new(FaultyFile {
            name: name.to_owned(),
            inner: self.inner.create(name)?,
            state: Arc::clone(&self.state),
        }))
    }

    fn open(&self, name: &str, to_write: bool) -> io::Result<Arc<dyn StorageFile>> {
        self.state.check(Operation::Open, name, 0, 0)?;
        Ok(Arc::new(FaultyFile {
            name: name.to_owned(),
            inner: self.inner.open(name, to_write)?,
            state: Arc::clone(&self.state),
        }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.inner.list()
    }

    fn total_bytes(&self) -> io::Result<u64> {
        self.inner.total_bytes()
    }

    fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        self.state.check(Operation::Rename, from, 0, 0)?;
        self.inner.replace(from, to)
    }

    fn is_removed(&self) -> io::Result<bool> {
        self.inner.is_removed()
    }

    fn has_writer(&self) -> io::Result<bool> {
        self.inner.has_writer()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.state.check(Operation::Rename, from, 0, 0)?;
        self.inner.rename(from, to)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.state.check(Operation::SyncDirectory, "", 0, 0)?;
        self.inner.sync_directory()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.state.check(Operation::Remove, name, 0, 0)?;
        self.inner.remove(name)
    }

    fn sync_parent(&self) -> io::Result<()> {
        self.state.check(Operation::SyncParent, "", 0, 0)?;
        self.inner.sync_parent()
    }

    fn keep(&self) {
        self.inner.keep();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.inner.path(name)
    }

    fn is_named(&self) -> bool {
        self.inner.is_named()
    }

    fn refuses_maps(&self) -> bool {
        self.inner.refuses_maps()
    }
}

impl StorageFile for FaultyFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        match self
            .state
            .call(Operation::Write, &self.name, offset, len as u64)
        {
            Verdict::Pass => self.inner.write_at(parts, offset),
            Verdict::Short => self.inner.write_at(&[IoSlice::new(&half(parts))], offset),
            Verdict::Fail(e) => Err(e),
            Verdict::Kill => {
                self.inner.write_at(&[IoSlice::new(&half(parts))], offset)?;
                kill()
            }
        }
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.state
            .check(Operation::Read, &self.name, offset, bytes.len() as u64)?;
        self.inner.read_at(bytes, offset)
    }

    fn read_part_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        self.state
            .check(Operation::Read, &self.name, offset, bytes.len() as u64)?;
        self.inner.read_part_at(bytes, offset)
    }

    fn map(&self, len: usize) -> io::Result<Arc<Map>> {
        self.state
            .check(Operation::Map, &self.name, 0, len as u64)?;
        self.inner.map(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }

    fn renamed(&self, name: &str) {
        self.inner.renamed(name);
    }

    fn release(&self) -> bool {
        self.inner.release()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.state.check(Operation::Truncate, &self.name, len, 0)?;
        self.inner.truncate(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.state.check(Operation::Sync, &self.name, 0, 0)?;
        self.inner.sync()
    }
}
