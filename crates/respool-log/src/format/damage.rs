//! Why bytes are not what they should be.

use std::fmt;

use super::VERSION;

/// Why bytes are not an entry, a header or a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// There are fewer bytes than the structure has.
    Truncated,
    /// The checksum does not fit the bytes.
    Checksum,
    /// The file does not begin as it should.
    Magic,
    /// The format is newer than this crate.
    Version(u16),
    /// The kind of entry is unknown.
    Kind(u8),
    /// A field has a value that it cannot have.
    Value(&'static str),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("it is cut short"),
            Self::Checksum => f.write_str("its checksum does not fit"),
            Self::Magic => f.write_str("it does not begin with the magic bytes"),
            Self::Version(version) => write!(
                f,
                "it has format version {version}, this program reads up to {VERSION}; upgrade"
            ),
            Self::Kind(kind) => write!(f, "its kind {kind} is unknown"),
            Self::Value(field) => write!(f, "its {field} cannot be"),
        }
    }
}

impl std::error::Error for Damage {}
