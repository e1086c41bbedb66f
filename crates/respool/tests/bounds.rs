//! Bounds that change, and what is held within them.

mod support;

use respool::{Access, Cache, LogOptions, Options, WritePolicy};
use support::{Counting, Then, batches, directory, replay};

#[test]
fn a_bound_of_nothing_lets_go_what_the_log_has_too() {
    let directory = directory();
    for access in [Access::Read, Access::default()] {
        let log = LogOptions::new(directory.path()).access(access);
        let options = Options::new().with_memory_capacity(1 << 20).with_log(log);
        let cache = Cache::new(Counting::new(3, Then::End), &options).unwrap();
        cache.ingest_all().unwrap();
        assert_eq!(cache.metrics().unwrap().batches_in_memory, 3);
        cache.resize(Some(0), None).unwrap();
        assert_eq!(cache.metrics().unwrap().memory_bytes, 0);
        assert_eq!(replay(&cache), (batches(3), None));
    }
}

#[test]
fn what_is_moved_to_the_log_leaves_memory() {
    let directory = directory();
    let options = Options::new()
        .with_memory_capacity(1 << 20)
        .with_log(LogOptions::new(directory.path()))
        .with_write_policy(WritePolicy::OnEviction);
    let cache = Cache::new(Counting::new(3, Then::End), &options).unwrap();
    cache.ingest_all().unwrap();
    assert_eq!(cache.metrics().unwrap().batches_in_log, 0);
    cache.resize(Some(0), None).unwrap();
    let metrics = cache.metrics().unwrap();
    assert_eq!((metrics.memory_bytes, metrics.batches_in_log), (0, 3));
    assert_eq!(replay(&cache), (batches(3), None));
}
