//! A batch that was pulled is never lost, and a part is never shown as the whole.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use respool::{Cache, Error, LogOptions, Options, Uninterrupted, WritePolicy};
use support::{Counting, Then, batches, directory, replay, stores};

#[test]
fn a_failed_source_gives_its_batches_and_then_the_same_error_each_time() {
    let directory = directory();
    for then in [Then::Fail, Then::Panic] {
        for (store, options) in stores(&directory) {
            let source = Counting::new(7, then);
            let asked = source.asked.clone();
            let cache = Cache::new(source, &options).unwrap();
            let (given, first) = replay(&cache);
            assert_eq!(given, batches(7), "{store}");
            let first = first.expect("an error");
            assert!(
                first.starts_with("the source failed after 7 batches (700 rows)"),
                "{first}"
            );
            for _ in 0..3 {
                assert_eq!(replay(&cache), (batches(7), Some(first.clone())), "{store}");
            }
            assert!(!cache.snapshot().unwrap().is_complete());
            assert!(cache.ingest_all().is_err());
            assert_eq!(asked.load(Ordering::SeqCst), 8, "{store}");
        }
    }
}

#[test]
fn the_prefix_of_a_failed_source_ends_cleanly() {
    let cache = Cache::new(Counting::new(7, Then::Fail), &Options::new()).unwrap();
    assert!(cache.ingest_all().is_err());
    let (given, error) = support::replayed(cache.view().prefix().unwrap().reader().unwrap());
    assert_eq!((given, error), (batches(7), None));
}

#[test]
fn a_slice_that_is_stored_does_not_depend_on_the_failure_behind_it() {
    let cache = Cache::new(Counting::new(7, Then::Fail), &Options::new()).unwrap();
    assert!(cache.ingest_all().is_err());
    let inside = cache.view().slice(150, Some(500));
    let (given, error) = support::replayed(inside.reader().unwrap());
    assert_eq!(
        (
            given
                .iter()
                .map(arrow_array::RecordBatch::num_rows)
                .sum::<usize>(),
            error
        ),
        (500, None)
    );
    let across = cache.view().slice(150, Some(600));
    assert!(support::replayed(across.reader().unwrap()).1.is_some());
}

#[test]
fn what_does_not_fit_memory_is_kept_and_stored_once_there_is_room() {
    let options = Options::new().with_memory_capacity(5000);
    let source = Counting::new(10, Then::End);
    let asked = source.asked.clone();
    let cache = Cache::new(source, &options).unwrap();
    for _ in 0..3 {
        assert!(matches!(cache.ingest_all(), Err(Error::MemoryFull { .. })));
    }
    let stored = cache.snapshot().unwrap().batches;
    assert!(stored > 0);
    assert_eq!(
        asked.load(Ordering::SeqCst),
        stored + 1,
        "the batch that waits is not asked for again"
    );
    cache.resize(None, None).unwrap();
    assert_eq!(replay(&cache), (batches(10), None));
}

#[test]
fn what_does_not_fit_the_quota_is_kept_and_stored_once_there_is_room() {
    let directory = directory();
    for policy in [WritePolicy::OnInsertion, WritePolicy::OnEviction] {
        let mut log = LogOptions::new(directory.path());
        log.capacity = Some(20_000);
        let options = Options::new()
            .with_memory_capacity(5000)
            .with_log(log)
            .with_write_policy(policy);
        let cache = Cache::new(Counting::new(20, Then::End), &options).unwrap();
        let mut reader = cache.view().reader().unwrap();
        let mut given = Vec::new();
        let error = loop {
            match reader.next_batch(&Uninterrupted) {
                Ok(Some(batch)) => given.push(batch),
                Ok(None) => panic!("20 batches can't fit"),
                Err(error) => break error,
            }
        };
        assert!(
            matches!(error, Error::Log(respool::LogError::OutOfSpace { .. })),
            "{error}"
        );
        assert!(
            reader.next_batch(&Uninterrupted).is_err(),
            "the error stays as long as the quota"
        );
        cache.resize(Some(5000), Some(1 << 20)).unwrap();
        while let Some(batch) = reader.next_batch(&Uninterrupted).unwrap() {
            given.push(batch);
        }
        assert_eq!(given, batches(20), "{policy}: the same reader goes on");
        assert_eq!(replay(&cache), (batches(20), None), "{policy}");
    }
}

#[test]
fn resizing_down_gives_heap_copies_back() {
    let directory = directory();
    let options = Options::new()
        .with_memory_capacity(1 << 20)
        .with_log(LogOptions::new(directory.path()));
    let cache = Cache::new(Counting::new(20, Then::End), &options).unwrap();
    cache.ingest_all().unwrap();
    assert_eq!(cache.metrics().unwrap().batches_in_memory, 20);
    cache.resize(Some(5000), None).unwrap();
    assert!(
        cache.metrics().unwrap().memory_bytes <= 5000,
        "{:?}",
        cache.metrics().unwrap()
    );
    assert_eq!(replay(&cache), (batches(20), None));
}

#[expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]
/// Text whose offsets point beyond its bytes, as a producer may hand over.
fn contradictory() -> arrow_array::RecordBatch {
    let offsets: Vec<i32> = vec![0, 3, 100_000];
    let data = arrow_data::ArrayData::builder(arrow_schema::DataType::Utf8)
        .len(2)
        .add_buffer(arrow_buffer::Buffer::from_vec(offsets))
        .add_buffer(arrow_buffer::Buffer::from(b"abcdef"));
    // SAFETY: it is not valid, on purpose; nobody looks at the values but to copy them, with checks.
    let data = unsafe { data.build_unchecked() };
    arrow_array::RecordBatch::try_from_iter([("s", arrow_array::make_array(data))]).unwrap()
}

#[test]
fn a_batch_that_contradicts_itself_is_an_error_that_stays() {
    let texts: arrow_array::ArrayRef = Arc::new(arrow_array::StringArray::from(vec!["a"]));
    let good = arrow_array::RecordBatch::try_from_iter([("s", texts)]).unwrap();
    let directory = directory();
    for compression in [None, Some(respool::Compression::Lz4)] {
        for policy in [WritePolicy::OnInsertion, WritePolicy::OnEviction] {
            let given = [good.clone(), contradictory(), good.clone()];
            let given = given.into_iter().map(Ok::<_, arrow_schema::ArrowError>);
            let source = arrow_array::RecordBatchIterator::new(given, good.schema());
            let options = Options::new()
                .with_memory_capacity(0)
                .with_log(LogOptions::new(directory.path()).compression(compression))
                .with_write_policy(policy);
            let cache = Cache::new(source, &options).unwrap();
            for _ in 0..2 {
                let (given, error) = replay(&cache);
                assert_eq!(given, std::slice::from_ref(&good), "{policy}");
                let error = error.unwrap();
                assert!(error.starts_with("cannot store batch 1: "), "{error}");
            }
            let snapshot = cache.snapshot().unwrap();
            assert!(snapshot.batches == 1 && !snapshot.is_ended());
        }
    }
}
