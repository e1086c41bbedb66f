//! Casts that change no value: what a kernel would truncate without a word is an error.

mod leaf;
mod nested;
mod text;

use arrow_array::timezone::Tz;
use arrow_array::{Array, ArrayRef};
use arrow_cast::display::array_value_to_string;
use arrow_cast::{CastOptions, can_cast_types, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field};

use self::nested::{Shape, shape};
use crate::error::{Error, Result};

/// A value that the new type can't hold.
#[derive(Debug)]
struct Lost {
    /// The names of the fields that it lies in, below the column.
    path: String,
    value: String,
    from: DataType,
    to: DataType,
}

/// Whether there is such a cast at all.
///
/// # Errors
/// [`Error::InvalidArgument`] where there is none, where children of structs have other names, and where
/// it needs a time zone that nobody knows.
pub(super) fn check(from: &Field, to: &Field) -> Result<()> {
    check_types(from.name(), from.data_type(), to.data_type())?;
    let (from_type, to_type) = (from.data_type(), to.data_type());
    if can_cast_types(from_type, to_type) {
        Ok(())
    } else {
        let text = "there is no such cast";
        Err(refused(from.name(), from_type, to_type, text))
    }
}

fn check_types(path: &str, from: &DataType, to: &DataType) -> Result<()> {
    match shape(from, to) {
        Shape::Same => Ok(()),
        Shape::Encoded(from, to) | Shape::Wrapped(from, to) => check_types(path, from, to),
        Shape::Children(children) => children.iter().try_for_each(|child| {
            let path = format!("{path}.{}", child.from.name());
            check_types(&path, child.from.data_type(), child.to.data_type())
        }),
        Shape::Strangers => {
            let text = "the fields of a struct are found by their names, and these differ";
            Err(refused(path, from, to, text))
        }
        Shape::Leaf => needed_zones(from, to).try_for_each(|zone| {
            let known = zone.parse::<Tz>();
            known.map_or_else(|error| Err(refused(path, from, to, error)), |_| Ok(()))
        }),
    }
}

/// Time zones that have to be known for a cast; between two zones only the name changes.
fn needed_zones<'a>(from: &'a DataType, to: &'a DataType) -> impl Iterator<Item = &'a str> {
    let zone = |kind: &'a DataType| match kind {
        DataType::Timestamp(_, zone) => zone.as_deref(),
        _ => None,
    };
    let is_instant = |kind: &DataType| {
        kind.is_numeric() || matches!(kind, DataType::Timestamp(_, zone) if zone.is_some())
    };
    let left = zone(from).filter(|_| !is_instant(to) && !matches!(to, DataType::Timestamp(_, _)));
    let entered = zone(to).filter(|_| !is_instant(from));
    left.into_iter().chain(entered)
}

fn refused(path: &str, from: &DataType, to: &DataType, why: impl std::fmt::Display) -> Error {
    Error::invalid(format!(
        "cannot cast column {path:?} from {from} to {to}: {why}"
    ))
}

/// The same values as another type.
///
/// # Errors
/// [`Error::InvalidArgument`] that names the first value that the new type can't hold.
pub(super) fn cast_exactly(column: &ArrayRef, to: &Field) -> Result<ArrayRef> {
    let (name, from, to) = (to.name(), column.data_type(), to.data_type());
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let fail = |error: ArrowError| refused(name, from, to, error);
    let shown = cast_with_options(column, to, &options).map_err(fail)?;
    if !may_lose(from, to) {
        return Ok(shown);
    }
    match nested::find_lost(column, &shown).map_err(fail)? {
        None => Ok(shown),
        Some(lost) => Err(refused(
            &format!("{name}{}", lost.path),
            &lost.from,
            &lost.to,
            format!("{} would be changed", lost.value),
        )),
    }
}

/// Whether the kernel may change a value without an error.
fn may_lose(from: &DataType, to: &DataType) -> bool {
    match shape(from, to) {
        Shape::Same => false,
        Shape::Encoded(from, to) | Shape::Wrapped(from, to) => may_lose(from, to),
        Shape::Children(children) => children
            .iter()
            .any(|child| may_lose(child.from.data_type(), child.to.data_type())),
        Shape::Strangers => true,
        Shape::Leaf => leaf::Check::of(from, to) != leaf::Check::None,
    }
}

impl Lost {
    fn at(row: usize, from: &dyn Array, to: &DataType) -> Result<Self, ArrowError> {
        Ok(Self {
            path: String::new(),
            value: array_value_to_string(from, row)?,
            from: from.data_type().clone(),
            to: to.clone(),
        })
    }

    fn below(self, field: &Field) -> Self {
        Self {
            path: format!(".{}{}", field.name(), self.path),
            ..self
        }
    }
}
