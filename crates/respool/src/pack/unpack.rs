//! Columns that are kept in another encoding, as they came or as somebody reads them best.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, UInt8Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, DictionaryArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, SchemaRef};
use arrow_select::take::take;

use crate::error::{Error, Result};

const DOING: &str = "cannot give a column back as it came";

/// The batch as it came.
///
/// # Errors
/// [`Error::Arrow`]: not for what was packed here.
pub(crate) fn unpacked(batch: &RecordBatch, given: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch.columns().iter().zip(given.fields());
    let columns = columns
        .map(|(column, field)| shown_as(column, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(given), columns, &options)
        .map_err(Error::arrow(DOING))
}

/// A kept column as the type that it came as, or as one that its column was kept as later.
///
/// # Errors
/// As [`unpacked`].
pub(crate) fn shown_as(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef> {
    if column.data_type() == kind {
        return Ok(Arc::clone(column));
    }
    shown(column, kind).map_err(Error::arrow(DOING))
}

fn shown(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    match (column.data_type(), kind) {
        (DataType::Decimal32(_, _), DataType::Decimal128(_, _)) => {
            Ok(wide::<Decimal32Type>(column, kind))
        }
        (DataType::Decimal64(_, _), DataType::Decimal128(_, _)) => {
            Ok(wide::<Decimal64Type>(column, kind))
        }
        (DataType::Dictionary(_, _), DataType::Dictionary(_, _)) => {
            let dictionary = column.as_dictionary::<UInt8Type>();
            let numbers: PrimitiveArray<UInt16Type> = dictionary.keys().unary(u16::from);
            let values = Arc::clone(dictionary.values());
            Ok(Arc::new(DictionaryArray::try_new(numbers, values)?))
        }
        (DataType::Dictionary(_, _), _) => {
            let dictionary = column.as_any_dictionary();
            let values = match (dictionary.values().data_type(), kind) {
                (from, to) if from == to => Arc::clone(dictionary.values()),
                _ => cast(dictionary.values(), kind)?,
            };
            take(&values, dictionary.keys(), None)
        }
        _ => cast(column, kind),
    }
}

fn wide<T: ArrowPrimitiveType>(column: &ArrayRef, kind: &DataType) -> ArrayRef
where
    T::Native: Into<i128>,
{
    let narrow = column.as_primitive::<T>();
    let wide: PrimitiveArray<Decimal128Type> = narrow.unary(Into::into);
    Arc::new(wide.with_data_type(kind.clone()))
}
