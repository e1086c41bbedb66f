//! Predicates as SQL-like text, for plans and messages.

use std::fmt::{self, Display, Formatter, Write};

use super::language::Predicate;
use crate::values::write_bytes;

impl Display for Predicate {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(inner) => joined(f, inner, " AND ", "TRUE"),
            Self::Or(inner) => joined(f, inner, " OR ", "FALSE"),
            Self::Not(inner) => write!(f, "NOT ({inner})"),
            Self::Compare {
                term,
                operator,
                value,
            } => write!(f, "{term} {operator} {value}"),
            Self::In { term, values } => write!(f, "{term} IN {values}"),
            Self::IsNull(term) => write!(f, "{term} IS NULL"),
            Self::IsNotNull(term) => write!(f, "{term} IS NOT NULL"),
            Self::IsNan(term) => write!(f, "isnan({term})"),
            Self::StartsWith { term, prefix } => {
                write!(f, "starts_with({term}, ")?;
                write_bytes(f, prefix)?;
                f.write_char(')')
            }
            Self::Bool(term) => write!(f, "{term}"),
            Self::Const(Some(true)) => f.write_str("TRUE"),
            Self::Const(Some(false)) => f.write_str("FALSE"),
            Self::Const(None) => f.write_str("NULL"),
            Self::Unknown => f.write_str("<unknown>"),
        }
    }
}

fn joined(f: &mut Formatter<'_>, inner: &[Predicate], separator: &str, empty: &str) -> fmt::Result {
    if inner.is_empty() {
        return f.write_str(empty);
    }
    for (position, predicate) in inner.iter().enumerate() {
        if position > 0 {
            f.write_str(separator)?;
        }
        match predicate {
            Predicate::And(nested) | Predicate::Or(nested) if nested.len() > 1 => {
                write!(f, "({predicate})")?;
            }
            other => write!(f, "{other}")?,
        }
    }
    Ok(())
}
