//! Fields at fixed places, and the checksums of what has 64 bytes.

use super::Damage;

/// The length of a header and of every entry.
pub const ENTRY_LEN: usize = 64;

/// Where the checksum stands: behind everything it covers.
pub(super) const CRC: usize = ENTRY_LEN - 4;

/// The largest number that fits into six bytes.
pub(super) const MAX_U48: u64 = (1 << 48) - 1;

/// CRC-32C (Castagnoli) of some bytes.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// A CRC-32C that is computed piece by piece.
#[derive(Debug)]
pub(crate) struct Sum(crc_fast::Digest);

impl Sum {
    pub(crate) fn new() -> Self {
        Self(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi))
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn get(&self) -> u32 {
        u32::try_from(self.0.finalize()).unwrap_or(u32::MAX)
    }

    pub(crate) fn take(&mut self) -> u32 {
        let sum = self.get();
        self.0.reset();
        sum
    }
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

/// Writes a number of six bytes; a larger one as the largest.
pub(super) fn put_u48(out: &mut [u8; ENTRY_LEN], at: usize, number: u64) {
    let bytes = number.min(MAX_U48).to_le_bytes();
    let (low, _) = bytes.split_at(6);
    put(out, at, low);
}

pub(super) fn take_u48(bytes: &[u8], at: usize) -> Result<u64, Damage> {
    let low: [u8; 6] = take(bytes, at)?;
    let mut bytes = [0; 8];
    for (place, byte) in bytes.iter_mut().zip(low) {
        *place = byte;
    }
    Ok(u64::from_le_bytes(bytes))
}

/// Writes the checksum of what stands before it.
pub(super) fn stamp(out: &mut [u8; ENTRY_LEN]) {
    let (covered, _) = out.split_at(CRC);
    let crc = crc32c(covered);
    put(out, CRC, &crc.to_le_bytes());
}

/// The header at the beginning of `bytes`, if its checksum fits.
pub(super) fn checked(bytes: &[u8]) -> Result<&[u8; ENTRY_LEN], Damage> {
    let header: &[u8; ENTRY_LEN] = bytes.first_chunk().ok_or(Damage::Truncated)?;
    let (covered, _) = header.split_at(CRC);
    if crc32c(covered) == u32::from_le_bytes(take(header, CRC)?) {
        Ok(header)
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
        let mut sum = Sum::new();
        sum.add(b"1234");
        sum.add(b"56789");
        assert_eq!((sum.take(), sum.get()), (0xe306_9283, 0));
    }

    #[test]
    fn numbers_of_six_bytes_come_back() {
        for number in [0, 1, 0xffff_ffff, 1 << 40, MAX_U48] {
            let mut out = [0; ENTRY_LEN];
            put_u48(&mut out, 54, number);
            assert_eq!(take_u48(&out, 54), Ok(number));
            assert_eq!(out[60..], [0; 4]);
        }
    }
}
