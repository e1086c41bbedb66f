//! A column of the batches of a window, as it is gathered from.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_schema::DataType;

use crate::error::{Error, Result};

/// How a column is gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// So many bytes a row.
    Bytes(usize),
    /// A bit a row.
    Bits,
    /// Whatever Arrow's kernels make of it.
    Other,
}

impl Kind {
    /// How a column becomes a column.
    pub(super) fn as_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bits,
            DataType::FixedSizeBinary(width) => match usize::try_from(*width) {
                Ok(width @ 1..) => Self::Bytes(width),
                _ => Self::Other,
            },
            _ => data_type.primitive_width().map_or(Self::Other, Self::Bytes),
        }
    }

    /// How a column becomes plain memory, if it can.
    pub(super) fn as_memory(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Boolean => Some(Self::Bits),
            DataType::FixedSizeList(item, size) => {
                let size = usize::try_from(*size).ok().filter(|size| *size > 0)?;
                match Self::as_memory(item.data_type())? {
                    Self::Bytes(width) => Some(Self::Bytes(width.saturating_mul(size))),
                    Self::Bits | Self::Other => None,
                }
            }
            _ => data_type.primitive_width().map(Self::Bytes),
        }
    }
}

/// One column of all batches of a window.
#[derive(Debug)]
pub(super) enum Column {
    /// The values of each batch, and which of them are there.
    Bytes(Vec<Buffer>, Nulls),
    /// The same.
    Bits(Vec<BooleanBuffer>, Nulls),
    Other(Vec<ArrayRef>),
}

/// Which rows are there, of each batch; nothing where all are of all.
#[derive(Debug, Default)]
pub(super) struct Nulls(pub(super) Option<Vec<Option<NullBuffer>>>);

impl Nulls {
    fn of(arrays: &[ArrayRef]) -> Self {
        let has_some = arrays.iter().any(|array| array.null_count() > 0);
        let each = || arrays.iter().map(|array| array.nulls().cloned()).collect();
        Self(has_some.then(each))
    }

    pub(super) fn is_valid(&self, batch: u32, row: u32) -> bool {
        let Some(each) = &self.0 else { return true };
        match each.get(batch as usize) {
            Some(Some(nulls)) => nulls.is_valid(row as usize),
            _ => true,
        }
    }
}

impl Column {
    /// The batches of the column of that name.
    pub(super) fn of(name: &str, arrays: Vec<ArrayRef>, kind: Kind) -> Result<Self> {
        Ok(match kind {
            Kind::Bytes(width) => {
                let each = arrays.iter().map(|array| values(name, array, width));
                Self::Bytes(each.collect::<Result<_>>()?, Nulls::of(&arrays))
            }
            Kind::Bits => {
                let each = arrays.iter().map(|array| {
                    let bits = array.as_boolean_opt().ok_or_else(contradiction)?;
                    Ok(bits.values().clone())
                });
                Self::Bits(each.collect::<Result<_>>()?, Nulls::of(&arrays))
            }
            Kind::Other => Self::Other(arrays),
        })
    }
}

/// The values of an array that has `width` bytes a row.
fn values(name: &str, array: &ArrayRef, width: usize) -> Result<Buffer> {
    if let Some(lists) = array.as_fixed_size_list_opt() {
        let size = usize::try_from(lists.value_length()).map_err(|_| contradiction())?;
        let items = lists.values();
        if items.null_count() > 0 {
            return Err(Error::invalid(format!(
                "column {name:?} has nulls in its lists, which arrays of numbers have not: take record batches, or \
                 leave such rows out before they are cached"
            )));
        }
        return values(name, items, width / size.max(1));
    }
    let data = array.to_data();
    let buffer = data.buffers().first().ok_or_else(contradiction)?;
    let (start, len) = (data.offset() * width, data.len() * width);
    if start + len > buffer.len() {
        return Err(contradiction());
    }
    Ok(buffer.slice_with_length(start, len))
}

pub(super) fn contradiction() -> Error {
    Error::invalid("a batch is not what its schema says")
}
