//! Sizes as people write them.

use std::str::FromStr;

use crate::error::{Error, Result};

/// A size: bytes, or a share of what there is.
///
/// ```
/// use respool::ByteSize;
///
/// assert_eq!("64 MiB".parse::<ByteSize>()?.bytes_of(0), 64 << 20);
/// assert_eq!("1.5 GB".parse::<ByteSize>()?.bytes_of(0), 1_500_000_000);
/// assert_eq!("25%".parse::<ByteSize>()?.bytes_of(1000), 250);
/// assert!("-1 MB".parse::<ByteSize>().is_err());
/// # Ok::<(), respool::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ByteSize {
    /// So many bytes.
    Bytes(u64),
    /// A share of the whole, between 0 and 1.
    Share(f64),
}

impl ByteSize {
    /// The size in bytes, where the whole is `whole` bytes.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a size need not be exact, and is never negative"
    )]
    pub fn bytes_of(self, whole: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Share(share) => (whole as f64 * share) as u64,
        }
    }
}

const UNITS: [(&str, f64); 15] = [
    ("", 1.0),
    ("b", 1.0),
    ("k", 1e3),
    ("kb", 1e3),
    ("kib", 1024.0),
    ("m", 1e6),
    ("mb", 1e6),
    ("mib", 1_048_576.0),
    ("g", 1e9),
    ("gb", 1e9),
    ("gib", 1_073_741_824.0),
    ("t", 1e12),
    ("tb", 1e12),
    ("tib", 1_099_511_627_776.0),
    ("bytes", 1.0),
];

impl FromStr for ByteSize {
    type Err = Error;

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to lie between 0 and 2^63"
    )]
    fn from_str(text: &str) -> Result<Self> {
        let unreadable = || {
            Error::invalid(format!(
                "cannot read {text:?} as a size: write bytes (1048576), a unit (\"64 MiB\", \"1.5 GB\") \
                 or a share (\"25%\")"
            ))
        };
        let trimmed = text.trim();
        if let Some(share) = trimmed.strip_suffix('%') {
            let share: f64 = share.trim().parse().map_err(|_| unreadable())?;
            if !(0.0..=100.0).contains(&share) {
                return Err(Error::invalid(format!(
                    "a share lies between 0% and 100%, not {text:?}"
                )));
            }
            return Ok(Self::Share(share / 100.0));
        }
        let digits = trimmed
            .find(|c: char| c.is_ascii_alphabetic())
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(digits);
        let number: f64 = number
            .trim()
            .replace('_', "")
            .parse()
            .map_err(|_| unreadable())?;
        let unit = unit.to_ascii_lowercase();
        let (_, factor) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(unreadable)?;
        let bytes = number * factor;
        if bytes < 0.0 {
            return Err(Error::invalid(format!("a size is not negative: {text:?}")));
        }
        if !bytes.is_finite() || bytes > 9.2e18 {
            return Err(Error::invalid(format!(
                "a size is below 2^63 bytes: {text:?}"
            )));
        }
        Ok(Self::Bytes(bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "MiB",
            "12 parsecs",
            "-1",
            "101%",
            "-5%",
            "nan",
            "inf",
            "1e30 TB",
            "%",
            "1 2",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn units_are_read_in_any_case() {
        for text in ["2048", "2 KiB", "2kib", " 2048 b ", "2_048"] {
            assert_eq!(
                text.parse::<ByteSize>().unwrap(),
                ByteSize::Bytes(2048),
                "{text:?}"
            );
        }
    }
}
