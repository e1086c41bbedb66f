//! Predicates decided row by row, exactly: the walk through the tree.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;

use super::language::Predicate;
use crate::values::{Term, kernels, refused, through_encoding};

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
                let answers = if term.steps().is_empty() {
                    through_encoding(&array, leaf)?
                } else {
                    leaf(&term.transformed(&array, parents.as_ref())?)?
                };
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
            } => evaluate(term, &|values| kernels::compare(values, *operator, value)),
            Self::In { term, values: list } => {
                evaluate(term, &|values| kernels::is_in(values, list))
            }
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
            Self::IsNan(term) => evaluate(term, &kernels::is_nan),
            Self::StartsWith { term, prefix } => {
                evaluate(term, &|values| kernels::starts_with(values, prefix))
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
