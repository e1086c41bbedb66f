//! An append-only, memory-mapped log of Arrow record batches.
//!
//! Batches go in one by one and come back in any order, as often as wanted, from any number of
//! threads. The data lies in Arrow IPC *segments*; a read points into a memory map of the segment
//! and copies nothing. A log is either temporary (nameless files that vanish with the process) or
//! persistent (a directory of segments that other Arrow tools can open).
//!
//! ```
//! use arrow_array::{RecordBatch, record_batch};
//! use respool_log::{Log, LogOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let batch = record_batch!(("n", Int64, [1, 2, 3]), ("s", Utf8, ["a", "b", "c"]))?;
//! let options = LogOptions::new(std::env::temp_dir()).allow_tmpfs(true);
//! let log = Log::temporary(batch.schema(), options)?;
//! log.append(&batch)?;
//! assert_eq!(log.read(0, None)?, batch);
//! assert_eq!(log.read(0, Some(&[1]))?, batch.project(&[1])?);
//! # Ok(())
//! # }
//! ```
#![doc = ""]
#![doc = include_str!("../FORMAT.md")]
#![deny(unsafe_code)]

#[cfg(target_endian = "big")]
compile_error!("the buffers of a log are little-endian, and are not swapped");

mod ahead;
mod append;
mod decode;
mod encode;
mod error;
pub mod format;
mod journal;
#[doc(hidden)]
pub mod locks;
mod log;
mod map;
mod options;
mod published;
mod quota;
mod reader;
mod segment;
pub mod storage;
#[cfg(feature = "testing")]
pub mod testing;
mod types;

pub use ahead::{Seen, Wish};
pub use error::{Error, Result};
pub use format::Failure;
pub use log::Log;
pub use options::{Access, Compression, LogOptions};
pub use quota::Quota;
pub use reader::{LogReader, Progress, RecordInfo, State};
pub use storage::{Removal, forked};
