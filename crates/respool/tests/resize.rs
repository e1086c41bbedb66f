//! Bounds that change while a cache is read.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
use arrow_schema::ArrowError;
use respool::{Cache, Compression, LogOptions, Options, Uninterrupted};
use support::{Counting, Then, batches, directory};

#[test]
fn nobody_waits_for_the_bookkeeping_of_many_batches() {
    const BATCHES: usize = 100_000;
    let directory = directory();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let schema = batch.schema();
    let given = (0..BATCHES).map(move |_| Ok::<_, ArrowError>(batch.clone()));
    let options = Options::new()
        .with_memory_capacity(1 << 30)
        .with_log(LogOptions::new(directory.path()));
    let cache = Cache::new(RecordBatchIterator::new(given, schema), &options).unwrap();
    cache.ingest_all().unwrap();
    let done = AtomicBool::new(false);
    let (longest, took) = thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let begun = Instant::now();
                cache.snapshot().unwrap();
                longest = longest.max(begun.elapsed());
            }
            longest
        });
        let begun = Instant::now();
        cache.resize(Some(1 << 29), None).unwrap();
        let took = begun.elapsed();
        done.store(true, Ordering::Relaxed);
        (looking.join().unwrap(), took)
    });
    assert!(longest < took / 3, "waited {longest:?} of {took:?}");
    assert_eq!(cache.metrics().unwrap().batches_in_memory, BATCHES);
}

#[test]
fn memory_stays_in_use_and_within_its_bound_while_it_changes() {
    let directory = directory();
    let log = LogOptions::new(directory.path()).compression(Some(Compression::Lz4));
    let options = Options::new().with_memory_capacity(20_000).with_log(log);
    let cache = Cache::new(Counting::new(40, Then::End), &options).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(support::replay(&cache), (batches(40), None));
                }
            });
        }
        for round in 0..200_u64 {
            cache.resize(Some(5_000 + round % 7 * 5_000), None).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    // Who stays is known: a smaller bound names enough who go, and what is read again finds room.
    for bound in [5_000, 30_000, 12_000] {
        cache.resize(Some(bound), None).unwrap();
        for _ in 0..5 {
            for index in 0..40 {
                cache.view().batch(index, &Uninterrupted).unwrap();
            }
        }
        let metrics = cache.metrics().unwrap();
        assert!(metrics.memory_bytes <= bound, "{bound}: {metrics:?}");
        assert!(metrics.memory_bytes > bound / 2, "{bound}: {metrics:?}");
    }
}
