//! How many of something, in words.

use std::fmt::Display;

/// The number with the noun that goes with it.
///
/// ```
/// use respool::counted;
///
/// assert_eq!(counted(1, "batch", "batches"), "1 batch");
/// assert_eq!(counted(0, "batch", "batches"), "0 batches");
/// ```
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(
    number: N,
    one: &str,
    many: &str,
) -> String {
    let noun = if number == N::from(1) { one } else { many };
    format!("{number} {noun}")
}
