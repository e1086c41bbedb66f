//! A cast view shows the same values in other types, or says which one does not fit.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::too_many_lines, reason = "two of them are tables of cases")]

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, Date64Array, Decimal128Array, DictionaryArray, DurationMillisecondArray,
    Float32Array, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch,
    RecordBatchIterator, StringArray, StructArray, Time32MillisecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_cast::display::array_value_to_string;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, TimeUnit};
use respool::{Cache, Error, Options, Uninterrupted, View};

fn view(column: ArrayRef) -> View {
    let batch = RecordBatch::try_from_iter_with_nullable([("x", column, true)]).unwrap();
    let schema = batch.schema();
    let source = RecordBatchIterator::new([Ok::<_, ArrowError>(batch)], schema);
    Cache::new(source, &Options::new()).unwrap().view()
}

fn cast(column: ArrayRef, to: DataType) -> Result<ArrayRef, Error> {
    let schema = Arc::new(Schema::new(vec![Field::new("x", to, true)]));
    let batch = view(column).cast(&schema)?.batch(0, &Uninterrupted)?;
    Ok(Arc::clone(batch.unwrap().column(0)))
}

fn decimals(values: Vec<Option<i128>>, precision: u8, scale: i8) -> ArrayRef {
    let decimals = Decimal128Array::from(values);
    Arc::new(decimals.with_precision_and_scale(precision, scale).unwrap())
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn item(kind: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", kind, true))
}

fn structs(fields: &[(&str, ArrayRef)], nulls: Option<NullBuffer>) -> ArrayRef {
    let (fields, columns): (Vec<_>, Vec<_>) = fields
        .iter()
        .map(|(name, column)| {
            let field = Field::new(*name, column.data_type().clone(), true);
            (field, Arc::clone(column))
        })
        .unzip();
    Arc::new(StructArray::new(Fields::from(fields), columns, nulls))
}

fn struct_type(fields: &[(&str, DataType)]) -> DataType {
    let fields = fields
        .iter()
        .map(|(name, kind)| Field::new(*name, kind.clone(), true));
    DataType::Struct(fields.collect())
}

#[test]
fn a_value_that_would_be_changed_is_an_error_that_names_it() {
    use DataType as T;
    use TimeUnit::{Microsecond, Millisecond, Second};
    let list = |values: ArrayRef, lengths: &[usize]| -> ArrayRef {
        let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
        let field = item(values.data_type().clone());
        Arc::new(ListArray::new(field, offsets, values, None))
    };
    let half: ArrayRef = Arc::new(Float64Array::from(vec![
        None,
        Some(1.0),
        Some(1.5),
        Some(2.5),
    ]));
    let cases: Vec<(ArrayRef, DataType, &str)> = vec![
        (Arc::clone(&half), T::Int64, "1.5"),
        (
            decimals(vec![None, Some(120), Some(125)], 5, 2),
            T::Decimal128(5, 1),
            "1.25",
        ),
        (decimals(vec![Some(125)], 5, 2), T::Int32, "1.25"),
        (texts(&["1.250", "1.255"]), T::Decimal128(5, 2), "1.255"),
        (
            texts(&["125e-1", "1255e-3"]),
            T::Decimal128(5, 2),
            "1255e-3",
        ),
        (texts(&["1.255"]), T::Decimal256(5, 2), "1.255"),
        (
            Arc::new(Int64Array::from(vec![1 << 53, (1 << 53) + 1])),
            T::Float64,
            "9007199254740993",
        ),
        (
            Arc::new(Int64Array::from(vec![i64::MAX])),
            T::Float64,
            "9223372036854775807",
        ),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            T::Float32,
            "18446744073709551615",
        ),
        (
            Arc::new(Int32Array::from(vec![1 << 24, (1 << 24) + 1])),
            T::Float32,
            "16777217",
        ),
        (Arc::new(Int32Array::from(vec![2049])), T::Float16, "2049"),
        (
            Arc::new(Float64Array::from(vec![1e300])),
            T::Float32,
            "1e300",
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(5_000_000),
                None,
                Some(-5_000_001),
            ])),
            T::Timestamp(Millisecond, None),
            "1969-12-31T23:59:54.999999",
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![1001]).with_timezone("+02:00")),
            T::Timestamp(Second, Some("+03:00".into())),
            "1970-01-01T02:00:01.001+02:00",
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![1001])),
            T::Time32(Millisecond),
            "1970-01-01T00:00:00.001001",
        ),
        (
            Arc::new(DurationMillisecondArray::from(vec![1000, 1500])),
            T::Duration(Second),
            "PT1.5S",
        ),
        (
            Arc::new(Time32MillisecondArray::from(vec![1000, 1500])),
            T::Time32(Second),
            "00:00:01.500",
        ),
        (
            Arc::new(Date64Array::from(vec![1500])),
            T::Date32,
            "1970-01-01T00:00:01.500",
        ),
        (
            texts(&["2020-01-01T00:00:00.5"]),
            T::Timestamp(Second, None),
            "2020-01-01T00:00:00.5",
        ),
        (
            texts(&["2020-01-01T00:00:00.1234567"]),
            T::Timestamp(Microsecond, Some("UTC".into())),
            "2020-01-01T00:00:00.1234567",
        ),
        (
            texts(&["2020-01-01T00:00:00", "2020-01-01T00:00:00+02:00"]),
            T::Timestamp(Second, None),
            "2020-01-01T00:00:00+02:00",
        ),
        (
            texts(&["2020-01-01T00:00:00Z"]),
            T::Timestamp(Second, None),
            "2020-01-01T00:00:00Z",
        ),
        (
            texts(&["2020-01-01 00:00:00 Europe/Berlin"]),
            T::Timestamp(Second, None),
            "Europe/Berlin",
        ),
        (
            texts(&["01:02:03.0", "01:02:03.5"]),
            T::Time32(Second),
            "01:02:03.5",
        ),
        (
            Arc::new(Float64Array::from(vec![1.5])),
            T::Timestamp(Second, None),
            "1.5",
        ),
        (
            list(Arc::clone(&half), &[1, 0, 3]),
            T::LargeList(item(T::Int32)),
            "1.5",
        ),
        (
            structs(
                &[
                    ("a", Arc::clone(&half)),
                    ("b", list(Arc::clone(&half), &[1, 1, 1, 1])),
                ],
                None,
            ),
            struct_type(&[("a", T::Float32), ("b", T::List(item(T::Int8)))]),
            "\"x.b.item\"",
        ),
        (
            Arc::new(
                DictionaryArray::<Int32Type>::try_new(
                    Int32Array::from(vec![1, 2]),
                    Arc::clone(&half),
                )
                .unwrap(),
            ),
            T::Int64,
            "1.5",
        ),
        (
            Arc::clone(&half),
            T::Dictionary(Box::new(T::Int8), Box::new(T::Int64)),
            "1.5",
        ),
    ];
    for (column, to, named) in cases {
        let from = column.data_type().clone();
        match cast(column, to.clone()) {
            Ok(found) => panic!("{from} -> {to}: {found:?}"),
            Err(error) => {
                assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
                let error = error.to_string();
                for part in [named, "column \"x", "cannot"] {
                    assert!(error.contains(part), "{from} -> {to}: {error}");
                }
            }
        }
    }
}

#[test]
fn what_the_new_type_holds_is_given() {
    use DataType as T;
    use TimeUnit::{Microsecond, Millisecond, Second};
    let shown = |array: &dyn Array| -> Vec<String> {
        let value = |row| {
            if array.is_null(row) {
                "NULL".to_owned()
            } else {
                array_value_to_string(array, row).unwrap()
            }
        };
        (0..array.len()).map(value).collect()
    };
    let floats = |values: &[f64]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    let cases: Vec<(ArrayRef, DataType, &[&str])> = vec![
        (
            Arc::new(Int32Array::from(vec![Some(-7), None])),
            T::Int64,
            &["-7", "NULL"],
        ),
        (
            Arc::new(Int32Array::from(vec![i32::MAX])),
            T::Float64,
            &["2147483647.0"],
        ),
        (
            Arc::new(Int64Array::from(vec![Some(1 << 60), None])),
            T::Float32,
            &["1.1529215e18", "NULL"],
        ),
        (
            floats(&[-0.0, 3.0, -4e15]),
            T::Int64,
            &["0", "3", "-4000000000000000"],
        ),
        (
            Arc::new(Float32Array::from(vec![0.5, f32::NAN])),
            T::Float64,
            &["0.5", "NaN"],
        ),
        (
            floats(&[0.1, f64::NAN, f64::INFINITY]),
            T::Float32,
            &["0.1", "NaN", "inf"],
        ),
        (
            floats(&[0.300_000_000_000_000_04]),
            T::Decimal128(5, 1),
            &["0.3"],
        ),
        (decimals(vec![Some(10)], 5, 2), T::Float64, &["0.1"]),
        (
            decimals(vec![Some(125), None], 5, 2),
            T::Decimal128(9, 4),
            &["1.2500", "NULL"],
        ),
        (
            decimals(vec![Some(120)], 5, 2),
            T::Decimal128(5, 1),
            &["1.2"],
        ),
        (decimals(vec![Some(300)], 5, 2), T::Int8, &["3"]),
        (
            texts(&["1.250", "-0.5", "1e2", "0.000"]),
            T::Decimal128(5, 2),
            &["1.25", "-0.50", "100.00", "0.00"],
        ),
        (texts(&["0.1"]), T::Float32, &["0.1"]),
        (texts(&["12"]), T::Int8, &["12"]),
        (
            texts(&["2020-01-01T00:00:00.500"]),
            T::Timestamp(Millisecond, None),
            &["2020-01-01T00:00:00.500"],
        ),
        (
            texts(&["2020-01-01"]),
            T::Timestamp(Second, None),
            &["2020-01-01T00:00:00"],
        ),
        (
            texts(&["2020-01-01T00:00:00+02:00"]),
            T::Timestamp(Second, Some("UTC".into())),
            &["2019-12-31T22:00:00Z"],
        ),
        (
            texts(&["01:02:03.500"]),
            T::Time32(Millisecond),
            &["01:02:03.500"],
        ),
        (
            Arc::new(TimestampMillisecondArray::from(vec![1])),
            T::Timestamp(Microsecond, None),
            &["1970-01-01T00:00:00.001"],
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![3_000_000])),
            T::Timestamp(Second, None),
            &["1970-01-01T00:00:03"],
        ),
        (
            Arc::new(TimestampMicrosecondArray::from(vec![86_400_000_001])),
            T::Date32,
            &["1970-01-02"],
        ),
        (
            Arc::new(DictionaryArray::<Int32Type>::from_iter(["a", "b", "a"])),
            T::LargeUtf8,
            &["a", "b", "a"],
        ),
        (
            texts(&["a", "b", "a"]),
            T::Dictionary(Box::new(T::Int8), Box::new(T::Utf8View)),
            &["a", "b", "a"],
        ),
        (
            Arc::new(Int32Array::from(vec![2, 0])),
            T::Boolean,
            &["true", "false"],
        ),
    ];
    for (column, to, wanted) in cases {
        let from = column.data_type().clone();
        let found = cast(column, to.clone()).unwrap();
        assert_eq!(found.data_type(), &to);
        assert_eq!(shown(&found), wanted, "{from} -> {to}");
    }
}

#[test]
fn what_is_hidden_by_a_null_need_not_fit() {
    let half = || -> ArrayRef { Arc::new(Float64Array::from(vec![1.0, 1.5, 2.0])) };
    let hidden = structs(
        &[("a", half())],
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let found = cast(hidden, struct_type(&[("a", DataType::Int64)])).unwrap();
    assert_eq!(found.as_struct().null_count(), 1);
    let lists = ListArray::new(
        item(DataType::Float64),
        OffsetBuffer::from_lengths([1, 1, 1]),
        half(),
        Some(NullBuffer::from(vec![true, false, true])),
    );
    let found = cast(
        Arc::new(lists.slice(1, 2)),
        DataType::List(item(DataType::Int64)),
    )
    .unwrap();
    assert_eq!(found.null_count(), 1);
}

#[test]
fn lists_in_other_layouts_hold_the_same() {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for list in [
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(3)]),
    ] {
        lists.append_option(list);
    }
    let lists = lists.finish();
    for kind in [DataType::Int64, DataType::Float32] {
        let found = cast(Arc::new(lists.slice(1, 3)), DataType::LargeList(item(kind))).unwrap();
        let lengths: Vec<_> = found
            .as_list::<i64>()
            .iter()
            .map(|list| list.map(|list| list.len()))
            .collect();
        assert_eq!(lengths, [None, Some(0), Some(1)]);
    }
}

#[test]
fn children_of_structs_are_found_by_their_names() {
    use DataType as T;
    let point = || {
        let one: ArrayRef = Arc::new(Int32Array::from(vec![1]));
        let two: ArrayRef = Arc::new(Int32Array::from(vec![2]));
        structs(&[("a", one), ("b", two)], None)
    };
    let turned = cast(point(), struct_type(&[("b", T::Int64), ("a", T::Int64)])).unwrap();
    let b = turned.as_struct().column_by_name("b").unwrap();
    assert_eq!(array_value_to_string(b, 0).unwrap(), "2");
    let deep = structs(&[("p", point())], None);
    let deep_type = |kind| struct_type(&[("p", kind)]);
    let refused = [
        (
            point(),
            struct_type(&[("a", T::Int32), ("c", T::Int32)]),
            "\"x\"",
        ),
        (
            point(),
            struct_type(&[("a", T::Int32), ("a", T::Int32)]),
            "\"x\"",
        ),
        (point(), struct_type(&[("a", T::Int32)]), "\"x\""),
        (
            Arc::clone(&deep),
            deep_type(struct_type(&[("a", T::Int32), ("c", T::Int32)])),
            "\"x.p\"",
        ),
    ];
    for (column, to, path) in refused {
        let schema = Arc::new(Schema::new(vec![Field::new("x", to.clone(), true)]));
        match view(column).cast(&schema) {
            Err(Error::InvalidArgument(text)) => assert!(text.contains(path), "{text}"),
            other => panic!("{to}: {other:?}"),
        }
    }
}

#[test]
fn zones_are_known_by_their_names() {
    use DataType as T;
    let berlin = T::Timestamp(TimeUnit::Microsecond, Some("Europe/Berlin".into()));
    let noon: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![1_593_604_800_000_000]));
    let found = cast(noon, berlin).unwrap();
    assert_eq!(
        array_value_to_string(&found, 0).unwrap(),
        "2020-07-01T12:00:00+02:00"
    );
    let utc = TimestampMicrosecondArray::from(vec![0]).with_timezone("UTC");
    let found = cast(Arc::new(utc), T::Utf8).unwrap();
    assert_eq!(found.as_string::<i32>().value(0), "1970-01-01T00:00:00Z");
}

#[test]
fn an_unknown_zone_is_refused_before_anything_is_read() {
    use DataType as T;
    let nowhere = T::Timestamp(TimeUnit::Microsecond, Some("Nowhere/Land".into()));
    let times = TimestampMicrosecondArray::from(vec![0]);
    let lost: ArrayRef = Arc::new(times.clone().with_timezone("Nowhere/Land"));
    for (column, to) in [
        (Arc::new(times) as ArrayRef, nowhere.clone()),
        (lost, T::Utf8),
    ] {
        let schema = Arc::new(Schema::new(vec![Field::new("x", to, true)]));
        match view(column).cast(&schema) {
            Err(Error::InvalidArgument(text)) => assert!(text.contains("Nowhere/Land"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}
