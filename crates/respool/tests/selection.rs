//! A view of some batches leaves the others out, and a replay reads where it is told to.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

mod support;

use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow_array::RecordBatch;
use respool::{Cache, LogOptions, Options, Polled, Position, Residence, Uninterrupted, View};
use support::{Counting, Then, batches, directory, replay, replayed, stores};

fn read(view: &View) -> Vec<RecordBatch> {
    let (given, error) = replayed(view.reader().unwrap());
    assert_eq!(error, None);
    given
}

#[test]
fn batches_from_a_number_on_are_read_too() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let cache = Cache::new(Counting::new(6, Then::End), &options).unwrap();
        cache.view().batch(2, &Uninterrupted).unwrap();
        for _ in 0..2 {
            let found = read(&cache.view().batches(&[1], 3).unwrap());
            let all = batches(6);
            assert_eq!(found, [&all[1..2], &all[3..]].concat(), "{store}");
        }
    }
}

#[test]
fn some_batches_of_a_slice() {
    let cache = Cache::new(Counting::new(6, Then::End), &Options::new()).unwrap();
    cache.ingest_all().unwrap();
    let view = cache.view().slice(250, Some(200));
    assert_eq!(view.stored_batches().unwrap(), [2, 3, 4]);
    let some = view.select_indexes(&[0]).unwrap().batches(&[3], 5).unwrap();
    let wanted = batches(4)[3].project(&[0]).unwrap();
    assert_eq!(read(&some), [wanted]);
}

#[test]
fn a_slice_counts_the_rows_of_the_batches_that_are_shown() {
    let all = batches(6);
    for ingested in [false, true] {
        let cache = Cache::new(Counting::new(6, Then::End), &Options::new()).unwrap();
        if ingested {
            cache.ingest_all().unwrap();
        }
        // Batches 1, 3 and 5: rows 50 to 200 of them are in the first two.
        let odd = cache.view().stride(1, 2).unwrap();
        let slice = odd.slice(50, Some(150));
        assert_eq!(read(&slice), [all[1].slice(50, 50), all[3].clone()]);
        assert_eq!(slice.count(&Uninterrupted).unwrap(), (2, 150));
        let second = slice.batch(1, &Uninterrupted).unwrap();
        assert_eq!(second, Some(all[3].clone()));
        assert_eq!(slice.batch(2, &Uninterrupted).unwrap(), None);
        assert_eq!(read(&slice.slice(120, None)), [all[3].slice(70, 30)]);
        // Rows of the cache, where the slice came first.
        let first = cache.view().slice(150, Some(200));
        let some = first.batches(&[1, 3], 6).unwrap();
        assert_eq!(read(&some), [all[1].slice(50, 50), all[3].slice(0, 50)]);
        assert_eq!(read(&some.slice(60, None)), [all[3].slice(10, 40)]);
    }
}

#[test]
fn a_slice_of_nothing_asks_for_nothing() {
    let source = Counting::new(4, Then::Fail);
    let asked = source.asked.clone();
    let cache = Cache::new(source, &Options::new()).unwrap();
    let nothing = cache.view().slice(250, Some(0));
    assert!(!nothing.ingest_for(Duration::MAX, &Uninterrupted).unwrap());
    assert!(nothing.extent().unwrap().is_complete);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

#[test]
fn what_is_left_out_is_not_pulled_twice_and_not_kept_from_others() {
    let source = Counting::new(4, Then::End);
    let asked = source.asked.clone();
    let cache = Cache::new(source, &Options::new()).unwrap();
    assert_eq!(read(&cache.view().batches(&[], 4).unwrap()), []);
    assert_eq!(read(&cache.view()), batches(4));
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[test]
fn ranks_together_read_every_batch_once() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let cache = Cache::new(Counting::new(7, Then::End), &options).unwrap();
        let parts: Vec<_> = (0..3)
            .map(|rank| read(&cache.view().stride(rank, 3).unwrap()))
            .collect();
        let woven: Vec<_> = (0..7).map(|i| parts[i % 3][i / 3].clone()).collect();
        assert_eq!(woven, batches(7), "{store}");
        assert!(cache.view().stride(3, 3).is_err());
    }
}

#[test]
fn a_stride_beyond_all_numbers_takes_one_batch() {
    let cache = Cache::new(Counting::new(3, Then::End), &Options::new()).unwrap();
    cache.ingest_all().unwrap();
    let second = cache.view().stride(1, usize::MAX).unwrap();
    assert_eq!(second.stored_batches().unwrap(), [1]);
    assert_eq!(read(&second), batches(3)[1..2]);
    let none = cache.view().stride(usize::MAX - 1, usize::MAX).unwrap();
    assert_eq!(read(&none.batches(&[], 2).unwrap()), []);
}

#[test]
fn readers_that_use_batches_up_are_not_shared_out() {
    let options = Options::new().with_max_readers(2);
    let cache = Cache::new(Counting::new(7, Then::End), &options).unwrap();
    assert!(cache.view().stride(0, 2).is_err());
}

#[test]
fn a_position_is_taken_up_by_another_reader() {
    let directory = directory();
    for (store, options) in stores(&directory) {
        let cache = Cache::new(Counting::new(9, Then::End), &options).unwrap();
        let view = cache.view().stride(1, 2).unwrap();
        let mut reader = view.reader().unwrap();
        let mut given = vec![reader.next_batch(&Uninterrupted).unwrap().unwrap()];
        let position = reader.at();
        assert_eq!(
            position,
            Position {
                batch: 2,
                passed: 0
            }
        );
        drop(reader);
        let (rest, _) = replayed(view.reader_at(position, &Uninterrupted).unwrap());
        given.extend(rest);
        assert_eq!(given, read(&view), "{store}");
        assert_eq!(given.len(), 4);
    }
}

#[test]
fn a_replay_from_the_log_leaves_memory_alone() {
    let directory = directory();
    let options = Options::new().with_log(LogOptions::new(directory.path()));
    let cache = Cache::new(Counting::new(6, Then::End), &options).unwrap();
    cache.ingest_all().unwrap();
    let view = cache.view();
    assert_eq!(view.residence().unwrap(), Some(Residence::Memory));
    let (given, _) = replayed(view.reader().unwrap().from_log());
    assert_eq!(given, batches(6));
    let metrics = cache.metrics().unwrap();
    assert_eq!((metrics.memory_hits, metrics.log_reads), (0, 6));
    assert_eq!(replay(&cache), (batches(6), None));
    assert_eq!(cache.metrics().unwrap().memory_hits, 6);
}

#[test]
fn without_a_log_a_replay_from_the_log_reads_memory() {
    let cache = Cache::new(Counting::new(3, Then::End), &Options::new()).unwrap();
    cache.ingest_all().unwrap();
    let (given, _) = replayed(cache.view().reader().unwrap().from_log());
    assert_eq!(given, batches(3));
}

#[test]
fn what_is_not_stored_is_pending() {
    let cache = Cache::new(Counting::new(3, Then::End), &Options::new()).unwrap();
    assert_eq!(cache.view().residence().unwrap(), None);
    assert!(matches!(
        cache.view().reader().unwrap().poll().unwrap(),
        Polled::Pending
    ));
}

#[test]
fn a_slice_shows_no_batches_without_rows() {
    let (empty, full) = (batches(1)[0].slice(0, 0), batches(1)[0].slice(0, 2));
    let given = [empty.clone(), full.clone(), empty].map(Ok::<_, arrow_schema::ArrowError>);
    let source = arrow_array::RecordBatchIterator::new(given, full.schema());
    let cache = Cache::new(source, &Options::new()).unwrap();
    cache.ingest_all().unwrap();
    assert_eq!(read(&cache.view()).len(), 3);
    assert_eq!(cache.view().extent().unwrap().batches, 3);
    for slice in [
        cache.view().slice(0, Some(2)),
        cache.view().slice(0, Some(5)),
    ] {
        assert_eq!(read(&slice), std::slice::from_ref(&full));
        assert_eq!(slice.extent().unwrap().batches, 1);
        assert_eq!(slice.stored_batches().unwrap(), [1]);
        assert_eq!(slice.batch(0, &Uninterrupted).unwrap(), Some(full.clone()));
        assert_eq!(slice.batch(1, &Uninterrupted).unwrap(), None);
    }
}

/// The view of the numbers that are not below one.
fn from_number(cache: &Cache, number: i64) -> View {
    use respool::predicate::{Operator, Predicate, Scalar, Term};
    let term = Term::new(&cache.schema(), 0, &[]).unwrap();
    let predicate = Predicate::compare(term, Operator::Ge, &Scalar::from(number));
    cache.view().filter(&predicate).unwrap()
}

#[test]
fn a_slice_of_a_filtered_view_is_ingested_as_far_as_it_shows() {
    for first in [0, 150] {
        let source = Counting::new(7, Then::Fail);
        let asked = source.asked.clone();
        let cache = Cache::new(source, &Options::new()).unwrap();
        // Of the rows from 150 on rows 100 to 300: rows 250 to 450.
        let slice = from_number(&cache, first).slice(100, Some(200));
        let found = slice.ingest_for(Duration::MAX, &Uninterrupted).unwrap();
        assert!(!found && slice.extent().unwrap().is_complete);
        let batches = usize::try_from((first + 300 + 99) / 100).unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), batches);
        assert!(!slice.ingest_for(Duration::MAX, &Uninterrupted).unwrap());
        assert_eq!(slice.count(&Uninterrupted).unwrap().1, 200);
        // Parts of it were found too; what reaches further was not.
        let shown = slice.select_indexes(&[1]).unwrap();
        assert!(shown.slice(0, Some(10)).extent().unwrap().is_complete);
        let more = from_number(&cache, first).slice(100, Some(400));
        assert!(!more.extent().unwrap().is_complete);
    }
}

#[test]
fn a_slice_of_a_filtered_view_is_ingested_bit_by_bit() {
    let cache = Cache::new(Counting::new(7, Then::Fail), &Options::new()).unwrap();
    let slice = from_number(&cache, 150).slice(100, Some(200));
    let mut calls = 0;
    while slice.ingest_for(Duration::ZERO, &Uninterrupted).unwrap() {
        assert!(!slice.extent().unwrap().is_complete);
        calls += 1;
    }
    assert!(calls > 3 && slice.extent().unwrap().is_complete);
    assert_eq!(cache.snapshot().unwrap().batches, 5);
    let beyond = from_number(&cache, 650).slice(0, Some(200));
    assert!(beyond.ingest_for(Duration::MAX, &Uninterrupted).is_err());
    assert!(!beyond.extent().unwrap().is_complete);
}

#[test]
fn a_slice_of_a_filtered_view_is_complete_once_it_was_read() {
    let cache = Cache::new(Counting::new(7, Then::Fail), &Options::new()).unwrap();
    let slice = from_number(&cache, 150).slice(100, Some(200));
    let mut reader = slice.reader().unwrap();
    while !slice.extent().unwrap().is_complete {
        reader.next_batch(&Uninterrupted).unwrap().unwrap();
    }
    assert_eq!(reader.next_batch(&Uninterrupted).unwrap(), None);
    // Of some batches, too.
    let odd = cache.view().stride(1, 2).unwrap().slice(50, Some(100));
    assert!(!odd.ingest_for(Duration::MAX, &Uninterrupted).unwrap());
    assert!(odd.extent().unwrap().is_complete);
    assert_eq!(cache.snapshot().unwrap().batches, 5);
}
