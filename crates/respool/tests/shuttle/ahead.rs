//! A thread that reads ahead, beside readers, closing, want of room, and the end of the process.

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use respool::{Budget, Distance, Error, Options, ReadAhead, stop_reading_ahead};
use shuttle::thread;

use crate::scene::{
    Ended, Numbers, Seen, TWO, Then, cache, check, join, read_all, read_some, reader, replay,
    resize,
};

fn ahead(batches: usize) -> Options {
    Options::new().with_read_ahead(ReadAhead::new(Distance::Batches(batches)))
}

/// Waits until the thread has let everything go, as it does by itself.
fn until_gone(seen: &Arc<Seen>, budget: &Budget) {
    while !seen.is_gone.load(SeqCst) || budget.used() > 0 {
        thread::yield_now();
    }
    seen.was_let_go();
}

fn readers_of_a_source_that_is_read_ahead(then: Then) {
    for distance in [1, 9] {
        check(1000, move || {
            let (source, seen) = Numbers::new(3, then);
            let (cache, budget) = cache(source, &ahead(distance), None);
            let mut other = reader(&cache);
            let mut threads = vec![thread::spawn(move || {
                assert_eq!(read_some(&mut other, 1), (1, None));
            })];
            threads.extend((0..2).map(|_| replay(&cache, 3, then)));
            join(threads);
            assert_eq!(seen.asked.load(SeqCst), 3 + 1);
            join([replay(&cache, 3, then)]);
            assert_eq!(seen.asked.load(SeqCst), 3 + 1);
            drop(cache);
            until_gone(&seen, &budget);
        });
    }
}

#[test]
fn a_source_that_ends() {
    readers_of_a_source_that_is_read_ahead(Then::End);
}

#[test]
fn a_source_that_fails_or_panics() {
    readers_of_a_source_that_is_read_ahead(Then::Fail);
    readers_of_a_source_that_is_read_ahead(Then::Panic);
}

#[test]
fn all_is_ingested_beside_it() {
    check(1000, || {
        let (source, seen) = Numbers::new(4, Then::End);
        let (cache, budget) = cache(source, &ahead(1), None);
        let all = {
            let cache = cache.clone();
            thread::spawn(move || assert_eq!(cache.ingest_all().unwrap(), 4))
        };
        join([
            all,
            replay(&cache, 4, Then::End),
            replay(&cache, 4, Then::End),
        ]);
        assert_eq!(seen.asked.load(SeqCst), 4 + 1);
        drop(cache);
        until_gone(&seen, &budget);
    });
}

#[test]
fn rows_that_wait_to_be_joined_are_given() {
    check(1000, || {
        let (source, seen) = Numbers::new(4, Then::End);
        let options = ahead(1).with_batch_rows(100, 1000).unwrap();
        let (cache, budget) = cache(source, &options, None);
        // How many batches there are depends on who waits when.
        let readers = [(); 2].map(|()| {
            let reader = reader(&cache);
            thread::spawn(move || {
                let (given, ended) = read_all(reader);
                assert!((2..=4).contains(&given));
                assert_eq!(ended, Ended::Cleanly);
            })
        });
        join(readers);
        assert_eq!(seen.asked.load(SeqCst), 4 + 1);
        assert_eq!(cache.snapshot().unwrap().rows, 4 * 64);
        drop(cache);
        until_gone(&seen, &budget);
    });
}

#[test]
fn a_cache_that_is_closed_or_let_go_in_the_middle() {
    for is_closed in [true, false] {
        check(1000, move || {
            let (source, seen) = Numbers::new(5, Then::End);
            let (cache, budget) = cache(source, &ahead(2), None);
            let readers = [(); 2].map(|()| {
                let mut reader = reader(&cache);
                thread::spawn(move || match read_some(&mut reader, 2) {
                    (given, Some(Ended::Closed)) => assert!(given <= 2),
                    (given, ended) => assert_eq!((given, ended), (2, None)),
                })
            });
            if is_closed {
                cache.close().unwrap();
                assert!(matches!(cache.view().reader(), Err(Error::Closed)));
            }
            join(readers);
            drop(cache);
            until_gone(&seen, &budget);
        });
    }
}

#[test]
fn memory_that_is_full_until_it_is_resized() {
    check(1000, || {
        let (source, seen) = Numbers::new(4, Then::End);
        let (cache, budget) = cache(source, &ahead(9), Some(TWO));
        let readers = [(); 2].map(|()| replay(&cache, 4, Then::End));
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
        assert_eq!(seen.asked.load(SeqCst), 4 + 1);
        drop(cache);
        until_gone(&seen, &budget);
    });
}

#[test]
fn what_every_reader_has_passed_is_let_go() {
    check(1000, || {
        let (source, seen) = Numbers::new(5, Then::End);
        let (cache, budget) = cache(source, &ahead(9).with_max_readers(2), Some(TWO));
        join([(); 2].map(|()| replay(&cache, 5, Then::End)));
        until_gone(&seen, &budget);
        assert_eq!(seen.asked.load(SeqCst), 6);
        drop(cache);
    });
}

#[test]
fn threads_are_told_to_end() {
    check(1000, || {
        let (source, seen) = Numbers::new(4, Then::End);
        let (cache, budget) = cache(source, &ahead(2), None);
        let readers = [(); 2].map(|()| replay(&cache, 4, Then::End));
        thread::yield_now();
        stop_reading_ahead();
        join(readers);
        assert_eq!(seen.asked.load(SeqCst), 4 + 1);
        drop(cache);
        until_gone(&seen, &budget);
    });
}
