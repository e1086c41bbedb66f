//! Fields of 64 bytes that end with a checksum of the others.

use super::Damage;

/// The length of the header and of every entry.
pub const ENTRY_LEN: usize = 64;

/// Where the checksum stands: behind everything it covers.
pub(super) const CRC: usize = ENTRY_LEN - 4;

/// CRC-32C (Castagnoli) of some bytes.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

pub(super) fn put(out: &mut [u8; ENTRY_LEN], at: usize, bytes: &[u8]) {
    for (place, byte) in out.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

pub(super) fn take<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damage> {
    let rest = bytes.get(at..).ok_or(Damage::Truncated)?;
    rest.first_chunk().copied().ok_or(Damage::Truncated)
}

/// Writes the checksum of what stands before it.
pub(super) fn stamp(out: &mut [u8; ENTRY_LEN]) {
    let (covered, _) = out.split_at(CRC);
    let crc = crc32c(covered);
    put(out, CRC, &crc.to_le_bytes());
}

/// The entry at the beginning of `bytes`, if its checksum fits.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8; ENTRY_LEN], Damage> {
    let entry: &[u8; ENTRY_LEN] = bytes.first_chunk().ok_or(Damage::Truncated)?;
    let (covered, _) = entry.split_at(CRC);
    if crc32c(covered) == u32::from_le_bytes(take(entry, CRC)?) {
        Ok(entry)
    } else {
        Err(Damage::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
