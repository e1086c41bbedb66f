//! The manifest: a header, then the schema as a message.

use super::{Damage, ENTRY_LEN, Header, MANIFEST_MAGIC, crc32c};

/// A manifest: its header and the schema message.
pub fn encode_manifest(header: Header, schema: &[u8]) -> Vec<u8> {
    let header = Header {
        schema_len: schema.len() as u64,
        schema_crc: crc32c(schema),
        ..header
    };
    let mut out = header.encode(MANIFEST_MAGIC).to_vec();
    out.extend_from_slice(schema);
    out
}

/// The header of a manifest and its schema message.
pub fn decode_manifest(bytes: &[u8]) -> Result<(Header, &[u8]), Damage> {
    let header = Header::decode(bytes, MANIFEST_MAGIC)?;
    let len = usize::try_from(header.schema_len).map_err(|_| Damage::Value("schema length"))?;
    let end = ENTRY_LEN
        .checked_add(len)
        .ok_or(Damage::Value("schema length"))?;
    let schema = bytes.get(ENTRY_LEN..end).ok_or(Damage::Truncated)?;
    if crc32c(schema) != header.schema_crc {
        return Err(Damage::Checksum);
    }
    Ok((header, schema))
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::header;
    use super::*;

    #[test]
    fn a_manifest_that_is_cut_or_changed_is_an_error() {
        let manifest = encode_manifest(header(), b"the schema");
        assert_eq!(decode_manifest(&manifest).unwrap().1, b"the schema");
        for len in 0..manifest.len() {
            assert!(decode_manifest(&manifest[..len]).is_err());
        }
        for at in 0..manifest.len() {
            let mut damaged = manifest.clone();
            damaged[at] ^= 0x10;
            assert!(decode_manifest(&damaged).is_err(), "byte {at}");
        }
    }
}
