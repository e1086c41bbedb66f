//! The Arrow C interfaces: streams, arrays and schemas in PyCapsules, in and out.
//!
//! With `attach.rs` the only files of this crate with `unsafe`. What its blocks rely on:
//!
//! 1. A capsule with one of the three names of the Arrow PyCapsule interface points to the structure
//!    that the name stands for, initialised and owned by the capsule until somebody moves it out.
//! 2. A structure that was moved out is marked as released in place, so that nobody releases it twice.
//! 3. The producer of an imported stream keeps to the C stream interface: callbacks that are set may
//!    be called, one at a time, until the stream is released; and its arrays to the format: buffers as long
//!    as it asks, offsets that ascend, text that is UTF-8. C has no way to say so, and it is not checked.
//! 4. An exported stream's private data is a `Box<Export>`, set when it is made, freed by its release
//!    callback alone.
//! 5. `FFI_ArrowArray` is the `ArrowArray` of the C data interface, field by field.
//!
//! No panic crosses: everything behind a callback runs in `catch_unwind`.

mod callbacks;
mod capsule;
mod export;
mod import;
mod owned;
mod plain;
mod schema;
mod shadow;
mod stream;

pub(crate) use export::{export_batches, export_schema, export_stream, ffi_batch, ffi_schema};
pub(crate) use import::{import_array, import_batch};
pub(crate) use schema::{import_schema, schema_in};
pub(crate) use stream::ImportedStream;
