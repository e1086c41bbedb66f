//! Files that are vectors.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use crate::locks::Mutex;

use crate::map::Map;
use crate::storage::sealed::Sealed;
use crate::storage::{Storage, StorageFile};

/// Files that are vectors. They cannot be mapped.
#[derive(Debug, Default)]
pub struct MemoryStorage {
    named: bool,
    files: Mutex<Vec<(String, Arc<MemoryFile>)>>,
}

#[derive(Debug, Default)]
struct MemoryFile(Mutex<Vec<u8>>);

impl MemoryStorage {
    /// Storage of a temporary log.
    pub fn temporary() -> Self {
        Self::default()
    }

    /// Storage of a persistent log.
    pub fn named() -> Self {
        Self {
            named: true,
            files: Mutex::default(),
        }
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        let files = self.files.lock();
        files.iter().map(|(name, _)| name.clone()).collect()
    }

    /// The bytes of the file with this name.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        let files = self.files.lock();
        let (_, file) = files.iter().find(|(known, _)| known == name)?;
        Some(file.0.lock().clone())
    }
}

impl Sealed for MemoryStorage {}
impl Sealed for MemoryFile {}

impl Storage for MemoryStorage {
    fn create(&self, name: &str) -> io::Result<Arc<dyn StorageFile>> {
        let file = Arc::new(MemoryFile::default());
        let mut files = self.files.lock();
        if self.named && files.iter().any(|(known, _)| known == name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.push((name.to_owned(), Arc::clone(&file)));
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.files.lock();
        if files.iter().any(|(known, _)| known == to) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let found = files.iter_mut().find(|(known, _)| known == from);
        let (name, _) = found.ok_or(io::ErrorKind::NotFound)?;
        to.clone_into(name);
        Ok(())
    }

    fn open(&self, name: &str, _to_write: bool) -> io::Result<Arc<dyn StorageFile>> {
        let files = self.files.lock();
        let found = files.iter().find(|(known, _)| known == name);
        let (_, file) = found.ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::clone(file) as Arc<dyn StorageFile>)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn total_bytes(&self) -> io::Result<u64> {
        let files = self.files.lock();
        let lens = files.iter().map(|(_, file)| file.0.lock().len() as u64);
        Ok(lens.sum())
    }

    fn replace(&self, from: &str, to: &str) -> io::Result<()> {
        self.remove(to)?;
        self.rename(from, to)
    }

    fn has_writer(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files.lock().retain(|(known, _)| known != name);
        Ok(())
    }

    fn sync_directory(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_parent(&self) -> io::Result<()> {
        Ok(())
    }

    fn keep(&self) {}

    fn path(&self, name: &str) -> PathBuf {
        PathBuf::from("memory").join(name)
    }

    fn is_named(&self) -> bool {
        self.named
    }

    fn refuses_maps(&self) -> bool {
        true
    }
}

impl StorageFile for MemoryFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut bytes = self.0.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let len = parts.iter().map(|part| part.len()).sum::<usize>();
        let end = start + len;
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        let places = bytes.iter_mut().skip(start);
        for (place, byte) in places.zip(parts.iter().flat_map(|part| part.iter())) {
            *place = *byte;
        }
        Ok(len)
    }

    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let bytes = self.0.lock();
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        let rest = bytes.get(start..).unwrap_or_default();
        let len = rest.len().min(out.len());
        for (place, byte) in out.iter_mut().zip(rest) {
            *place = *byte;
        }
        Ok(len)
    }

    fn map(&self, _len: usize) -> io::Result<Arc<Map>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn renamed(&self, _name: &str) {}

    fn release(&self) -> bool {
        false
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(io::Error::other)?;
        self.0.lock().truncate(len);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
