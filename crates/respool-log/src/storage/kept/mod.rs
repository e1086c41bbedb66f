//! Directories of logs that are kept: held open, locked, known by their owner. All of it is Unix; elsewhere
//! `unkept.rs` stands in its place.

mod claim;
mod contents;
mod directory;
mod held;
mod owner;
mod removal;
mod usage;

pub use claim::LOCK;
pub(super) use claim::{Claim, is_claimed};
pub(super) use directory::{Directory, FileId};
pub use held::forked;
pub use removal::Removal;
pub(crate) use removal::remove;
