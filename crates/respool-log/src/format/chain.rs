//! The chain of checksums that ties every entry to all entries before it.

use super::bytes::{CRC, crc32c, put, take};
use super::{Damage, ENTRY_LEN};

/// The checksum that the next entry goes on from: that of the entry before it, or of the header.
///
/// What is left in a file of entries that do not count any more never fits: their checksums go on
/// from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain(u32);

impl Chain {
    /// The chain behind a header or an entry, as its last four bytes say.
    pub fn behind(bytes: &[u8]) -> Result<Self, Damage> {
        Ok(Self(u32::from_le_bytes(take(bytes, CRC)?)))
    }

    fn sum(self, entry: &[u8; ENTRY_LEN]) -> u32 {
        let mut covered = [0; ENTRY_LEN];
        put(&mut covered, 0, &self.0.to_le_bytes());
        let (body, _) = entry.split_at(CRC);
        put(&mut covered, 4, body);
        crc32c(&covered)
    }

    /// Writes the checksum of an entry, and goes on from it.
    pub(super) fn stamp(&mut self, entry: &mut [u8; ENTRY_LEN]) {
        self.0 = self.sum(entry);
        put(entry, CRC, &self.0.to_le_bytes());
    }

    /// The entry at the beginning of `bytes`, if it follows; then the chain goes on from it.
    pub(super) fn follow<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8; ENTRY_LEN], Damage> {
        let entry: &[u8; ENTRY_LEN] = bytes.first_chunk().ok_or(Damage::Truncated)?;
        let next = Self::behind(entry)?;
        if self.sum(entry) != next.0 {
            return Err(Damage::Checksum);
        }
        *self = next;
        Ok(entry)
    }
}
