//! Arrays of every type, and what the tests share. It is long because Arrow has many types.

use std::sync::Arc;

use arrow_array::builder::{
    BinaryBuilder, BinaryViewBuilder, BooleanBuilder, LargeBinaryBuilder, LargeStringBuilder,
    StringBuilder, StringViewBuilder,
};
use arrow_array::types::*;
use arrow_array::*;
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit, UnionFields, UnionMode};
use respool_log::{Log, LogOptions};

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// A small generator of numbers: the same seed, the same arrays.
#[derive(Debug, Clone)]
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// A directory on a disk, removed at the end of the test.
pub(crate) fn directory() -> std::io::Result<tempfile::TempDir> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))
}

pub(crate) fn options(directory: &tempfile::TempDir) -> LogOptions {
    LogOptions::new(directory.path()).allow_tmpfs(true)
}

pub(crate) fn field(name: &str, data_type: DataType) -> Arc<Field> {
    Arc::new(Field::new(name, data_type, true))
}

/// Every type by itself.
pub(crate) fn flat_types() -> Vec<DataType> {
    use DataType::*;
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
        Date32,
        Date64,
        Binary,
        LargeBinary,
        BinaryView,
        Utf8,
        LargeUtf8,
        Utf8View,
        FixedSizeBinary(7),
        FixedSizeBinary(0),
        Decimal32(7, 2),
        Decimal64(15, 3),
        Decimal128(30, 4),
        Decimal256(60, -2),
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Interval(IntervalUnit::YearMonth),
        Interval(IntervalUnit::DayTime),
        Interval(IntervalUnit::MonthDayNano),
    ];
    for unit in [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ] {
        types.push(Duration(unit));
        types.push(Timestamp(unit, None));
        types.push(Timestamp(unit, Some("Europe/Zurich".into())));
    }
    for key in [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64] {
        types.push(Dictionary(Box::new(key), Box::new(Utf8)));
    }
    types
}

/// A type around another.
pub(crate) fn wrap(kind: usize, inner: DataType) -> DataType {
    use DataType::*;
    match kind % WRAPS {
        0 => List(field("item", inner)),
        1 => LargeList(field("item", inner)),
        2 => ListView(field("item", inner)),
        3 => LargeListView(field("item", inner)),
        4 => FixedSizeList(field("item", inner), 3),
        5 => Struct(Fields::from(vec![field("a", inner), field("b", Int16)])),
        6 => {
            let entries = Fields::from(vec![
                Field::new("keys", Utf8, false),
                Field::new("values", inner, true),
            ]);
            Map(
                Arc::new(Field::new("entries", Struct(entries), false)),
                false,
            )
        }
        7 => Union(union_fields(inner), UnionMode::Sparse),
        8 => Union(union_fields(inner), UnionMode::Dense),
        9 => RunEndEncoded(
            Arc::new(Field::new("run_ends", Int32, false)),
            field("values", inner),
        ),
        // The format has no dictionary of dictionaries; a struct in between makes it one.
        _ => match inner {
            Dictionary(..) => Dictionary(
                Box::new(Int16),
                Box::new(Struct(Fields::from(vec![field("d", inner)]))),
            ),
            inner => Dictionary(Box::new(Int16), Box::new(inner)),
        },
    }
}

pub(crate) const WRAPS: usize = 11;

fn union_fields(inner: DataType) -> UnionFields {
    [(3, field("x", inner)), (7, field("y", DataType::Utf8))]
        .into_iter()
        .collect()
}

/// All flat types, and each kind of nesting around some of them, once and twice.
pub(crate) fn all_types() -> Vec<DataType> {
    let mut types = flat_types();
    let inner = [
        DataType::Int64,
        DataType::Utf8,
        DataType::Utf8View,
        DataType::Boolean,
        DataType::Null,
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    ];
    for kind in 0..WRAPS {
        for inner in &inner {
            types.push(wrap(kind, inner.clone()));
        }
        for outer in 0..WRAPS {
            types.push(wrap(outer, wrap(kind, DataType::Utf8)));
        }
    }
    types.retain(is_buildable);
    types
}

/// Whether the arrow crates themselves can handle the type (equality included).
pub(crate) fn is_buildable(data_type: &DataType) -> bool {
    use DataType::*;
    match data_type {
        Dictionary(_, values) => {
            !matches!(
                values.as_ref(),
                Null | Union(..) | Map(..) | RunEndEncoded(..) | ListView(_) | LargeListView(_)
            ) && is_buildable(values)
        }
        RunEndEncoded(_, values) => {
            !matches!(values.data_type(), RunEndEncoded(..) | Union(..))
                && is_buildable(values.data_type())
        }
        List(f)
        | LargeList(f)
        | ListView(f)
        | LargeListView(f)
        | FixedSizeList(f, _)
        | Map(f, _) => is_buildable(f.data_type()),
        Struct(fields) => fields.iter().all(|f| is_buildable(f.data_type())),
        Union(fields, _) => fields.iter().all(|(_, f)| is_buildable(f.data_type())),
        _ => true,
    }
}

fn nulls(rows: usize, n: &mut Numbers) -> Option<NullBuffer> {
    (n.below(4) > 0).then(|| (0..rows).map(|_| n.below(5) > 0).collect())
}

fn text(n: &mut Numbers) -> String {
    let len = [0, 3, 12, 13, 40][n.below(5)];
    (0..len)
        .map(|_| char::from(b'a' + n.below(26) as u8))
        .collect()
}

#[expect(clippy::too_many_lines, reason = "one arm for each type")]
/// An array of a type, with nulls, empty and long values where the type has them.
pub(crate) fn sample(data_type: &DataType, rows: usize, n: &mut Numbers) -> ArrayRef {
    use DataType::*;
    match data_type {
        Null => Arc::new(NullArray::new(rows)),
        Boolean => {
            let mut b = BooleanBuilder::new();
            (0..rows).for_each(|_| b.append_option((n.below(5) > 0).then(|| n.below(2) == 0)));
            Arc::new(b.finish())
        }
        Utf8 => {
            let mut b = StringBuilder::new();
            (0..rows).for_each(|_| b.append_option((n.below(5) > 0).then(|| text(n))));
            Arc::new(b.finish())
        }
        LargeUtf8 => {
            let mut b = LargeStringBuilder::new();
            (0..rows).for_each(|_| b.append_option((n.below(5) > 0).then(|| text(n))));
            Arc::new(b.finish())
        }
        Utf8View => {
            let mut b = StringViewBuilder::new().with_fixed_block_size(256);
            (0..rows).for_each(|_| b.append_option((n.below(5) > 0).then(|| text(n))));
            Arc::new(b.finish())
        }
        Binary => {
            let mut b = BinaryBuilder::new();
            (0..rows).for_each(|_| b.append_option((n.below(5) > 0).then(|| text(n))));
            Arc::new(b.finish())
        }
        LargeBinary => {
            let mut b = LargeBinaryBuilder::new();
            (0..rows).for_each(|_| b.append_option((n.below(5) > 0).then(|| text(n))));
            Arc::new(b.finish())
        }
        BinaryView => {
            let mut b = BinaryViewBuilder::new().with_fixed_block_size(256);
            (0..rows).for_each(|_| b.append_option((n.below(5) > 0).then(|| text(n))));
            Arc::new(b.finish())
        }
        FixedSizeBinary(size) => {
            let bytes: Vec<u8> = (0..rows * *size as usize).map(|_| n.next() as u8).collect();
            let nulls = nulls(rows, n);
            Arc::new(
                FixedSizeBinaryArray::try_new_with_len(*size, Buffer::from_vec(bytes), nulls, rows)
                    .unwrap(),
            )
        }
        List(f) => {
            let (offsets, values) = lists(f, rows, n);
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(ListArray::new(f.clone(), offsets, values, nulls(rows, n)))
        }
        LargeList(f) => {
            let (offsets, values) = lists(f, rows, n);
            let offsets: Vec<i64> = offsets.into_iter().map(i64::from).collect();
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(LargeListArray::new(
                f.clone(),
                offsets,
                values,
                nulls(rows, n),
            ))
        }
        ListView(f) => {
            let (offsets, sizes, values) = list_views(f, rows, n);
            Arc::new(ListViewArray::new(
                f.clone(),
                offsets.into(),
                sizes.into(),
                values,
                nulls(rows, n),
            ))
        }
        LargeListView(f) => {
            let (offsets, sizes, values) = list_views(f, rows, n);
            let offsets: Vec<i64> = offsets.into_iter().map(i64::from).collect();
            let sizes: Vec<i64> = sizes.into_iter().map(i64::from).collect();
            Arc::new(LargeListViewArray::new(
                f.clone(),
                offsets.into(),
                sizes.into(),
                values,
                nulls(rows, n),
            ))
        }
        FixedSizeList(f, size) => {
            let values = sample(f.data_type(), rows * *size as usize, n);
            Arc::new(FixedSizeListArray::new(
                f.clone(),
                *size,
                values,
                nulls(rows, n),
            ))
        }
        Struct(fields) => {
            let columns = fields
                .iter()
                .map(|f| sample(f.data_type(), rows, n))
                .collect();
            let nulls = nulls(rows, n);
            Arc::new(
                StructArray::try_new_with_length(fields.clone(), columns, nulls, rows).unwrap(),
            )
        }
        Map(f, sorted) => {
            let Struct(fields) = f.data_type() else {
                panic!("map of {f}")
            };
            let (offsets, _) = lists(&field("", Null), rows, n);
            let len = *offsets.last().unwrap() as usize;
            let keys: ArrayRef = Arc::new(StringArray::from_iter_values((0..len).map(|_| text(n))));
            let values = sample(fields[1].data_type(), len, n);
            let entries = StructArray::new(fields.clone(), vec![keys, values], None);
            let offsets = OffsetBuffer::new(offsets.into());
            Arc::new(MapArray::new(
                f.clone(),
                offsets,
                entries,
                nulls(rows, n),
                *sorted,
            ))
        }
        Union(fields, UnionMode::Sparse) => {
            let ids: Vec<i8> = (0..rows).map(|_| [3, 7][n.below(2)]).collect();
            let children = fields
                .iter()
                .map(|(_, f)| sample(f.data_type(), rows, n))
                .collect();
            Arc::new(UnionArray::try_new(fields.clone(), ids.into(), None, children).unwrap())
        }
        Union(fields, UnionMode::Dense) => {
            let ids: Vec<i8> = (0..rows).map(|_| [3, 7][n.below(2)]).collect();
            let mut next = [0i32; 8];
            let offsets: Vec<i32> = ids
                .iter()
                .map(|&id| {
                    let slot = &mut next[id as usize];
                    *slot += 1;
                    *slot - 1
                })
                .collect();
            let children = fields
                .iter()
                .map(|(id, f)| sample(f.data_type(), next[id as usize] as usize + n.below(3), n))
                .collect();
            let offsets = Some(ScalarBuffer::from(offsets));
            Arc::new(UnionArray::try_new(fields.clone(), ids.into(), offsets, children).unwrap())
        }
        RunEndEncoded(ends, f) => {
            let mut run_ends: Vec<i32> = Vec::new();
            let mut at = 0;
            while at < rows {
                at = (at + 1 + n.below(6)).min(rows);
                run_ends.push(at as i32);
            }
            let values = sample(f.data_type(), run_ends.len(), n);
            // Built from its parts, because the constructor makes the names of the fields up.
            let run_ends = Int32Array::from(run_ends);
            let data = ArrayData::builder(RunEndEncoded(ends.clone(), f.clone()))
                .len(rows)
                .add_child_data(run_ends.into_data())
                .add_child_data(values.into_data())
                .build()
                .unwrap();
            make_array(data)
        }
        Dictionary(key, value) => {
            let len = if rows == 0 { 0 } else { 1 + n.below(100) };
            let values = sample(value, len, n);
            macro_rules! keyed {
                ($t:ty) => {{
                    let keys: PrimitiveArray<$t> = (0..rows)
                        .map(|_| (n.below(5) > 0).then(|| n.below(len) as _))
                        .collect();
                    Arc::new(DictionaryArray::new(keys, values))
                }};
            }
            match key.as_ref() {
                Int8 => keyed!(Int8Type),
                Int16 => keyed!(Int16Type),
                Int32 => keyed!(Int32Type),
                Int64 => keyed!(Int64Type),
                UInt8 => keyed!(UInt8Type),
                UInt16 => keyed!(UInt16Type),
                UInt32 => keyed!(UInt32Type),
                _ => keyed!(UInt64Type),
            }
        }
        fixed => {
            let width = fixed.primitive_width().unwrap();
            let bytes: Vec<u8> = (0..rows * width).map(|_| n.next() as u8).collect();
            let mut bytes = Buffer::from_slice_ref(bytes);
            if matches!(fixed, Float16 | Float32 | Float64) {
                // Not-a-numbers are not equal to themselves.
                let floats: Vec<u8> = bytes.iter().map(|b| b & 0x3b).collect();
                bytes = Buffer::from_slice_ref(floats);
            }
            let data = ArrayData::builder(fixed.clone())
                .len(rows)
                .add_buffer(bytes)
                .nulls(nulls(rows, n))
                .align_buffers(true)
                .build()
                .unwrap();
            make_array(data)
        }
    }
}

fn lists(f: &Arc<Field>, rows: usize, n: &mut Numbers) -> (Vec<i32>, ArrayRef) {
    let mut offsets = vec![0i32];
    for _ in 0..rows {
        offsets.push(offsets.last().unwrap() + n.below(4) as i32);
    }
    let len = *offsets.last().unwrap() as usize;
    (offsets, sample(f.data_type(), len, n))
}

fn list_views(f: &Arc<Field>, rows: usize, n: &mut Numbers) -> (Vec<i32>, Vec<i32>, ArrayRef) {
    let len = rows * 2;
    let (mut offsets, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let size = n.below(4).min(len);
        offsets.push(n.below(len - size + 1) as i32);
        sizes.push(size as i32);
    }
    (offsets, sizes, sample(f.data_type(), len, n))
}

/// A batch of one nullable column.
pub(crate) fn batch_of(column: ArrayRef) -> RecordBatch {
    let schema = arrow_schema::Schema::new(vec![field("c", column.data_type().clone())]);
    RecordBatch::try_new(Arc::new(schema), vec![column]).unwrap()
}

/// Appends a batch to a fresh temporary log and reads it back.
pub(crate) fn round_trip(
    batch: &RecordBatch,
    options: LogOptions,
) -> respool_log::Result<RecordBatch> {
    let log = Log::temporary(batch.schema(), options)?;
    log.append(batch)?;
    log.read(0, None)
}

/// Compares two batches: schema, length, and every column by value, after full validation.
pub(crate) fn assert_same(got: &RecordBatch, want: &RecordBatch) {
    assert_eq!(got.schema(), want.schema());
    assert_eq!(got.num_rows(), want.num_rows());
    for (i, (got, want)) in got.columns().iter().zip(want.columns()).enumerate() {
        got.to_data().validate_full().unwrap();
        assert_eq!(got.data_type(), want.data_type());
        assert_eq!(
            got.to_data(),
            want.to_data(),
            "column {i} of type {}",
            want.data_type()
        );
    }
}
