//! Arrays of C that are released one after another, never one within another.
//!
//! A source may give a batch on that it read from a cache, its own even. The batch that comes in then owns the
//! one that went out, and so on: a chain as long as the stream. Were each released within the release of the one
//! that owned it, as the C data interface has it, its end would be the end of the stack.

use std::cell::{Cell, RefCell};
use std::ops::Deref;

use arrow_array::ffi::FFI_ArrowArray;

/// How many releases may lie within each other.
const MOST: u32 = 16;

thread_local! {
    /// Releases that this thread is in.
    static WITHIN: Cell<u32> = const { Cell::new(0) };
    /// What is to be released when the outermost of them is done.
    static LATER: RefCell<Vec<FFI_ArrowArray>> = const { RefCell::new(Vec::new()) };
}

/// An array that was imported. Dropping it releases it, or leaves that to who releases on this thread now.
pub(super) struct Owned(FFI_ArrowArray);

impl Owned {
    pub(super) fn new(array: FFI_ArrowArray) -> Self {
        Self(array)
    }

    /// The array, which the caller releases.
    pub(super) fn into_inner(mut self) -> FFI_ArrowArray {
        std::mem::replace(&mut self.0, FFI_ArrowArray::empty())
    }
}

impl Deref for Owned {
    type Target = FFI_ArrowArray;

    fn deref(&self) -> &FFI_ArrowArray {
        &self.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let array = std::mem::replace(&mut self.0, FFI_ArrowArray::empty());
        if array.is_released() {
            return;
        }
        // Where a thread ends its locals are gone: then there is nobody to leave it to.
        let within = WITHIN.try_with(Cell::get).unwrap_or_default();
        if within >= MOST {
            let mut left = Some(array);
            let _ = LATER.try_with(|later| later.borrow_mut().extend(left.take()));
            return;
        }
        let _ = WITHIN.try_with(|depth| depth.set(within + 1));
        drop(array);
        while within == 0
            && let Ok(Some(next)) = LATER.try_with(|later| later.borrow_mut().pop())
        {
            drop(next);
        }
        let _ = WITHIN.try_with(|depth| depth.set(within));
    }
}
