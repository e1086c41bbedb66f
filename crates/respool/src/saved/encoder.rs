//! Writing.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};

use super::{MAGIC, VERSION, fields};
use crate::error::Result;

/// What was written so far.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    body: Vec<u8>,
    fields: Vec<FieldRef>,
    /// By the address of a field, its number in `fields`, which keeps it alive.
    numbers: HashMap<*const Field, usize>,
}

impl Encoder {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.body.push(byte);
    }

    pub(crate) fn number(&mut self, number: u64) {
        write_number(&mut self.body, number);
    }

    pub(crate) fn size(&mut self, size: usize) {
        self.number(size as u64);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        write_bytes(&mut self.body, bytes);
    }

    pub(crate) fn range(&mut self, range: &Range<u64>) {
        self.number(range.start);
        self.number(range.end.saturating_sub(range.start));
    }

    /// A field; the same object is written once.
    pub(crate) fn field(&mut self, field: &FieldRef) {
        let next = self.fields.len();
        let number = *self.numbers.entry(Arc::as_ptr(field)).or_insert(next);
        if number == next {
            self.fields.push(Arc::clone(field));
        }
        self.size(number);
    }

    pub(crate) fn data_type(&mut self, data_type: &DataType) {
        self.field(&Arc::new(Field::new("", data_type.clone(), true)));
    }

    pub(crate) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        self.size(items.len());
        for item in items {
            write(self, item)?;
        }
        Ok(())
    }

    /// Everything, to be read by another process.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a type that Arrow IPC has no word for.
    pub(crate) fn finish(self) -> Result<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        write_bytes(&mut bytes, &fields::encode(self.fields)?);
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
