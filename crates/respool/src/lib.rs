//! Read an Arrow stream once, replay it for ever: the engine.
//!
//! A [`Source`] (any `RecordBatchReader`) can be read once. A [`Cache`] pulls each of its batches
//! once, when a reader first asks for it, and keeps it: on the heap, within a bound, and in an
//! append-only memory-mapped log when the bound is reached. Any number of [`Reader`]s replay it.
//!
//! What is promised:
//!
//! - A read ends without an error only if the source ended without an error and every batch was given.
//! - A batch that was pulled is never lost: where it can't be stored the error repeats until it can.
//! - The source is asked once for each batch and once for the end.
//! - Who reads what is stored never waits for the source.
//!
//! The engine knows Arrow, files and threads; it has never heard of Python.
#![deny(unsafe_code)]

mod ahead;
mod batch_rows;
mod cache;
mod counted;
pub mod epochs;
mod error;
mod events;
pub mod fork;
mod ingest;
mod interrupt;
mod ledger;
mod metrics;
mod options;
mod pack;
mod panics;
pub mod predicate;
mod recode;
mod replay;
mod saved;
mod size;
mod source;
mod spelled;
mod store;
#[cfg_attr(feature = "shuttle", doc(hidden))]
#[cfg(feature = "shuttle")]
pub mod sync;
#[cfg(not(feature = "shuttle"))]
mod sync;
mod values;
mod view;
pub mod zones;

#[doc(hidden)]
pub use respool_log::locks;
pub use respool_log::{
    Access, Compression, Error as LogError, Log, LogOptions, LogReader, Quota, Removal,
    State as LogState,
};

pub use crate::ahead::{Distance, ReadAhead, Within, stop_reading_ahead};
pub use crate::cache::{Cache, Remains};
pub use crate::counted::counted;
pub use crate::error::{BoxError, Error, Result, SourceFailure, Unfinished};
pub use crate::events::{Event, EventKind, Listener};
pub use crate::interrupt::{Interrupt, SLICE, Uninterrupted};
pub use crate::ledger::Budget;
pub use crate::metrics::Metrics;
pub use crate::options::{Options, WritePolicy};
pub use crate::pack::Encodings;
pub use crate::replay::{Brought, Polled, Reader};
pub use crate::size::ByteSize;
pub use crate::source::{Collected, SchemaMismatch, Source};
pub use crate::spelled::spelled;
pub use crate::store::{End, Mismatch, Place, Skip, Snapshot};
pub use crate::view::{Extent, Position, Residence, View};
