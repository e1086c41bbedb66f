//! Batches that are kept in other encodings come back as they came, wherever they are and whatever goes wrong.
#![allow(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Decimal128Array, DictionaryArray, Float64Array, LargeStringArray,
    RecordBatch, RecordBatchIterator, StringArray, StringViewArray,
};
use arrow_schema::{DataType, SchemaRef};
use respool::{
    BoxError, Cache, Encodings, Error, Interrupt, LogOptions, Options, Source, Uninterrupted,
    WritePolicy,
};
use support::{directory, replay, replayed};

const ROWS: usize = 4000;

/// A batch in which each column has so many distinct values, some of them null.
fn batch(distinct: usize, decimals_from: i128) -> RecordBatch {
    let text = |row: usize| {
        let long = if row.is_multiple_of(2) {
            ""
        } else {
            " that no view holds by itself"
        };
        (row % 11 != 5).then(|| format!("{}{long}", row % distinct))
    };
    let texts: Vec<Option<String>> = (0..ROWS).map(text).collect();
    let numbers = |precision: u8| {
        let value = |row: usize| (row % 7 != 2).then(|| decimals_from + row as i128);
        let numbers: Decimal128Array = (0..ROWS).map(value).collect();
        numbers.with_precision_and_scale(precision, 2).unwrap()
    };
    let floats = (0..ROWS as u64).map(|bits| f64::from_bits(0x7ff8_0000_0000_0000 | bits));
    let categories: DictionaryArray<arrow_array::types::Int32Type> =
        ["b", "a", "c"].into_iter().cycle().take(ROWS).collect();
    let binaries: BinaryArray = texts
        .iter()
        .map(|text| text.as_ref().map(String::as_bytes))
        .collect();
    let columns: [(&str, ArrayRef); 8] = [
        ("utf8", Arc::new(StringArray::from(texts.clone()))),
        ("large", Arc::new(LargeStringArray::from(texts.clone()))),
        (
            "view",
            Arc::new(
                texts
                    .iter()
                    .map(Option::as_ref)
                    .collect::<StringViewArray>(),
            ),
        ),
        ("binary", Arc::new(binaries)),
        ("small", Arc::new(numbers(9))),
        ("middle", Arc::new(numbers(18))),
        ("float", Arc::new(Float64Array::from_iter_values(floats))),
        ("category", Arc::new(categories)),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true)))
        .unwrap()
}

/// Dictionaries grow until they are none, and decimals until they are wide again.
fn widening() -> Vec<RecordBatch> {
    let steps = [
        (3, 0),
        (100, 0),
        (400, 1 << 30),
        (5, 1 << 40),
        (3999, 0),
        (3, 1 << 70),
        (3, 0),
    ];
    let batches = steps.map(|(distinct, from)| batch(distinct, from));
    let sliced = batches[0].slice(3, 1003);
    batches
        .into_iter()
        .chain([sliced, batch(1, 0).slice(0, 0)])
        .collect()
}

fn source(batches: Vec<RecordBatch>) -> impl Source + 'static {
    let schema = batches[0].schema();
    RecordBatchIterator::new(batches.into_iter().map(Ok), schema)
}

fn options(encodings: Encodings) -> Options {
    Options::new().with_encodings(encodings)
}

fn assert_equal(given: &[RecordBatch], expected: &[RecordBatch]) {
    assert_eq!(given.len(), expected.len());
    for (given, expected) in given.iter().zip(expected) {
        assert_eq!(given.schema(), expected.schema());
        for (given, expected) in given.columns().iter().zip(expected.columns()) {
            // NaN is not equal to itself; its bits are.
            if given.data_type() == &DataType::Float64 {
                let bits = |array: &ArrayRef| -> Vec<u64> {
                    let floats = array.as_primitive::<arrow_array::types::Float64Type>();
                    floats
                        .values()
                        .iter()
                        .map(|float| float.to_bits())
                        .collect()
                };
                assert_eq!(bits(given), bits(expected));
            } else {
                assert_eq!(given, expected);
            }
        }
    }
}

#[test]
fn encodings_that_widen_give_every_batch_back_from_memory_and_from_a_log() {
    let directory = directory();
    let log = || LogOptions::new(directory.path()).allow_tmpfs(true);
    for encodings in [Encodings::DuckDb, Encodings::Views] {
        let stores = [
            options(encodings),
            options(encodings).with_memory_capacity(0).with_log(log()),
            options(encodings)
                .with_memory_capacity(600_000)
                .with_log(log())
                .with_write_policy(WritePolicy::OnEviction),
            options(encodings)
                .with_memory_capacity(0)
                .with_log(log().compression(Some(respool::Compression::Lz4))),
        ];
        for options in stores {
            let cache = Cache::new(source(widening()), &options).unwrap();
            for _ in 0..2 {
                let (given, error) = replay(&cache);
                assert_eq!(error, None);
                assert_equal(&given, &widening());
            }
            // Everybody may look at some columns or rows, also of a batch that is kept otherwise than the last.
            let view = cache
                .view()
                .select(&["middle", "utf8"])
                .unwrap()
                .slice(5500, Some(9000));
            let (given, error) = replayed(view.reader().unwrap());
            assert_eq!(error, None);
            let whole = widening();
            let whole = arrow_select::concat::concat_batches(&whole[0].schema(), &whole).unwrap();
            let expected = whole.project(&[5, 0]).unwrap().slice(5500, 9000);
            let given = arrow_select::concat::concat_batches(&expected.schema(), &given).unwrap();
            assert_eq!(given, expected);
        }
    }
}

#[test]
fn what_is_shown_as_kept_has_one_schema_and_the_same_values() {
    let cache = Cache::new(
        source(widening()[..3].to_vec()),
        &options(Encodings::DuckDb),
    )
    .unwrap();
    let types = |cache: &Cache| -> Vec<DataType> {
        let schema = cache.view().as_kept().unwrap().schema();
        schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone())
            .collect()
    };
    let before = types(&cache);
    assert_eq!(before[0], DataType::Utf8View);
    assert_eq!(
        before[5],
        DataType::Decimal128(18, 2),
        "more may come that is wide"
    );
    cache.ingest_all().unwrap();
    let numbered = DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::Utf8View));
    let binary = DataType::BinaryView;
    let narrow = [
        DataType::Decimal32(9, 2),
        DataType::Decimal64(18, 2),
        DataType::Float64,
    ];
    let mut expected = vec![numbered.clone(), numbered.clone(), numbered, binary];
    expected.extend(narrow);
    assert_eq!(types(&cache)[..7], expected);
    let kept = cache.view().as_kept().unwrap();
    let back = kept.cast(&cache.schema()).unwrap();
    let (given, error) = replayed(back.reader().unwrap());
    assert_eq!(error, None);
    assert_equal(&given, &widening()[..3]);
    let (given, _) = replayed(kept.reader().unwrap());
    for batch in given {
        assert_eq!(batch.schema(), kept.schema());
    }
}

#[test]
fn the_ledger_counts_what_is_kept() {
    let batches = || vec![batch(3, 0); 20];
    let held = |options: &Options| {
        let cache = Cache::new(source(batches()), options).unwrap();
        cache.ingest_all().unwrap();
        (
            cache.metrics().unwrap().memory_bytes,
            cache.metrics().unwrap().bytes,
        )
    };
    let plain = {
        // Each with buffers of its own.
        let batches: Vec<_> = (0..20).map(|_| batch(3, 0)).collect();
        let cache = Cache::new(source(batches), &Options::new()).unwrap();
        cache.ingest_all().unwrap();
        (
            cache.metrics().unwrap().memory_bytes,
            cache.metrics().unwrap().bytes,
        )
    };
    let packed = held(&options(Encodings::DuckDb));
    assert!(packed.0 * 4 < plain.0 * 3, "{packed:?} {plain:?}");
    assert_eq!(packed.1, plain.1, "what the batches show");
}

#[test]
fn what_does_not_fit_is_kept_until_it_does() {
    let cache = Cache::new(
        source(widening()),
        &options(Encodings::DuckDb).with_memory_capacity(200_000),
    )
    .unwrap();
    for _ in 0..3 {
        assert!(matches!(cache.ingest_all(), Err(Error::MemoryFull { .. })));
    }
    cache.resize(None, None).unwrap();
    assert_equal(&replay(&cache).0, &widening());
}

/// Gives its batches and then an error.
struct Failing(std::vec::IntoIter<RecordBatch>, SchemaRef);
impl Source for Failing {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.1)
    }
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        let next = self.0.next().map(Some);
        next.ok_or_else(|| "the wire broke".into())
    }
}

#[test]
fn a_failed_source_gives_its_batches_and_the_error() {
    let batches = widening();
    let failing = Failing(batches.clone().into_iter(), batches[0].schema());
    let cache = Cache::new(failing, &options(Encodings::DuckDb)).unwrap();
    for _ in 0..2 {
        let (given, error) = replay(&cache);
        assert_equal(&given, &batches);
        assert!(error.unwrap().contains("the wire broke"));
    }
}

/// Interrupts every time it is asked, up to so many times.
struct Impatient(AtomicUsize);

impl Interrupt for Impatient {
    fn check(&self) -> Result<(), BoxError> {
        let left = self.0.load(Ordering::SeqCst);
        if left == 0 {
            return Ok(());
        }
        self.0.store(left - 1, Ordering::SeqCst);
        Err("interrupted".into())
    }
}

/// Gives one batch, and counts how often it is asked.
struct Once(Option<RecordBatch>, SchemaRef, Arc<AtomicUsize>);
impl Source for Once {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.1)
    }
    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.2.fetch_add(1, Ordering::SeqCst);
        Ok(self.0.take())
    }
}

#[test]
fn an_interrupt_during_a_long_batch_loses_nothing() {
    let rows = 3_000_000;
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..rows).map(|row| format!("a text that no view holds by itself {row}")),
    ));
    let columns = ["a", "b", "c", "d", "e", "f"].map(|name| (name, Arc::clone(&texts)));
    let long = RecordBatch::try_from_iter(columns).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let source = Once(Some(long.clone()), long.schema(), Arc::clone(&asked));
    let cache = Cache::new(source, &options(Encodings::Views)).unwrap();
    let mut reader = cache.view().reader().unwrap();
    let impatient = Impatient(AtomicUsize::new(2));
    let mut interrupted = 0;
    let given = loop {
        match reader.next_batch(&impatient) {
            Err(Error::Interrupted(_)) => interrupted += 1,
            given => break given.unwrap(),
        }
    };
    assert_eq!(interrupted, 2, "long enough to be interrupted twice");
    assert_eq!(given, Some(long));
    assert_eq!(reader.next_batch(&Uninterrupted).unwrap(), None);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn a_log_with_a_name_refuses_it() {
    let directory = directory();
    let log = LogOptions::new(directory.path().join("log")).allow_tmpfs(true);
    let options = options(Encodings::DuckDb).with_named_log(log);
    let made = Cache::new(source(widening()), &options);
    assert!(matches!(made, Err(Error::InvalidArgument(_))));
    assert!(
        !directory.path().join("log").exists(),
        "nothing is left of it"
    );
}

#[test]
fn where_nothing_is_encoded_nothing_is_copied() {
    let floats = widening()[0].project(&[6]).unwrap();
    let cache = Cache::new(source(vec![floats.clone()]), &options(Encodings::DuckDb)).unwrap();
    let given = replay(&cache).0.remove(0);
    let address = |batch: &RecordBatch| batch.column(0).to_data().buffers()[0].as_ptr();
    assert_eq!(address(&given), address(&floats));
}

#[test]
fn what_every_reader_has_passed_is_let_go() {
    let options = options(Encodings::DuckDb).with_max_readers(2);
    let cache = Cache::new(source(widening()), &options).unwrap();
    let readers = [
        cache.view().reader().unwrap(),
        cache.view().reader().unwrap(),
    ];
    for reader in readers {
        assert_equal(&replayed(reader).0, &widening());
    }
    assert_eq!(cache.metrics().unwrap().batches_in_memory, 0);
    assert!(matches!(cache.view().reader(), Err(Error::Released { .. })));
}

#[test]
fn closing_gives_everything_back_while_a_reader_is_half_way() {
    let cache = Cache::new(source(widening()), &options(Encodings::DuckDb)).unwrap();
    let mut reader = cache.view().reader().unwrap();
    let first = reader.next_batch(&Uninterrupted).unwrap().unwrap();
    cache.close().unwrap();
    assert!(matches!(
        reader.next_batch(&Uninterrupted),
        Err(Error::Closed)
    ));
    assert_equal(&[first], &widening()[..1]);
    assert_eq!(cache.metrics().unwrap().memory_bytes, 0);
}

#[test]
fn rows_that_pass_a_filter_are_estimated_near_enough() {
    let cache = Cache::new(source(widening()), &options(Encodings::DuckDb)).unwrap();
    cache.ingest_all().unwrap();
    let schema = cache.schema();
    let small = respool::predicate::Term::new(&schema, 4, &[]).unwrap();
    let none = cache
        .view()
        .filter(&respool::predicate::Predicate::IsNull(small))
        .unwrap();
    let exactly = none.count(&Uninterrupted).unwrap().1;
    let about = none.estimated_rows(&Uninterrupted).unwrap();
    assert!(
        exactly > 1000 && about.abs_diff(exactly) * 10 < exactly,
        "{about} {exactly}"
    );
    let whole = cache.view();
    let rows = whole.extent().unwrap().rows;
    assert_eq!(whole.estimated_rows(&Uninterrupted).unwrap(), rows);
}
