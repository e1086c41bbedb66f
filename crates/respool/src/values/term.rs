//! What a predicate speaks about: a column, a field of a struct column, or a monotone function of one.

use std::fmt::{self, Display, Formatter, Write};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Schema};
use arrow_select::nullif::nullif;

use super::encoding::decode;
use super::leaf::{decoded, is_comparable};
use super::transform::Transform;

/// A column or nested field, seen through transforms that keep order.
///
/// Built against a schema, so a term that exists is a term that makes sense there:
///
/// ```
/// use arrow_schema::{DataType, Field, Schema, TimeUnit};
/// use respool::predicate::{Term, Transform};
///
/// let time = DataType::Timestamp(TimeUnit::Microsecond, None);
/// let schema = Schema::new(vec![Field::new("at", time, true), Field::new("n", DataType::Int32, true)]);
/// let year = Term::new(&schema, 0, &[]).and_then(|term| term.with(Transform::Year)).unwrap();
/// assert_eq!(year.to_string(), "year(at)");
/// assert_eq!(year.data_type(), &DataType::Int32);
/// // A narrowing cast may fail or wrap: it is no transform.
/// assert!(Term::new(&schema, 1, &[]).unwrap().with(Transform::Cast(DataType::Int8)).is_none());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    column: usize,
    path: Vec<usize>,
    name: Vec<String>,
    stored: DataType,
    /// Each transform with the type it makes.
    transforms: Vec<(Transform, DataType)>,
}

impl Term {
    /// The top-level column at `column`, or the field of it that `path` leads to, struct by struct.
    ///
    /// `None` when the schema has no such column or field.
    pub fn new(schema: &Schema, column: usize, path: &[usize]) -> Option<Self> {
        let mut field = schema.fields().get(column)?;
        let mut name = vec![field.name().clone()];
        for &step in path {
            let DataType::Struct(fields) = field.data_type() else {
                return None;
            };
            field = fields.get(step)?;
            name.push(field.name().clone());
        }
        let stored = decoded(field.data_type()).clone();
        Some(Self {
            column,
            path: path.to_vec(),
            name,
            stored,
            transforms: Vec::new(),
        })
    }

    /// The column or nested field with these names.
    pub fn named(schema: &Schema, names: &[&str]) -> Option<Self> {
        let (first, rest) = names.split_first()?;
        let column = schema.index_of(first).ok()?;
        let mut field = schema.fields().get(column)?;
        let mut path = Vec::new();
        for name in rest {
            let DataType::Struct(fields) = field.data_type() else {
                return None;
            };
            let (step, child) = fields.find(name)?;
            path.push(step);
            field = child;
        }
        Self::new(schema, column, &path)
    }

    /// This term seen through one more transform; `None` when that would not keep order or could fail.
    #[must_use]
    pub fn with(mut self, transform: Transform) -> Option<Self> {
        let result = transform.result(self.data_type())?;
        if &result != self.data_type() {
            self.transforms.push((transform, result));
        }
        Some(self)
    }

    /// The same field of another top-level column.
    pub(crate) fn at(self, column: usize) -> Self {
        Self { column, ..self }
    }

    /// Index of the top-level column.
    pub fn column(&self) -> usize {
        self.column
    }

    /// The fields to go through below the column.
    pub fn path(&self) -> &[usize] {
        &self.path
    }

    /// The transforms, first applied first.
    pub fn transforms(&self) -> impl ExactSizeIterator<Item = &Transform> {
        self.transforms.iter().map(|(transform, _)| transform)
    }

    /// The type of the term's values, dictionaries and runs decoded.
    pub fn data_type(&self) -> &DataType {
        self.transforms
            .last()
            .map_or(&self.stored, |(_, result)| result)
    }

    /// The type before the transforms.
    pub(crate) fn stored_type(&self) -> &DataType {
        &self.stored
    }

    pub(crate) fn steps(&self) -> &[(Transform, DataType)] {
        &self.transforms
    }

    pub(crate) fn name(&self) -> &[String] {
        &self.name
    }

    /// Whether a batch of this schema holds the term, and its values can be compared.
    pub(crate) fn is_comparable_in(&self, schema: &Schema) -> bool {
        self.exists_in(schema) && is_comparable(&self.stored)
    }

    /// Whether a batch of this schema holds the term.
    pub(crate) fn exists_in(&self, schema: &Schema) -> bool {
        Self::new(schema, self.column, &self.path).is_some_and(|found| found.stored == self.stored)
    }

    /// The stored array at `path` and the nulls of the structs above it.
    pub(crate) fn find(
        &self,
        batch: &RecordBatch,
        column: usize,
    ) -> Result<(ArrayRef, Option<NullBuffer>), ArrowError> {
        let mismatch = || {
            ArrowError::SchemaError(format!(
                "the batch has no column {self} of type {} at index {column}",
                self.stored
            ))
        };
        let array = batch.columns().get(column).ok_or_else(mismatch)?;
        let (array, parents) = descend(array, &self.path).ok_or_else(mismatch)?;
        if decoded(array.data_type()) == &self.stored {
            Ok((array, parents))
        } else {
            Err(mismatch())
        }
    }

    /// The term's values, flat. Only values that some row shows go through the transforms: others may be
    /// out of range.
    pub(crate) fn transformed(
        &self,
        array: &ArrayRef,
        parents: Option<&NullBuffer>,
    ) -> Result<ArrayRef, ArrowError> {
        let mut values = decode(array)?;
        if let Some(valid) = parents {
            values = nullif(values.as_ref(), &BooleanArray::new(!valid.inner(), None))?;
        }
        for (transform, _) in self.steps() {
            values = transform.apply(&values)?;
        }
        Ok(values)
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (depth, name) in self.name().iter().enumerate() {
            if depth > 0 {
                text.push('.');
            }
            let plain = name.chars().all(|c| c == '_' || c.is_alphanumeric())
                && !name.starts_with(|c: char| c.is_numeric())
                && !name.is_empty();
            if plain {
                text.push_str(name);
            } else {
                write!(text, "\"{}\"", name.replace('"', "\"\""))?;
            }
        }
        for transform in self.transforms() {
            text = match transform {
                Transform::Cast(to) => format!("CAST({text} AS {to})"),
                Transform::Date => format!("date({text})"),
                Transform::Year => format!("year({text})"),
            };
        }
        f.write_str(&text)
    }
}

/// Follows struct fields down from `array`: the array at the end and the nulls of the structs on the way.
pub(crate) fn descend(array: &ArrayRef, path: &[usize]) -> Option<(ArrayRef, Option<NullBuffer>)> {
    let mut array = array;
    let mut parents: Option<NullBuffer> = None;
    for &step in path {
        let parent = array.as_struct_opt()?;
        parents = NullBuffer::union(parents.as_ref(), parent.nulls());
        array = parent.columns().get(step)?;
    }
    Some((ArrayRef::clone(array), parents))
}
