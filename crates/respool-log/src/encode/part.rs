//! Runs of bytes on their way to a file.

use arrow_buffer::Buffer;

/// Bodies and buffers begin on multiples of this, counted from the beginning of the file.
pub(crate) const ALIGNMENT: usize = 64;

/// Buffers below this size are gathered rather than handed to the kernel one by one.
pub(super) const GATHER_BELOW: usize = 4096;

pub(super) const ZEROS: [u8; ALIGNMENT] = [0; 64];

/// A run of bytes to write.
#[derive(Debug)]
pub(super) enum Part {
    Gathered { start: usize, len: usize },
    Buffer(Buffer),
}

/// Adds bytes to the arena, as a part of their own only where the last part ends elsewhere.
pub(super) fn gather(gathered: &mut Vec<u8>, parts: &mut Vec<Part>, bytes: &[u8]) {
    let from = gathered.len();
    gathered.extend_from_slice(bytes);
    match parts.last_mut() {
        Some(Part::Gathered { start, len }) if *start + *len == from => *len += bytes.len(),
        _ => parts.push(Part::Gathered {
            start: from,
            len: bytes.len(),
        }),
    }
}
