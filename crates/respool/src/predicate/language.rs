//! The language itself: how a predicate is built, and what it needs of a schema.

use std::collections::BTreeSet;

use arrow_array::Array;
use arrow_schema::{DataType, Schema};

use crate::values::{Kind, Operator, Scalar, ScalarList, Term};

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
    pub fn terms(&self) -> Vec<&Term> {
        let mut terms = Vec::new();
        self.collect_terms(&mut terms);
        terms
    }

    fn collect_terms<'a>(&'a self, terms: &mut Vec<&'a Term>) {
        match self {
            Self::And(inner) | Self::Or(inner) => inner
                .iter()
                .for_each(|predicate| predicate.collect_terms(terms)),
            Self::Not(inner) => inner.collect_terms(terms),
            Self::Compare { term, .. }
            | Self::In { term, .. }
            | Self::IsNull(term)
            | Self::IsNotNull(term)
            | Self::IsNan(term)
            | Self::StartsWith { term, .. }
            | Self::Bool(term) => terms.push(term),
            Self::Const(_) | Self::Unknown => {}
        }
    }

    /// Indexes of the top-level columns it needs.
    pub fn columns(&self) -> BTreeSet<usize> {
        self.terms().into_iter().map(Term::column).collect()
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
                term.is_comparable_in(schema) && Kind::of(term.data_type()) == Some(Kind::Bytes)
            }
            Self::Bool(term) => {
                term.is_comparable_in(schema) && term.data_type() == &DataType::Boolean
            }
            Self::Const(_) => true,
            Self::Unknown => false,
        }
    }
}
