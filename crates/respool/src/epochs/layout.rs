//! Columns as plain memory: which can be, and where each lies.

use std::ops::Range;

use arrow_schema::{DataType, Schema};

use super::columns::Kind;
use crate::error::{Error, Result};
use crate::spelled::spelled;

/// How a column lies in memory as an array of numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name of the column.
    pub name: String,
    /// What a number is: `f4`, `i8`, `u1` and so on, as the array interface of NumPy spells it; `b1` for bool.
    pub kind: &'static str,
    /// The numbers of one row, where a row has several.
    pub shape: Vec<usize>,
    /// Bytes of a row.
    pub width: usize,
}

/// Columns that lie one behind the other, in one piece of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout(pub Vec<Place>);

/// Where each column begins.
const ALIGNMENT: usize = 64;

impl Layout {
    /// # Errors
    /// [`Error::InvalidArgument`] for columns that are no numbers, and for names that are there twice.
    pub(super) fn of(schema: &Schema) -> Result<Self> {
        let mut places: Vec<Place> = Vec::new();
        for field in schema.fields() {
            let name = field.name();
            if places.iter().any(|place| place.name == *name) {
                return Err(Error::invalid(format!(
                    "two columns are named {name:?}, and arrays are known by their names: select one of them"
                )));
            }
            let mut shape = Vec::new();
            let mut inner = field.data_type();
            while let DataType::FixedSizeList(item, size) = inner {
                shape.push(usize::try_from(*size).unwrap_or(0));
                inner = item.data_type();
            }
            let kind = kind_of(inner).filter(|_| Kind::as_memory(field.data_type()).is_some());
            let Some((kind, width)) = kind else {
                return Err(Error::invalid(format!(
                    "column {name:?} is {}, and arrays are of numbers, bool, and fixed-size lists of numbers: leave \
                     it out (columns=), or cast it first (view.cast)",
                    spelled(field.data_type())
                )));
            };
            places.push(Place {
                name: name.clone(),
                kind,
                width: shape
                    .iter()
                    .fold(width, |width, size| width.saturating_mul(*size)),
                shape,
            });
        }
        Ok(Self(places))
    }

    /// Where each column of so many rows lies, and how much that is.
    pub fn ranges(&self, rows: usize) -> (Vec<Range<usize>>, usize) {
        let mut end = 0usize;
        let ranges = self.0.iter().map(|place| {
            let start = end.next_multiple_of(ALIGNMENT);
            end = start + place.width * rows;
            start..end
        });
        let ranges = ranges.collect();
        (ranges, end)
    }
}

fn kind_of(data_type: &DataType) -> Option<(&'static str, usize)> {
    Some(match data_type {
        DataType::Boolean => ("b1", 1),
        DataType::Int8 => ("i1", 1),
        DataType::Int16 => ("i2", 2),
        DataType::Int32 => ("i4", 4),
        DataType::Int64 => ("i8", 8),
        DataType::UInt8 => ("u1", 1),
        DataType::UInt16 => ("u2", 2),
        DataType::UInt32 => ("u4", 4),
        DataType::UInt64 => ("u8", 8),
        DataType::Float16 => ("f2", 2),
        DataType::Float32 => ("f4", 4),
        DataType::Float64 => ("f8", 8),
        _ => return None,
    })
}
