//! Panics of code that is not ours, as errors.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` returns; the text of its panic where it panics.
///
/// What it was changing must not be used afterwards, or be made anew by the next call.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "no message".to_owned())
    })
}
