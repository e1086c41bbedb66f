//! Zone maps: what is known of each column of each batch, so that whole batches need not be looked at.
//!
//! Zones are computed when a predicate first asks for them, one column of one batch at a time, and kept. Bounds may be
//! wider than the values, never narrower, so a proof from them is never wrong.

mod bounds;
mod extremes;
mod saved;
mod store;
mod through;
mod zone;

pub(crate) use bounds::successor;
pub use bounds::{Bounds, ByteBounds};
pub use store::{BatchZones, ZoneMaps, Zones};
pub use zone::{Zone, zone_of};
