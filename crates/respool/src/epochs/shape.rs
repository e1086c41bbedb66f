//! What the columns of a step are, and how each is copied together.

use std::hint::black_box;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, make_array};
use arrow_buffer::{BooleanBuffer, MutableBuffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, SchemaRef};

use super::columns::{Column, Kind, contradiction};
use super::layout::Layout;
use super::order::Pick;
use super::window::{Picked, Window};
use super::{gather, others};
use crate::error::{Error, Result};

/// What becomes of the rows of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A record batch.
    Batch,
    /// Arrays of numbers, one behind the other.
    Arrays,
}

/// The rows of a step; nobody else has their memory.
#[derive(Debug)]
pub enum Made {
    /// As a record batch.
    Batch(RecordBatch),
    /// So many rows in one piece of memory, where [`Layout::ranges`] says.
    Arrays(MutableBuffer, usize),
}

/// Bytes that are asked for before they are needed: of less than that nobody runs out.
const LARGE: u128 = 64 << 20;

/// Bytes of a list entry for each part of a step, about.
const PART: u128 = 128;

fn is_to_be_had(bytes: u128) -> bool {
    let Ok(bytes) = usize::try_from(bytes) else {
        return false;
    };
    let mut memory: Vec<u8> = Vec::new();
    let there = memory.try_reserve_exact(bytes).is_ok();
    // Else the compiler leaves out what nobody uses.
    black_box(memory);
    there
}

/// Looks whether the system has so much for the rows of a step, if it is much.
///
/// # Errors
/// [`Error::StepTooLarge`].
pub(super) fn check_large(rows: u64, bytes: u128) -> Result<()> {
    if bytes < LARGE || is_to_be_had(bytes) {
        return Ok(());
    }
    Err(Error::StepTooLarge { rows, bytes })
}

/// How each column is made.
#[derive(Debug)]
pub(super) struct Shape {
    schema: SchemaRef,
    kinds: Vec<Kind>,
    layout: Option<Layout>,
}

impl Shape {
    /// # Errors
    /// [`Error::InvalidArgument`] where a column is not for arrays.
    pub(super) fn new(schema: SchemaRef, form: Form) -> Result<Self> {
        let layout = match form {
            Form::Batch => None,
            Form::Arrays => Some(Layout::of(&schema)?),
        };
        let fields = schema.fields().iter();
        let kinds = fields.map(|field| match form {
            Form::Batch => Kind::as_arrow(field.data_type()),
            Form::Arrays => Kind::as_memory(field.data_type()).unwrap_or(Kind::Other),
        });
        Ok(Self {
            kinds: kinds.collect(),
            schema,
            layout,
        })
    }

    /// What the rows of these batches are gathered from.
    pub(super) fn window(
        &self,
        batches: &[RecordBatch],
        picks: Option<Vec<Pick>>,
    ) -> Result<Window> {
        Window::new(batches, &self.schema, &self.kinds, picks)
    }

    /// Looks whether the system has the memory for so many rows, which lie in so many parts.
    ///
    /// An allocation that fails is a panic in Arrow's buffers and the end of the process elsewhere. So what is large is
    /// asked for once before: the system gives addresses, and nothing is written there.
    ///
    /// # Errors
    /// [`Error::StepTooLarge`].
    pub(super) fn check_memory(&self, rows: usize, parts: u64) -> Result<()> {
        let each = self.kinds.iter().map(|kind| match kind {
            Kind::Bytes(width) => *width as u128,
            Kind::Bits => 1,
            Kind::Other => size_of::<(usize, usize)>() as u128,
        });
        let rows = rows as u64;
        let of_parts = u128::from(parts) * PART;
        let bytes = u128::from(rows).saturating_mul(each.sum());
        check_large(rows, bytes.saturating_add(of_parts))
    }

    /// Copies the rows together.
    pub(super) fn made(&self, parts: &[(&Window, Picked<'_>)]) -> Result<Made> {
        let rows = parts.iter().map(|(_, picked)| picked.len()).sum();
        match &self.layout {
            None => Ok(Made::Batch(self.batch(parts, rows)?)),
            Some(layout) => {
                let memory = arrays(layout, parts, rows)?;
                Ok(Made::Arrays(memory, rows))
            }
        }
    }

    fn batch(&self, parts: &[(&Window, Picked<'_>)], rows: usize) -> Result<RecordBatch> {
        let fields = self.schema.fields().iter().zip(&self.kinds).enumerate();
        let columns = fields.map(|(at, (field, kind))| match kind {
            Kind::Bytes(width) => plain(field.data_type(), *width, at, parts, rows),
            Kind::Bits => bits(at, parts, rows),
            Kind::Other => {
                let mut arrays = Vec::with_capacity(parts.len());
                for (window, picked) in parts {
                    let Some(Column::Other(batches)) = window.columns.get(at) else {
                        return Err(contradiction());
                    };
                    arrays.push((batches.as_slice(), picked.clone()));
                }
                others::others(&arrays)
            }
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(Error::arrow("cannot gather rows"))
    }
}

fn arrays(layout: &Layout, parts: &[(&Window, Picked<'_>)], rows: usize) -> Result<MutableBuffer> {
    let (ranges, len) = layout.ranges(rows);
    let mut memory = MutableBuffer::from_len_zeroed(len);
    for (at, (range, place)) in ranges.iter().zip(&layout.0).enumerate() {
        let mut out = &mut memory.as_slice_mut()[range.clone()];
        for (window, picked) in parts {
            let (these, rest) = out.split_at_mut(picked.len() * place.width);
            let nulls = match window.columns.get(at) {
                Some(Column::Bytes(batches, nulls)) => {
                    gather::bytes(these, place.width, batches, picked);
                    nulls
                }
                Some(Column::Bits(batches, nulls)) => {
                    gather::bools(these, batches, picked);
                    nulls
                }
                Some(Column::Other(_)) | None => return Err(contradiction()),
            };
            if nulls.0.is_some() && picked.each().any(|it| !nulls.is_valid(it.batch, it.row)) {
                return Err(Error::invalid(format!(
                    "column {:?} has nulls, which arrays of numbers have not: take record batches, or filter \
                     them out of the view",
                    place.name
                )));
            }
            out = rest;
        }
    }
    Ok(memory)
}

fn plain(
    data_type: &DataType,
    width: usize,
    at: usize,
    parts: &[(&Window, Picked<'_>)],
    rows: usize,
) -> Result<ArrayRef> {
    let mut memory = MutableBuffer::from_len_zeroed(rows * width);
    let mut out = memory.as_slice_mut();
    for (window, picked) in parts {
        let Some(Column::Bytes(batches, _)) = window.columns.get(at) else {
            return Err(contradiction());
        };
        let (these, rest) = out.split_at_mut(picked.len() * width);
        gather::bytes(these, width, batches, picked);
        out = rest;
    }
    let data = ArrayData::builder(data_type.clone())
        .len(rows)
        .add_buffer(memory.into())
        .nulls(nulls(at, parts, rows)?)
        .build();
    Ok(make_array(
        data.map_err(Error::arrow("cannot gather rows"))?,
    ))
}

fn bits(at: usize, parts: &[(&Window, Picked<'_>)], rows: usize) -> Result<ArrayRef> {
    let mut gathered = Vec::with_capacity(rows);
    for (window, picked) in parts {
        let Some(Column::Bits(batches, _)) = window.columns.get(at) else {
            return Err(contradiction());
        };
        gather::bits(&mut gathered, batches, picked);
    }
    let nulls = nulls(at, parts, rows)?;
    Ok(Arc::new(BooleanArray::new(
        BooleanBuffer::from(gathered),
        nulls,
    )))
}

/// Which of the rows are there; `None` where all are.
fn nulls(at: usize, parts: &[(&Window, Picked<'_>)], rows: usize) -> Result<Option<NullBuffer>> {
    let mut all = Vec::with_capacity(parts.len());
    for (window, picked) in parts {
        match window.columns.get(at) {
            Some(Column::Bytes(_, nulls) | Column::Bits(_, nulls)) => all.push((nulls, picked)),
            Some(Column::Other(_)) | None => return Err(contradiction()),
        }
    }
    if all.iter().all(|(nulls, _)| nulls.0.is_none()) {
        return Ok(None);
    }
    let mut valid = Vec::with_capacity(rows);
    for (nulls, picked) in all {
        gather::valid(&mut valid, nulls, picked);
    }
    let nulls = NullBuffer::from(BooleanBuffer::from(valid));
    Ok((nulls.null_count() > 0).then_some(nulls))
}
