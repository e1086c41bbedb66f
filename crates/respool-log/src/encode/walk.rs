//! The walk over the arrays of a batch: nodes, buffers, children, and dictionaries on the way.
//!
//! The file is longer than most because the walk over all the types of Arrow is one function
//! that is best read in one piece.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int16Type, Int32Type, Int64Type, RunEndIndexType};
use arrow_array::{
    Array, ArrayRef, OffsetSizeTrait, RunArray, UnionArray, downcast_dictionary_array,
    downcast_primitive_array,
};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_ipc as ipc;
use arrow_schema::{ArrowError, DataType};

use super::body::{Body, signed};
use super::dictionaries::{DictionaryRecord, Lookup};
use super::plan::{Kind, Plan};
use super::{Encoder, message, narrow};
use crate::types::count_dictionaries;
use crate::{Error, Result};

impl Encoder {
    /// Walks one array: its node, its buffers, its children.
    #[expect(
        clippy::too_many_lines,
        reason = "one arm for each type, and nothing else"
    )]
    pub(super) fn array(
        &mut self,
        array: &dyn Array,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        use DataType as T;
        let data_type = array.data_type();
        match data_type {
            T::Null => body.node(array.len(), array.len()),
            T::Union(..) => {
                body.node(array.len(), 0);
                self.union(array.as_union(), body, plan)?;
            }
            T::RunEndEncoded(ends, _) => {
                body.node(array.len(), 0);
                match ends.data_type() {
                    T::Int16 => self.runs::<Int16Type>(array.as_run(), body, plan)?,
                    T::Int32 => self.runs::<Int32Type>(array.as_run(), body, plan)?,
                    _ => self.runs::<Int64Type>(array.as_run(), body, plan)?,
                }
            }
            T::Dictionary(..) => {
                let keys = self.dictionary(array, plan)?;
                self.leading(array, body, plan)?;
                self.fixed_width(keys.as_ref(), body, plan)?;
            }
            T::Boolean => {
                self.leading(array, body, plan)?;
                self.put(&array.as_boolean().values().sliced(), body, plan)?;
            }
            T::Utf8 => {
                self.leading(array, body, plan)?;
                let array = array.as_string::<i32>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::LargeUtf8 => {
                self.leading(array, body, plan)?;
                let array = array.as_string::<i64>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::Binary => {
                self.leading(array, body, plan)?;
                let array = array.as_binary::<i32>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::LargeBinary => {
                self.leading(array, body, plan)?;
                let array = array.as_binary::<i64>();
                self.bytes(array.offsets(), array.values(), body, plan)?;
            }
            T::Utf8View => {
                self.leading(array, body, plan)?;
                let views = array.as_string_view();
                self.views(array, views.views(), views.data_buffers(), body, plan)?;
            }
            T::BinaryView => {
                self.leading(array, body, plan)?;
                let views = array.as_binary_view();
                self.views(array, views.views(), views.data_buffers(), body, plan)?;
            }
            T::FixedSizeBinary(_) => {
                self.leading(array, body, plan)?;
                self.put(array.as_fixed_size_binary().values(), body, plan)?;
            }
            T::List(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list::<i32>();
                self.list(list.offsets(), list.values(), body, plan)?;
            }
            T::LargeList(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list::<i64>();
                self.list(list.offsets(), list.values(), body, plan)?;
            }
            T::Map(..) => {
                self.leading(array, body, plan)?;
                let map = array.as_map();
                let entries: ArrayRef = Arc::new(map.entries().clone());
                self.list(map.offsets(), &entries, body, plan)?;
            }
            T::ListView(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list_view::<i32>();
                self.list_view(
                    array,
                    list.offsets(),
                    list.sizes(),
                    list.values(),
                    body,
                    plan,
                )?;
            }
            T::LargeListView(_) => {
                self.leading(array, body, plan)?;
                let list = array.as_list_view::<i64>();
                self.list_view(
                    array,
                    list.offsets(),
                    list.sizes(),
                    list.values(),
                    body,
                    plan,
                )?;
            }
            T::FixedSizeList(_, size) => {
                self.leading(array, body, plan)?;
                let values = array.as_fixed_size_list().values();
                let len = usize::try_from(*size).unwrap_or(0) * array.len();
                if values.len() == len {
                    self.array(values.as_ref(), body, plan)?;
                } else {
                    self.array(values.slice(0, len.min(values.len())).as_ref(), body, plan)?;
                }
            }
            T::Struct(_) => {
                self.leading(array, body, plan)?;
                for column in array.as_struct().columns() {
                    self.array(column.as_ref(), body, plan)?;
                }
            }
            _ => {
                self.leading(array, body, plan)?;
                self.fixed_width(array, body, plan)?;
            }
        }
        Ok(())
    }

    /// The node and the validity bitmap; the latter is empty where nothing is null.
    fn leading(&mut self, array: &dyn Array, body: &mut Body, plan: &mut Plan) -> Result<()> {
        match array.nulls().filter(|nulls| nulls.null_count() > 0) {
            None => {
                body.node(array.len(), 0);
                body.buffers
                    .push(ipc::Buffer::new(body.len.cast_signed(), 0));
                Ok(())
            }
            Some(nulls) => {
                body.node(array.len(), nulls.null_count());
                self.put(&nulls.inner().sliced(), body, plan)
            }
        }
    }

    fn fixed_width(&mut self, array: &dyn Array, body: &mut Body, plan: &mut Plan) -> Result<()> {
        downcast_primitive_array!(
            array => self.put(array.values().inner(), body, plan),
            other => Err(Error::Schema {
                reason: format!("columns of type {other} cannot be stored"),
            })
        )
    }

    fn bytes<O: OffsetSizeTrait>(
        &mut self,
        offsets: &OffsetBuffer<O>,
        values: &Buffer,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let (start, end) = narrow::extent(offsets);
        match narrow::rebased(offsets) {
            None => self.put(offsets.inner().inner(), body, plan)?,
            Some(rebased) => self.put(&rebased, body, plan)?,
        }
        if start == 0 && end == values.len() {
            self.put(values, body, plan)
        } else {
            self.put(&values.slice_with_length(start, end - start), body, plan)
        }
    }

    fn list<O: OffsetSizeTrait>(
        &mut self,
        offsets: &OffsetBuffer<O>,
        values: &ArrayRef,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let (start, end) = narrow::extent(offsets);
        match narrow::rebased(offsets) {
            None => self.put(offsets.inner().inner(), body, plan)?,
            Some(rebased) => self.put(&rebased, body, plan)?,
        }
        if start == 0 && end == values.len() {
            self.array(values.as_ref(), body, plan)
        } else {
            self.array(values.slice(start, end - start).as_ref(), body, plan)
        }
    }

    fn views(
        &mut self,
        array: &dyn Array,
        views: &ScalarBuffer<u128>,
        buffers: &[Buffer],
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let compacted = narrow::views(views, buffers, array.nulls())?;
        let (views, buffers) = match &compacted {
            None => (views, buffers),
            Some((views, buffers)) => (views, buffers.as_slice()),
        };
        self.put(views.inner(), body, plan)?;
        for buffer in buffers {
            self.put(buffer, body, plan)?;
        }
        body.variadic.push(signed(buffers.len()));
        Ok(())
    }

    fn list_view<O: OffsetSizeTrait>(
        &mut self,
        array: &dyn Array,
        offsets: &ScalarBuffer<O>,
        sizes: &ScalarBuffer<O>,
        values: &ArrayRef,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        match narrow::list_view(offsets, sizes, array.nulls(), values)? {
            None => {
                self.put(offsets.inner(), body, plan)?;
                self.put(sizes.inner(), body, plan)?;
                self.array(values.as_ref(), body, plan)
            }
            Some(compacted) => {
                self.put(&compacted.offsets, body, plan)?;
                self.put(&compacted.sizes, body, plan)?;
                self.array(compacted.values.as_ref(), body, plan)
            }
        }
    }

    fn union(&mut self, union: &UnionArray, body: &mut Body, plan: &mut Plan) -> Result<()> {
        self.put(union.type_ids().inner(), body, plan)?;
        let Some(offsets) = union.offsets() else {
            for (id, _) in union.fields().iter() {
                self.array(union.child(id).as_ref(), body, plan)?;
            }
            return Ok(());
        };
        match narrow::dense_union(union, offsets)? {
            None => {
                self.put(offsets.inner(), body, plan)?;
                for (id, _) in union.fields().iter() {
                    self.array(union.child(id).as_ref(), body, plan)?;
                }
            }
            Some((offsets, children)) => {
                self.put(&offsets, body, plan)?;
                for child in children {
                    self.array(child.as_ref(), body, plan)?;
                }
            }
        }
        Ok(())
    }

    fn runs<R: RunEndIndexType>(
        &mut self,
        array: &RunArray<R>,
        body: &mut Body,
        plan: &mut Plan,
    ) -> Result<()> {
        let (ends, values) = narrow::runs(array);
        body.node(ends.len(), 0);
        body.buffers
            .push(ipc::Buffer::new(body.len.cast_signed(), 0));
        self.put(ends.inner(), body, plan)?;
        self.array(values.as_ref(), body, plan)
    }

    /// Adds one buffer to the body, padded to the alignment.
    fn put(&mut self, buffer: &Buffer, body: &mut Body, plan: &mut Plan) -> Result<()> {
        let Some(compressor) = &mut self.compressor else {
            body.put(buffer, &mut plan.gathered);
            return Ok(());
        };
        if buffer.is_empty() {
            body.put(buffer, &mut plan.gathered);
        } else {
            let compressed = compressor
                .compress(buffer.as_slice())
                .map_err(ArrowError::from)?;
            body.put(&Buffer::from_vec(compressed), &mut plan.gathered);
        }
        Ok(())
    }

    /// Sees that the segment has the values of a dictionary array; returns the keys to write.
    fn dictionary(&mut self, array: &dyn Array, plan: &mut Plan) -> Result<ArrayRef> {
        let DataType::Dictionary(_, value_type) = array.data_type() else {
            return Err(Error::Schema {
                reason: format!("{} is not a dictionary", array.data_type()),
            });
        };
        // Ids are counted depth first, as every writer of the format does.
        let first = self.next_dictionary;
        let id = first + count_dictionaries(value_type);
        let chosen = downcast_dictionary_array!(
            array => self.dictionaries.choose(id, array),
            other => Err(Error::Schema { reason: format!("{other} is not a dictionary") })
        )?;
        if let Some(spent) = chosen.spent {
            plan.pending.spend(id, spent);
        }
        let data = chosen.values.to_data();
        let lookup = self.dictionaries.lookup(id, &data);
        plan.replaces |= matches!(lookup, Lookup::Other);
        let record = match lookup {
            Lookup::Same(record) => {
                if !chosen.is_stand_in {
                    plan.pending.know(id, data, Arc::clone(&record));
                }
                record
            }
            Lookup::Other | Lookup::None => {
                self.next_dictionary = first;
                self.write_dictionary(id, &chosen.values, data, plan)?
            }
        };
        self.next_dictionary = id + 1;
        plan.dictionaries.push(record);
        Ok(chosen.keys)
    }

    fn write_dictionary(
        &mut self,
        id: i64,
        values: &ArrayRef,
        data: ArrayData,
        plan: &mut Plan,
    ) -> Result<Arc<DictionaryRecord>> {
        let outer = plan.dictionaries.len();
        let mut body = Body::new(self.has_checksums);
        body.begin(1, &mut plan.gathered);
        self.array(values.as_ref(), &mut body, plan)?;
        body.end_column();
        body.end(&mut plan.gathered);
        let rows = values.len() as u64;
        message::batch(
            &mut self.fbb,
            &body,
            rows,
            self.compressor.as_ref(),
            Some(id),
        );
        let inner = plan.dictionaries.split_off(outer).into_boxed_slice();
        let record = Arc::new(DictionaryRecord {
            id,
            segment: plan.segment,
            offset: plan.base + plan.len,
            metadata_len: u32::try_from((self.fbb.finished_data().len() + 8).next_multiple_of(64))
                .unwrap_or(u32::MAX),
            body_len: body.len,
            inner,
            crc: 0,
            is_verified: AtomicBool::new(true),
        });
        let kind = Kind::Dictionary(Arc::clone(&record));
        plan.push_message(self.fbb.finished_data(), &mut body, rows, kind);
        plan.pending.know(id, data, Arc::clone(&record));
        Ok(record)
    }
}
