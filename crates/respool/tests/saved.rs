//! A view that was saved and restored shows the same.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "saved/random.rs"]
mod random;
#[path = "saved/refused.rs"]
mod refused;
#[path = "predicate/trees.rs"]
mod trees;
#[path = "predicate/values.rs"]
mod values;

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Int32Array, Int64Array, RecordBatch, RecordBatchIterator, StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, TimeUnit};
use respool::predicate::{Operator, Predicate, Scalar, Term};
use respool::{Cache, Options, Uninterrupted, View};

use values::Random;

fn cache_of(batches: Vec<RecordBatch>) -> Cache {
    let schema = batches[0].schema();
    let source = RecordBatchIterator::new(batches.into_iter().map(Ok::<_, ArrowError>), schema);
    Cache::new(source, &Options::new()).unwrap()
}

/// Numbers, texts and structs in five batches.
fn cache() -> Cache {
    let batches = (0..5).map(|batch| {
        let numbers = batch * 10..batch * 10 + 10;
        let texts = numbers.clone().map(|n| format!("text {n}"));
        let inner: ArrayRef = Arc::new(Int32Array::from_iter_values(numbers.clone()));
        let field = Arc::new(Field::new("inner", DataType::Int32, true));
        let columns: [(&str, ArrayRef); 3] = [
            (
                "n",
                Arc::new(Int64Array::from_iter_values(numbers.map(i64::from))),
            ),
            ("s", Arc::new(StringArray::from_iter_values(texts))),
            (
                "t",
                Arc::new(arrow_array::StructArray::from(vec![(field, inner)])),
            ),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    });
    cache_of(batches.collect())
}

fn restored(view: &View) -> View {
    let bytes = view.to_bytes().unwrap();
    let restored = View::from_bytes(&view.cache().view(), &bytes).unwrap();
    assert_eq!(restored.to_bytes().unwrap(), bytes);
    restored
}

/// Its batches, and the error that ended them.
fn read(view: &View) -> (Vec<RecordBatch>, Option<String>) {
    let mut reader = match view.reader() {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let mut batches = Vec::new();
    loop {
        match reader.next_batch(&Uninterrupted) {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => return (batches, None),
            Err(error) => return (batches, Some(error.to_string())),
        }
    }
}

fn assert_same(view: &View) {
    let restored = restored(view);
    assert_eq!(restored.schema(), view.schema());
    assert_eq!(format!("{restored:?}"), format!("{view:?}"));
    assert_eq!(restored.is_whole(), view.is_whole());
    assert_eq!(restored.can_leave_out(), view.can_leave_out());
    assert_eq!(read(&restored), read(view));
}

fn above(view: &View, number: i64) -> View {
    let term = Term::named(&view.schema(), &["n"]).unwrap();
    let predicate = Predicate::compare(term, Operator::Gt, &Scalar::from(number));
    view.filter(&predicate).unwrap()
}

fn cast(view: &View, column: usize, to: DataType) -> View {
    let mut fields: Vec<Field> = view
        .schema()
        .fields()
        .iter()
        .map(|f| f.as_ref().clone())
        .collect();
    fields[column] = fields[column].clone().with_data_type(to);
    view.cast(&Arc::new(Schema::new(fields))).unwrap()
}

#[test]
fn every_part_of_a_view_comes_back() {
    let cache = cache();
    let whole = cache.view();
    let decimal = cast(&whole, 0, DataType::Decimal128(10, 2));
    let twice = cast(&decimal, 0, DataType::Float64);
    let views = [
        whole.clone(),
        whole.select_indexes(&[]).unwrap(),
        whole.select_indexes(&[2, 0, 0]).unwrap(),
        whole.slice(3, Some(21)),
        whole.slice(u64::MAX, None),
        whole.batches(&[0, 3], 4).unwrap(),
        whole.batches(&[1], usize::MAX).unwrap(),
        whole.stride(1, 2).unwrap().slice(4, Some(3)),
        above(&whole, 12),
        above(&above(&whole, 12).slice(0, None), 30),
        above(&whole, 12).slice(7, Some(9)).select(&["s"]).unwrap(),
        // The filter is over a column that is not shown, as another type.
        above(&cast(&whole, 0, DataType::Int32), 12)
            .select(&["t"])
            .unwrap(),
        twice.clone(),
        cast(&twice.select(&["n"]).unwrap(), 0, DataType::Utf8),
    ];
    for view in &views {
        assert_same(view);
    }
    cache.view().batch(2, &Uninterrupted).unwrap();
    assert_same(&cache.view().prefix().unwrap());
    cache.ingest_all().unwrap();
    views.iter().for_each(assert_same);
}

#[test]
fn what_a_schema_says_comes_back() {
    let cache = cache();
    let renamed = |field: &Arc<Field>| Field::clone(field).with_metadata([("unit", "ü")]);
    let fields: Fields = cache.schema().fields().iter().map(renamed).collect();
    let schema = Schema::new_with_metadata(fields, [("a", "b"), ("", "")]);
    let view = cache.view().cast(&Arc::new(schema)).unwrap();
    assert_ne!(view.schema(), cache.schema());
    assert_same(&view);
    assert_same(&above(&view.select(&["s", "n"]).unwrap(), 3));
}

/// Types that integers can be cast to, and that nest.
fn types() -> Vec<DataType> {
    use DataType::*;
    let item = |kind: DataType| Arc::new(Field::new("item", kind, true));
    let zone = Some("Europe/Berlin".into());
    vec![
        UInt8,
        Float16,
        Decimal256(40, 2),
        Timestamp(TimeUnit::Nanosecond, zone),
        Duration(TimeUnit::Second),
        LargeUtf8,
        Utf8View,
        Dictionary(Box::new(UInt16), Box::new(Int64)),
        RunEndEncoded(Arc::new(Field::new("run_ends", Int32, false)), item(Int64)),
        List(item(Int64)),
        LargeList(item(Utf8)),
        FixedSizeList(item(Int64), 1),
    ]
}

#[test]
fn casts_to_all_kinds_of_types_come_back() {
    let cache = cache();
    for to in types() {
        assert_same(&cast(&cache.view(), 0, to));
    }
}

#[test]
fn the_order_of_a_dictionary_comes_back() {
    let cache = cache();
    let plain = Field::new_dictionary("n", DataType::Int8, DataType::Int64, true);
    let ordered = plain.with_dict_is_ordered(true);
    let view = cache.view().select(&["n"]).unwrap();
    let view = view.cast(&Arc::new(Schema::new(vec![ordered]))).unwrap();
    let field = restored(&view).schema();
    assert_eq!(field.field(0).dict_is_ordered(), Some(true));
}

#[test]
fn what_arrow_ipc_has_no_words_for_is_not_saved() {
    let cache = cache();
    let inner = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64));
    let outer = DataType::Dictionary(Box::new(DataType::Int8), Box::new(inner));
    let field = Field::new("n", outer, true);
    let shown = cache.view().select(&["n"]).unwrap();
    // Whether there is such a cast is for the kernel to say.
    if let Ok(view) = shown.cast(&Arc::new(Schema::new(vec![field]))) {
        assert!(
            view.to_bytes()
                .unwrap_err()
                .to_string()
                .contains("Arrow IPC")
        );
    }
}

#[test]
fn a_filter_nested_too_deeply_is_not_saved() {
    let cache = cache();
    let term = Term::named(&cache.schema(), &["n"]).unwrap();
    let nested = |depth: usize| {
        let leaf = Predicate::IsNull(term.clone());
        let deep = (0..depth).fold(leaf, |inner, _| Predicate::Not(Box::new(inner)));
        cache.view().filter(&deep).unwrap()
    };
    assert_same(&nested(300));
    let error = nested(1000).to_bytes().unwrap_err().to_string();
    assert!(error.contains("nested"), "{error}");
}

#[test]
fn a_view_is_restored_over_other_caches_with_such_columns_only() {
    let cache = cache();
    let bytes = cast(&cache.view(), 1, DataType::LargeUtf8)
        .select(&["s"])
        .unwrap()
        .to_bytes()
        .unwrap();
    let other = View::from_bytes(&self::cache().view(), &bytes).unwrap();
    assert_eq!(other.schema().field(0).data_type(), &DataType::LargeUtf8);
    let narrow = cache_of(vec![
        cache
            .view()
            .batch(0, &Uninterrupted)
            .unwrap()
            .unwrap()
            .project(&[0])
            .unwrap(),
    ]);
    let error = View::from_bytes(&narrow.view(), &bytes)
        .unwrap_err()
        .to_string();
    assert!(error.contains("a column that the cache has not"), "{error}");
    let part = cache.view().slice(1, None);
    assert!(View::from_bytes(&part, &bytes).is_err());
}

/// Saved by the first version: a slice of the passing rows, of one column.
const GOLDEN: &[u8] = b"rsview\x01\
    \x00\
    \x01\x01\x01\x00\x00\x00\
    \x01\x01\x00\x00\x00\x00\x03\x00\x00\x00\x04\x01\x0c\
    \x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\
    \x07\x09";

#[test]
fn what_was_saved_once_is_read_for_ever() {
    let cache = cache();
    let view = above(&cache.view(), 12).slice(7, Some(9));
    let view = view.select(&["s"]).unwrap();
    assert_eq!(view.to_bytes().unwrap(), GOLDEN);
    let restored = View::from_bytes(&cache.view(), GOLDEN).unwrap();
    assert_eq!(read(&restored), read(&view));
}

#[test]
fn random_views_come_back() {
    let mut shown = 0;
    for seed in 1..1500 {
        let (cache, view) = random::view(&mut Random::new(seed));
        let restored = restored(&view);
        assert_eq!(restored.schema(), view.schema(), "seed {seed}");
        let wanted = read(&view);
        // The second replay has zone maps, which leave batches out that a date beyond all years is in.
        if wanted.1.is_none() {
            assert_eq!(read(&restored), wanted, "seed {seed}");
        }
        shown += usize::from(wanted.0.iter().any(|batch| batch.num_rows() > 0));
        drop(cache);
    }
    assert!(shown > 300, "only {shown} views show anything");
}
