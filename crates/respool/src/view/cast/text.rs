//! What a kernel leaves out when it reads numbers and times from text.

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType};

/// The first text for which `is_lossy`.
pub(super) fn first(
    texts: &ArrayRef,
    is_lossy: impl Fn(&str) -> bool,
) -> Result<Option<usize>, ArrowError> {
    let texts = cast(texts, &DataType::Utf8View)?;
    let mut texts = texts.as_string_view().iter();
    Ok(texts.position(|text| text.is_some_and(&is_lossy)))
}

/// Whether a number, which was read as a decimal, has digits beyond that scale.
pub(super) fn is_rounded(number: &str, scale: i8) -> bool {
    let number = number.trim();
    let (number, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    // What is no number at all is an error of the kernel.
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.bytes().chain(fraction.bytes());
    let Some(last) = digits.rev().position(|digit| matches!(digit, b'1'..=b'9')) else {
        return false;
    };
    let smallest = exponent
        .saturating_sub_unsigned(fraction.len() as u64)
        .saturating_add_unsigned(last as u64);
    smallest < -i64::from(scale)
}

/// Whether a time has a fraction of a second of more than so many digits.
pub(super) fn is_finer(time: &str, digits: usize) -> bool {
    let fraction = time.split_once('.').map_or("", |(_, fraction)| fraction);
    let fraction = fraction.bytes().take_while(u8::is_ascii_digit);
    fraction.skip(digits).any(|digit| digit != b'0')
}

/// Whether a time, which was read as a timestamp, says of which zone it is.
pub(super) fn is_zoned(time: &str) -> bool {
    let after_date = time.as_bytes().get(11..).unwrap_or_default();
    after_date
        .iter()
        .any(|byte| !matches!(byte, b'0'..=b'9' | b':' | b'.'))
}
