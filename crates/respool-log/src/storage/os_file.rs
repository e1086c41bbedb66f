//! One file of the operating system.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::locks::RwLock;

use super::StorageFile;
use super::kept::{Directory, FileId};
use super::sealed::Sealed;
use crate::map::Map;

/// An open file, or one that can be opened again.
#[derive(Debug)]
pub(super) struct OsFile {
    file: RwLock<Option<Arc<File>>>,
    place: Option<Place>,
}

/// Where a file can be opened again.
#[derive(Debug)]
struct Place {
    directory: Arc<Directory>,
    name: RwLock<String>,
    /// What tells it from another file of that name.
    id: FileId,
}

impl OsFile {
    pub(super) fn nameless(file: File) -> Self {
        Self {
            file: RwLock::new(Some(Arc::new(file))),
            place: None,
        }
    }

    pub(super) fn named(file: File, directory: &Arc<Directory>, name: &str) -> io::Result<Self> {
        let place = Some(Place {
            directory: Arc::clone(directory),
            name: RwLock::new(name.to_owned()),
            id: FileId::of(&file)?,
        });
        Ok(Self {
            file: RwLock::new(Some(Arc::new(file))),
            place,
        })
    }

    /// The file, opened for this once if it was released.
    fn open(&self) -> io::Result<Arc<File>> {
        if let Some(file) = self.file.read().as_ref() {
            return Ok(Arc::clone(file));
        }
        let place = self.place.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let file = place.directory.open_file(&place.name.read(), false)?;
        if FileId::of(&file)? == place.id {
            Ok(Arc::new(file))
        } else {
            Err(io::Error::other("another file has taken its name"))
        }
    }
}

impl Sealed for OsFile {}

impl StorageFile for OsFile {
    #[cfg(target_os = "linux")]
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        // More slices than the kernel takes in one call is an error there, so they are cut here. What
        // is written in one call may become one folio of the page cache, and a map that touches a page
        // brings in the whole folio: the columns beside the one that is read too.
        const IOV_MAX: usize = 1024;
        const FOLIO: usize = 512 << 10;
        let file = self.open()?;
        let mut bytes = 0;
        let fits = |part: &&IoSlice<'_>| {
            bytes += part.len();
            bytes <= FOLIO
        };
        let fitting = parts.iter().take(IOV_MAX).take_while(fits).count();
        Ok(match (parts.get(..fitting), parts.first()) {
            (Some(fitting @ [_, ..]), _) => rustix::io::pwritev(&file, fitting, offset)?,
            (_, Some(part)) => {
                let part = part.get(..FOLIO).unwrap_or(part);
                rustix::io::pwrite(&file, part, offset)?
            }
            (_, None) => 0,
        })
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let part = parts.iter().find(|part| !part.is_empty());
        part.map_or(Ok(0), |part| {
            std::os::unix::fs::FileExt::write_at(self.open()?.as_ref(), part, offset)
        })
    }

    #[cfg(windows)]
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let part = parts.iter().find(|part| !part.is_empty());
        part.map_or(Ok(0), |part| {
            std::os::windows::fs::FileExt::seek_write(self.open()?.as_ref(), part, offset)
        })
    }

    #[cfg(unix)]
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self.open()?.as_ref(), bytes, offset)
    }

    // The position that it moves is nobody's: every call names its own.
    #[cfg(windows)]
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self.open()?.as_ref(), bytes, offset)
    }

    #[cfg(target_os = "linux")]
    fn read_part_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        use rustix::fs::{Advice, fadvise};
        let file = self.open()?;
        // Parts that lie close behind each other look like the beginning of the whole file. What was
        // asked for by itself is there, and then nothing is brought in with it.
        let len = std::num::NonZeroU64::new(bytes.len() as u64);
        let _told = len.map(|len| fadvise(&file, offset, Some(len), Advice::WillNeed));
        std::os::unix::fs::FileExt::read_at(file.as_ref(), bytes, offset)
    }

    fn map(&self, len: usize) -> io::Result<Arc<Map>> {
        Map::new(&*self.open()?, len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.open()?.set_len(len)
    }

    fn size(&self) -> io::Result<u64> {
        self.open()?.metadata().map(|metadata| metadata.len())
    }

    fn renamed(&self, name: &str) {
        if let Some(place) = &self.place {
            name.clone_into(&mut place.name.write());
        }
    }

    fn release(&self) -> bool {
        if self.place.is_some() {
            self.file.write().take();
        }
        self.place.is_some()
    }

    fn sync(&self) -> io::Result<()> {
        self.open()?.sync_data()
    }
}
