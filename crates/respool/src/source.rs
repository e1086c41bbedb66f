//! What is read once.

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_cast::cast;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};

use crate::counted;
use crate::error::BoxError;
use crate::panics::caught;
use crate::spelled::spelled;

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

/// That a source was taken away while a thread read it ahead, since nobody can read its cache any more. A log with a
/// name is left as it is then: not ended, and without a failure.
#[derive(Debug, thiserror::Error)]
#[error("the source was let go, as nobody could read its cache any more")]
pub struct Collected;

/// Pulls one batch, turns a panic into an error and checks the batch against the schema.
pub(crate) fn pull(
    source: &mut dyn Source,
    schema: &SchemaRef,
) -> Result<Option<RecordBatch>, BoxError> {
    let pulled = caught(|| source.next_batch())
        .unwrap_or_else(|text| Err(format!("the source panicked: {text}").into()))?;
    pulled.map(|batch| conform(batch, schema)).transpose()
}

/// Gives the batch the declared schema, if its columns are what the schema says, or hold the same values in
/// another layout: text with offsets of another width, or in views.
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
    let mismatch = |error: ArrowError| Box::new(SchemaMismatch(error.to_string())) as BoxError;
    let rows = batch.num_rows();
    let (_, columns, _) = batch.into_parts();
    let columns = columns
        .into_iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                Ok(column)
            } else {
                cast(&column, field.data_type()).map_err(mismatch)
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(mismatch)
}

/// Whether batches of a source can be stored under a schema.
///
/// # Errors
/// The first difference.
pub(crate) fn check_schema(found: &Schema, declared: &Schema) -> Result<(), SchemaMismatch> {
    match first_difference(found, declared) {
        None => Ok(()),
        Some(difference) => Err(SchemaMismatch(difference)),
    }
}

fn first_difference(found: &Schema, declared: &Schema) -> Option<String> {
    let (found, declared) = (found.fields(), declared.fields());
    if found.len() != declared.len() {
        let names: Vec<_> = found.iter().map(|field| field.name().as_str()).collect();
        return Some(format!(
            "it has {}, {names:?}, not {}",
            counted(found.len(), "column", "columns"),
            declared.len()
        ));
    }
    let fields = found.iter().zip(declared).enumerate();
    let mut differences = fields.filter_map(|(index, (found, declared))| {
        let name = declared.name();
        if found.name() != name {
            Some(format!(
                "column {index} is named {:?}, not {name:?}",
                found.name()
            ))
        } else if holds_the_same(found.data_type(), declared.data_type()) {
            None
        } else {
            Some(format!(
                "column {name:?} is {}, not {}",
                spelled(found.data_type()),
                spelled(declared.data_type())
            ))
        }
    });
    differences.next()
}

/// Whether the types hold the same values, in whatever layout.
fn holds_the_same(found: &DataType, declared: &DataType) -> bool {
    use DataType as T;
    match (found, declared) {
        (T::Utf8 | T::LargeUtf8 | T::Utf8View, T::Utf8 | T::LargeUtf8 | T::Utf8View)
        | (
            T::Binary | T::LargeBinary | T::BinaryView,
            T::Binary | T::LargeBinary | T::BinaryView,
        ) => true,
        (T::List(found) | T::LargeList(found), T::List(declared) | T::LargeList(declared)) => {
            holds_the_same(found.data_type(), declared.data_type())
        }
        _ => found == declared,
    }
}

/// A batch that is not what the source's schema says.
#[derive(Debug, thiserror::Error)]
#[error(
    "a batch of the source differs from its schema: {0}; give each batch that schema, or cast it before it is cached"
)]
pub struct SchemaMismatch(String);
