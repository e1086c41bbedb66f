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
//! use respool::zone_map::BatchZones;
//!
//! let batch = RecordBatch::try_from_iter([("id", Arc::new(Int64Array::from_iter_values(0..10)) as _)])?;
//! let id = Term::named(&batch.schema(), &["id"]).unwrap();
//! let predicate = Predicate::and([
//!     Predicate::compare(id.clone(), Operator::Ge, &Scalar::from(3)),
//!     Predicate::compare(id, Operator::Lt, &Scalar::from(5)),
//! ]);
//! assert_eq!(predicate.to_string(), "id >= 3 AND id < 5");
//!
//! assert_eq!(predicate.prove(&BatchZones::of(&batch, &predicate)), Verdict::Some);
//! assert_eq!(predicate.prove(&BatchZones::of(&batch.slice(6, 4), &predicate)), Verdict::None);
//! assert_eq!(predicate.prove(&BatchZones::of(&batch.slice(3, 2), &predicate)), Verdict::All);
//! assert_eq!(filter(&batch, &predicate.apply(&batch)?)?, batch.slice(3, 2));
//! # Ok::<_, arrow_schema::ArrowError>(())
//! ```

mod answers;
mod apply;
mod display;
mod kernels;
mod key;
pub(crate) mod leaf;
mod prove;
mod scalar;
mod term;
mod transform;

use std::collections::BTreeSet;

use arrow_array::Array;
use arrow_schema::{DataType, Schema};

pub use apply::filter;
pub use prove::{Verdict, Zones};
pub use scalar::{Scalar, ScalarList};
pub use term::Term;
pub(crate) use term::descend;
pub use transform::Transform;

/// A condition on rows: true, false or null for each.
///
/// Build comparisons with [`compare`](Self::compare) and [`is_in`](Self::is_in): they bring constants to the type of
/// the term. A variant made by hand whose constant has another type proves nothing and is refused when applied.
///
/// Proving, applying and dropping recurse: a translator must bound the depth of what it builds.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// Every one holds; true when empty.
    And(Vec<Predicate>),
    /// At least one holds; false when empty.
    Or(Vec<Predicate>),
    /// The opposite; null stays null.
    Not(Box<Predicate>),
    /// A comparison with a constant of the term's type.
    Compare {
        /// The left side.
        term: Term,
        /// The comparison.
        operator: Operator,
        /// The right side.
        value: Scalar,
    },
    /// Membership: null where the term is null, and where it is outside a list that holds NULL.
    In {
        /// What is looked for.
        term: Term,
        /// Where it is looked for.
        values: ScalarList,
    },
    /// True where the term is null. Defined for every type.
    IsNull(Term),
    /// False where the term is null. Defined for every type.
    IsNotNull(Term),
    /// True where the term is NaN; false for every value of a type that has no NaN.
    IsNan(Term),
    /// True where a string or binary starts with these bytes.
    StartsWith {
        /// The string or binary.
        term: Term,
        /// What it must start with.
        prefix: Vec<u8>,
    },
    /// A boolean column by itself.
    Bool(Term),
    /// The same for every row; `None` is NULL.
    Const(Option<bool>),
    /// Something that could not be translated.
    Unknown,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Eq,
    /// `<>`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

impl Operator {
    /// The operator that says the same with the sides exchanged.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::Eq => Self::Eq,
            Self::Ne => Self::Ne,
            Self::Lt => Self::Gt,
            Self::Le => Self::Ge,
            Self::Gt => Self::Lt,
            Self::Ge => Self::Le,
        }
    }

    /// Whether a left side that compares like this with the right one passes.
    pub(crate) fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Ne => ordering.is_ne(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
        }
    }
}

impl Predicate {
    /// `term operator value`; [`Unknown`](Self::Unknown) when the term's type cannot hold the value exactly.
    pub fn compare(term: Term, operator: Operator, value: &Scalar) -> Self {
        match value.cast(term.data_type()) {
            Some(value) => Self::Compare {
                term,
                operator,
                value,
            },
            None => Self::Unknown,
        }
    }

    /// `term IN values`; [`Unknown`](Self::Unknown) when the term's type cannot hold all values exactly.
    pub fn is_in(term: Term, values: &dyn Array) -> Self {
        match ScalarList::cast_from(values, term.data_type()) {
            Some(values) => Self::In { term, values },
            None => Self::Unknown,
        }
    }

    /// The conjunction, nested ones flattened.
    pub fn and(predicates: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Vec::new();
        for predicate in predicates {
            match predicate {
                Self::And(inner) => all.extend(inner),
                other => all.push(other),
            }
        }
        Self::And(all)
    }

    /// The disjunction, nested ones flattened.
    pub fn or(predicates: impl IntoIterator<Item = Self>) -> Self {
        let mut any = Vec::new();
        for predicate in predicates {
            match predicate {
                Self::Or(inner) => any.extend(inner),
                other => any.push(other),
            }
        }
        Self::Or(any)
    }

    /// The negation; a double one cancels out.
    #[must_use]
    pub fn negate(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// The terms it speaks about, with repetitions.
    pub(crate) fn for_each_term<'a>(&'a self, visit: &mut dyn FnMut(&'a Term)) {
        match self {
            Self::And(inner) | Self::Or(inner) => inner
                .iter()
                .for_each(|predicate| predicate.for_each_term(visit)),
            Self::Not(inner) => inner.for_each_term(visit),
            Self::Compare { term, .. }
            | Self::In { term, .. }
            | Self::IsNull(term)
            | Self::IsNotNull(term)
            | Self::IsNan(term)
            | Self::StartsWith { term, .. }
            | Self::Bool(term) => visit(term),
            Self::Const(_) | Self::Unknown => {}
        }
    }

    /// Indexes of the top-level columns it needs.
    pub fn columns(&self) -> BTreeSet<usize> {
        let mut columns = BTreeSet::new();
        self.for_each_term(&mut |term| {
            columns.insert(term.column());
        });
        columns
    }

    /// The same about columns with other numbers; [`Unknown`](Self::Unknown) about a column that
    /// `number` gives none for.
    #[must_use]
    pub fn renumbered(&self, number: &dyn Fn(usize) -> Option<usize>) -> Self {
        let all = |inner: &[Self]| {
            inner
                .iter()
                .map(|predicate| predicate.renumbered(number))
                .collect()
        };
        let moved = |term: &Term, rebuilt: &dyn Fn(Term) -> Self| {
            number(term.column()).map_or(Self::Unknown, |column| rebuilt(term.clone().at(column)))
        };
        match self {
            Self::And(inner) => Self::And(all(inner)),
            Self::Or(inner) => Self::Or(all(inner)),
            Self::Not(inner) => Self::Not(Box::new(inner.renumbered(number))),
            Self::Compare {
                term,
                operator,
                value,
            } => moved(term, &|term| Self::Compare {
                term,
                operator: *operator,
                value: value.clone(),
            }),
            Self::In { term, values } => moved(term, &|term| Self::In {
                term,
                values: values.clone(),
            }),
            Self::IsNull(term) => moved(term, &Self::IsNull),
            Self::IsNotNull(term) => moved(term, &Self::IsNotNull),
            Self::IsNan(term) => moved(term, &Self::IsNan),
            Self::StartsWith { term, prefix } => moved(term, &|term| Self::StartsWith {
                term,
                prefix: prefix.clone(),
            }),
            Self::Bool(term) => moved(term, &Self::Bool),
            Self::Const(answer) => Self::Const(*answer),
            Self::Unknown => Self::Unknown,
        }
    }

    /// Whether everything in it was understood, so that applying it decides each row.
    pub fn is_exact(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::And(inner) | Self::Or(inner) => inner.iter().all(Self::is_exact),
            Self::Not(inner) => inner.is_exact(),
            _ => true,
        }
    }

    /// Whether it can be applied to batches of this schema: all understood, every column there, every type comparable.
    ///
    /// Where this is true, [`apply`](Self::apply) fails only on values that a transform cannot take (a date beyond the
    /// range of the timestamp it is cast to).
    pub fn supports(&self, schema: &Schema) -> bool {
        match self {
            Self::And(inner) | Self::Or(inner) => {
                inner.iter().all(|predicate| predicate.supports(schema))
            }
            Self::Not(inner) => inner.supports(schema),
            Self::Compare { term, value, .. } => {
                term.is_comparable_in(schema) && term.data_type() == value.data_type()
            }
            Self::In { term, values } => {
                term.is_comparable_in(schema) && term.data_type() == values.data_type()
            }
            Self::IsNull(term) | Self::IsNotNull(term) => term.exists_in(schema),
            Self::IsNan(term) => term.is_comparable_in(schema),
            Self::StartsWith { term, .. } => {
                term.is_comparable_in(schema)
                    && leaf::Kind::of(term.data_type()) == Some(leaf::Kind::Bytes)
            }
            Self::Bool(term) => {
                term.is_comparable_in(schema) && term.data_type() == &DataType::Boolean
            }
            Self::Const(_) => true,
            Self::Unknown => false,
        }
    }
}
