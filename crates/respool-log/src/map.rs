//! The only file with `unsafe`: maps of segments, and buffers that point into them.
//!
//! Why the buffers made here may be read as ordinary memory, by number:
//!
//! 1. **Append-only.** A log writes only at or past the committed end of a segment.
//! 2. **Published bytes never change.** A record is published after its last byte is written, and
//!    no later write touches it; a failed append is overwritten only past the committed end.
//! 3. **The file is ours.** A temporary log's file has no name, so no other process can open it; a
//!    persistent log's file was created by this process in a directory whose lock it holds, and is
//!    opened again by its name only if it is still that file.
//!    [`Storage`](crate::storage::Storage) is sealed, so no back end from outside can break this.
//! 4. **Never shortened below the committed end.** What a failed append left is cut off before its
//!    segment is sealed: bytes that were never published. The page in which the file then ends
//!    keeps its bytes up to the end, and pages behind it are not touched by anybody, because of 5.
//! 5. **Only published extents become buffers.** A map may reach past the end of the file, but it
//!    is kept as a raw pointer; references are made for one published extent at a time.
//! 6. **What we decode, we encoded.** The metadata and the body of a record were written by this
//!    process from valid arrays, so decoding may skip the validation of their contents.
//!
//! For a log that was written by another process, or earlier, 3 and 6 are these instead:
//!
//! 7. **Files of ours alone.** They belong to the user of this process, nobody else may write to them
//!    or to their directory, and they were not reached through a link. Programs of this user that keep
//!    to the format change nothing that counts. A program that does not could shorten a file that is
//!    mapped, as it could write to the memory of this process: neither is defended against.
//! 8. **What was verified stays good.** A column of a record is decoded without validation only after
//!    its checksum, its bounds and one full validation (`Verified` in `decode`).
//! 9. **Within the file.** An extent becomes a buffer only if the file was at least as long as that
//!    when it was opened, or after; by 4 and 7 it does not get shorter.
#![expect(
    unsafe_code,
    reason = "mapping a file and trusting it is the purpose of this file"
)]

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_buffer::Buffer;
use arrow_data::UnsafeFlag;
use arrow_schema::SchemaRef;
use memmap2::{MmapMut, MmapOptions, MmapRaw};

/// A read-only map of the beginning of a file, as an address and a length.
///
/// It gives no access to the bytes; inside this crate published extents of it become buffers.
pub struct Map {
    raw: MmapRaw,
}

impl std::fmt::Debug for Map {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Map").field("len", &self.raw.len()).finish()
    }
}

impl Map {
    /// Maps the first `len` bytes of `file`, which may be shorter.
    pub(crate) fn new(file: &File, len: usize) -> io::Result<Arc<Self>> {
        let raw = MmapOptions::new().len(len).map_raw_read_only(file)?;
        Ok(Arc::new(Self { raw }))
    }

    pub(crate) fn len(&self) -> usize {
        self.raw.len()
    }

    /// Has the system begin to bring in `len` bytes at `offset`, and nothing around them, as far as the map
    /// reaches. What does not take effect costs time: they are read in any case, only with what lies around
    /// them.
    #[cfg(target_os = "linux")]
    pub(crate) fn bring(&self, offset: usize, len: usize) {
        /// The most that Linux takes of one request where its read-ahead is what it is unless set otherwise.
        const PIECE: usize = 128 << 10;
        let end = offset.saturating_add(len).min(self.raw.len());
        let mut at = offset;
        while at < end {
            let piece = PIECE.min(end - at);
            let advice = memmap2::Advice::WillNeed;
            if self.raw.advise_range(advice, at, piece).is_err() {
                return;
            }
            at += piece;
        }
    }

    /// Whether `len` bytes at `offset` are in memory, by a look at the pages in which they begin and end, and
    /// at one every `step` bytes between these. `true` where nobody can tell.
    #[cfg(target_os = "linux")]
    pub(crate) fn seems_there(&self, offset: usize, len: usize, step: usize) -> bool {
        let end = offset.saturating_add(len).min(self.raw.len());
        let Some(last) = end.checked_sub(1).filter(|last| *last >= offset) else {
            return true;
        };
        let page = rustix::param::page_size();
        let is_one = offset / page == last / page;
        let between = (offset..last).step_by(step.max(1)).skip(1);
        self.is_there(offset)
            && (is_one || (self.is_there(last) && { between }.all(|at| self.is_there(at))))
    }

    /// Elsewhere the system does as it likes.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn bring(&self, _offset: usize, _len: usize) {}

    /// Elsewhere nobody is asked.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn seems_there(&self, _offset: usize, _len: usize, _step: usize) -> bool {
        true
    }

    /// Whether the page of a byte of the map is in memory.
    #[cfg(target_os = "linux")]
    fn is_there(&self, offset: usize) -> bool {
        unsafe extern "C" {
            /// For each page from an address on, a byte is written whose lowest bit says that it is there.
            fn mincore(address: *mut u8, len: usize, pages: *mut u8) -> i32;
        }
        let page = offset - offset % rustix::param::page_size();
        let mut is_there = 0;
        // SAFETY: `offset` is within the map, so the beginning of its page is.
        let address = unsafe { self.raw.as_mut_ptr().add(page) };
        // SAFETY: one byte at the beginning of a page asks for one page, so one byte is written, to
        // `is_there`; the page itself is not looked at.
        let asked = unsafe { mincore(address, 1, &raw mut is_there) };
        asked != 0 || is_there & 1 == 1
    }

    /// A buffer over `len` bytes at `offset`, which must be a published extent; `None` if the map
    /// does not reach that far. The buffer holds the map alive.
    pub(crate) fn published(self: &Arc<Self>, offset: usize, len: usize) -> Option<Buffer> {
        if offset.checked_add(len)? > self.raw.len() {
            return None;
        }
        // SAFETY: `offset` is within the map, so the address is inside one mapping (checked above).
        let ptr = unsafe { self.raw.as_ptr().add(offset) };
        let ptr = NonNull::new(ptr.cast_mut())?;
        let owner: Arc<Self> = Arc::clone(self);
        // SAFETY: the extent is inside the map (checked above), which `owner` keeps alive; it is
        // published (5, 9), so it lies inside the file, which is never cut off before its end (4), and
        // nobody writes to it any more: not this process (1, 2), and no other (3, 7).
        Some(unsafe { Buffer::from_custom_allocation(ptr, len, owner) })
    }
}

/// Memory straight from the operating system: zeros, of which only touched pages take memory.
pub(crate) struct Zeros(MmapMut);

impl Zeros {
    /// Fails where address space is short.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        MmapMut::map_anon(len).map(Self)
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(crate) fn into_buffer(self) -> Buffer {
        let len = self.0.len();
        let owner = Arc::new(self);
        let ptr = NonNull::from(&owner.0[..]).cast::<u8>();
        // SAFETY: the bytes are a private mapping of `len` bytes, which `owner` keeps alive, and to
        // which nobody has a reference that could write.
        unsafe { Buffer::from_custom_allocation(ptr, len, owner) }
    }
}

/// The permission to decode records without validating them.
pub(crate) fn own_records() -> UnsafeFlag {
    let mut flag = UnsafeFlag::new();
    // SAFETY: it is given to decoders of records that this process encoded (6) and that cannot
    // have changed since (2, 3).
    unsafe { flag.set(true) };
    flag
}

/// The permission to decode again, without validating them, records that were validated.
pub(crate) fn verified_records() -> UnsafeFlag {
    let mut flag = UnsafeFlag::new();
    // SAFETY: it is given to decoders of columns that were verified (8) and that do not change (2, 7).
    unsafe { flag.set(true) };
    flag
}

/// A batch of columns that were decoded from a record of a log with `schema`.
pub(crate) fn own_batch(schema: SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    // SAFETY: the record was encoded from columns of these types and of this length (6), or the decoder
    // has just made sure of that, for the same schema but for the ids of its dictionaries (8).
    unsafe { RecordBatch::new_unchecked(schema, columns, rows) }
}
