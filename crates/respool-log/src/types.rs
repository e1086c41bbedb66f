//! Schemas: what the format can say of types, what they have inside, and which batches fit.

use std::sync::Arc;

use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, UnionMode};

use crate::{Error, Result};

/// The types inside a type; the values of a dictionary are one of them.
fn children(data_type: &DataType) -> Vec<&DataType> {
    use DataType as T;
    match data_type {
        T::Dictionary(_, values) => vec![values],
        T::List(child)
        | T::LargeList(child)
        | T::ListView(child)
        | T::LargeListView(child)
        | T::FixedSizeList(child, _)
        | T::RunEndEncoded(_, child)
        | T::Map(child, _) => vec![child.data_type()],
        T::Struct(fields) => fields.iter().map(|child| child.data_type()).collect(),
        T::Union(fields, _) => fields.iter().map(|(_, child)| child.data_type()).collect(),
        _ => Vec::new(),
    }
}

/// Refuses what the format cannot say.
pub(crate) fn check(field: &Field) -> Result<()> {
    fn check(name: &str, data_type: &DataType) -> Result<()> {
        if let DataType::Dictionary(_, values) = data_type
            && matches!(values.as_ref(), DataType::Dictionary(..))
        {
            return Err(Error::Schema {
                reason: format!(
                    "column {name:?}: Arrow IPC has no dictionary whose values are a dictionary; \
                     cast the column to {values} first"
                ),
            });
        }
        let mut children = children(data_type).into_iter();
        children.try_for_each(|child| check(name, child))
    }
    check(field.name(), field.data_type())
}

/// Refuses a batch that is not of a schema.
pub(crate) fn check_batch(schema: &SchemaRef, batch: &RecordBatch) -> Result<()> {
    if Arc::ptr_eq(schema, batch.schema_ref()) {
        return Ok(());
    }
    let (ours, theirs) = (schema.fields().len(), batch.num_columns());
    if ours != theirs {
        return Err(Error::Schema {
            reason: format!("the batch has {theirs} columns, the log {ours}"),
        });
    }
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if field.data_type() != column.data_type() {
            return Err(Error::Schema {
                reason: format!(
                    "column {:?} of the batch is {}, that of the log {}",
                    field.name(),
                    column.data_type(),
                    field.data_type()
                ),
            });
        }
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(Error::Schema {
                reason: format!("column {:?} has nulls and must not", field.name()),
            });
        }
    }
    Ok(())
}

/// How many dictionaries a type has, itself included.
pub(crate) fn count_dictionaries(data_type: &DataType) -> i64 {
    let children = children(data_type).into_iter();
    i64::from(matches!(data_type, DataType::Dictionary(..)))
        + children.map(count_dictionaries).sum::<i64>()
}

/// Lists a schema for the values of every dictionary in a type, in the order of the ids.
pub(crate) fn collect_values(data_type: &DataType, out: &mut Vec<SchemaRef>) {
    for child in children(data_type) {
        collect_values(child, out);
    }
    if let DataType::Dictionary(_, values) = data_type {
        let values = Field::new("", values.as_ref().clone(), true);
        out.push(Arc::new(Schema::new(vec![values])));
    }
}

/// How many buffers a column of a type has in a record.
pub(crate) fn buffer_count(data_type: &DataType, variadic: &mut dyn Iterator<Item = i64>) -> usize {
    use DataType as T;
    match data_type {
        T::Null => 0,
        T::Utf8 | T::LargeUtf8 | T::Binary | T::LargeBinary => 3,
        T::Utf8View | T::BinaryView => {
            2 + variadic
                .next()
                .map_or(0, |n| usize::try_from(n).unwrap_or(0))
        }
        T::List(child) | T::LargeList(child) | T::Map(child, _) => {
            2 + buffer_count(child.data_type(), variadic)
        }
        T::ListView(child) | T::LargeListView(child) => {
            3 + buffer_count(child.data_type(), variadic)
        }
        T::FixedSizeList(child, _) => 1 + buffer_count(child.data_type(), variadic),
        T::RunEndEncoded(_, values) => 2 + buffer_count(values.data_type(), variadic),
        T::Struct(fields) => {
            let children = fields.iter().map(|f| buffer_count(f.data_type(), variadic));
            1 + children.sum::<usize>()
        }
        T::Union(fields, mode) => {
            let children = fields
                .iter()
                .map(|(_, f)| buffer_count(f.data_type(), variadic));
            1 + usize::from(*mode == UnionMode::Dense) + children.sum::<usize>()
        }
        _ => 2,
    }
}

/// How many field nodes a column of a type has in a record.
pub(crate) fn node_count(data_type: &DataType) -> usize {
    use DataType as T;
    1 + match data_type {
        // The values are in messages of their own.
        T::Dictionary(..) => 0,
        T::RunEndEncoded(_, values) => 1 + node_count(values.data_type()),
        other => children(other).into_iter().map(node_count).sum(),
    }
}

/// How many counts of variadic buffers a column of a type has in a record.
pub(crate) fn view_count(data_type: &DataType) -> usize {
    use DataType as T;
    match data_type {
        T::Utf8View | T::BinaryView => 1,
        T::Dictionary(..) => 0,
        other => children(other).into_iter().map(view_count).sum(),
    }
}
