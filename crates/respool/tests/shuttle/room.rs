//! Readers where room is short: a log behind memory, bounds that change, batches that are let go.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, RecordBatch};
use arrow_schema::SchemaRef;
use respool::{Access, BoxError, Error, LogOptions, Options, Source, Uninterrupted, WritePolicy};
use shuttle::thread;

use crate::scene::{
    Ended, Numbers, TWO, Then, cache, check, join, read_all, read_some, reader, replay, resize,
};

fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Memory for about two batches, and a log.
fn overflowing(policy: WritePolicy, then: Then) {
    let directory = directory();
    check(400, move || {
        let (source, seen) = Numbers::new(5, then);
        let options = Options::new()
            .with_log(LogOptions::new(directory.path()))
            .with_write_policy(policy);
        let (cache, budget) = cache(source, &options, Some(TWO));
        join([(); 3].map(|()| replay(&cache, 5, then)));
        seen.was_read_once(5);
        assert!(budget.used() <= TWO);
        assert!(cache.metrics().unwrap().batches_in_log >= 3);
        join([replay(&cache, 5, then)]);
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn a_log_that_is_written_at_once() {
    overflowing(WritePolicy::OnInsertion, Then::End);
}

#[test]
fn a_log_that_memory_overflows_into() {
    overflowing(WritePolicy::OnEviction, Then::Fail);
}

#[test]
fn bounds_that_change_while_batches_move() {
    for access in [Access::Read, Access::default()] {
        let directory = directory();
        check(300, move || {
            let (source, seen) = Numbers::new(6, Then::End);
            let options = Options::new()
                .with_log(LogOptions::new(directory.path()).access(access))
                .with_write_policy(WritePolicy::OnEviction);
            let (cache, budget) = cache(source, &options, Some(2 * TWO));
            let readers = [(); 2].map(|()| replay(&cache, 6, Then::End));
            let resizers = [TWO / 2, TWO].map(|smaller| {
                let cache = cache.clone();
                let budget = budget.clone();
                thread::spawn(move || {
                    resize(&cache, &budget, Some(smaller)).unwrap();
                    let before = cache.metrics().unwrap();
                    resize(&cache, &budget, Some(2 * TWO)).unwrap();
                    resize(&cache, &budget, Some(smaller)).unwrap();
                    let after = cache.metrics().unwrap();
                    assert!(before.batches_in_log <= after.batches_in_log);
                    assert!(after.batches_in_log <= 6);
                })
            });
            join(readers.into_iter().chain(resizers));
            seen.was_read_once(6);
            join([replay(&cache, 6, Then::End)]);
            resize(&cache, &budget, Some(0)).unwrap();
            assert_eq!(budget.used(), 0);
            assert_eq!(cache.metrics().unwrap().batches_in_log, 6);
            join([replay(&cache, 6, Then::End)]);
            drop(cache);
            assert_eq!(budget.used(), 0);
        });
    }
}

#[test]
fn memory_that_is_full_until_it_is_resized() {
    check(2000, || {
        let (source, seen) = Numbers::new(4, Then::End);
        let (cache, budget) = cache(source, &Options::new(), Some(TWO));
        let readers = [(); 3].map(|()| replay(&cache, 4, Then::End));
        let resizer = {
            let cache = cache.clone();
            let budget = budget.clone();
            thread::spawn(move || {
                thread::yield_now();
                assert!(cache.snapshot().unwrap().batches <= 2);
                resize(&cache, &budget, None).unwrap();
            })
        };
        join(readers.into_iter().chain([resizer]));
        seen.was_read_once(4);
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn a_log_that_is_full_until_it_is_resized() {
    let directory = directory();
    check(1000, move || {
        let (source, seen) = Numbers::new(4, Then::End);
        let options = Options::new().with_log(LogOptions::new(directory.path()).capacity(Some(0)));
        let (cache, budget) = cache(source, &options, Some(TWO));
        let readers = [(); 2].map(|()| replay(&cache, 4, Then::End));
        let resizer = {
            let cache = cache.clone();
            thread::spawn(move || {
                assert_eq!(cache.snapshot().unwrap().batches, 0);
                cache.resize(None, None).unwrap();
            })
        };
        join(readers.into_iter().chain([resizer]));
        seen.was_read_once(4);
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn closing_while_the_log_is_written() {
    let directory = directory();
    check(300, move || {
        let (source, seen) = Numbers::new(5, Then::End);
        let options = Options::new()
            .with_log(LogOptions::new(directory.path()))
            .with_write_policy(WritePolicy::OnEviction);
        let (cache, budget) = cache(source, &options, Some(TWO));
        let readers = [(); 2].map(|()| {
            let reader = reader(&cache);
            thread::spawn(move || {
                let (_, ended) = read_all(reader);
                assert_ne!(ended, Ended::Failed);
            })
        });
        let closer = {
            let cache = cache.clone();
            let budget = budget.clone();
            thread::spawn(move || {
                // Makes room at the same time as the puller, or finds the cache closed.
                let resized = resize(&cache, &budget, Some(TWO / 2));
                assert!(
                    matches!(resized, Ok(()) | Err(Error::Closed)),
                    "{resized:?}"
                );
            })
        };
        thread::yield_now();
        cache.close().unwrap();
        join(readers.into_iter().chain([closer]));
        seen.was_let_go();
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn what_every_reader_has_passed_is_let_go() {
    check(2000, || {
        let (source, seen) = Numbers::new(4, Then::End);
        let options = Options::new().with_max_readers(3);
        let (cache, budget) = cache(source, &options, Some(4 * TWO));
        // One gives up on the way: nothing waits for it any more.
        let mut other = reader(&cache);
        let readers = [(); 2].map(|()| replay(&cache, 4, Then::End));
        let leaver = thread::spawn(move || {
            assert_eq!(read_some(&mut other, 2), (2, None));
        });
        join(readers.into_iter().chain([leaver]));
        seen.was_read_once(4);
        assert_eq!(budget.used(), 0);
        drop(cache);
    });
}

/// Gives batches of which the log keeps the dictionary, each another.
struct Dictionaries(i32);

impl Dictionaries {
    fn batch(index: i32) -> RecordBatch {
        let texts = format!("text {index} {}", "of some length ".repeat(20));
        let texts: DictionaryArray<Int32Type> = [texts.as_str()].into_iter().collect();
        let column: ArrayRef = Arc::new(texts);
        RecordBatch::try_from_iter([("s", column)]).unwrap()
    }
}

impl Source for Dictionaries {
    fn schema(&self) -> SchemaRef {
        Self::batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.0 += 1;
        Ok((self.0 <= 3).then(|| Self::batch(self.0)))
    }
}

#[test]
fn what_the_log_holds_in_memory_is_counted_until_the_end() {
    let directory = directory();
    check(300, move || {
        let log = LogOptions::new(directory.path()).access(Access::Read);
        let (cache, budget) = cache(Dictionaries(0), &Options::new().with_log(log), Some(0));
        let readers = [(); 2].map(|()| {
            let mut reader = reader(&cache);
            thread::spawn(move || while let Ok(Some(_)) = reader.next_batch(&Uninterrupted) {})
        });
        thread::yield_now();
        cache.close().unwrap();
        join(readers);
        assert_eq!(budget.used(), 0);
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}
