//! What a value is and how it compares.
//!
//! Kinds of values ([`leaf`]), their encodings, constants, and the terms of a schema that are compared with them. The
//! rules are those of [`crate::predicate`]; nothing here knows of zones or predicates.

mod encoding;
pub(crate) mod kernels;
mod key;
mod leaf;
mod operator;
mod saved;
mod scalar;
mod term;
mod transform;

pub(crate) use encoding::{physical_indices, through_encoding};
pub(crate) use key::{Key, compare_floats};
pub(crate) use leaf::{Half, IntoBytes, Kind, Leaf, Native, match_bytes, match_integers, refused};
pub use operator::Operator;
pub(crate) use scalar::write_bytes;
pub use scalar::{Scalar, ScalarList};
pub use term::Term;
pub(crate) use term::descend;
pub use transform::Transform;
pub(crate) use transform::{Cast, date, year};
