//! What was computed from a log and is kept beside it, as bytes that the log does not read.

use std::io::{self, IoSlice};

use super::{LogReader, read_file};
use crate::format::{SIDECAR_MAGIC, decode_sidecar, encode_sidecar};
use crate::storage::write_all;
use crate::{Error, Result};

/// The file of a sidecar, if there can be one of this name: a kind in small letters, a dot, and what it
/// is of, as in `zones.3`.
fn file_name(name: &str) -> Option<String> {
    let (kind, of) = name.split_once('.')?;
    let is_kind = (1..=20).contains(&kind.len()) && kind.bytes().all(|b| b.is_ascii_lowercase());
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_of = (1..=100).contains(&of.len()) && of.bytes().all(is_word);
    (is_kind && is_of && of != "part").then(|| format!("_{name}"))
}

/// Whether a file is a sidecar, or one that was not finished.
pub(crate) fn is_sidecar(file: &str) -> bool {
    let name = file.strip_prefix('_').unwrap_or_default();
    file_name(name.strip_suffix(".part").unwrap_or(name)).is_some()
}

impl LogReader {
    /// Keeps bytes beside the log under a name like `zones.3`, in place of what had that name. They
    /// are good for as long as the log has as many batches as it has now.
    pub fn write_sidecar(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let file = sidecar_name(name)?;
        let header = self.manifest.header;
        let bytes = encode_sidecar(header, self.totals().records, bytes);
        // Several processes may have computed the same.
        let part = format!("{file}-{}.part", std::process::id());
        let write = || -> io::Result<()> {
            let _gone = self.storage.remove(&part);
            let written = self.storage.create(&part)?;
            write_all(written.as_ref(), &mut [IoSlice::new(&bytes)], 0)?;
            written.sync()?;
            self.storage.replace(&part, &file)
        };
        write().map_err(|e| {
            let _gone = self.storage.remove(&part);
            Error::io("cannot write", self.storage.path(&file), e)
        })
    }

    /// The bytes that are kept under a name, if they were computed from the batches that the log has.
    pub fn read_sidecar(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let file = sidecar_name(name)?;
        let bytes = match read_file(self.storage.as_ref(), &file, SIDECAR_MAGIC) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(None);
            }
            read => read?,
        };
        let damage = |e| Error::damage(self.storage.path(&file), 0, e);
        let (header, bytes) = decode_sidecar(&bytes).map_err(damage)?;
        let is_ours = self.speaks_of(&header, self.totals().records);
        Ok(is_ours.then(|| bytes.to_vec()))
    }

    /// The names of all sidecars, good or not.
    pub fn sidecars(&self) -> Result<Vec<String>> {
        let names = self.storage.list();
        let names = names.map_err(|e| Error::io("cannot list", self.directory(), e))?;
        let mut found: Vec<_> = names
            .iter()
            .filter_map(|file| file.strip_prefix('_'))
            .filter(|name| file_name(name).is_some())
            .map(str::to_owned)
            .collect();
        found.sort();
        Ok(found)
    }
}

fn sidecar_name(name: &str) -> Result<String> {
    file_name(name).ok_or_else(|| {
        let reason = "a sidecar is named like zones.3: a kind in small letters, a dot, a word";
        Error::io(
            "cannot name a sidecar",
            name,
            io::Error::new(io::ErrorKind::InvalidInput, reason),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_directory_and_away_from_the_log() {
        for good in ["zones.3", "codes.a-b_C", "z.0"] {
            assert_eq!(file_name(good), Some(format!("_{good}")));
            assert!(is_sidecar(&format!("_{good}")));
            assert!(is_sidecar(&format!("_{good}-77.part")));
        }
        let long = format!("zones.{}", "x".repeat(300));
        for bad in [
            "index",
            "manifest.part",
            "../x.y",
            "a./etc",
            "a.b/c",
            "a.\0",
            "A.b",
            ".b",
            "a.",
            &long,
            "00000000.part",
            "a.b.c",
        ] {
            assert_eq!(file_name(bad), None, "{bad}");
        }
        for file in [
            "_index",
            "_manifest",
            "_00000001.part",
            "_lock",
            "00000001.arrow",
        ] {
            assert!(!is_sidecar(file), "{file}");
        }
    }
}
