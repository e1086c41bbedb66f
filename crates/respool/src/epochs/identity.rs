//! What an order and a saved place are of.
//!
//! A log that is kept has an identity. What is in memory has none: it is there as long as its process, and
//! another process that reads the same data again can only see that it looks alike. So there the identity is computed
//! from the names of the columns, and a saved place also knows the *layout*: how many rows each batch has.
//!
//! Both are FNV-1a: for each byte the sum is xor'ed with it and multiplied by the prime, in 128 bits for identities and
//! in 64 for layouts.

use crate::error::Result;
use crate::view::View;

const BASIS_128: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const PRIME_128: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
const BASIS_64: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME_64: u64 = 0x0000_0100_0000_01b3;

struct Sum(u128);

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(PRIME_128);
        }
    }
}

/// The identity of the rows of a view, whatever columns of them it shows.
///
/// That of a log that is kept. Otherwise the sum of each column's name and a zero byte. Where not all
/// rows are shown, the sum of that identity and of the view without its columns, as it is saved.
pub(super) fn identity(view: &View) -> Result<[u8; 16]> {
    let cache = view.cache();
    let of_cache = cache.place().map(|(_, identity)| identity);
    let of_cache = of_cache.unwrap_or_else(|| {
        let mut sum = Sum(BASIS_128);
        for field in cache.schema().fields() {
            sum.add(field.name().as_bytes());
            sum.add(&[0]);
        }
        sum.0.to_le_bytes()
    });
    let rows = view.select_indexes(&[])?;
    if rows.shows_all_rows() {
        return Ok(of_cache);
    }
    let mut sum = Sum(BASIS_128);
    sum.add(&of_cache);
    sum.add(&rows.to_bytes()?);
    Ok(sum.0.to_le_bytes())
}

/// The sum of the numbers of rows, each as eight little-endian bytes.
pub(super) fn layout(rows: impl Iterator<Item = u64>) -> u64 {
    let bytes = rows.flat_map(u64::to_le_bytes);
    bytes.fold(BASIS_64, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(PRIME_64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sums_are_those_of_fnv_1a() {
        let mut sum = Sum(BASIS_128);
        sum.add(b"a");
        assert_eq!(sum.0, 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
        assert_eq!(layout(std::iter::empty()), BASIS_64);
        assert_ne!(layout([1, 2].into_iter()), layout([2, 1].into_iter()));
    }
}
