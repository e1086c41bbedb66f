//! Casts of nested and encoded types, down to the values that they hold.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, OffsetSizeTrait, UInt64Array};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Fields};
use arrow_select::filter::filter;
use arrow_select::take::take;

use super::{Lost, leaf, may_lose};

/// How a cast comes down to casts of simpler types.
#[derive(Debug)]
pub(super) enum Shape<'a> {
    Same,
    /// The same rows of these types, in dictionaries or runs or as they are.
    Encoded(&'a DataType, &'a DataType),
    /// Each row becomes a list of it.
    Wrapped(&'a DataType, &'a DataType),
    /// Of a list, a map or a struct.
    Children(Vec<Child<'a>>),
    /// Structs whose children have other names.
    Strangers,
    Leaf,
}

/// A child, and what becomes of it; with their numbers.
#[derive(Debug)]
pub(super) struct Child<'a> {
    pub(super) from: &'a Field,
    pub(super) to: &'a Field,
    at: (usize, usize),
}

pub(super) fn shape<'a>(from: &'a DataType, to: &'a DataType) -> Shape<'a> {
    if from == to {
        return Shape::Same;
    }
    match (from, to) {
        _ if values(from).is_some() || values(to).is_some() => {
            Shape::Encoded(values(from).unwrap_or(from), values(to).unwrap_or(to))
        }
        (DataType::Struct(from), DataType::Struct(to)) => {
            by_name(from, to).map_or(Shape::Strangers, Shape::Children)
        }
        (DataType::Map(from, _), DataType::Map(to, _)) => {
            match (from.data_type(), to.data_type()) {
                // Key and value, whatever they are called.
                (DataType::Struct(from), DataType::Struct(to)) => {
                    Shape::Children(in_order(from, to).collect())
                }
                _ => Shape::Strangers,
            }
        }
        _ => match (item(from), item(to)) {
            (Some(from), Some(to)) => Shape::Children(vec![Child {
                from,
                to,
                at: (0, 0),
            }]),
            (None, Some(to)) => Shape::Wrapped(from, to.data_type()),
            // The only item of each row.
            (Some(item), None) if matches!(from, DataType::FixedSizeList(_, 1)) => {
                Shape::Encoded(item.data_type(), to)
            }
            _ => Shape::Leaf,
        },
    }
}

fn values(kind: &DataType) -> Option<&DataType> {
    match kind {
        DataType::Dictionary(_, values) => Some(values),
        DataType::RunEndEncoded(_, values) => Some(values.data_type()),
        _ => None,
    }
}

fn item(kind: &DataType) -> Option<&Field> {
    match kind {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => Some(item),
        _ => None,
    }
}

fn in_order<'a>(from: &'a Fields, to: &'a Fields) -> impl Iterator<Item = Child<'a>> {
    let pairs = from.iter().zip(to).enumerate();
    pairs.map(|(at, (from, to))| Child {
        from,
        to,
        at: (at, at),
    })
}

/// The children of two structs that have the same names; each name once where their order differs.
fn by_name<'a>(from: &'a Fields, to: &'a Fields) -> Option<Vec<Child<'a>>> {
    if from.len() != to.len() {
        return None;
    }
    if in_order(from, to).all(|child| child.from.name() == child.to.name()) {
        return Some(in_order(from, to).collect());
    }
    let only = |fields: &'a Fields, name: &str| {
        let mut named = fields
            .iter()
            .enumerate()
            .filter(|(_, field)| field.name() == name);
        named.next().filter(|_| named.next().is_none())
    };
    from.iter()
        .map(|field| {
            let (at, from) = only(from, field.name())?;
            let (other, to) = only(to, field.name())?;
            Some(Child {
                from,
                to,
                at: (at, other),
            })
        })
        .collect()
}

/// The first value that became another one.
pub(super) fn find_lost(from: &ArrayRef, to: &ArrayRef) -> Result<Option<Lost>, ArrowError> {
    match shape(from.data_type(), to.data_type()) {
        Shape::Same => Ok(None),
        Shape::Encoded(from_type, to_type) => {
            find_lost(&cast(from, from_type)?, &cast(to, to_type)?)
        }
        Shape::Wrapped(_, to_type) => find_lost(from, &cast(from, to_type)?),
        Shape::Children(fields) => {
            let (before, after) = (children(from)?, children(to)?);
            let changed = fields
                .iter()
                .filter(|child| may_lose(child.from.data_type(), child.to.data_type()));
            for child in changed {
                if let (Some(from), Some(to)) = (before.get(child.at.0), after.get(child.at.1))
                    && let Some(lost) = find_lost(from, to)?
                {
                    return Ok(Some(lost.below(child.from)));
                }
            }
            Ok(None)
        }
        Shape::Strangers | Shape::Leaf => leaf::first_lost(from, to)?
            .map(|row| Lost::at(row, from, to.data_type()))
            .transpose(),
    }
}

/// The children of a struct, a map or lists without what lies under a null, where anything may be.
fn children(array: &ArrayRef) -> Result<Vec<ArrayRef>, ArrowError> {
    match array.data_type() {
        DataType::Struct(_) => {
            let array = array.as_struct();
            let columns = array.columns().iter();
            match array.nulls() {
                None => Ok(columns.cloned().collect()),
                Some(nulls) => {
                    let valid = BooleanArray::new(nulls.inner().clone(), None);
                    columns.map(|column| filter(column, &valid)).collect()
                }
            }
        }
        DataType::Map(_, _) => {
            let array = array.as_map();
            let rows = items(array.offsets(), array.nulls());
            let columns = [array.keys(), array.values()].into_iter();
            columns.map(|column| take(column, &rows, None)).collect()
        }
        kind => {
            let item = item(kind)
                .ok_or_else(|| ArrowError::CastError(format!("{kind} has no children")))?;
            let lists = DataType::LargeList(Arc::new(item.clone()));
            let array = cast(array, &lists)?;
            let array = array.as_list::<i64>();
            let rows = items(array.offsets(), array.nulls());
            Ok(vec![take(array.values(), &rows, None)?])
        }
    }
}

/// The numbers of the items of the lists that are there.
fn items<O: OffsetSizeTrait>(offsets: &[O], nulls: Option<&NullBuffer>) -> UInt64Array {
    let lists = offsets.windows(2).enumerate();
    let shown = lists.filter(|(row, _)| nulls.is_none_or(|nulls| nulls.is_valid(*row)));
    let items = shown.flat_map(|(_, ends)| ends[0].as_usize() as u64..ends[1].as_usize() as u64);
    items.collect()
}
