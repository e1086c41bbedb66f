//! How batches are kept, where that is not how they came.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema, SchemaRef};

use super::Store;
use super::slots::End;
use crate::error::Result;
use crate::pack::{Encodings, Packer, shown_as, unpacked, views_of};
use crate::sync::RwLock;

#[derive(Debug)]
pub(super) struct Kept {
    encodings: Encodings,
    /// What every stored batch can be brought to.
    schema: RwLock<SchemaRef>,
}

impl Kept {
    pub(super) fn new(encodings: Encodings, packer: &Packer) -> Self {
        Self {
            encodings,
            schema: RwLock::new(Arc::clone(packer.kept())),
        }
    }
}

impl Store {
    /// What batches are kept for, where they are not kept as they came.
    pub(crate) fn encodings(&self) -> Option<Encodings> {
        self.kept.as_ref().map(|kept| kept.encodings)
    }

    /// Notes the encodings of a batch, before it is published.
    pub(super) fn note_kept(&self, schema: &SchemaRef) {
        let Some(kept) = &self.kept else {
            return;
        };
        let is_known = Arc::ptr_eq(&kept.schema.read(), schema);
        if !is_known {
            *kept.schema.write() = Arc::clone(schema);
        }
    }

    /// A schema that all batches, also those to come, can be shown in with the least work; `None` where
    /// they are kept as they came.
    ///
    /// # Errors
    /// [`Error::Forked`](crate::Error::Forked).
    pub(crate) fn kept_schema(&self) -> Result<Option<SchemaRef>> {
        let Some(kept) = &self.kept else {
            return Ok(None);
        };
        if !matches!(self.look()?.end, End::Open) {
            return Ok(Some(Arc::clone(&kept.schema.read())));
        }
        // What comes yet may be kept as it comes.
        let fields = self.schema.fields().iter();
        let fields: Vec<_> = fields
            .map(|field| match views_of(field.data_type()) {
                Some(kind) => Arc::new(field.as_ref().clone().with_data_type(kind)),
                None => Arc::clone(field),
            })
            .collect();
        let metadata = self.schema.metadata().clone();
        Ok(Some(Arc::new(Schema::new_with_metadata(fields, metadata))))
    }

    /// A whole batch as it came.
    ///
    /// # Errors
    /// [`Error::Arrow`](crate::Error::Arrow).
    pub(crate) fn given(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.kept.is_none() {
            return Ok(batch);
        }
        unpacked(&batch, &self.schema)
    }

    /// Whether a kept column can become views of what came, of which a cast would make the same.
    pub(crate) fn may_show(&self, number: usize, kind: &DataType) -> bool {
        use DataType as T;
        let given = self
            .schema
            .fields()
            .get(number)
            .map(|field| field.data_type());
        self.kept.is_some()
            && matches!(
                (given, kind),
                (Some(T::Utf8 | T::LargeUtf8 | T::Utf8View), T::Utf8View)
                    | (
                        Some(T::Binary | T::LargeBinary | T::BinaryView),
                        T::BinaryView
                    )
            )
    }

    /// A column as something that has the zones of what came: of text, views are enough.
    ///
    /// # Errors
    /// [`Error::Arrow`](crate::Error::Arrow).
    pub(crate) fn provable_column(&self, column: &ArrayRef, number: usize) -> Result<ArrayRef> {
        let field = self.schema.fields().get(number);
        match field.and_then(|field| views_of(field.data_type())) {
            Some(views) if self.kept.is_some() => shown_as(column, &views),
            _ => self.given_column(column, number),
        }
    }

    /// A column as it came.
    ///
    /// # Errors
    /// [`Error::Arrow`](crate::Error::Arrow).
    pub(crate) fn given_column(&self, column: &ArrayRef, number: usize) -> Result<ArrayRef> {
        match self.schema.fields().get(number) {
            Some(field) if self.kept.is_some() => shown_as(column, field.data_type()),
            _ => Ok(Arc::clone(column)),
        }
    }
}
