//! Placeholder.

pub mod predicate;
pub mod zone_map;
