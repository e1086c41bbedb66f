//! The first 64 bytes of the index and of the manifest.

use super::bytes::{CRC, checked, put, stamp, take};
use super::{Damage, ENTRY_LEN, VERSION};

// The fields of a header, one after the other.
const MAGIC: usize = 0;
const HEADER_VERSION: usize = MAGIC + 8;
const HEADER_RESERVED: usize = HEADER_VERSION + 2;
const HEADER_CODEC: usize = HEADER_RESERVED + 2;
const HEADER_ALIGNMENT: usize = HEADER_CODEC + 1;
const HEADER_ZERO: usize = HEADER_ALIGNMENT + 1;
const IDENTITY: usize = HEADER_ZERO + 2;
const SEGMENT_BYTES: usize = IDENTITY + 16;
const SCHEMA_LEN: usize = SEGMENT_BYTES + 8;
const SCHEMA_CRC: usize = SCHEMA_LEN + 8;
const HEADER_PADDING: usize = SCHEMA_CRC + 4;
const _: () = assert!(HEADER_PADDING + 8 == CRC);

/// The header of an index file, and the fixed part of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The same sixteen random bytes in all files of one log.
    pub identity: [u8; 16],
    /// 0: none, 1: LZ4 frames, 2: Zstandard. Only in a manifest.
    pub codec: u8,
    /// The size at which a new segment is begun. Only in a manifest.
    pub segment_bytes: u64,
    /// The length of the schema message that follows. Only in a manifest.
    pub schema_len: u64,
    /// CRC-32C of that message. Only in a manifest.
    pub schema_crc: u32,
}

impl Header {
    /// The bytes of the header, for a file that begins with `magic`.
    pub fn encode(&self, magic: [u8; 8]) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        put(&mut out, MAGIC, &magic);
        put(&mut out, HEADER_VERSION, &VERSION.to_le_bytes());
        put(&mut out, HEADER_CODEC, &[self.codec]);
        put(&mut out, HEADER_ALIGNMENT, &[64]);
        put(&mut out, IDENTITY, &self.identity);
        put(&mut out, SEGMENT_BYTES, &self.segment_bytes.to_le_bytes());
        put(&mut out, SCHEMA_LEN, &self.schema_len.to_le_bytes());
        put(&mut out, SCHEMA_CRC, &self.schema_crc.to_le_bytes());
        stamp(&mut out);
        out
    }

    /// Reads the header of a file that should begin with `magic`.
    pub fn decode(bytes: &[u8], magic: [u8; 8]) -> Result<Self, Damage> {
        // The magic bytes and the version come first: a newer format may have other checksums.
        if take::<8>(bytes, MAGIC)? != magic {
            return Err(Damage::Magic);
        }
        let version = u16::from_le_bytes(take(bytes, HEADER_VERSION)?);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let bytes = checked(bytes)?;
        if take(bytes, HEADER_ALIGNMENT)? != [64] {
            return Err(Damage::Value("alignment"));
        }
        let [codec] = take(bytes, HEADER_CODEC)?;
        if codec > 2 {
            return Err(Damage::Value("codec"));
        }
        Ok(Self {
            identity: take(bytes, IDENTITY)?,
            codec,
            segment_bytes: u64::from_le_bytes(take(bytes, SEGMENT_BYTES)?),
            schema_len: u64::from_le_bytes(take(bytes, SCHEMA_LEN)?),
            schema_crc: u32::from_le_bytes(take(bytes, SCHEMA_CRC)?),
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
            schema_len: 0,
            schema_crc: 0,
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
    fn a_newer_version_is_refused_by_name() {
        let mut bytes = header().encode(INDEX_MAGIC);
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes, INDEX_MAGIC), Err(Damage::Version(2)));
    }
}
