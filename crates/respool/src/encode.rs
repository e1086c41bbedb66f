//! The same rows in other encodings: those that a query engine reads without converting them.
//!
//! DuckDB keeps a decimal of up to 18 digits in 8 bytes and one of up to 9 in 4, a string as a view,
//! and a column of few distinct strings as a dictionary. A view in these encodings is read as it is;
//! in others every query converts it again.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type, UInt8Type, UInt16Type};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, DictionaryArray, PrimitiveArray, RecordBatch,
    RecordBatchOptions, StringViewArray,
};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};

use crate::cache::Cache;
use crate::error::{BoxError, Error, Result};
use crate::interrupt::{Interrupt, Uninterrupted};
use crate::options::{Options, WritePolicy};
use crate::reader::Reader;
use crate::source::Source;
use crate::view::View;

/// A dictionary is worth it where it is this many times shorter than a batch: each batch converts it.
const SHORTER: usize = 8;

/// The most values that the numbers of a dictionary tell apart.
const NUMBERED: usize = 1 << 16;

/// What becomes of a column.
#[derive(Debug)]
enum Encoding {
    Kept,
    /// A decimal of so many bytes.
    Decimal(DataType),
    /// Strings or binaries as views.
    View(DataType),
    Dictionary(Dictionary),
}

/// The values of a column, the same for every batch, and the number of each.
#[derive(Debug)]
struct Dictionary {
    values: ArrayRef,
    numbers: HashMap<Box<str>, u16>,
}

impl View {
    /// A cache of the same rows, converted to the encodings that DuckDB reads as they are; `None`
    /// where there is nothing to convert.
    ///
    /// It has the same number of batches, stays within what the view's cache has left of its memory
    /// and of its log, and is closed with it. That of a whole cache is kept and given again.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a view that is not complete; otherwise as [`Cache::ingest_all`]:
    /// above all where there is no room.
    pub fn encoded(&self, interrupt: &dyn Interrupt) -> Result<Option<Cache>> {
        if !self.is_complete() {
            return Err(Error::invalid("what is not complete can't be encoded yet"));
        }
        let shared = &self.cache().shared;
        if self.is_whole()
            && let Some(known) = &*shared.encoded.lock()
        {
            return Ok(Some(known.clone()));
        }
        let encodings = self.encodings(interrupt)?;
        if encodings.iter().all(|e| matches!(e, Encoding::Kept)) {
            return Ok(None);
        }
        let source = Encoder {
            schema: encoded_schema(&self.schema(), &encodings),
            encodings,
            reader: self.reader()?,
        };
        let encoded = Cache::new(source, &self.room())?;
        while encoded.ingest_to(encoded.num_batches(), interrupt)? {}
        if self.is_whole() {
            let state = shared.state.lock();
            if state.closed {
                // Nobody would close this one.
                return Err(Error::Closed);
            }
            let mut known = shared.encoded.lock();
            if known.is_none() {
                *known = Some(encoded.clone());
            }
            return Ok(known.clone());
        }
        Ok(Some(encoded))
    }

    /// What the cache has left.
    fn room(&self) -> Options {
        let shared = &self.cache().shared;
        let metrics = self.cache().metrics();
        let mut options = Options::new().with_write_policy(WritePolicy::OnEviction);
        if let Some(capacity) = metrics.memory_capacity {
            options = options.with_memory_capacity(capacity.saturating_sub(metrics.memory_bytes));
        }
        if let Some(log) = &shared.log_options {
            let left = metrics
                .log_capacity
                .map(|capacity| capacity.saturating_sub(metrics.log_bytes));
            options = options.with_log(log.clone().capacity(left));
        }
        options
    }

    fn encodings(&self, interrupt: &dyn Interrupt) -> Result<Vec<Encoding>> {
        let schema = self.schema();
        let columns = schema.fields().iter().enumerate();
        columns
            .map(|(column, field)| {
                Ok(match field.data_type() {
                    DataType::Decimal128(precision @ 1..=9, scale) => {
                        Encoding::Decimal(DataType::Decimal32(*precision, *scale))
                    }
                    DataType::Decimal128(precision @ 10..=18, scale) => {
                        Encoding::Decimal(DataType::Decimal64(*precision, *scale))
                    }
                    DataType::Binary | DataType::LargeBinary => {
                        Encoding::View(DataType::BinaryView)
                    }
                    kind if is_string(kind) => match self.dictionary(column, interrupt)? {
                        Some(dictionary) => Encoding::Dictionary(dictionary),
                        None if kind == &DataType::Utf8View => Encoding::Kept,
                        None => Encoding::View(DataType::Utf8View),
                    },
                    _ => Encoding::Kept,
                })
            })
            .collect()
    }

    /// The distinct strings of a column, if they are few.
    fn dictionary(&self, column: usize, interrupt: &dyn Interrupt) -> Result<Option<Dictionary>> {
        let view = self.select_indexes(&[column])?;
        let rows = usize::try_from(self.num_rows()).unwrap_or(usize::MAX);
        let batches = view.batch_range().len().max(1);
        let most = (rows / batches / SHORTER).clamp(1, NUMBERED);
        let mut reader = view.reader()?;
        let mut numbers: HashMap<Box<str>, u16> = HashMap::new();
        let mut values: Vec<Box<str>> = Vec::new();
        while let Some(batch) = reader.next_batch(interrupt)? {
            let strings = views(batch.column(0)).map_err(Error::arrow("cannot read strings"))?;
            let mut last = None;
            for string in strings.as_string_view().iter().flatten() {
                if last == Some(string) || numbers.contains_key(string) {
                    last = Some(string);
                    continue;
                }
                let Ok(number) = u16::try_from(values.len()) else {
                    return Ok(None);
                };
                if values.len() == most {
                    return Ok(None);
                }
                values.push(string.into());
                numbers.insert(string.into(), number);
            }
        }
        let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(&values));
        Ok(Some(Dictionary { values, numbers }))
    }
}

fn is_string(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_string(values),
        _ => false,
    }
}

/// The strings as views; those of a dictionary are shared, not copied.
fn views(strings: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match strings.data_type() {
        DataType::Utf8View => Ok(Arc::clone(strings)),
        _ => cast(strings, &DataType::Utf8View),
    }
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

/// Reads a complete view and converts its batches.
#[derive(Debug)]
struct Encoder {
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
