//! Memory that records are read into where they can't be mapped.

use std::collections::TryReserveError;

use arrow_buffer::Buffer;

/// Zeros that begin on a multiple of the alignment, and that the operating system provides as they
/// are touched.
pub(super) struct Memory {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Memory {
    /// Fails where the memory can't be had: maps fail for want of address space, and then the heap
    /// may be short of it too.
    pub(super) fn new(len: usize) -> Result<Self, TryReserveError> {
        const ALIGNMENT: usize = 64;
        let size = len.saturating_add(ALIGNMENT);
        // `vec!` gives zeros that are not touched, but aborts where it fails: so this asks first.
        Vec::<u8>::new().try_reserve_exact(size)?;
        let bytes = vec![0; size];
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Ok(Self { bytes, start, len })
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        let end = self.start + self.len;
        self.bytes.get_mut(self.start..end).unwrap_or_default()
    }

    pub(super) fn into_buffer(self) -> Buffer {
        Buffer::from_vec(self.bytes).slice_with_length(self.start, self.len)
    }
}
