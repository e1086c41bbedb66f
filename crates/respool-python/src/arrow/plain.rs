//! The short way in, for batches of plain columns.
#![expect(unsafe_code, reason = "buffers of C are pointers")]

use std::ptr::NonNull;
use std::sync::Arc;

use arrow_array::ffi::FFI_ArrowArray;
use arrow_array::types::{BinaryType, ByteArrayType, LargeBinaryType, LargeUtf8Type, Utf8Type};
use arrow_array::{
    ArrayRef, ArrowPrimitiveType, GenericByteArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, downcast_primitive,
};
use arrow_buffer::{
    ArrowNativeType, BooleanBuffer, Buffer, MutableBuffer, NullBuffer, OffsetBuffer, ScalarBuffer,
};
use arrow_schema::{DataType, SchemaRef};
use respool::BoxError;

use super::owned::Owned;

/// A batch of which every column is of a plain type: numbers, times, strings, binaries.
///
/// The way over `ArrayData` costs allocations for each column, which shows where batches are small. Gives the
/// array back where a column is of another type, is longer than the batch, or is not aligned as arrow-rs
/// wants it.
pub(super) fn plain_batch(
    array: FFI_ArrowArray,
    schema: &SchemaRef,
) -> Result<Result<RecordBatch, FFI_ArrowArray>, BoxError> {
    let rows = array.len();
    let fields = schema.fields();
    let is_plain = rows > 0
        && array.offset() == 0
        && array.null_count_opt() == Some(0)
        && array.num_children() == fields.len()
        && fields.iter().all(|field| is_plain(field.data_type()));
    if !is_plain {
        return Ok(Err(array));
    }
    let owner = Arc::new(Owned::new(array));
    let columns: Option<Vec<ArrayRef>> = fields
        .iter()
        .enumerate()
        .map(|(index, field)| plain_column(&owner, index, field.data_type(), rows))
        .collect();
    match columns {
        Some(columns) => {
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            Ok(Ok(RecordBatch::try_new_with_options(
                Arc::clone(schema),
                columns,
                &options,
            )?))
        }
        // The columns made so far are gone, and nothing else holds the array.
        None => match Arc::try_unwrap(owner) {
            Ok(array) => Ok(Err(array.into_inner())),
            Err(_) => Err("an Arrow array is held twice".into()),
        },
    }
}

fn is_plain(data_type: &DataType) -> bool {
    data_type.is_primitive()
        || matches!(
            data_type,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary
        )
}

/// Column `index` of a struct array of more than no rows; `None` where it has to be imported otherwise.
fn plain_column(
    owner: &Arc<Owned>,
    index: usize,
    data_type: &DataType,
    rows: usize,
) -> Option<ArrayRef> {
    let array = owner.child(index);
    // A struct may show the first rows of its children only.
    if array.len() != rows {
        return None;
    }
    let column = Column { owner, array };
    macro_rules! primitive {
        ($type:ty) => {
            column.primitive::<$type>(data_type)
        };
    }
    downcast_primitive! {
        data_type => (primitive),
        DataType::Utf8 => column.bytes::<Utf8Type>(),
        DataType::LargeUtf8 => column.bytes::<LargeUtf8Type>(),
        DataType::Binary => column.bytes::<BinaryType>(),
        DataType::LargeBinary => column.bytes::<LargeBinaryType>(),
        _ => None
    }
}

/// A child of a struct array that was imported; its buffers live as long as the struct array.
struct Column<'a> {
    owner: &'a Arc<Owned>,
    array: &'a FFI_ArrowArray,
}

impl Column<'_> {
    fn primitive<T: ArrowPrimitiveType>(&self, data_type: &DataType) -> Option<ArrayRef> {
        let values = self.values::<T::Native>(1, self.array.len())?;
        let array = PrimitiveArray::<T>::try_new(values, self.nulls()).ok()?;
        Some(Arc::new(array.with_data_type(data_type.clone())))
    }

    fn bytes<T: ByteArrayType>(&self) -> Option<ArrayRef> {
        let offsets = self.values::<T::Offset>(1, self.array.len() + 1)?;
        let values = self.buffer(2, offsets.last()?.to_usize()?, 1)?;
        // SAFETY: invariant 3: offsets of a valid array ascend from a number that is not negative.
        let offsets = unsafe { OffsetBuffer::new_unchecked(offsets) };
        // SAFETY: invariant 3: the offsets lie inside the values, and strings are UTF-8.
        let array = unsafe { GenericByteArray::<T>::new_unchecked(offsets, values, self.nulls()) };
        Some(Arc::new(array))
    }

    /// `len` values behind the array's offset.
    fn values<T: ArrowNativeType>(&self, buffer: usize, len: usize) -> Option<ScalarBuffer<T>> {
        let offset = self.array.offset();
        let bytes = (offset + len).checked_mul(size_of::<T>())?;
        let buffer = self.buffer(buffer, bytes, align_of::<T>())?;
        Some(ScalarBuffer::new(buffer, offset, len))
    }

    /// The validity; `None` where every value is valid.
    fn nulls(&self) -> Option<NullBuffer> {
        if self.array.null_count_opt() == Some(0) {
            return None;
        }
        let (offset, len) = (self.array.offset(), self.array.len());
        // Bits need no alignment, so a buffer that is missing means that it is not there.
        let bits = self.buffer(0, (offset + len).div_ceil(8), 1)?;
        Some(NullBuffer::new(BooleanBuffer::new(bits, offset, len)))
    }

    /// A buffer by its number in the C data interface; `None` where it is not aligned.
    fn buffer(&self, index: usize, bytes: usize, alignment: usize) -> Option<Buffer> {
        if index >= self.array.num_buffers() {
            return None;
        }
        if bytes == 0 {
            return Some(MutableBuffer::new(0).into());
        }
        let pointer = NonNull::new(self.array.buffer(index).cast_mut())?;
        if pointer.align_offset(alignment) != 0 {
            return None;
        }
        let owner: Arc<Owned> = Arc::clone(self.owner);
        // SAFETY: invariant 3: a buffer has as many bytes as length and offset of its array say, and
        // they stay as they are until the array is released, which the last `owner` does.
        Some(unsafe { Buffer::from_custom_allocation(pointer, bytes, owner) })
    }
}
