//! The predicate language: what a query engine asks of rows, proved from zones or applied to batches.
//!
//! A [`Predicate`] is SQL's three-valued logic over comparisons of columns with constants. It can be *proved* over the
//! zone of a batch, which says whether all rows pass, none passes or some may, and *applied* to a batch, which says so
//! row by row and exactly. Both keep these rules, which DuckDB and Polars share:
//!
//! 1. NULL passes nothing; a comparison with NULL is NULL.
//! 2. NaN equals NaN and is greater than every other float; `-0.0` equals `0.0`.
//! 3. Strings and binaries order by their bytes; decimals and times by value, whatever their unit.
//! 4. What nobody understood is [`Predicate::Unknown`]: it may be anything to a proof, and is refused when applied.
//!
//! ```
//! use std::sync::Arc;
//!
//! use arrow_array::{Int64Array, RecordBatch};
//! use respool::predicate::{Operator, Predicate, Scalar, Term, Verdict, filter};
//! use respool::zones::BatchZones;
//!
//! let batch = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from_iter_values(0..10)) as _)])?;
//! let id = Term::named(&batch.schema(), &["id"]).unwrap();
//! let predicate = Predicate::and([
//!     Predicate::compare(id.clone(), Operator::Ge, &Scalar::from(3)),
//!     Predicate::compare(id, Operator::Lt, &Scalar::from(5)),
//! ]);
//! assert_eq!(predicate.to_string(), "id >= 3 AND id < 5");
//!
//! assert_eq!(predicate.prove(&BatchZones::of(&batch, predicate.terms())), Verdict::Some);
//! assert_eq!(predicate.prove(&BatchZones::of(&batch.slice(6, 4), predicate.terms())), Verdict::None);
//! assert_eq!(predicate.prove(&BatchZones::of(&batch.slice(3, 2), predicate.terms())), Verdict::All);
//! assert_eq!(filter(&batch, &predicate.apply(&batch)?)?, batch.slice(3, 2));
//! # Ok::<_, arrow_schema::ArrowError>(())
//! ```

mod answers;
mod apply;
mod display;
mod language;
mod prove;
mod saved;
mod stored;

pub use answers::Verdict;
pub use apply::filter;
pub use language::Predicate;

pub use crate::values::{Operator, Scalar, ScalarList, Term, Transform};
