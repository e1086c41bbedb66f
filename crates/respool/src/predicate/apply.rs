//! Predicates decided row by row, exactly.

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BooleanArray, RecordBatch, Scalar as Datum, UInt64Array, downcast_run_array,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_ord::cmp;
use arrow_schema::{ArrowError, DataType};
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take;

use super::leaf::{Half, Leaf, Native, match_bytes, match_integers};
use super::scalar::{Key, compare_floats};
use super::{Operator, Predicate, Scalar, ScalarList, Term};
use crate::zone_map::{IntoBytes, physical_indices};

/// Lists up to this length are searched from front to back, longer ones by halves.
const SHORT_LIST: usize = 16;

impl Predicate {
    /// The answer for every row: true, false or null.
    ///
    /// # Errors
    /// The predicate is not exact, the batch lacks a column or has it in another type, the type cannot be compared, or
    /// a transform cannot take a value. Only the last can happen where [`supports`](Self::supports) says yes.
    pub fn apply(&self, batch: &RecordBatch) -> Result<BooleanArray, ArrowError> {
        self.apply_projected(batch, |column| column)
    }

    /// [`apply`](Self::apply) to a batch that holds a projection: `position` says where it holds which column.
    pub fn apply_projected(
        &self,
        batch: &RecordBatch,
        position: impl Fn(usize) -> usize,
    ) -> Result<BooleanArray, ArrowError> {
        Ok(self.answers_for(batch, &position)?.into_array())
    }

    fn answers_for(
        &self,
        batch: &RecordBatch,
        position: &dyn Fn(usize) -> usize,
    ) -> Result<Mask, ArrowError> {
        let rows = batch.num_rows();
        let find = |term: &Term| term.find(batch, position(term.column()));
        let evaluate =
            |term: &Term, leaf: &dyn Fn(&ArrayRef) -> Result<BooleanArray, ArrowError>| {
                let (array, parents) = find(term)?;
                let answers = through_encoding(&array, &|values| {
                    let mut values = ArrayRef::clone(values);
                    for (transform, _) in term.steps() {
                        values = transform.apply(&values)?;
                    }
                    leaf(&values)
                })?;
                Ok(Mask::new(&answers, parents.as_ref()))
            };
        match self {
            Self::And(inner) => {
                let mut mask = Mask::constant(Some(true), rows);
                for predicate in inner {
                    if !mask.no.has_false() {
                        break;
                    }
                    mask = mask.and(&predicate.answers_for(batch, position)?);
                }
                Ok(mask)
            }
            Self::Or(inner) => {
                let mut mask = Mask::constant(Some(false), rows);
                for predicate in inner {
                    if !mask.yes.has_false() {
                        break;
                    }
                    mask = mask.or(&predicate.answers_for(batch, position)?);
                }
                Ok(mask)
            }
            Self::Not(inner) => Ok(inner.answers_for(batch, position)?.negated()),
            Self::Compare {
                term,
                operator,
                value,
            } => evaluate(term, &|values| compare(values, *operator, value)),
            Self::In { term, values: list } => evaluate(term, &|values| is_in(values, list)),
            Self::IsNull(term) => {
                let (array, parents) = find(term)?;
                Ok(Mask::of_nulls(
                    NullBuffer::union(array.logical_nulls().as_ref(), parents.as_ref()),
                    rows,
                ))
            }
            Self::IsNotNull(term) => {
                let (array, parents) = find(term)?;
                let nulls = NullBuffer::union(array.logical_nulls().as_ref(), parents.as_ref());
                Ok(Mask::of_nulls(nulls, rows).negated())
            }
            Self::IsNan(term) => evaluate(term, &is_nan),
            Self::StartsWith { term, prefix } => {
                evaluate(term, &|values| starts_with(values, prefix))
            }
            Self::Bool(term) => evaluate(term, &|values| {
                values
                    .as_boolean_opt()
                    .cloned()
                    .ok_or_else(|| refused("a condition", values.data_type()))
            }),
            Self::Const(answer) => Ok(Mask::constant(*answer, rows)),
            Self::Unknown => Err(ArrowError::NotYetImplemented(
                "a predicate with unknown parts decides no row".into(),
            )),
        }
    }
}

/// The rows of `batch` where `mask` is true; without a copy where they are one contiguous run.
pub fn filter(batch: &RecordBatch, mask: &BooleanArray) -> Result<RecordBatch, ArrowError> {
    if mask.len() != batch.num_rows() {
        return Err(ArrowError::InvalidArgumentError(format!(
            "a mask of {} rows for a batch of {}",
            mask.len(),
            batch.num_rows()
        )));
    }
    let passing = match mask.nulls() {
        None => mask.values().clone(),
        Some(valid) => mask.values() & valid.inner(),
    };
    let count = passing.count_set_bits();
    let Some((start, end)) = passing.set_slices().next() else {
        return Ok(batch.slice(0, 0));
    };
    if end - start == count {
        return Ok(if count == batch.num_rows() {
            batch.clone()
        } else {
            batch.slice(start, count)
        });
    }
    filter_record_batch(batch, &BooleanArray::new(passing, None))
}

/// Answers for rows, as the two sets that decide: where yes and where no. Elsewhere null.
struct Mask {
    yes: BooleanBuffer,
    no: BooleanBuffer,
}

impl Mask {
    fn new(answers: &BooleanArray, parents: Option<&NullBuffer>) -> Self {
        let (yes, no) = (answers.values().clone(), !answers.values());
        match NullBuffer::union(answers.nulls(), parents) {
            None => Self { yes, no },
            Some(valid) => Self {
                yes: &yes & valid.inner(),
                no: &no & valid.inner(),
            },
        }
    }

    fn constant(answer: Option<bool>, rows: usize) -> Self {
        let all = |set| {
            if set {
                BooleanBuffer::new_set(rows)
            } else {
                BooleanBuffer::new_unset(rows)
            }
        };
        Self {
            yes: all(answer == Some(true)),
            no: all(answer == Some(false)),
        }
    }

    fn of_nulls(valid: Option<NullBuffer>, rows: usize) -> Self {
        let no = valid.map_or_else(|| BooleanBuffer::new_set(rows), NullBuffer::into_inner);
        Self { yes: !&no, no }
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            yes: &self.yes & &other.yes,
            no: &self.no | &other.no,
        }
    }

    fn or(&self, other: &Self) -> Self {
        Self {
            yes: &self.yes | &other.yes,
            no: &self.no & &other.no,
        }
    }

    fn negated(self) -> Self {
        Self {
            yes: self.no,
            no: self.yes,
        }
    }

    fn into_array(self) -> BooleanArray {
        let known = &self.yes | &self.no;
        let nulls = known.has_false().then(|| NullBuffer::new(known));
        BooleanArray::new(self.yes, nulls)
    }
}

/// Asks each distinct value once where the array is a dictionary or runs.
fn through_encoding(
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
                let runs: UInt64Array = physical_indices(array.run_ends()).map(|run| run as u64).collect::<Vec<_>>().into();
                Ok(take(&answers, &runs, None)?.as_boolean().clone())
            },
            other => Err(refused("runs", other))
        );
    }
    leaf(array)
}

fn refused(what: &str, data_type: &DataType) -> ArrowError {
    ArrowError::NotYetImplemented(format!("{what} over values of type {data_type}"))
}

fn compare(
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

fn is_in(values: &ArrayRef, list: &ScalarList) -> Result<BooleanArray, ArrowError> {
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

fn is_nan(values: &ArrayRef) -> Result<BooleanArray, ArrowError> {
    let answers =
        match Leaf::of(values.as_ref()).ok_or_else(|| refused("isnan", values.data_type()))? {
            Leaf::Float16(values) => values.iter().map(|value| value.is_nan()).collect(),
            Leaf::Float32(values) => values.iter().map(|value| value.is_nan()).collect(),
            Leaf::Float64(values) => values.iter().map(|value| value.is_nan()).collect(),
            _ => BooleanBuffer::new_unset(values.len()),
        };
    Ok(BooleanArray::new(answers, values.nulls().cloned()))
}

fn starts_with(values: &ArrayRef, prefix: &[u8]) -> Result<BooleanArray, ArrowError> {
    let leaf =
        Leaf::of(values.as_ref()).ok_or_else(|| refused("starts_with", values.data_type()))?;
    let answers = match_bytes!(leaf,
        array => BooleanBuffer::collect_bool(array.len(), |row| array.value(row).into_bytes().starts_with(prefix)),
        _ => return Err(refused("starts_with", values.data_type()))
    );
    Ok(BooleanArray::new(answers, values.nulls().cloned()))
}
