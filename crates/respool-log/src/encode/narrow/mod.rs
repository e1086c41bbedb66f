//! What a slice shows, without what it hides.
//!
//! Every function returns `None` where the array is already as small as it should be, so that the
//! common case, a batch that is not a slice, is written from where it lies.

mod gather;
mod list_views;
mod offsets;
mod runs;
mod unions;
mod views;

pub(super) use list_views::list_view;
pub(super) use offsets::{extent, rebased};
pub(super) use runs::runs;
pub(super) use unions::dense_union;
pub(super) use views::views;

/// Below this many hidden bytes nothing is rebuilt: padding alone costs as much.
pub(super) const WORTH: u64 = 1024;
