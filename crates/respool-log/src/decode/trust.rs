//! Whether the contents of a record are believed, and why.

use super::Bits;

/// Why the contents of a record are believed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// This process encoded it.
    Own,
    /// All that is read of it was verified before.
    Verified(Verified),
    /// It is not: its metadata and these columns are, against the checksum of its entry.
    Unverified {
        crc: u32,
        rows: u64,
        fresh: &'a [usize],
    },
}

/// Says that columns of a record were verified: their checksums, their bounds, and one decoding in
/// which all was validated.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verified(());

/// The bits of a log whose records are verified as they are first read. They are the only source of
/// [`Verified`].
#[derive(Debug)]
pub(crate) struct VerifiedBits(Bits);

impl VerifiedBits {
    pub(crate) fn new(columns: usize) -> Self {
        Self(Bits::new(columns))
    }

    /// The columns among those wanted that were not verified, or the word that all were.
    pub(crate) fn look(
        &self,
        record: usize,
        wanted: impl Iterator<Item = usize>,
    ) -> Result<Verified, Vec<usize>> {
        self.0.look(record, wanted).map(Verified)
    }

    /// Forgets all: records may be replaced by others.
    pub(crate) fn forget(&self) {
        self.0.forget();
    }

    /// Takes note of columns of a record that were decoded as [`Trust::Unverified`] without an error.
    pub(crate) fn set(&self, record: usize, columns: &[usize]) {
        self.0.set(record, columns);
    }
}
