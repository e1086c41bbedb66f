//! The first 64 bytes of every file of a log that is not a segment.

use super::bytes::{CRC, checked, put, stamp, take};
use super::{Damage, ENTRY_LEN, VERSION};

// The fields of a header, one after the other.
const MAGIC: usize = 0;
const HEADER_VERSION: usize = MAGIC + 8;
const REQUIRED: usize = HEADER_VERSION + 2;
const CODEC: usize = REQUIRED + 2;
const ALIGNMENT: usize = CODEC + 1;
const OPTIONAL: usize = ALIGNMENT + 1;
const IDENTITY: usize = OPTIONAL + 2;
const LEN: usize = IDENTITY + 16;
const RECORDS: usize = LEN + 8;
const SEGMENT_BYTES: usize = RECORDS + 8;
const RESERVED: usize = SEGMENT_BYTES + 8;
const _: () = assert!(RESERVED + 4 == CRC);

/// The header of the index, the manifest, the failure file or a sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The same sixteen random bytes in all files of one log.
    pub identity: [u8; 16],
    /// 0: none, 1: LZ4 frames, 2: Zstandard.
    pub codec: u8,
    /// The size at which a new segment is begun.
    pub segment_bytes: u64,
    /// The length of the file; 0 in an index, which grows.
    pub len: u64,
    /// How many records the file speaks of; only in sidecars and failure files.
    pub records: u64,
}

impl Header {
    /// The bytes of the header, for a file that begins with `magic`.
    pub fn encode(&self, magic: [u8; 8]) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        put(&mut out, MAGIC, &magic);
        put(&mut out, HEADER_VERSION, &VERSION.to_le_bytes());
        put(&mut out, CODEC, &[self.codec]);
        put(&mut out, ALIGNMENT, &[64]);
        put(&mut out, IDENTITY, &self.identity);
        put(&mut out, LEN, &self.len.to_le_bytes());
        put(&mut out, RECORDS, &self.records.to_le_bytes());
        put(&mut out, SEGMENT_BYTES, &self.segment_bytes.to_le_bytes());
        stamp(&mut out);
        out
    }

    /// Reads the header of a file that should begin with `magic`.
    pub fn decode(bytes: &[u8], magic: [u8; 8]) -> Result<Self, Damage> {
        // The magic bytes and the version come first: a newer format may have other checksums.
        if take::<8>(bytes, MAGIC)? != magic {
            return Err(Damage::Magic);
        }
        match u16::from_le_bytes(take(bytes, HEADER_VERSION)?) {
            0 => return Err(Damage::Value("version 0")),
            VERSION => {}
            newer => return Err(Damage::Version(newer)),
        }
        let bytes = checked(bytes)?;
        // This version knows no feature that a reader must know. Those at `OPTIONAL` may be ignored.
        match u16::from_le_bytes(take(bytes, REQUIRED)?) {
            0 => {}
            unknown => return Err(Damage::Features(unknown)),
        }
        if take(bytes, ALIGNMENT)? != [64] {
            return Err(Damage::Value("alignment"));
        }
        let [codec] = take(bytes, CODEC)?;
        if codec > 2 {
            return Err(Damage::Value("codec"));
        }
        Ok(Self {
            identity: take(bytes, IDENTITY)?,
            codec,
            segment_bytes: u64::from_le_bytes(take(bytes, SEGMENT_BYTES)?),
            len: u64::from_le_bytes(take(bytes, LEN)?),
            records: u64::from_le_bytes(take(bytes, RECORDS)?),
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{INDEX_MAGIC, MANIFEST_MAGIC};
    use super::*;

    pub(in crate::format) fn header() -> Header {
        Header {
            identity: *b"sixteen bytes!!!",
            codec: 2,
            segment_bytes: 256 << 20,
            len: 0,
            records: 3,
        }
    }

    #[test]
    fn a_header_comes_back_as_it_was() {
        let bytes = header().encode(MANIFEST_MAGIC);
        assert_eq!(Header::decode(&bytes, MANIFEST_MAGIC), Ok(header()));
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for bit in 0..ENTRY_LEN * 8 {
            let mut bytes = header().encode(INDEX_MAGIC);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bytes, INDEX_MAGIC).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_newer_version_or_an_unknown_feature_is_refused_by_name() {
        let mut bytes = header().encode(INDEX_MAGIC);
        bytes[HEADER_VERSION] = 2;
        let newer = Header::decode(&bytes, INDEX_MAGIC).unwrap_err();
        assert_eq!(newer, Damage::Version(2));
        assert!(newer.is_newer() && newer.to_string().contains("upgrade"));
        let mut bytes = header().encode(INDEX_MAGIC);
        bytes[REQUIRED + 1] = 1;
        stamp(&mut bytes);
        let newer = Header::decode(&bytes, INDEX_MAGIC).unwrap_err();
        assert_eq!(newer, Damage::Features(0x100));
        assert!(newer.is_newer() && newer.to_string().contains("upgrade"));
        // What may be ignored is.
        let mut bytes = header().encode(INDEX_MAGIC);
        bytes[OPTIONAL] = 1;
        stamp(&mut bytes);
        assert_eq!(Header::decode(&bytes, INDEX_MAGIC), Ok(header()));
        // No upgrade reads what never was.
        let mut bytes = header().encode(INDEX_MAGIC);
        bytes[HEADER_VERSION] = 0;
        let zero = Header::decode(&bytes, INDEX_MAGIC).unwrap_err();
        assert!(!zero.is_newer() && !zero.to_string().contains("upgrade"));
    }
}
