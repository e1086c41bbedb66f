//! One column: how it is kept, and the work on it, in steps of a few milliseconds.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal32Type, Decimal64Type, Decimal128Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_cast::cast;
use arrow_data::ArrayData;
use arrow_schema::{ArrowError, DataType, Field};
use arrow_select::concat::concat;

use super::Encodings;
use super::copy::copied_array;
use super::dictionary::Dictionary;

/// Rows of a step.
const ROWS: usize = 1 << 19;

/// What is larger is not copied where it stays as it is: that would be one long step.
const LARGE: usize = 512 << 20;

pub(super) enum Column {
    /// As it is, copied.
    Copied,
    /// As it is: a dictionary, whose values are copied once where batches share them.
    Shared(Option<(ArrayData, ArrayRef)>),
    Decimal32(DataType, Vec<i32>),
    Decimal64(DataType, Vec<i64>),
    Views(DataType, Vec<ArrayRef>),
    Dictionary(Box<Dictionary>),
}

/// What a step led to.
pub(super) enum Progress {
    More,
    Done(ArrayRef),
    /// The batch can't be encoded so.
    Misfit,
}

impl Column {
    pub(super) fn of(encodings: Encodings, field: &Field) -> Self {
        // An extension may be known for text, and not for numbers of texts.
        let encodings = match field.extension_type_name() {
            Some(_) => Encodings::Views,
            None => encodings,
        };
        Self::new(encodings, field.data_type())
    }

    fn new(encodings: Encodings, given: &DataType) -> Self {
        use DataType as T;
        match (encodings, given) {
            (Encodings::DuckDb, T::Decimal128(precision @ 1..=9, scale)) => {
                Self::Decimal32(T::Decimal32(*precision, *scale), Vec::new())
            }
            (Encodings::DuckDb, T::Decimal128(precision @ 10..=18, scale)) => {
                Self::Decimal64(T::Decimal64(*precision, *scale), Vec::new())
            }
            (Encodings::DuckDb, T::Utf8 | T::LargeUtf8 | T::Utf8View) => {
                Self::Dictionary(Box::default())
            }
            (Encodings::Views, T::Utf8 | T::LargeUtf8) => Self::Views(T::Utf8View, Vec::new()),
            (_, T::Binary | T::LargeBinary) => Self::Views(T::BinaryView, Vec::new()),
            (_, T::Dictionary(_, _)) => Self::Shared(None),
            _ => Self::Copied,
        }
    }

    /// Whether it stays as it is, whatever comes.
    pub(super) fn keeps(&self) -> bool {
        matches!(self, Self::Copied | Self::Shared(_))
    }

    /// The type that it is kept as; `None` for the given one.
    pub(super) fn kept(&self) -> Option<DataType> {
        match self {
            Self::Copied | Self::Shared(_) => None,
            Self::Decimal32(kind, _) | Self::Decimal64(kind, _) | Self::Views(kind, _) => {
                Some(kind.clone())
            }
            Self::Dictionary(dictionary) => Some(dictionary.data_type()),
        }
    }

    /// Goes over to the next wider encoding, for this batch and all later ones.
    pub(super) fn widen(&mut self) {
        *self = match self {
            Self::Dictionary(_) => Self::Views(DataType::Utf8View, Vec::new()),
            _ => Self::Copied,
        };
    }

    /// Forgets what is done of a batch.
    pub(super) fn restart(&mut self) {
        match self {
            Self::Copied | Self::Shared(_) => {}
            Self::Decimal32(_, values) => *values = Vec::new(),
            Self::Decimal64(_, values) => *values = Vec::new(),
            Self::Views(_, chunks) => *chunks = Vec::new(),
            Self::Dictionary(dictionary) => dictionary.restart(),
        }
    }

    /// The next step with the column of a batch, the same until it is done.
    pub(super) fn step(&mut self, array: &ArrayRef) -> Result<Progress, ArrowError> {
        match self {
            Self::Copied => Ok(Progress::Done(kept_as_it_is(array)?)),
            Self::Shared(last) => shared(last, array).map(Progress::Done),
            #[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
            Self::Decimal32(kind, values) => {
                let cut = |value| value as i32;
                Ok(narrow::<Decimal32Type>(array, kind, values, cut))
            }
            #[expect(clippy::cast_possible_truncation, reason = "compared afterwards")]
            Self::Decimal64(kind, values) => {
                let cut = |value| value as i64;
                Ok(narrow::<Decimal64Type>(array, kind, values, cut))
            }
            Self::Views(kind, chunks) => {
                let from = chunks.iter().map(Array::len).sum::<usize>();
                let rows = ROWS.min(array.len() - from);
                chunks.push(views(&array.slice(from, rows), kind)?);
                if from + rows < array.len() {
                    return Ok(Progress::More);
                }
                let chunks = std::mem::take(chunks);
                Ok(Progress::Done(match chunks.as_slice() {
                    [one] => Arc::clone(one),
                    several => {
                        let several: Vec<&dyn Array> = several.iter().map(AsRef::as_ref).collect();
                        concat(&several)?
                    }
                }))
            }
            Self::Dictionary(dictionary) => {
                let from = dictionary.rows();
                let rows = ROWS.min(array.len() - from);
                if !dictionary.add(array, from..from + rows) {
                    return Ok(Progress::Misfit);
                }
                if from + rows < array.len() {
                    return Ok(Progress::More);
                }
                dictionary.finish(copied_nulls(array)).map(Progress::Done)
            }
        }
    }
}

/// The same numbers in fewer bytes; a value beyond the declared precision may not fit.
fn narrow<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    kind: &DataType,
    values: &mut Vec<T::Native>,
    truncated: impl Fn(i128) -> T::Native,
) -> Progress
where
    T::Native: Into<i128>,
{
    let wide = array.as_primitive::<Decimal128Type>();
    if values.is_empty() {
        values.reserve_exact(wide.len());
    }
    let from = values.len();
    let rows = ROWS.min(wide.len() - from);
    let some = &wide.values()[from..from + rows];
    values.extend(some.iter().map(|value| truncated(*value)));
    let fits = |(narrow, wide): (&T::Native, &i128)| (*narrow).into() == *wide;
    let pairs = || values[from..].iter().zip(some);
    // Without an early end it is a loop over lanes; what is beyond is looked for only where there is something.
    if !pairs().fold(true, |all, pair| all & fits(pair))
        && (from..)
            .zip(pairs())
            .any(|(at, pair)| wide.is_valid(at) && !fits(pair))
    {
        *values = Vec::new();
        return Progress::Misfit;
    }
    if from + rows < wide.len() {
        return Progress::More;
    }
    let values = std::mem::take(values).into();
    let narrow = PrimitiveArray::<T>::new(values, copied_nulls(array));
    Progress::Done(Arc::new(narrow.with_data_type(kind.clone())))
}

/// Views that hold nothing of what they were made from.
fn views(array: &ArrayRef, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    let views = cast(array, kind)?;
    if array.nulls().is_some() {
        return copied_array(&views);
    }
    let own: ArrayRef = match kind {
        DataType::BinaryView => Arc::new(views.as_binary_view().gc()),
        _ => Arc::new(views.as_string_view().gc()),
    };
    // Where all are short, views are given on as they are.
    let is_shared = array.data_type() == kind
        && own.to_data().buffers().first().map(Buffer::as_ptr)
            == array.to_data().buffers().first().map(Buffer::as_ptr);
    if is_shared {
        copied_array(&own)
    } else {
        Ok(own)
    }
}

fn kept_as_it_is(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let holds_dictionary = has_dictionary(array.data_type());
    if holds_dictionary || array.get_buffer_memory_size() > LARGE {
        return Ok(Arc::clone(array));
    }
    copied_array(array)
}

/// Copying a dictionary drops what no row uses, and the order is somebody's.
fn has_dictionary(kind: &DataType) -> bool {
    let mut found = matches!(kind, DataType::Dictionary(_, _));
    for_each_child(kind, &mut |child| found |= has_dictionary(child));
    found
}

fn for_each_child(kind: &DataType, visit: &mut dyn FnMut(&DataType)) {
    match kind {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _)
        | DataType::Map(field, _)
        | DataType::RunEndEncoded(_, field) => visit(field.data_type()),
        DataType::Struct(fields) => fields.iter().for_each(|field| visit(field.data_type())),
        DataType::Union(fields, _) => {
            fields
                .iter()
                .for_each(|(_, field)| visit(field.data_type()));
        }
        _ => {}
    }
}

/// A dictionary with numbers and values of its own; the values of the batch before, where they are the same.
fn shared(
    last: &mut Option<(ArrayData, ArrayRef)>,
    array: &ArrayRef,
) -> Result<ArrayRef, ArrowError> {
    let values = array.as_any_dictionary().values();
    let data = values.to_data();
    let own = match last {
        Some((known, own)) if known.ptr_eq(&data) => Arc::clone(own),
        _ if has_dictionary(values.data_type()) || data.get_buffer_memory_size() > LARGE => {
            return Ok(Arc::clone(array));
        }
        _ => {
            let own = copied_array(values)?;
            *last = Some((data, Arc::clone(&own)));
            own
        }
    };
    let keys = super::copy::copied_rows(array)?;
    Ok(keys.as_any_dictionary().with_values(own))
}

fn copied_nulls(array: &ArrayRef) -> Option<NullBuffer> {
    let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0)?;
    let (from, to) = (
        nulls.offset() / 8,
        (nulls.offset() + nulls.len()).div_ceil(8),
    );
    let bytes = Buffer::from(&nulls.validity()[from..to]);
    let bits = BooleanBuffer::new(bytes, nulls.offset() % 8, nulls.len());
    Some(NullBuffer::new(bits))
}
