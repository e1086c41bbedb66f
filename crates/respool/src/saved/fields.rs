//! Fields as Arrow IPC writes them: one schema message.

use std::sync::Arc;

use arrow_ipc::convert::try_fb_to_schema;
use arrow_ipc::root_as_message_with_opts;
use arrow_ipc::writer::{DictionaryTracker, IpcDataGenerator, IpcWriteOptions};
use arrow_schema::{FieldRef, Fields, Schema};
use flatbuffers::VerifierOptions;

use super::decoder::damaged;
use crate::error::{Error, Result};
use crate::panics::caught;

/// # Errors
/// [`Error::InvalidArgument`] where the fields would not come back as they are.
pub(super) fn encode(fields: Vec<FieldRef>) -> Result<Vec<u8>> {
    if fields.is_empty() {
        return Ok(Vec::new());
    }
    let schema = Schema::new(Fields::from(fields));
    let message = caught(|| {
        IpcDataGenerator::default()
            .schema_to_bytes_with_dictionary_tracker(
                &schema,
                &mut DictionaryTracker::new(false),
                &IpcWriteOptions::default(),
            )
            .ipc_message
    });
    // Dictionaries of dictionaries have no words there, and what is nested too deeply no reader.
    let is_read = |message: &Vec<u8>| decode(message).is_ok_and(|read| *read == **schema.fields());
    message.ok().filter(is_read).ok_or_else(|| {
        Error::invalid("cannot save this view: Arrow IPC has no words for a type that it casts to")
    })
}

/// # Errors
/// [`Error::InvalidArgument`] where this is no schema.
pub(super) fn decode(message: &[u8]) -> Result<Vec<FieldRef>> {
    if message.is_empty() {
        return Ok(Vec::new());
    }
    // Tables and texts may be shared, so that few bytes show many: what is shown is bounded by the bytes. What
    // is shared rightly are the layouts of tables, which are shorter than these.
    let options = VerifierOptions {
        max_apparent_size: message.len().saturating_mul(8),
        ..VerifierOptions::default()
    };
    let no_schema = |_| damaged("they hold no schema");
    // A union of too many types is a panic there.
    let read = caught(|| {
        let message = root_as_message_with_opts(&options, message).map_err(no_schema)?;
        let schema = message.header_as_schema();
        let schema = schema.ok_or_else(|| damaged("they hold no schema"))?;
        try_fb_to_schema(schema).map_err(|error| damaged(&error.to_string()))
    });
    let schema = read.map_err(|panic| damaged(&panic))??;
    Ok(schema.fields().iter().map(Arc::clone).collect())
}

#[cfg(test)]
mod tests {
    use arrow_ipc as ipc;
    use arrow_schema::{DataType, Field, IntervalUnit, TimeUnit, UnionFields, UnionMode};
    use flatbuffers::FlatBufferBuilder;

    use super::*;

    fn field(data_type: DataType) -> FieldRef {
        Arc::new(Field::new("item", data_type, true))
    }

    fn types() -> Vec<DataType> {
        use DataType::*;
        let units = [
            TimeUnit::Second,
            TimeUnit::Millisecond,
            TimeUnit::Microsecond,
            TimeUnit::Nanosecond,
        ];
        let entries = Fields::from(vec![
            Field::new("key", Utf8, false),
            Field::new("value", Int8, true),
        ]);
        let members = || [(7, field(Int8)), (3, field(Utf8))];
        let members = || members().into_iter().collect::<UnionFields>();
        let ends = Arc::new(Field::new("run_ends", Int32, false));
        let mut types = vec![
            Null,
            Boolean,
            Int8,
            Int16,
            Int32,
            Int64,
            UInt8,
            UInt16,
            UInt32,
            UInt64,
            Float16,
            Float32,
            Float64,
            Decimal32(9, 2),
            Decimal64(18, -3),
            Decimal128(38, 38),
            Decimal256(76, 0),
            Date32,
            Date64,
            Time32(TimeUnit::Second),
            Time32(TimeUnit::Millisecond),
            Time64(TimeUnit::Microsecond),
            Time64(TimeUnit::Nanosecond),
            Interval(IntervalUnit::YearMonth),
            Interval(IntervalUnit::DayTime),
            Interval(IntervalUnit::MonthDayNano),
            Utf8,
            LargeUtf8,
            Utf8View,
            Binary,
            LargeBinary,
            BinaryView,
            FixedSizeBinary(3),
            List(field(Int8)),
            LargeList(field(List(field(Utf8)))),
            ListView(field(Int8)),
            LargeListView(field(Int8)),
            FixedSizeList(field(Int8), 2),
            Struct(entries.clone()),
            Struct(Fields::empty()),
            Map(
                Arc::new(Field::new("entries", Struct(entries), false)),
                true,
            ),
            Union(members(), UnionMode::Dense),
            Union(members(), UnionMode::Sparse),
            Dictionary(Box::new(UInt16), Box::new(Utf8)),
            Dictionary(Box::new(Int8), Box::new(List(field(Int8)))),
            RunEndEncoded(ends, field(Dictionary(Box::new(Int64), Box::new(Utf8)))),
        ];
        for unit in units {
            types.extend([
                Duration(unit),
                Timestamp(unit, None),
                Timestamp(unit, Some("Europe/Berlin".into())),
            ]);
        }
        types
    }

    #[test]
    fn every_type_comes_back() -> Result<()> {
        let types = types();
        for data_type in &types {
            // Alone, where little is shared rightly.
            let fields = vec![field(data_type.clone())];
            assert_eq!(decode(&encode(fields.clone())?)?, fields);
        }
        let named = |(at, data_type): (usize, DataType)| {
            let field = Field::new(format!("ü{at}"), data_type, at % 2 == 0);
            Arc::new(field.with_metadata([("key", at.to_string())]))
        };
        let fields: Vec<FieldRef> = types.into_iter().enumerate().map(named).collect();
        let many: Vec<FieldRef> = fields.iter().cycle().take(1000).map(Arc::clone).collect();
        assert_eq!(decode(&encode(many.clone())?)?, many);
        Ok(())
    }

    #[test]
    fn types_without_words_are_refused() {
        let inner = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        let outer = DataType::Dictionary(Box::new(DataType::Int8), Box::new(inner));
        assert!(encode(vec![field(outer)]).is_err());
        let deep = (0..100).fold(DataType::Int8, |inner, _| DataType::List(field(inner)));
        assert!(encode(vec![field(deep)]).is_err());
    }

    /// A struct of so many times the same struct, and so on, all of one name.
    fn shared(name: &str, depth: usize, times: usize) -> Vec<u8> {
        let mut fbb = FlatBufferBuilder::new();
        let name = fbb.create_string(name);
        let mut child = None;
        for _ in 0..=depth {
            let children: Vec<_> = std::iter::repeat_n(child, times).flatten().collect();
            let children = fbb.create_vector(&children);
            let kind = ipc::Struct_Builder::new(&mut fbb).finish();
            let mut field = ipc::FieldBuilder::new(&mut fbb);
            field.add_name(name);
            field.add_type_type(ipc::Type::Struct_);
            field.add_type_(kind.as_union_value());
            field.add_children(children);
            child = Some(field.finish());
        }
        let fields = fbb.create_vector(&child.into_iter().collect::<Vec<_>>());
        let mut schema = ipc::SchemaBuilder::new(&mut fbb);
        schema.add_fields(fields);
        let schema = schema.finish();
        let mut message = ipc::MessageBuilder::new(&mut fbb);
        message.add_version(ipc::MetadataVersion::V5);
        message.add_header_type(ipc::MessageHeader::Schema);
        message.add_header(schema.as_union_value());
        let root = message.finish();
        fbb.finish(root, None);
        fbb.finished_data().to_vec()
    }

    #[test]
    fn few_bytes_do_not_show_much() {
        assert!(decode(&shared("name", 3, 1)).is_ok_and(|fields| fields.len() == 1));
        let fields = shared("", 17, 2);
        let texts = shared(&"a long name ".repeat(10_000), 2, 40);
        for bytes in [fields, texts] {
            assert!(ipc::root_as_message(&bytes).is_ok(), "the limit of others");
            assert!(decode(&bytes).is_err_and(|error| error.to_string().contains("no schema")));
        }
    }
}
