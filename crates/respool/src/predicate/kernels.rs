//! The leaves of a predicate over one array: arrow's kernels where they keep our rules, loops of our own where not
//! (arrow orders floats by their bits: `-0.0` before `0.0`, negative NaN first).

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Scalar as Datum, UInt64Array, downcast_run_array,
};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, NullBuffer, RunEndBuffer};
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType};
use arrow_select::nullif::nullif;
use arrow_select::take::take;

use super::key::{Key, compare_floats};
use super::leaf::{Half, Leaf, Native, match_bytes, match_integers};
use super::{Operator, Scalar, ScalarList, Term};
use crate::zone_map::{IntoBytes, physical_indices};

/// Lists up to this length are searched from front to back, longer ones by halves.
const SHORT_LIST: usize = 16;

/// Asks each distinct value once where the array is a dictionary or runs.
pub(super) fn through_encoding(
    array: &ArrayRef,
    leaf: &dyn Fn(&ArrayRef) -> Result<BooleanArray, ArrowError>,
) -> Result<BooleanArray, ArrowError> {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let (keys, values) = (dictionary.keys(), dictionary.values());
        if keys.null_count() == keys.len() {
            return Ok(BooleanArray::new_null(keys.len()));
        }
        // A batch that shows a small part of a large dictionary is cheaper to decode.
        if values.len() > 2 * keys.len() {
            return leaf(&take(values.as_ref(), keys, None)?);
        }
        return Ok(take(&leaf(values)?, keys, None)?.as_boolean().clone());
    }
    if matches!(array.data_type(), DataType::RunEndEncoded(..)) {
        let array = array.as_ref();
        return downcast_run_array!(
            array => {
                let answers = leaf(array.values())?;
                let runs = runs_of_rows(array.run_ends());
                Ok(take(&answers, &runs, None)?.as_boolean().clone())
            },
            other => Err(refused("runs", other))
        );
    }
    leaf(array)
}

/// The term's values, flat. Only values that some row shows go through the transforms: others may be
/// out of range.
pub(super) fn transformed(
    term: &Term,
    array: &ArrayRef,
    parents: Option<&NullBuffer>,
) -> Result<ArrayRef, ArrowError> {
    let mut values = decode(array)?;
    if let Some(valid) = parents {
        values = nullif(values.as_ref(), &BooleanArray::new(!valid.inner(), None))?;
    }
    for (transform, _) in term.steps() {
        values = transform.apply(&values)?;
    }
    Ok(values)
}

/// One layer of encoding less.
pub(super) fn decode(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        return take(dictionary.values().as_ref(), dictionary.keys(), None);
    }
    if matches!(array.data_type(), DataType::RunEndEncoded(..)) {
        let array = array.as_ref();
        return downcast_run_array!(
            array => take(array.values().as_ref(), &runs_of_rows(array.run_ends()), None),
            other => Err(refused("runs", other))
        );
    }
    Ok(ArrayRef::clone(array))
}

fn runs_of_rows<R: ArrowNativeType>(run_ends: &RunEndBuffer<R>) -> UInt64Array {
    physical_indices(run_ends)
        .map(|run| run as u64)
        .collect::<Vec<_>>()
        .into()
}

pub(super) fn refused(what: &str, data_type: &DataType) -> ArrowError {
    ArrowError::NotYetImplemented(format!("{what} over values of type {data_type}"))
}

pub(super) fn compare(
    values: &ArrayRef,
    operator: Operator,
    value: &Scalar,
) -> Result<BooleanArray, ArrowError> {
    if values.data_type() != value.data_type() {
        return Err(ArrowError::InvalidArgumentError(format!(
            "a constant of type {} compared with values of type {}",
            value.data_type(),
            values.data_type()
        )));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the constant has the type of the values"
    )]
    let floats = match (Leaf::of(values.as_ref()), value.key()) {
        (Some(Leaf::Float16(values)), Key::Float(value)) => {
            // Half-precision floats have no machine comparison: widen each.
            Some(BooleanBuffer::collect_bool(values.len(), |row| {
                values
                    .get(row)
                    .is_some_and(|half| operator.holds(compare_floats(half.to_f64(), *value)))
            }))
        }
        (Some(Leaf::Float32(values)), Key::Float(value)) => {
            Some(compare_slice(values, operator, *value as f32))
        }
        (Some(Leaf::Float64(values)), Key::Float(value)) => {
            Some(compare_slice(values, operator, *value))
        }
        _ => None,
    };
    if let Some(answers) = floats {
        return Ok(BooleanArray::new(answers, values.nulls().cloned()));
    }
    let constant = Datum::new(ArrayRef::clone(value.array()));
    let values = values.as_ref() as &dyn Array;
    match operator {
        Operator::Eq => cmp::eq(&values, &constant),
        Operator::Ne => cmp::neq(&values, &constant),
        Operator::Lt => cmp::lt(&values, &constant),
        Operator::Le => cmp::lt_eq(&values, &constant),
        Operator::Gt => cmp::gt(&values, &constant),
        Operator::Ge => cmp::gt_eq(&values, &constant),
    }
}

/// Floats with NaN as the greatest value: where the machine says "not less", NaN is greater.
fn compare_slice<T: Copy + PartialOrd>(
    values: &[T],
    operator: Operator,
    constant: T,
) -> BooleanBuffer {
    fn collect<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> BooleanBuffer {
        let mut values = values.iter();
        BooleanBuffer::collect_bool(values.len(), |_| {
            values.next().is_some_and(|value| test(*value))
        })
    }
    let is_nan = |value: T| value.partial_cmp(&value).is_none();
    if is_nan(constant) {
        return match operator {
            Operator::Lt | Operator::Ne => collect(values, |value| !is_nan(value)),
            Operator::Eq | Operator::Ge => collect(values, is_nan),
            Operator::Le => BooleanBuffer::new_set(values.len()),
            Operator::Gt => BooleanBuffer::new_unset(values.len()),
        };
    }
    match operator {
        Operator::Eq => collect(values, |value| value == constant),
        Operator::Ne => collect(values, |value| value != constant),
        Operator::Lt => collect(values, |value| value < constant),
        Operator::Le => collect(values, |value| value <= constant),
        #[expect(
            clippy::neg_cmp_op_on_partial_ord,
            reason = "what is not less or equal is greater or NaN"
        )]
        Operator::Gt => collect(values, |value| !(value <= constant)),
        #[expect(
            clippy::neg_cmp_op_on_partial_ord,
            reason = "what is not less is greater, equal or NaN"
        )]
        Operator::Ge => collect(values, |value| !(value < constant)),
    }
}

pub(super) fn is_in(values: &ArrayRef, list: &ScalarList) -> Result<BooleanArray, ArrowError> {
    if values.data_type() != list.data_type() {
        return Err(ArrowError::InvalidArgumentError(format!(
            "a list of type {} searched for values of type {}",
            list.data_type(),
            values.data_type()
        )));
    }
    let keys = list.keys();
    let floats = || -> Vec<f64> {
        keys.iter()
            .filter_map(|key| {
                if let Key::Float(value) = key {
                    Some(*value)
                } else {
                    None
                }
            })
            .collect()
    };
    let leaf = Leaf::of(values.as_ref()).ok_or_else(|| refused("IN", values.data_type()))?;
    let found = match_bytes!(leaf,
        array => {
            let texts: Vec<&[u8]> =
                keys.iter().filter_map(|key| if let Key::Bytes(bytes) = key { Some(bytes.as_ref()) } else { None }).collect();
            search(array.len(), &texts, |row| array.value(row).into_bytes(), Ord::cmp)
        },
        Leaf::Boolean(bits) => search(bits.len(), &natives(keys), |row| i8::from(bits.value(row)), Ord::cmp),
        Leaf::Float16(values) => search_floats(values, &floats(), Half::to_f64),
        Leaf::Float32(values) => search_floats(values, &floats(), f64::from),
        Leaf::Float64(values) => search_floats(values, &floats(), |value| value),
        other => match_integers!(other,
            values => search_integers(values, &natives(keys)),
            _ => return Err(refused("IN", list.data_type()))
        )
    );
    let nulls = NullBuffer::union(
        values.nulls(),
        list.has_null()
            .then(|| NullBuffer::new(found.clone()))
            .as_ref(),
    );
    Ok(BooleanArray::new(found, nulls))
}

/// The integers of a list in their native width; the list's type has that width, so all fit.
fn natives<T: Native>(keys: &[Key]) -> Vec<T> {
    keys.iter()
        .filter_map(|key| {
            if let Key::Integer(value) = key {
                T::narrow(*value)
            } else {
                None
            }
        })
        .collect()
}

fn search_integers<T: Native>(values: &[T], list: &[T]) -> BooleanBuffer {
    let mut values = values.iter();
    if list.len() <= SHORT_LIST {
        return BooleanBuffer::collect_bool(values.len(), |_| {
            values.next().is_some_and(|value| list.contains(value))
        });
    }
    BooleanBuffer::collect_bool(values.len(), |_| {
        values
            .next()
            .is_some_and(|value| list.binary_search(value).is_ok())
    })
}

fn search_floats<T: Copy>(values: &[T], list: &[f64], widen: impl Fn(T) -> f64) -> BooleanBuffer {
    let mut values = values.iter();
    BooleanBuffer::collect_bool(values.len(), |_| {
        values.next().is_some_and(|value| {
            list.binary_search_by(|other| compare_floats(*other, widen(*value)))
                .is_ok()
        })
    })
}

fn search<T: Copy>(
    rows: usize,
    list: &[T],
    value: impl Fn(usize) -> T,
    order: impl Fn(&T, &T) -> std::cmp::Ordering,
) -> BooleanBuffer {
    BooleanBuffer::collect_bool(rows, |row| {
        let value = value(row);
        list.binary_search_by(|other| order(other, &value)).is_ok()
    })
}

pub(super) fn is_nan(values: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    let answers =
        match Leaf::of(values.as_ref()).ok_or_else(|| refused("isnan", values.data_type()))? {
            Leaf::Float16(values) => values.iter().map(|value| value.is_nan()).collect(),
            Leaf::Float32(values) => values.iter().map(|value| value.is_nan()).collect(),
            Leaf::Float64(values) => values.iter().map(|value| value.is_nan()).collect(),
            _ => BooleanBuffer::new_unset(values.len()),
        };
    Ok(BooleanArray::new(answers, values.nulls().cloned()))
}

pub(super) fn starts_with(values: &ArrayRef, prefix: &[u8]) -> Result<BooleanArray, ArrowError> {
    let leaf =
        Leaf::of(values.as_ref()).ok_or_else(|| refused("starts_with", values.data_type()))?;
    let answers = match_bytes!(leaf,
        array => BooleanBuffer::collect_bool(array.len(), |row| array.value(row).into_bytes().starts_with(prefix)),
        _ => return Err(refused("starts_with", values.data_type()))
    );
    Ok(BooleanArray::new(answers, values.nulls().cloned()))
}
