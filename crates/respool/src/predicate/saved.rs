//! Predicates in bytes and back.

use arrow_schema::Schema;

use super::language::Predicate;
use crate::error::{Error, Result};
use crate::saved::{Decoder, Encoder, damaged};
use crate::values::{Operator, Scalar, ScalarList, Term};

/// How many predicates may lie one in the other: reading recurses, as proving and applying do. What the
/// translators build is nested less.
const DEPTH: usize = 400;

const AND: u8 = 0;
const OR: u8 = 1;
const NOT: u8 = 2;
const COMPARE: u8 = 3;
const IN: u8 = 4;
const IS_NULL: u8 = 5;
const IS_NOT_NULL: u8 = 6;
const IS_NAN: u8 = 7;
const STARTS_WITH: u8 = 8;
const BOOL: u8 = 9;
const TRUE: u8 = 10;
const FALSE: u8 = 11;
const NULL: u8 = 12;
const UNKNOWN: u8 = 13;

impl Predicate {
    /// # Errors
    /// [`Error::InvalidArgument`] where it is nested too deeply.
    pub(crate) fn save(&self, out: &mut Encoder) -> Result<()> {
        self.save_within(out, DEPTH)
    }

    fn save_within(&self, out: &mut Encoder, depth: usize) -> Result<()> {
        let depth = depth.checked_sub(1).ok_or_else(|| {
            Error::invalid(format!(
                "cannot save this view: a filter is nested more than {DEPTH} deep"
            ))
        })?;
        let mut several = |kind: u8, inner: &[Self]| {
            out.byte(kind);
            out.list(inner.iter(), |out, each| each.save_within(out, depth))
        };
        match self {
            Self::And(inner) => return several(AND, inner),
            Self::Or(inner) => return several(OR, inner),
            Self::Not(inner) => {
                out.byte(NOT);
                return inner.save_within(out, depth);
            }
            Self::Compare {
                term,
                operator,
                value,
            } => {
                out.byte(COMPARE);
                term.save(out)?;
                operator.save(out);
                value.save(out);
            }
            Self::In { term, values } => {
                out.byte(IN);
                term.save(out)?;
                values.save(out)?;
            }
            Self::IsNull(term) => {
                out.byte(IS_NULL);
                term.save(out)?;
            }
            Self::IsNotNull(term) => {
                out.byte(IS_NOT_NULL);
                term.save(out)?;
            }
            Self::IsNan(term) => {
                out.byte(IS_NAN);
                term.save(out)?;
            }
            Self::StartsWith { term, prefix } => {
                out.byte(STARTS_WITH);
                term.save(out)?;
                out.bytes(prefix);
            }
            Self::Bool(term) => {
                out.byte(BOOL);
                term.save(out)?;
            }
            Self::Const(Some(true)) => out.byte(TRUE),
            Self::Const(Some(false)) => out.byte(FALSE),
            Self::Const(None) => out.byte(NULL),
            Self::Unknown => out.byte(UNKNOWN),
        }
        Ok(())
    }

    /// A predicate over a schema; whether it can be applied there is not looked at.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where this is none.
    pub(crate) fn restored(from: &mut Decoder<'_>, schema: &Schema) -> Result<Self> {
        Self::restored_within(from, schema, DEPTH)
    }

    fn restored_within(from: &mut Decoder<'_>, schema: &Schema, depth: usize) -> Result<Self> {
        let depth = depth.checked_sub(1);
        let depth = depth.ok_or_else(|| damaged("a filter is nested too deeply"))?;
        let term = |from: &mut Decoder<'_>| Term::restored(from, schema);
        let several =
            |from: &mut Decoder<'_>| from.list(|from| Self::restored_within(from, schema, depth));
        Ok(match from.byte()? {
            AND => Self::And(several(from)?),
            OR => Self::Or(several(from)?),
            NOT => Self::Not(Box::new(Self::restored_within(from, schema, depth)?)),
            COMPARE => {
                let term = term(from)?;
                let operator = Operator::restored(from)?;
                let value = Scalar::restored(from, term.data_type())?;
                Self::Compare {
                    term,
                    operator,
                    value,
                }
            }
            IN => {
                let term = term(from)?;
                let values = ScalarList::restored(from, term.data_type())?;
                Self::In { term, values }
            }
            IS_NULL => Self::IsNull(term(from)?),
            IS_NOT_NULL => Self::IsNotNull(term(from)?),
            IS_NAN => Self::IsNan(term(from)?),
            STARTS_WITH => Self::StartsWith {
                term: term(from)?,
                prefix: from.bytes()?.to_vec(),
            },
            BOOL => Self::Bool(term(from)?),
            TRUE => Self::Const(Some(true)),
            FALSE => Self::Const(Some(false)),
            NULL => Self::Const(None),
            UNKNOWN => Self::Unknown,
            _ => return Err(damaged("there is no such predicate")),
        })
    }
}
