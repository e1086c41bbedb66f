//! Batches of a view, converted one by one.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, UInt8Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, DictionaryArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::error::{BoxError, Result};
use crate::interrupt::Uninterrupted;
use crate::replay::Reader;
use crate::source::Source;
use crate::view::View;

/// What becomes of a column.
#[derive(Clone, Debug)]
pub(super) enum Encoding {
    Kept,
    /// A decimal of so many bytes.
    Decimal(DataType),
    /// Strings or binaries as views.
    View(DataType),
    Dictionary(Dictionary),
}

/// The values of a column, the same for every batch, and the number of each.
#[derive(Clone, Debug)]
pub(super) struct Dictionary {
    pub(super) values: ArrayRef,
    pub(super) numbers: Arc<HashMap<Box<str>, u16>>,
}

/// Reads a complete view and converts its batches.
#[derive(Debug)]
pub(super) struct Encoder {
    reader: Reader,
    encodings: Vec<Encoding>,
    schema: SchemaRef,
}

impl Source for Encoder {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        // Everything is stored: there is nothing to wait for.
        let Some(batch) = self.reader.next_batch(&Uninterrupted)? else {
            return Ok(None);
        };
        let columns = batch
            .columns()
            .iter()
            .zip(&self.encodings)
            .map(|(column, encoding)| encoding.encode(column))
            .collect::<Result<Vec<_>, ArrowError>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let schema = Arc::clone(&self.schema);
        Ok(Some(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?))
    }
}

impl Encoding {
    fn encode(&self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Kept => Ok(Arc::clone(column)),
            Self::Decimal(kind @ DataType::Decimal32(_, _)) => {
                narrowed::<Decimal32Type>(column, kind)
            }
            Self::Decimal(kind) => narrowed::<Decimal64Type>(column, kind),
            Self::View(kind) => cast(column, kind),
            Self::Dictionary(dictionary) => dictionary.encode(column),
        }
    }
}

/// The same numbers in fewer bytes. A value beyond the declared precision may not fit: an error.
fn narrowed<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    kind: &DataType,
) -> Result<ArrayRef, ArrowError>
where
    T::Native: TryFrom<i128>,
{
    let wide = column.as_primitive::<Decimal128Type>();
    let narrow: PrimitiveArray<T> = wide.try_unary(|value| {
        T::Native::try_from(value)
            .map_err(|_| ArrowError::CastError(format!("{value} is no {kind}")))
    })?;
    Ok(Arc::new(narrow.with_data_type(kind.clone())))
}

impl Dictionary {
    fn data_type(&self) -> DataType {
        let key = if self.is_small() {
            DataType::UInt8
        } else {
            DataType::UInt16
        };
        DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8View))
    }

    fn is_small(&self) -> bool {
        self.values.len() <= 1 << 8
    }

    fn encode(&self, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        let strings = views(column)?;
        let strings = strings.as_string_view();
        let mut last: Option<(&str, u16)> = None;
        let numbers = strings
            .iter()
            .map(|string| {
                let Some(string) = string else {
                    return Ok(None);
                };
                if let Some((value, number)) = last
                    && value == string
                {
                    return Ok(Some(number));
                }
                let number = self.numbers.get(string).copied().ok_or_else(|| {
                    ArrowError::InvalidArgumentError(format!("{string:?} is not in the dictionary"))
                })?;
                last = Some((string, number));
                Ok(Some(number))
            })
            .collect::<Result<PrimitiveArray<UInt16Type>, ArrowError>>()?;
        let values = Arc::clone(&self.values);
        if !self.is_small() {
            return Ok(Arc::new(DictionaryArray::try_new(numbers, values)?));
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 256 numbers")]
        let numbers: PrimitiveArray<UInt8Type> = numbers.unary(|number| number as u8);
        Ok(Arc::new(DictionaryArray::try_new(numbers, values)?))
    }
}

/// # Errors
/// Where the view can't be read.
pub(super) fn encoder(view: &View, encodings: Vec<Encoding>) -> Result<Box<Encoder>> {
    Ok(Box::new(Encoder {
        schema: encoded_schema(&view.schema(), &encodings),
        encodings,
        reader: view.passing_by(&Uninterrupted)?,
    }))
}

fn encoded_schema(schema: &Schema, encodings: &[Encoding]) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .zip(encodings)
        .map(|(field, encoding)| match encoding {
            Encoding::Kept => field.as_ref().clone(),
            Encoding::Decimal(kind) | Encoding::View(kind) => {
                field.as_ref().clone().with_data_type(kind.clone())
            }
            Encoding::Dictionary(dictionary) => field
                .as_ref()
                .clone()
                .with_data_type(dictionary.data_type()),
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The strings as views; those of a dictionary are shared, not copied.
pub(super) fn views(strings: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match strings.data_type() {
        DataType::Utf8View => Ok(Arc::clone(strings)),
        _ => cast(strings, &DataType::Utf8View),
    }
}
