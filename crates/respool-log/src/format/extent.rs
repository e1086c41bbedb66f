//! Where the bytes of a message lie.

use super::Damage;

/// Where a message lies, and what its bytes sum to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The number of the segment.
    pub segment: u32,
    /// The offset of the message in the segment.
    pub offset: u64,
    /// The length of the metadata, with its prefix and its padding.
    pub metadata_len: u32,
    /// The length of the body.
    pub body_len: u64,
    /// CRC-32C of the metadata and of the table of checksums that begins the body.
    pub crc: u32,
}

impl Extent {
    /// Where the message ends.
    pub fn end(&self) -> u64 {
        self.offset + u64::from(self.metadata_len) + self.body_len
    }

    /// The length of the message.
    pub fn len(&self) -> u64 {
        u64::from(self.metadata_len) + self.body_len
    }

    /// Whether it has no bytes; no message is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Refuses extents that no log has, before anybody computes with them.
    pub(super) fn checked(self) -> Result<Self, Damage> {
        if !self.offset.is_multiple_of(64) {
            return Err(Damage::Value("offset"));
        }
        if self.metadata_len < 64 || !self.metadata_len.is_multiple_of(64) {
            return Err(Damage::Value("metadata length"));
        }
        if !self.body_len.is_multiple_of(64) {
            return Err(Damage::Value("body length"));
        }
        let end = self.offset.checked_add(u64::from(self.metadata_len));
        match end.and_then(|end| end.checked_add(self.body_len)) {
            Some(end) if end <= i64::MAX.cast_unsigned() => Ok(self),
            _ => Err(Damage::Value("end")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::chain;
    use super::super::{Entry, EntryKind};
    use super::*;

    #[test]
    fn an_extent_that_no_log_has_is_an_error() {
        let good = Extent {
            segment: 0,
            offset: 64,
            metadata_len: 64,
            body_len: 64,
            crc: 0,
        };
        let bad = [
            Extent { offset: 65, ..good },
            Extent {
                metadata_len: 0,
                ..good
            },
            Extent {
                metadata_len: 100,
                ..good
            },
            Extent {
                body_len: 1,
                ..good
            },
            Extent {
                body_len: u64::MAX - 63,
                ..good
            },
            Extent {
                offset: u64::MAX - 63,
                ..good
            },
        ];
        for extent in bad {
            let entry = Entry {
                record: 0,
                row: 0,
                kind: EntryKind::Dictionary {
                    id: 0,
                    values: 0,
                    extent,
                },
            };
            let decoded = Entry::decode(&entry.encode(&mut chain()), &mut chain());
            assert!(matches!(decoded, Err(Damage::Value(_))), "{extent:?}");
        }
    }
}
