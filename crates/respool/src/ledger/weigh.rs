//! What a batch holds and what it shows, in bytes.

use std::collections::HashSet;

use arrow_array::cast::AsArray;
use arrow_array::types::ByteArrayType;
use arrow_array::{Array, GenericByteArray, RecordBatch, downcast_primitive_array};
use arrow_buffer::{ArrowNativeType, Buffer};
use arrow_data::{ArrayData, ByteView, MAX_INLINE_VIEW_LEN};
use arrow_schema::DataType;

/// A buffer that a batch keeps alive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) address: usize,
    pub(crate) bytes: u64,
}

/// What a batch holds and shows, found in one pass over its columns.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    /// Bytes that its rows need; see [`shown_bytes`].
    pub(crate) shown: u64,
    /// Bytes of its buffers, one that several columns share counted for each.
    pub(crate) held: u64,
    /// Bytes of its buffers below [`SMALL`], and of what it takes beside its buffers.
    pub(crate) small: u64,
    /// Its other buffers.
    pub(crate) extents: Vec<Extent>,
}

/// Buffers below this size are counted for each batch that holds them: keeping an account of them
/// would cost more memory and time than counting a shared one twice.
pub(crate) const SMALL: u64 = 4096;

/// Bytes that a kept batch takes beside its buffers, for each column: array, buffers and what the producer
/// holds for them. An estimate, rather low than high; without it a million tiny batches would hold
/// gigabytes within a bound of megabytes.
pub(crate) const PER_COLUMN: u64 = 512;

impl Weight {
    /// Counts all that another batch holds too, if this one has a buffer of it: of an imported batch all is held for
    /// as long as a part of it is.
    pub(crate) fn hold_shared(&mut self, other: Self) {
        let ours: HashSet<usize> = self.extents.iter().map(|extent| extent.address).collect();
        let (shared, more): (Vec<Extent>, Vec<Extent>) =
            (other.extents.into_iter()).partition(|extent| ours.contains(&extent.address));
        if !shared.is_empty() {
            self.held += more.iter().map(|extent| extent.bytes).sum::<u64>();
            self.extents.extend(more);
        }
    }

    pub(crate) fn of(batch: &RecordBatch) -> Self {
        let mut weight = Self {
            extents: Vec::with_capacity(batch.num_columns()),
            ..Self::default()
        };
        for column in batch.columns() {
            weight.add(column);
        }
        weight.small += PER_COLUMN * batch.num_columns() as u64;
        weight
    }

    fn add(&mut self, column: &dyn Array) {
        // The common types without the detour over ArrayData, which for small batches would cost
        // more than the rest of storing them.
        if let Some(nulls) = column.nulls() {
            self.hold(nulls.buffer());
            self.shown += column.len().div_ceil(8) as u64;
        }
        downcast_primitive_array!(
            column => {
                let values = column.values().inner();
                self.hold(values);
                self.shown += values.len() as u64;
            }
            DataType::Utf8 => self.add_bytes(column.as_string::<i32>()),
            DataType::LargeUtf8 => self.add_bytes(column.as_string::<i64>()),
            DataType::Binary => self.add_bytes(column.as_binary::<i32>()),
            DataType::LargeBinary => self.add_bytes(column.as_binary::<i64>()),
            _ => {
                let data = column.to_data();
                self.shown += shown_values(&data, 0, data.len());
                for_each_buffer_but_nulls(&data, &mut |buffer| self.hold(buffer));
            }
        );
    }

    fn add_bytes<T: ByteArrayType>(&mut self, column: &GenericByteArray<T>) {
        let offsets = column.offsets();
        self.hold(offsets.inner().inner());
        self.hold(column.values());
        let first = offsets.first().as_usize();
        let last = offsets.last().as_usize();
        self.shown += (size_of_val(&**offsets) + last - first) as u64;
    }

    fn hold(&mut self, buffer: &Buffer) {
        let bytes = buffer.len() as u64;
        self.held += bytes;
        if bytes < SMALL {
            self.small += bytes;
        } else {
            self.extents.push(Extent {
                address: buffer.as_ptr() as usize,
                bytes,
            });
        }
    }

    /// Whether the batch holds more than twice the bytes it shows.
    pub(crate) fn is_wasteful(&self) -> bool {
        self.held > 2 * self.shown
    }
}

/// Visits every buffer that the array keeps alive but its own nulls.
fn for_each_buffer_but_nulls(data: &ArrayData, visit: &mut impl FnMut(&Buffer)) {
    data.buffers().iter().for_each(&mut *visit);
    for child in data.child_data() {
        if let Some(nulls) = child.nulls() {
            visit(nulls.buffer());
        }
        for_each_buffer_but_nulls(child, visit);
    }
}

/// The bytes that rows `offset..offset + length` of the array need, whatever larger buffers they lie in.
///
/// A dictionary counts whole: which of its values are used is not looked at.
fn shown_bytes(data: &ArrayData) -> u64 {
    shown_range(data, 0, data.len())
}

fn shown_range(data: &ArrayData, start: usize, len: usize) -> u64 {
    let nulls = if data.nulls().is_some() {
        len.div_ceil(8) as u64
    } else {
        0
    };
    nulls + shown_values(data, start, len)
}

fn shown_values(data: &ArrayData, start: usize, len: usize) -> u64 {
    let from = data.offset() + start;
    let children = |range: (usize, usize)| -> u64 {
        data.child_data()
            .iter()
            .map(|child| shown_range(child, range.0, range.1))
            .sum()
    };
    match data.data_type() {
        DataType::Null => 0,
        DataType::Boolean => len.div_ceil(8) as u64,
        DataType::Utf8 | DataType::Binary => {
            let (first, last) = offsets::<i32>(data, from, len);
            (last - first) as u64 + 4 * (len as u64 + 1)
        }
        DataType::LargeUtf8 | DataType::LargeBinary => {
            let (first, last) = offsets::<i64>(data, from, len);
            (last - first) as u64 + 8 * (len as u64 + 1)
        }
        DataType::Utf8View | DataType::BinaryView => {
            let views = data
                .buffers()
                .first()
                .map_or(&[][..], |views| views.typed_data::<u128>());
            let views = views.get(from..from + len).unwrap_or(&[]);
            let long: u64 = views
                .iter()
                .map(|view| ByteView::from(*view).length)
                .filter(|length| *length > MAX_INLINE_VIEW_LEN)
                .map(u64::from)
                .sum();
            long + 16 * len as u64
        }
        DataType::List(_) | DataType::Map(_, _) => {
            let (first, last) = offsets::<i32>(data, from, len);
            children((first, last - first)) + 4 * (len as u64 + 1)
        }
        DataType::LargeList(_) => {
            let (first, last) = offsets::<i64>(data, from, len);
            children((first, last - first)) + 8 * (len as u64 + 1)
        }
        DataType::FixedSizeList(_, size) => {
            let size = usize::try_from(*size).unwrap_or(0);
            children((from * size, len * size))
        }
        // Children of a struct are sliced with it; see ArrayData::slice.
        DataType::Struct(_) => children((start, len)),
        DataType::Dictionary(key, _) => {
            let width = key.primitive_width().unwrap_or(8) as u64;
            width * len as u64 + data.child_data().iter().map(shown_bytes).sum::<u64>()
        }
        // Their children can't be cut by the rows shown without a look at every row.
        DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::RunEndEncoded(_, _)
        | DataType::Union(_, _) => {
            let own: usize = data.buffers().iter().map(Buffer::len).sum();
            own as u64 + data.child_data().iter().map(shown_bytes).sum::<u64>()
        }
        DataType::FixedSizeBinary(width) => u64::try_from(*width).unwrap_or(0) * len as u64,
        primitive => primitive.primitive_width().unwrap_or(8) as u64 * len as u64,
    }
}

/// The first and the last of `len + 1` offsets.
fn offsets<T: ArrowNativeType>(data: &ArrayData, from: usize, len: usize) -> (usize, usize) {
    let offsets = data
        .buffers()
        .first()
        .map_or(&[][..], |buffer| buffer.typed_data::<T>());
    let at = |index: usize| offsets.get(index).map_or(0, |offset| offset.as_usize());
    (at(from), at(from + len).max(at(from)))
}
