//! The files of a persistent log that are not segments, as bytes: pure functions, no files.
//!
//! `FORMAT.md` has the layout byte by byte. Decoding trusts nothing: every length is checked, every
//! entry carries a checksum, and a damaged entry is an error rather than a panic.

mod bytes;
mod chain;
mod damage;
mod entry;
mod extent;
mod failure;
mod header;
mod manifest;
mod names;
mod sections;
mod sidecar;
mod walk;

use bytes::MAX_U48;
pub(crate) use bytes::Sum;
pub use bytes::{ENTRY_LEN, crc32c};
pub use chain::Chain;
pub use damage::Damage;
pub use entry::{Entry, EntryKind, Layout, Status, Totals};
pub use extent::Extent;
pub use failure::{FAILURE_MAX, Failure};
pub use header::Header;
pub use manifest::Manifest;
#[cfg(all(unix, not(respool_portable)))]
pub(crate) use names::is_name;
pub(crate) use names::{FAILURE, FAILURE_PART, INDEX, MANIFEST, MANIFEST_PART};
pub use sections::{Section, decode_sections, encode_sections};
pub use sidecar::{decode_sidecar, encode_sidecar};
pub use walk::{Scan, Walk, scan};

/// The version of the format that this crate writes.
pub const VERSION: u16 = 1;

/// The first bytes of an index file.
pub const INDEX_MAGIC: [u8; 8] = *b"RSPINDEX";

/// The first bytes of a manifest.
pub const MANIFEST_MAGIC: [u8; 8] = *b"RSPMANIF";

/// The first bytes of a failure file.
pub const FAILURE_MAGIC: [u8; 8] = *b"RSPFAILD";

/// The first bytes of a sidecar.
pub const SIDECAR_MAGIC: [u8; 8] = *b"RSPSIDEC";

/// The length of the table that begins a body of some columns: a checksum of four bytes for each.
pub fn table_len(columns: usize) -> usize {
    columns.saturating_mul(4).next_multiple_of(64)
}
