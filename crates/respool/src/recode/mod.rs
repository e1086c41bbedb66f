//! The same rows in other encodings: those that a query engine reads without converting them.
//!
//! DuckDB keeps a decimal of up to 18 digits in 8 bytes and one of up to 9 in 4, a string as a view,
//! and a column of few distinct strings as a dictionary. A view in these encodings is read as it is;
//! in others every query converts it again.

mod kept;

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

use self::kept::Draft;
use crate::error::{BoxError, Error, Result};
use crate::ingest::Goal;
use crate::interrupt::{Interrupt, Uninterrupted, Watch};
use crate::options::{Options, WritePolicy};
use crate::replay::{Polled, Reader};
use crate::source::Source;
use crate::store::{End, Store};
use crate::sync::now;
use crate::view::{Extent, View};

/// A dictionary is worth it where it is this many times shorter than a batch: each batch converts it.
const SHORTER: usize = 8;

/// The most values that the numbers of a dictionary tell apart.
const NUMBERED: usize = 1 << 16;

/// What becomes of a column.
#[derive(Clone, Debug)]
enum Encoding {
    Kept,
    /// A decimal of so many bytes.
    Decimal(DataType),
    /// Strings or binaries as views.
    View(DataType),
    Dictionary(Dictionary),
}

/// The values of a column, the same for every batch, and the number of each.
#[derive(Clone, Debug)]
struct Dictionary {
    values: ArrayRef,
    numbers: Arc<HashMap<Box<str>, u16>>,
}

/// See [`View::encoded`].
///
/// # Errors
/// As there.
pub(crate) fn recoded(view: &View, interrupt: &dyn Interrupt) -> Result<Option<Arc<Store>>> {
    let extent = view.extent()?;
    if extent.cache.is_closed {
        return Err(Error::Closed);
    }
    if !extent.is_complete {
        return Err(Error::invalid("what is not complete can't be encoded yet"));
    }
    if !extent.cache.is_ended() {
        // What comes yet needs the room.
        return Ok(None);
    }
    let store = view.store();
    let is_whole = view.is_whole();
    if is_whole && let Some(known) = store.derived_whole() {
        return Ok(Some(known));
    }
    if is_whole && let Some(kept) = kept::kept(store, &extent.cache) {
        store.derive(&kept)?;
        return store.keep_derived(&kept).map(Some);
    }
    let mut watch = Watch::new(interrupt);
    let encodings = encodings(view, &extent, &mut watch)?;
    if encodings.iter().all(|e| matches!(e, Encoding::Kept)) {
        return Ok(None);
    }
    if is_whole
        && let Some(draft) = Draft::of(store)
        && let Some(kept) = drafted(view, &encodings, draft, &extent, &mut watch)?
    {
        return Ok(Some(kept));
    }
    let mut options = Options::new()
        .with_write_policy(WritePolicy::OnEviction)
        .with_budget(&store.budget);
    if store.location().is_none()
        && let Some(quota) = store.log_quota()?
        && let Some(log) = store.log_options()
    {
        options = options.with_log_within(log.clone(), &quota);
    }
    let encoded = Store::new(encoder(view, encodings)?, &options)?;
    // Known from now on: what it takes is in the metrics, and it goes with the cache.
    store.derive(&encoded)?;
    fill(&encoded, &mut watch)?;
    if !is_whole {
        return Ok(Some(encoded));
    }
    store.keep_derived(&encoded).map(Some)
}

/// The copy beside a log with a name; `None` where none can be made there.
fn drafted(
    view: &View,
    encodings: &[Encoding],
    draft: Draft,
    extent: &Extent,
    watch: &mut Watch<'_>,
) -> Result<Option<Arc<Store>>> {
    let store = view.store();
    let options = draft.options(store)?;
    // A directory that can't be written.
    let Ok(encoded) = Store::new(encoder(view, encodings.to_vec())?, &options) else {
        return Ok(None);
    };
    store.derive(&encoded)?;
    match fill(&encoded, watch) {
        Ok(()) => {}
        // No room there.
        Err(Error::Log(_)) => return Ok(None),
        Err(error) => return Err(error),
    }
    encoded.close()?;
    let Some(kept) = draft.publish(store, &extent.cache) else {
        return Ok(None);
    };
    store.derive(&kept)?;
    store.keep_derived(&kept).map(Some)
}

fn encoder(view: &View, encodings: Vec<Encoding>) -> Result<Box<Encoder>> {
    Ok(Box::new(Encoder {
        schema: encoded_schema(&view.schema(), &encodings),
        encodings,
        reader: view.passing_by(&Uninterrupted)?,
    }))
}

fn fill(encoded: &Arc<Store>, watch: &mut Watch<'_>) -> Result<()> {
    encoded.advance(Goal::End, watch)?;
    match encoded.snapshot()?.end {
        End::Failed(failure) => Err(Error::Source(failure)),
        End::Open | End::Complete => Ok(()),
    }
}

fn encodings(view: &View, extent: &Extent, watch: &mut Watch<'_>) -> Result<Vec<Encoding>> {
    let schema = view.schema();
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
                DataType::Binary | DataType::LargeBinary => Encoding::View(DataType::BinaryView),
                kind if is_string(kind) => match distinct(view, extent, column, watch)? {
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
fn distinct(
    view: &View,
    extent: &Extent,
    column: usize,
    watch: &mut Watch<'_>,
) -> Result<Option<Dictionary>> {
    let rows = usize::try_from(extent.rows).unwrap_or(usize::MAX);
    let most = (rows / extent.batches.max(1) / SHORTER).clamp(1, NUMBERED);
    let shown = view.select_indexes(&[column])?;
    let mut reader = shown.passing_by(&Uninterrupted)?;
    let mut numbers: HashMap<Box<str>, u16> = HashMap::new();
    let mut values: Vec<Box<str>> = Vec::new();
    while let Polled::Batch(batch) = reader.poll()? {
        watch.look(now())?;
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
    Ok(Some(Dictionary {
        values,
        numbers: Arc::new(numbers),
    }))
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
