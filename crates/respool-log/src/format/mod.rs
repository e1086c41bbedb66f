//! The index and the manifest of a persistent log, as bytes: pure functions, no files.
//!
//! `FORMAT.md` has the layout byte by byte. Decoding trusts nothing: every length is checked, every
//! entry carries a checksum, and a damaged entry is an error rather than a panic.

mod bytes;
mod damage;
mod entry;
mod extent;
mod header;
mod manifest;
mod scan;

pub use bytes::{ENTRY_LEN, crc32c};
pub use damage::Damage;
pub use entry::{Entry, Layout};
pub use extent::Extent;
pub use header::Header;
pub use manifest::{decode_manifest, encode_manifest};
pub use scan::{Scan, scan};

/// The version of the format that this crate writes.
pub const VERSION: u16 = 1;

/// The first bytes of an index file.
pub const INDEX_MAGIC: [u8; 8] = *b"RSPINDEX";

/// The first bytes of a manifest.
pub const MANIFEST_MAGIC: [u8; 8] = *b"RSPMANIF";
