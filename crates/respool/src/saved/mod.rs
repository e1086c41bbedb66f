//! What is saved of a view, in bytes: numbers, lists and fields, and the frame around them.
//!
//! ```text
//! "rsview"  version (1 byte)  fields  what the rooms write (view, predicate, values)
//! ```
//!
//! - A number is a LEB128 of up to 64 bits: the same bytes whatever the width of a pointer.
//! - Bytes and text are their length and themselves; a list is its length and its items.
//! - `fields` is a schema message of Arrow IPC with every field and type that is spoken of; elsewhere they are
//!   numbers in it. Empty where there are none.
//!
//! Bytes that are read may be anybody's. Each is looked at once, nothing is allocated that the bytes at hand do
//! not pay for, and what contradicts itself is an error.

mod decoder;
mod encoder;
mod fields;

pub(crate) use decoder::{Decoder, damaged};
pub(crate) use encoder::Encoder;

/// What saved views begin with.
const MAGIC: &[u8] = b"rsview";

/// The layout that is written, and the only one that is read.
const VERSION: u8 = 1;
