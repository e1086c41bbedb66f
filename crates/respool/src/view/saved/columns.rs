//! Columns in bytes: those of the cache are numbers.

use std::sync::Arc;

use arrow_schema::{FieldRef, Metadata, Schema, SchemaRef};

use super::super::cast;
use super::super::columns::{Columns, Output};
use crate::error::Result;
use crate::saved::{Decoder, Encoder, damaged};

/// A field of the view is the one that its column has after the casts; otherwise it follows.
const KEPT: u8 = 0;
const OTHER: u8 = 1;

impl Columns {
    /// `schema` is that of the cache.
    pub(super) fn save(&self, out: &mut Encoder, schema: &SchemaRef) -> Result<()> {
        let shown = self.outputs().iter().zip(self.schema().fields());
        out.list(shown, |out, (output, field)| {
            out.size(output.column);
            out.list(output.casts.iter(), |out, field| {
                out.field(field);
                Ok(())
            })?;
            let cast = output.casts.last();
            let kept = cast.or_else(|| schema.fields().get(output.column));
            if kept.is_some_and(|kept| Arc::ptr_eq(kept, field)) {
                out.byte(KEPT);
            } else {
                out.byte(OTHER);
                out.field(field);
            }
            Ok(())
        })?;
        let metadata = self.schema().metadata();
        if metadata == schema.metadata() {
            out.byte(KEPT);
            return Ok(());
        }
        out.byte(OTHER);
        out.size(metadata.len());
        for (key, value) in metadata {
            out.bytes(key.as_bytes());
            out.bytes(value.as_bytes());
        }
        Ok(())
    }

    pub(super) fn restored(from: &mut Decoder<'_>, schema: &SchemaRef) -> Result<Self> {
        let mut fields = Vec::new();
        let outputs = from.list(|from| {
            let (output, field) = output(from, schema)?;
            fields.push(field);
            Ok(output)
        })?;
        let metadata = match from.byte()? {
            KEPT => schema.metadata().clone(),
            OTHER => {
                let pairs = from.list(|from| Ok((from.text()?, from.text()?)))?;
                pairs.into_iter().collect::<Metadata>()
            }
            _ => {
                return Err(damaged(
                    "their metadata is neither the cache's nor their own",
                ));
            }
        };
        let shown = Schema::new_with_metadata(fields, metadata);
        Ok(Self::new(Arc::new(shown), outputs))
    }
}

fn output(from: &mut Decoder<'_>, schema: &SchemaRef) -> Result<(Output, FieldRef)> {
    let column = from.size()?;
    let field = schema.fields().get(column);
    let mut field = field.ok_or_else(|| damaged("they show a column that the cache has not"))?;
    let casts = from.list(Decoder::field)?;
    for to in &casts {
        cast::check(field, to)?;
        field = to;
    }
    let shown = match from.byte()? {
        KEPT => Arc::clone(field),
        OTHER => from.field()?,
        _ => return Err(damaged("a column is neither as it is nor another")),
    };
    if shown.data_type() != field.data_type() {
        return Err(damaged("a column has another type than its cast"));
    }
    let kept = None;
    Ok((
        Output {
            column,
            kept,
            casts,
        },
        shown,
    ))
}
