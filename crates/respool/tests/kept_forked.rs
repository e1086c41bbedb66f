//! A forked child opens a log with a name anew. A process of its own: after the call it is a child.

mod support;

use respool::{Cache, Error, LogOptions, Options, Uninterrupted};
use support::{Counting, Then, batch, batches, directory, replay, replayed};

#[test]
fn what_is_on_a_log_with_a_name_goes_on_in_a_child() {
    let directory = directory();
    let made = |name: &str, count| {
        let log = LogOptions::new(directory.path().join(name)).allow_tmpfs(true);
        let options = Options::new().with_named_log(log);
        let cache = Cache::new(Counting::new(count, Then::End), &options).unwrap();
        cache.ingest_all().unwrap();
        cache
    };
    let (cache, closed) = (made("a", 5), made("b", 5));
    closed.close().unwrap();
    let view = cache.view().slice(250, None);
    let mut reader = cache.view().reader().unwrap();
    reader.next_batch(&Uninterrupted).unwrap();
    let temporary = Cache::new(Counting::new(2, Then::End), &Options::new()).unwrap();

    respool::fork::happened();

    assert_eq!(replay(&cache), (batches(5), None));
    let rows = replayed(view.reader().unwrap())
        .0
        .iter()
        .map(arrow_array::RecordBatch::num_rows)
        .sum::<usize>();
    assert_eq!(rows, 250);
    // A reader of the parent's goes on where it was.
    assert_eq!(reader.next_batch(&Uninterrupted).unwrap(), Some(batch(1)));
    assert!(matches!(temporary.view().reader(), Err(Error::Forked)));
    assert!(matches!(closed.view().reader(), Err(Error::Forked)));

    // A child of the child.
    respool::fork::happened();
    assert_eq!(replay(&cache), (batches(5), None));
    cache.close().unwrap();
    assert!(matches!(cache.view().reader(), Err(Error::Closed)));
}
