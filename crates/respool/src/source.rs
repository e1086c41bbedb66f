//! What is read once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, Schema, SchemaRef};

use crate::error::BoxError;

/// A stream of batches that can be read once.
///
/// Any [`RecordBatchReader`] that is `Send` is one. The cache calls [`next_batch`](Source::next_batch)
/// from one thread at a time, without holding a lock, and never again after it said end or failed.
pub trait Source: Send {
    /// The schema of every batch.
    fn schema(&self) -> SchemaRef;

    /// The next batch, `None` at the end.
    ///
    /// # Errors
    /// The error is kept as it is and given to every reader.
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError>;
}

impl<R: RecordBatchReader + Send> Source for R {
    fn schema(&self) -> SchemaRef {
        RecordBatchReader::schema(self)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.next().transpose().map_err(|error| match error {
            ArrowError::ExternalError(inner) => inner,
            other => Box::new(other),
        })
    }
}

/// Pulls one batch, turns a panic into an error and checks the batch against the schema.
pub(crate) fn pull(
    source: &mut dyn Source,
    schema: &SchemaRef,
) -> Result<Option<RecordBatch>, BoxError> {
    let pulled =
        catch_unwind(AssertUnwindSafe(|| source.next_batch())).unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_else(|| "no message".to_owned());
            Err(format!("the source panicked: {text}").into())
        })?;
    pulled.map(|batch| conform(batch, schema)).transpose()
}

/// Gives the batch the declared schema, if its columns are what the schema says.
///
/// # Errors
/// Where names or types differ, or a column that may not be null holds nulls.
fn conform(batch: RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, BoxError> {
    if Arc::ptr_eq(batch.schema_ref(), schema) {
        return Ok(batch);
    }
    if let Some(difference) = first_difference(batch.schema_ref(), schema) {
        return Err(Box::new(SchemaMismatch(difference)));
    }
    let rows = batch.num_rows();
    let (_, columns, _) = batch.into_parts();
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)
        .map_err(|error| Box::new(SchemaMismatch(error.to_string())) as BoxError)
}

fn first_difference(found: &Schema, declared: &Schema) -> Option<String> {
    let (found, declared) = (found.fields(), declared.fields());
    if found.len() != declared.len() {
        return Some(format!(
            "it has {} columns, not {}",
            found.len(),
            declared.len()
        ));
    }
    found
        .iter()
        .zip(declared)
        .enumerate()
        .find_map(|(index, (found, declared))| {
            if found.name() != declared.name() {
                Some(format!(
                    "column {index} is named {:?}, not {:?}",
                    found.name(),
                    declared.name()
                ))
            } else if found.data_type() == declared.data_type() {
                None
            } else {
                let name = declared.name();
                Some(format!(
                    "column {name:?} is {}, not {}",
                    found.data_type(),
                    declared.data_type()
                ))
            }
        })
}

/// A batch that is not what the source's schema says.
#[derive(Debug, thiserror::Error)]
#[error("a batch of the source differs from its schema: {0}")]
pub struct SchemaMismatch(String);
