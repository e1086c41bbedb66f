//! How a caller that waits can be called off.

use crate::error::BoxError;

/// Asked at least every [`SLICE`] while a reader waits for another thread's pull. No lock is held
/// during the call.
pub trait Interrupt {
    /// Whether to go on waiting.
    ///
    /// # Errors
    /// The error ends the wait and comes back as [`Error::Interrupted`](crate::Error::Interrupted).
    fn check(&self) -> Result<(), BoxError>;
}

/// Waits for as long as it takes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Uninterrupted;

impl Interrupt for Uninterrupted {
    fn check(&self) -> Result<(), BoxError> {
        Ok(())
    }
}

/// The longest wait between two checks.
pub const SLICE: std::time::Duration = std::time::Duration::from_millis(50);
