//! Batches that are kept in other encodings than they came in, and given back as they came.
//!
//! Which encoding a column has is seen batch by batch, and only ever widens: a dictionary gets longer numbers
//! and then becomes views, a narrow decimal the one that it was. So the encoding of the last batch is one that
//! every batch can be brought to, and a log has to begin anew only where a column widens.
//!
//! What is kept of a batch is a copy also where a column stays as it is: an imported batch is given back to its
//! producer as a whole, so one column of it would hold the memory of all that were converted.

mod column;
mod copy;
mod dictionary;
mod unpack;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};

use self::column::{Column, Progress};
pub(crate) use self::copy::{owned, shrink};
pub(crate) use self::unpack::{shown_as, unpacked};
use crate::error::{Error, Result};
use crate::panics::caught;
use crate::sync::now;

/// For whom batches are kept, who then reads them without converting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encodings {
    /// Decimals of 4 or 8 bytes, few distinct strings as a dictionary, other strings and binaries as views.
    DuckDb,
    /// Strings and binaries as views.
    Views,
}

impl FromStr for Encodings {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "duckdb" => Ok(Self::DuckDb),
            "polars" | "views" => Ok(Self::Views),
            other => Err(Error::invalid(format!(
                "optimize is \"duckdb\", \"polars\" or \"views\", not {other:?}"
            ))),
        }
    }
}

/// Makes of the batches of a source what is kept of them, one after the other.
pub(crate) struct Packer {
    columns: Vec<Column>,
    given: SchemaRef,
    kept: SchemaRef,
    /// What is done of the next batch.
    done: Vec<ArrayRef>,
    /// The next batch, until somebody has stored it.
    packed: Option<RecordBatch>,
}

impl Packer {
    /// `None` where every column stays as it is.
    pub(crate) fn new(encodings: Encodings, given: &SchemaRef) -> Option<Self> {
        let fields = given.fields().iter();
        let columns: Vec<Column> = fields.map(|field| Column::of(encodings, field)).collect();
        if columns.iter().all(Column::keeps) {
            return None;
        }
        Some(Self {
            kept: kept_schema(given, &columns),
            given: Arc::clone(given),
            columns,
            done: Vec::new(),
            packed: None,
        })
    }

    /// The encodings that every batch so far can be brought to.
    pub(crate) fn kept(&self) -> &SchemaRef {
        &self.kept
    }

    /// What is to be kept of the next batch; `None` where that time came before: the next call for the same
    /// batch goes on, or gives again what is ready.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where arrays contradict themselves. Nothing is lost: the next call begins anew.
    pub(crate) fn pack(
        &mut self,
        batch: &RecordBatch,
        index: usize,
        until: Instant,
    ) -> Result<Option<RecordBatch>> {
        let packed = caught(|| self.go_on(batch, until)).unwrap_or_else(|text| {
            Err(ArrowError::InvalidArgumentError(format!(
                "its arrays contradict themselves ({text})"
            )))
        });
        packed.map_err(|error| {
            self.stored();
            Error::invalid(format!("cannot store batch {index}: {error}"))
        })
    }

    /// That the batch is stored: the next call is for the one after it.
    pub(crate) fn stored(&mut self) {
        self.done.clear();
        self.packed = None;
        for column in &mut self.columns {
            column.restart();
        }
    }

    fn go_on(
        &mut self,
        batch: &RecordBatch,
        until: Instant,
    ) -> Result<Option<RecordBatch>, ArrowError> {
        if let Some(packed) = &self.packed {
            return Ok(Some(packed.clone()));
        }
        let mut widens = false;
        while let Some(array) = batch.columns().get(self.done.len()) {
            let Some(column) = self.columns.get_mut(self.done.len()) else {
                break;
            };
            match column.step(array)? {
                Progress::More => {}
                Progress::Done(array) => self.done.push(array),
                // Begun anew in the wider encoding.
                Progress::Misfit => column.widen(),
            }
            if now() >= until && self.done.len() < batch.num_columns() {
                return Ok(None);
            }
        }
        for (array, field) in self.done.iter().zip(self.kept.fields()) {
            widens |= array.data_type() != field.data_type();
        }
        if widens {
            self.kept = kept_schema(&self.given, &self.columns);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let columns = std::mem::take(&mut self.done);
        let kept = Arc::clone(&self.kept);
        let packed = RecordBatch::try_new_with_options(kept, columns, &options)?;
        self.packed = Some(packed.clone());
        Ok(Some(packed))
    }
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer")
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

fn kept_schema(given: &SchemaRef, columns: &[Column]) -> SchemaRef {
    let fields = given.fields().iter().zip(columns);
    let fields: Vec<_> = fields
        .map(|(field, column)| match column.kept() {
            None => Arc::clone(field),
            Some(kind) => Arc::new(field.as_ref().clone().with_data_type(kind)),
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, given.metadata().clone()))
}

/// What text and binaries can be brought to before it is known how all batches are kept.
pub(crate) fn views_of(kind: &DataType) -> Option<DataType> {
    match kind {
        DataType::Utf8 | DataType::Utf8View => Some(DataType::Utf8View),
        DataType::Binary | DataType::BinaryView => Some(DataType::BinaryView),
        _ => None,
    }
}
