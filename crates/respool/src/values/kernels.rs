//! What values are tested for, over one array: arrow's kernels where they keep our rules, loops of our own where not
//! (arrow orders floats by their bits: `-0.0` before `0.0`, negative NaN first).

use arrow_array::{Array, ArrayRef, BooleanArray, Scalar as Datum};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_ord::cmp;
use arrow_schema::ArrowError;

use super::key::{Key, compare_floats};
use super::leaf::{Half, IntoBytes, Leaf, Native, match_bytes, match_integers, refused};
use super::operator::Operator;
use super::scalar::{Scalar, ScalarList};

/// Lists up to this length are searched from front to back, longer ones by halves.
const SHORT_LIST: usize = 16;

pub(crate) fn compare(
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

pub(crate) fn is_in(values: &ArrayRef, list: &ScalarList) -> Result<BooleanArray, ArrowError> {
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

pub(crate) fn is_nan(values: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    let answers =
        match Leaf::of(values.as_ref()).ok_or_else(|| refused("isnan", values.data_type()))? {
            Leaf::Float16(values) => values.iter().map(|value| value.is_nan()).collect(),
            Leaf::Float32(values) => values.iter().map(|value| value.is_nan()).collect(),
            Leaf::Float64(values) => values.iter().map(|value| value.is_nan()).collect(),
            _ => BooleanBuffer::new_unset(values.len()),
        };
    Ok(BooleanArray::new(answers, values.nulls().cloned()))
}

pub(crate) fn starts_with(values: &ArrayRef, prefix: &[u8]) -> Result<BooleanArray, ArrowError> {
    let leaf =
        Leaf::of(values.as_ref()).ok_or_else(|| refused("starts_with", values.data_type()))?;
    let answers = match_bytes!(leaf,
        array => BooleanBuffer::collect_bool(array.len(), |row| array.value(row).into_bytes().starts_with(prefix)),
        _ => return Err(refused("starts_with", values.data_type()))
    );
    Ok(BooleanArray::new(answers, values.nulls().cloned()))
}
