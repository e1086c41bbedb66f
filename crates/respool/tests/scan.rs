//! A scan leaves batches out, and reads where it is told to.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

mod support;

use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;
use respool::{Cache, LogOptions, Options, Scan, Uninterrupted};
use support::{Counting, Then, batches, directory, stores};

fn scanned(mut scan: Scan) -> Vec<RecordBatch> {
    let mut found = Vec::new();
    while let Some(batch) = scan.next_batch(&Uninterrupted).unwrap() {
        found.push(batch);
    }
    found
}

#[test]
fn batches_without_a_mark_are_read() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let cache = Cache::new(Counting::new(6, Then::End), &options).unwrap();
        cache.ingest_to(2, &Uninterrupted).unwrap();
        for _ in 0..2 {
            let scan = cache.view().scan(None, None).unwrap();
            let found = scanned(scan.keeping(vec![false, true, false]));
            let all = batches(6);
            assert_eq!(found, [&all[1..2], &all[3..]].concat(), "{store}");
        }
    }
}

#[test]
fn marks_count_from_the_first_batch_of_a_slice() {
    let cache = Cache::new(Counting::new(6, Then::End), &Options::new()).unwrap();
    cache.ingest_all().unwrap();
    let view = cache.view().slice(250, Some(200));
    let scan = view.scan(Some(&[0]), None).unwrap();
    let found = scanned(scan.keeping(vec![false, true, false]));
    let wanted = batches(4)[3].project(&[0]).unwrap();
    assert_eq!(found, [wanted]);
}

#[test]
fn what_is_left_out_is_not_pulled_twice_and_not_kept_from_others() {
    let source = Counting::new(4, Then::End);
    let asked = source.asked.clone();
    let cache = Cache::new(source, &Options::new()).unwrap();
    let none = cache.view().scan(None, None).unwrap();
    assert_eq!(scanned(none.keeping(vec![false; 4])), []);
    let all = cache.view().scan(None, None).unwrap();
    assert_eq!(scanned(all), batches(4));
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[test]
fn a_scan_from_the_log_leaves_memory_alone() {
    let directory = directory();
    let options = Options::new().with_log(LogOptions::new(directory.path()));
    let cache = Cache::new(Counting::new(6, Then::End), &options).unwrap();
    cache.ingest_all().unwrap();
    assert!(cache.is_in_memory() && cache.is_log_mapped());
    let scan = cache.view().scan(None, None).unwrap();
    assert_eq!(scanned(scan.from_log()), batches(6));
    let metrics = cache.metrics();
    assert_eq!((metrics.memory_hits, metrics.log_reads), (0, 6));
    assert_eq!(scanned(cache.view().scan(None, None).unwrap()), batches(6));
    assert_eq!(cache.metrics().memory_hits, 6);
}

#[test]
fn without_a_log_a_scan_from_the_log_reads_memory() {
    let cache = Cache::new(Counting::new(3, Then::End), &Options::new()).unwrap();
    cache.ingest_all().unwrap();
    assert!(!cache.is_log_mapped());
    let scan = cache.view().scan(None, None).unwrap();
    assert_eq!(scanned(scan.from_log()), batches(3));
}
