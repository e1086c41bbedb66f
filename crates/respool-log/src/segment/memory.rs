//! Memory that records are read into where they can't be mapped.
//!
//! Where maps fail for want of address space the heap may be short of it too, so every way to get
//! memory here is one that can fail.

use std::io;

use arrow_buffer::Buffer;

use crate::map::Zeros;

const ALIGNMENT: usize = 64;

/// Below this size memory that is not touched saves nothing worth a system call.
const SPARSE: usize = 256 << 10;

/// Zeros that begin on a multiple of the alignment.
pub(super) enum Memory {
    Heap {
        bytes: Vec<u8>,
        start: usize,
        len: usize,
    },
    /// Provided by the operating system as they are touched, page by page.
    Map(Zeros),
}

impl Memory {
    /// Memory that will be filled. The heap is the fastest place, because it is used again: the
    /// pages of a map are new each time.
    pub(super) fn whole(len: usize) -> io::Result<Self> {
        let out_of_memory = |e| io::Error::new(io::ErrorKind::OutOfMemory, e);
        let mut bytes = Vec::new();
        let size = len.saturating_add(ALIGNMENT);
        bytes.try_reserve_exact(size).map_err(out_of_memory)?;
        bytes.resize(size, 0);
        let start = bytes.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Ok(Self::Heap { bytes, start, len })
    }

    /// Memory of which about `wanted` bytes will be filled: the others take none, where they are
    /// many.
    pub(super) fn sparse(len: usize, wanted: usize) -> io::Result<Self> {
        if len < SPARSE || wanted >= len / 8 {
            Self::whole(len)
        } else {
            Ok(Self::Map(Zeros::new(len)?))
        }
    }

    pub(super) fn bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Heap { bytes, start, len } => {
                bytes.get_mut(*start..*start + *len).unwrap_or_default()
            }
            Self::Map(zeros) => zeros.bytes(),
        }
    }

    pub(super) fn into_buffer(self) -> Buffer {
        match self {
            Self::Heap { bytes, start, len } => {
                Buffer::from_vec(bytes).slice_with_length(start, len)
            }
            Self::Map(zeros) => zeros.into_buffer(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_memory_than_there_is_is_an_error() {
        for len in [usize::MAX, usize::MAX / 2, 1 << 60, 1 << 48] {
            let error = Memory::whole(len).err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::OutOfMemory, "{len}: {error}");
            assert!(Memory::sparse(len, 1).is_err(), "{len}");
        }
    }

    #[test]
    fn all_memory_is_aligned_zeros_that_can_be_filled() {
        for len in [1, 63, 4096, SPARSE - 1, SPARSE, SPARSE + 1, 3 << 20] {
            for wanted in [0, len / 9, len] {
                let mut memory = Memory::sparse(len, wanted).unwrap();
                assert!(memory.bytes().iter().all(|&byte| byte == 0));
                memory.bytes()[len - 1] = 7;
                let buffer = memory.into_buffer();
                assert_eq!((buffer.len(), buffer[len - 1]), (len, 7));
                assert_eq!(buffer.as_ptr() as usize % ALIGNMENT, 0);
            }
        }
    }
}
