//! Storage for tests: files in memory, and a wrapper that fails or records calls.

mod faulty;
mod memory;

pub use faulty::{Call, Fault, Faulty, Mode, Operation};
pub use memory::MemoryStorage;
