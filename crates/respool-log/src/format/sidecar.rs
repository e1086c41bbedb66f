//! Sidecars: what was computed from a log and is kept beside it, as bytes that the log does not read.

use super::sections::{check_known, find};
use super::{Damage, Header, SIDECAR_MAGIC, Section, decode_sections, encode_sections};

const BYTES: u16 = 1;

/// The file of a sidecar of a log whose header is `header` and that has `records` records.
pub fn encode_sidecar(header: Header, records: u64, bytes: &[u8]) -> Vec<u8> {
    let section = Section {
        must_be_known: true,
        ..Section::new(BYTES, bytes)
    };
    encode_sections(Header { records, ..header }, SIDECAR_MAGIC, &[section])
}

/// The header of a sidecar and its bytes.
pub fn decode_sidecar(bytes: &[u8]) -> Result<(Header, &[u8]), Damage> {
    let (header, sections) = decode_sections(bytes, SIDECAR_MAGIC)?;
    check_known(&sections, &[BYTES])?;
    let found = find(&sections, BYTES).ok_or(Damage::Value("section"))?;
    Ok((header, found))
}
