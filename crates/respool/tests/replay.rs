//! Every replay gives the whole stream, and the source is asked once.

mod support;

use std::sync::atomic::Ordering;
use std::thread;

use respool::{Cache, Error, Options, Uninterrupted};
use support::{Counting, Then, batches, directory, replay, stores};

#[test]
fn every_replay_is_the_whole_stream_from_every_kind_of_store() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let cache = Cache::new(Counting::new(20, Then::End), &options).unwrap();
        for _ in 0..3 {
            assert_eq!(replay(&cache), (batches(20), None), "{store}");
        }
        assert!(cache.snapshot().unwrap().is_complete());
        assert_eq!(cache.snapshot().unwrap().rows, 2000);
    }
}

#[test]
fn the_source_is_asked_once_for_each_batch_and_once_for_the_end() {
    let directory = directory();
    for readers in [1, 2, 16] {
        for (store, options) in stores(&directory) {
            let source = Counting::new(50, Then::End);
            let asked = source.asked.clone();
            let cache = Cache::new(source, &options).unwrap();
            thread::scope(|scope| {
                for _ in 0..readers {
                    scope.spawn(|| assert_eq!(replay(&cache), (batches(50), None), "{store}"));
                }
            });
            assert_eq!(
                asked.load(Ordering::SeqCst),
                51,
                "{store}, {readers} readers"
            );
        }
    }
}

#[test]
fn nothing_is_asked_before_a_reader_asks() {
    let source = Counting::new(5, Then::End);
    let asked = source.asked.clone();
    let cache = Cache::new(source, &Options::new()).unwrap();
    let mut reader = cache.view().reader().unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    reader.next_batch(&Uninterrupted).unwrap();
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn memory_and_log_stay_within_their_bounds() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let cache = Cache::new(Counting::new(100, Then::End), &options).unwrap();
        for _ in 0..2 {
            for batch in cache.view().reader().unwrap() {
                batch.unwrap();
                let held = cache.metrics().unwrap().memory_bytes;
                assert!(
                    options.memory_capacity().is_none_or(|bound| held <= bound),
                    "{store}: {held}"
                );
            }
        }
        let metrics = cache.metrics().unwrap();
        let logged = if options.log().is_some() {
            90..=100
        } else {
            0..=0
        };
        assert!(
            logged.contains(&metrics.batches_in_log),
            "{store}: {metrics:?}"
        );
        cache.close().unwrap();
    }
}

#[test]
fn a_stream_that_fits_never_touches_the_log_if_asked_so() {
    let directory = directory();
    let options = Options::new()
        .with_memory_capacity(1 << 20)
        .with_log(respool::LogOptions::new(directory.path()))
        .with_write_policy(respool::WritePolicy::OnEviction);
    let cache = Cache::new(Counting::new(20, Then::End), &options).unwrap();
    assert_eq!(replay(&cache), (batches(20), None));
    assert_eq!(cache.metrics().unwrap().batches_in_log, 0);
}

#[test]
fn a_closed_cache_says_so_and_batches_outlive_it() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let cache = Cache::new(Counting::new(20, Then::End), &options).unwrap();
        let (given, _) = replay(&cache);
        let mut reader = cache.view().reader().unwrap();
        cache.close().unwrap();
        cache.close().unwrap();
        assert!(
            matches!(reader.next_batch(&Uninterrupted), Err(Error::Closed)),
            "{store}"
        );
        assert!(matches!(cache.view().reader(), Err(Error::Closed)));
        assert_eq!(given, batches(20));
    }
}

#[test]
fn max_readers_lets_batches_go_only_without_a_log() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let bounded = options.with_max_readers(1);
        let cache = Cache::new(Counting::new(20, Then::End), &bounded).unwrap();
        assert_eq!(replay(&cache), (batches(20), None), "{store}");
        if bounded.log().is_some() {
            assert_eq!(replay(&cache), (batches(20), None), "{store}");
        } else {
            assert_eq!(cache.metrics().unwrap().memory_bytes, 0, "{store}");
            assert!(
                matches!(cache.view().reader(), Err(Error::Released { .. })),
                "{store}"
            );
        }
    }
}

#[test]
fn small_batches_are_joined_on_demand() {
    let options = Options::new().with_coalesce_rows(250);
    let cache = Cache::new(Counting::new(10, Then::End), &options).unwrap();
    let (given, error) = replay(&cache);
    let rows: Vec<_> = given
        .iter()
        .map(arrow_array::RecordBatch::num_rows)
        .collect();
    assert_eq!((rows, error), (vec![300, 300, 300, 100], None));
}

#[test]
fn what_was_let_go_is_not_complete() {
    let options = Options::new().with_max_readers(1);
    let cache = Cache::new(Counting::new(4, Then::End), &options).unwrap();
    let mut reader = cache.view().reader().unwrap();
    let rest = cache.view().slice(250, None);
    cache.ingest_all().unwrap();
    assert!(cache.view().extent().unwrap().is_complete);
    for is_left in [true, true, false] {
        reader.next_batch(&Uninterrupted).unwrap().unwrap();
        assert!(!cache.view().extent().unwrap().is_complete);
        assert_eq!(rest.extent().unwrap().is_complete, is_left);
        assert_eq!(rest.batch(0, &Uninterrupted).is_ok(), is_left);
    }
    while reader.next_batch(&Uninterrupted).unwrap().is_some() {}
    let extent = cache.view().extent().unwrap();
    assert_eq!((extent.batches, extent.rows), (4, 400));
    assert!(!extent.is_complete && extent.cache.is_ended());
    assert!(!rest.extent().unwrap().is_complete);
    assert!(matches!(
        rest.batch(0, &Uninterrupted),
        Err(Error::Released { .. })
    ));
    // Nothing is left to be ingested either.
    assert_eq!(cache.ingest_all().unwrap(), 4);
    assert!(cache.view().encoded(&Uninterrupted).is_err());
}
