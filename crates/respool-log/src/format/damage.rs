//! Why bytes are not what they should be.

use std::fmt;

use super::VERSION;

/// Why bytes are not an entry, a header or a file of sections.
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
    /// The file has features that a reader must know, and this one does not: these bits.
    Features(u16),
    /// The kind of an entry must be known, and is not.
    Kind(u8),
    /// A section must be known, and is not.
    Section(u16),
    /// A field has a value that it cannot have.
    Value(&'static str),
}

impl Damage {
    /// Whether nothing is damaged: the file was written by a newer program.
    pub fn is_newer(&self) -> bool {
        matches!(
            self,
            Self::Version(_) | Self::Features(_) | Self::Kind(_) | Self::Section(_)
        )
    }
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
            Self::Features(bits) => write!(
                f,
                "it has features that this program does not know (bits {bits:#06x}); upgrade"
            ),
            Self::Kind(kind) => write!(
                f,
                "it has an entry of kind {kind}, which this program does not know; upgrade"
            ),
            Self::Section(kind) => write!(
                f,
                "it has a section of type {kind}, which this program does not know; upgrade"
            ),
            Self::Value(field) => write!(f, "its {field} cannot be"),
        }
    }
}

impl std::error::Error for Damage {}
