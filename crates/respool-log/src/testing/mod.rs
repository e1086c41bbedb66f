//! Storage for tests: files in memory, a wrapper that fails or records calls,
//! and files of which a cut of the power keeps any part that was not synced.

mod faulty;
mod memory;
mod power;

pub use faulty::{Call, Fault, Faulty, Mode, Operation};
pub use memory::MemoryStorage;
pub use power::PowerStorage;
