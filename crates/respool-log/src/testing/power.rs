//! A storage whose power can be cut: what was not synced survives as any part of it.
//!
//! A file has the bytes that everybody sees, and what of it is on the disk. Writes and cuts of it go to
//! the disk piece by piece, in any order and only some, until a sync brings all. Names go there by
//! themselves: a file is created and renamed in the directory that everybody sees, and a sync of the
//! directory brings that. What survives a cut of the power is drawn by lot.
//!
//! The file is longer than most because it is the whole of a storage.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use crate::locks::Mutex;

use crate::map::Map;
use crate::storage::sealed::Sealed;
use crate::storage::{Storage, StorageFile};

/// What is written or lost as one.
const PIECE: usize = 4096;

/// A storage that forgets what was not synced.
#[derive(Debug, Default)]
pub struct PowerStorage {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    files: Vec<File>,
    /// The names that everybody sees, and those on the disk.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the directory, in order.
    renames: Vec<NameChange>,
    /// How many calls that change something there were, and after how many the power goes.
    calls: u64,
    cut_at: Option<u64>,
    /// Every name that was ever synced with the directory of the log in its parent.
    is_parent_synced: bool,
}

#[derive(Debug, Clone)]
enum NameChange {
    Create(String, usize),
    Rename(String, String),
    Remove(String),
}

#[derive(Debug, Default, Clone)]
struct File {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Writes and cuts since the last sync, in order.
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Debug)]
struct PowerFile {
    number: usize,
    state: Arc<Mutex<State>>,
}

/// A source of chances.
#[derive(Debug)]
struct Lot(u64);

impl Lot {
    fn draw(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 33 & 1 == 0
    }
}

impl PowerStorage {
    /// Cuts the power at the n-th call from here that changes something: that and all later ones fail.
    pub fn cut_at(&self, call: u64) {
        let mut state = self.state.lock();
        state.calls = 0;
        state.cut_at = Some(call);
    }

    /// Whether the power is cut.
    pub fn is_cut(&self) -> bool {
        let state = self.state.lock();
        state.cut_at.is_some_and(|at| state.calls > at)
    }

    /// What a computer finds that is switched on again; another seed, another part of what was not
    /// synced. The seeds 0 and 1 are nothing of it and all of it.
    #[must_use]
    pub fn after_cut(&self, seed: u64) -> Self {
        let state = self.state.lock();
        let mut lot = Lot(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut draw = move || match seed {
            0 => false,
            1 => true,
            _ => lot.draw(),
        };
        let files: Vec<_> = state
            .files
            .iter()
            .map(|file| {
                let mut bytes = file.durable.clone();
                for change in &file.pending {
                    apply(&mut bytes, change, &mut draw);
                }
                File {
                    live: bytes.clone(),
                    durable: bytes,
                    pending: Vec::new(),
                }
            })
            .collect();
        let mut names = state.durable_names.clone();
        for change in &state.renames {
            if draw() {
                change.apply(&mut names);
            }
        }
        let fresh = State {
            files,
            durable_names: names.clone(),
            names,
            renames: Vec::new(),
            calls: 0,
            cut_at: None,
            is_parent_synced: state.is_parent_synced,
        };
        Self {
            state: Arc::new(Mutex::new(fresh)),
        }
    }

    /// The bytes of the file with this name.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state.lock();
        let number = state.names.get(name)?;
        Some(state.files.get(*number)?.live.clone())
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state.lock();
        state.call()?;
        change(&mut state)
    }
}

/// Applies a change of a file as far as it gets to the disk.
fn apply(bytes: &mut Vec<u8>, change: &Change, draw: &mut impl FnMut() -> bool) {
    match change {
        Change::Truncate(len) => {
            if draw() {
                bytes.truncate(*len);
            }
        }
        Change::Write(offset, written) => {
            let mut at = 0;
            while at < written.len() {
                let start = offset + at;
                let len = (PIECE - start % PIECE).min(written.len() - at);
                if draw() {
                    put(bytes, start, written.get(at..at + len).unwrap_or_default());
                }
                at += len;
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, start: usize, written: &[u8]) {
    if bytes.len() < start + written.len() {
        bytes.resize(start + written.len(), 0);
    }
    for (place, byte) in bytes.iter_mut().skip(start).zip(written) {
        *place = *byte;
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Create(name, number) => {
                names.insert(name.clone(), *number);
            }
            Self::Rename(from, to) => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl State {
    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        if self.cut_at.is_some_and(|at| self.calls > at) {
            return Err(io::Error::other("the power is cut"));
        }
        Ok(())
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.renames.push(change);
    }

    fn file(&mut self, number: usize) -> io::Result<&mut File> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        self.files.get_mut(number).ok_or_else(missing)
    }
}

impl Sealed for PowerStorage {}
impl Sealed for PowerFile {}

impl PowerStorage {
    fn opened(&self, number: usize) -> Arc<dyn StorageFile> {
        Arc::new(PowerFile {
            number,
            state: Arc::clone(&self.state),
        })
    }
}

impl Storage for PowerStorage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let number = self.change(|state| {
            if state.names.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let number = state.files.len();
            state.files.push(File::default());
            state.rename(NameChange::Create(name.to_owned(), number));
            Ok(number)
        })?;
        Ok(self.opened(number))
    }

    fn open(&self, name: &str, _to_write: bool) -> io::Result<Arc<dyn StorageFile>> {
        let number = self.state.lock().names.get(name).copied();
        Ok(self.opened(number.ok_or(io::ErrorKind::NotFound)?))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state.lock().names.keys().cloned().collect())
    }

    fn total_bytes(&self) -> io::Result<u64> {
        let state = self.state.lock();
        let files = state.names.values().filter_map(|&n| state.files.get(n));
        Ok(files.map(|file| file.live.len() as u64).sum())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|state| {
            if state.names.contains_key(to) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.rename(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        self.change(|state| {
            state.rename(NameChange::Rename(from.to_owned(), to.to_owned()));
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|state| {
            if !state.names.contains_key(name) {
                return Err(io::ErrorKind::NotFound.into());
            }
            state.rename(NameChange::Remove(name.to_owned()));
            Ok(())
        })
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.change(|state| {
            state.durable_names = state.names.clone();
            state.renames.clear();
            Ok(())
        })
    }

    fn sync_parent(&self) -> io::Result<()> {
        self.change(|state| {
            state.is_parent_synced = true;
            Ok(())
        })
    }

    fn keep(&self) {}

    fn has_writer(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("power").join(name)
    }

    fn is_named(&self) -> bool {
        true
    }

    fn refuses_maps(&self) -> bool {
        true
    }
}

impl PowerFile {
    fn change<T>(&self, change: impl FnOnce(&mut File) -> T) -> io::Result<T> {
        let mut state = self.state.lock();
        state.call()?;
        Ok(change(state.file(self.number)?))
    }
}

impl StorageFile for PowerFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let bytes: Vec<u8> = parts.iter().flat_map(|p| p.iter().copied()).collect();
        self.change(|file| {
            put(&mut file.live, start, &bytes);
            let len = bytes.len();
            file.pending.push(Change::Write(start, bytes));
            len
        })
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.state.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let rest = state.file(self.number)?.live.get(start..);
        let rest = rest.unwrap_or_default();
        for (place, byte) in out.iter_mut().zip(rest) {
            *place = *byte;
        }
        Ok(rest.len().min(out.len()))
    }

    fn map(&self, _len: usize) -> io::Result<Arc<Map>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.change(|file| {
            file.live.truncate(len);
            file.pending.push(Change::Truncate(len));
        })
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.state.lock().file(self.number)?.live.len() as u64)
    }

    fn renamed(&self, _name: &str) {}

    fn release(&self) -> bool {
        false
    }

    fn sync(&self) -> io::Result<()> {
        self.change(|file| {
            file.durable = file.live.clone();
            file.pending.clear();
        })
    }
}
