//! Which columns a view shows, and as what.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, FieldRef, Schema, SchemaRef};

use super::cast::cast_exactly;
use crate::error::{Error, Result};
use crate::pack::shown_as;
use crate::store::Store;

/// Columns of a cache, each cast or not.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    schema: SchemaRef,
    /// Columns to read, numbers in the cache's schema, ascending, each once.
    base: Vec<usize>,
    outputs: Vec<Output>,
}

#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// Column of the cache.
    pub(crate) column: usize,
    /// What it is shown as instead of the type that it came as: one that its batches are kept as.
    pub(crate) kept: Option<DataType>,
    /// Casts, one after the other.
    pub(crate) casts: Vec<FieldRef>,
}

impl Columns {
    pub(crate) fn new(schema: SchemaRef, outputs: Vec<Output>) -> Self {
        let mut base: Vec<usize> = outputs.iter().map(|output| output.column).collect();
        base.sort_unstable();
        base.dedup();
        Self {
            schema,
            base,
            outputs,
        }
    }

    /// Every column of the cache as it is.
    pub(crate) fn identity(schema: &SchemaRef) -> Vec<Output> {
        (0..schema.fields().len())
            .map(|column| Output {
                column,
                kept: None,
                casts: Vec::new(),
            })
            .collect()
    }

    /// Whether this is every column of that schema as it is.
    pub(crate) fn is_identity(&self, schema: &SchemaRef) -> bool {
        self.schema == *schema
            && self.outputs.len() == schema.fields().len()
            && self
                .outputs
                .iter()
                .enumerate()
                .all(|(at, output)| output.column == at && output.is_as_it_came())
    }

    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The outputs with these numbers, in the order asked for.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a number that is not there.
    pub(crate) fn select<'a>(&self, indexes: impl IntoIterator<Item = &'a usize>) -> Result<Self> {
        let indexes: Vec<usize> = indexes.into_iter().copied().collect();
        let schema = self.schema.project(&indexes).map_err(|_| {
            let columns = self.schema.fields().len();
            Error::invalid(format!(
                "cannot select columns {indexes:?} of {columns} columns"
            ))
        })?;
        let outputs = indexes.iter().filter_map(|index| self.outputs.get(*index));
        Ok(Self::new(Arc::new(schema), outputs.cloned().collect()))
    }

    pub(crate) fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// Columns to read, by their numbers in the cache, ascending.
    pub(crate) fn base(&self) -> &[usize] {
        &self.base
    }

    /// For an output that is shown as it is: its number in the cache.
    pub(crate) fn base_column(&self, output: usize) -> Option<usize> {
        let output = self.outputs.get(output)?;
        output.casts.is_empty().then_some(output.column)
    }

    /// The same columns as they are kept, but for those that are cast.
    pub(crate) fn as_kept(&self, kept: &Schema) -> Self {
        let mut outputs = self.outputs.clone();
        let fields = outputs.iter_mut().zip(self.schema.fields());
        let fields: Vec<FieldRef> = fields
            .map(|(output, field)| match kept.fields().get(output.column) {
                Some(kept) if output.casts.is_empty() && kept.data_type() != field.data_type() => {
                    let kind = kept.data_type().clone();
                    output.kept = Some(kind.clone());
                    Arc::new(field.as_ref().clone().with_data_type(kind))
                }
                _ => Arc::clone(field),
            })
            .collect();
        let schema = Schema::new_with_metadata(fields, self.schema.metadata().clone());
        Self::new(Arc::new(schema), outputs)
    }

    /// Makes the columns of a batch of the store's columns `read`, ascending, which hold the base.
    pub(crate) fn show(
        &self,
        batch: &RecordBatch,
        read: &[usize],
        store: &Store,
    ) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = self
            .outputs
            .iter()
            .map(|output| {
                let at = read.partition_point(|column| *column < output.column);
                output.show(batch.column(at), store)
            })
            .collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(Error::arrow("cannot give a batch the schema of the view"))
    }
}

impl Output {
    fn is_as_it_came(&self) -> bool {
        self.kept.is_none() && self.casts.is_empty()
    }

    fn show(&self, column: &ArrayRef, store: &Store) -> Result<ArrayRef> {
        let (mut column, casts) = match (&self.kept, self.casts.split_first()) {
            (Some(kind), _) => (shown_as(column, kind)?, self.casts.as_slice()),
            // What is kept as views need not become strings in between.
            (None, Some((first, rest))) if store.may_show(self.column, first.data_type()) => {
                (shown_as(column, first.data_type())?, rest)
            }
            (None, _) => (
                store.given_column(column, self.column)?,
                self.casts.as_slice(),
            ),
        };
        for field in casts {
            column = cast_exactly(&column, field)?;
        }
        Ok(column)
    }
}
