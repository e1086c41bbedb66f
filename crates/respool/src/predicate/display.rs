//! Predicates as SQL-like text, for plans and messages.

use std::fmt::{self, Display, Formatter, Write};

use arrow_cast::display::array_value_to_string;

use super::key::Key;
use super::leaf::Kind;
use super::{Operator, Predicate, Scalar, ScalarList, Term, Transform};

/// List constants shown before the rest is counted.
const SHOWN: usize = 20;

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
                bytes(f, prefix)?;
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

impl Display for Operator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "=",
            Self::Ne => "<>",
            Self::Lt => "<",
            Self::Le => "<=",
            Self::Gt => ">",
            Self::Ge => ">=",
        })
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (depth, name) in self.name().iter().enumerate() {
            if depth > 0 {
                text.push('.');
            }
            let plain = name.chars().all(|c| c == '_' || c.is_alphanumeric())
                && !name.starts_with(|c: char| c.is_numeric())
                && !name.is_empty();
            if plain {
                text.push_str(name);
            } else {
                write!(text, "\"{}\"", name.replace('"', "\"\""))?;
            }
        }
        for transform in self.transforms() {
            text = match transform {
                Transform::Cast(to) => format!("CAST({text} AS {to})"),
                Transform::Date => format!("date({text})"),
                Transform::Year => format!("year({text})"),
            };
        }
        f.write_str(&text)
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Key::Bytes(value) = self.key() {
            return bytes(f, value);
        }
        let data_type = self.data_type();
        let text = array_value_to_string(self.array(), 0).map_err(|_| fmt::Error)?;
        let bare = data_type.is_numeric() || Kind::of(data_type) == Some(Kind::Boolean);
        if bare {
            f.write_str(&text)
        } else {
            write!(f, "'{text}'")
        }
    }
}

impl Display for ScalarList {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        for (position, key) in self.keys().iter().take(SHOWN).enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            match key
                .to_array(self.data_type())
                .and_then(|array| Scalar::new(array.as_ref(), 0))
            {
                Some(value) => write!(f, "{value}")?,
                None => write!(f, "{key:?}")?,
            }
        }
        if self.len() > SHOWN {
            write!(f, ", and {} more", self.len() - SHOWN)?;
        }
        if self.has_null() {
            f.write_str(if self.is_empty() { "NULL" } else { ", NULL" })?;
        }
        f.write_char(')')
    }
}

/// Text in quotes when it is text, hexadecimal digits when not.
fn bytes(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    if let Ok(text) = std::str::from_utf8(value) {
        return write!(f, "'{}'", text.replace('\'', "''"));
    }
    f.write_str("X'")?;
    for byte in value {
        write!(f, "{byte:02X}")?;
    }
    f.write_char('\'')
}
