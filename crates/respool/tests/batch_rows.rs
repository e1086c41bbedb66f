//! The rows of stored batches, where that was said; and that nobody waits for it.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

mod support;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use arrow_array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchIterator, StringArray};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use proptest::prelude::*;
use respool::{
    BoxError, Budget, Cache, Distance, LogOptions, Options, ReadAhead, Source, Uninterrupted,
    WritePolicy,
};
use support::{directory, replay};

/// Consecutive numbers and texts.
fn rows(from: usize, count: usize) -> RecordBatch {
    let numbers = (from..from + count).map(|n| i64::try_from(n).unwrap());
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    let texts = (from..from + count).map(|n| format!("text {n}"));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    RecordBatch::try_from_iter([("n", numbers), ("s", texts)]).unwrap()
}

fn source(sizes: &[usize]) -> impl Source + 'static {
    let mut from = 0;
    let batches: Vec<_> = sizes
        .iter()
        .map(|count| {
            from += count;
            Ok(rows(from - count, *count))
        })
        .collect();
    RecordBatchIterator::new(batches, rows(0, 0).schema())
}

fn shaped(sizes: &[usize], options: &Options) -> Vec<usize> {
    let cache = Cache::new(source(sizes), options).unwrap();
    cache.ingest_all().unwrap();
    let (given, error) = replay(&cache);
    assert_eq!(error, None);
    let total = sizes.iter().sum();
    let schema = rows(0, 0).schema();
    assert_eq!(concat_batches(&schema, &given).unwrap(), rows(0, total));
    given.iter().map(RecordBatch::num_rows).collect()
}

#[test]
fn small_batches_are_joined_and_large_ones_cut() {
    let options = |least, most| Options::new().with_batch_rows(least, most).unwrap();
    assert_eq!(shaped(&[10; 10], &options(25, 50)), [30, 30, 30, 10]);
    assert_eq!(
        shaped(&[100, 7, 100], &options(1, 40)),
        [33, 33, 34, 7, 33, 33, 34]
    );
    // Of a large batch as much is joined to small ones as these want.
    assert_eq!(shaped(&[10, 60, 5], &options(25, 50)), [25, 45, 5]);
    assert_eq!(shaped(&[10, 30, 30], &options(25, 50)), [40, 30]);
    assert_eq!(shaped(&[24, 40, 1], &options(25, 50)), [25, 39, 1]);
    assert_eq!(shaped(&[7; 5], &options(10, 10)), [10, 10, 10, 5]);
    assert_eq!(shaped(&[35], &options(10, 10)), [10, 10, 10, 5]);
    assert_eq!(shaped(&[0, 0, 3, 0], &options(2, 10)), [3, 0]);
    for (least, most) in [(0, 0), (3, 2)] {
        assert!(Options::new().with_batch_rows(least, most).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn every_batch_but_the_last_has_as_many_rows_as_asked(
        sizes in prop::collection::vec(0_usize..60, 0..20),
        least in 0_usize..30,
        more in 0_usize..30,
    ) {
        let most = (least + more).max(1);
        let shaped = shaped(&sizes, &Options::new().with_batch_rows(least, most).unwrap());
        if let Some((last, others)) = shaped.split_last() {
            prop_assert!(others.iter().all(|it| (least..=most).contains(it)), "{shaped:?}");
            prop_assert!(*last <= most);
        }
    }
}

#[test]
fn slices_count_once_and_are_not_copied() {
    let directory = directory();
    let log = || LogOptions::new(directory.path());
    let whole = Budget::new(None);
    let cache = Cache::new(source(&[100_000]), &Options::new().with_budget(&whole)).unwrap();
    cache.ingest_all().unwrap();
    for options in [
        Options::new(),
        Options::new().with_log(log()),
        Options::new()
            .with_log(log())
            .with_write_policy(WritePolicy::OnEviction),
    ] {
        let budget = Budget::new(Some(1 << 30));
        let options = options
            .with_budget(&budget)
            .with_batch_rows(1, 1000)
            .unwrap();
        let cache = Cache::new(source(&[100_000]), &options).unwrap();
        cache.ingest_all().unwrap();
        let (given, _) = replay(&cache);
        assert_eq!(given.len(), 100);
        assert!(budget.used() >= whole.used());
        // What each batch takes besides.
        assert!(budget.used() < whole.used() + 100 * 2 * 1024);
        let texts = |batch: &RecordBatch| batch.column(1).to_data().buffers()[1].as_ptr() as usize;
        assert!(given.iter().all(|batch| texts(batch) == texts(&given[0])));
        drop((given, cache));
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn slices_stay_within_the_bound_of_memory() {
    let directory = directory();
    let sizes = [20_000; 10];
    for policy in [WritePolicy::OnInsertion, WritePolicy::OnEviction] {
        // Room for about two of the source's batches, for half of one, for none.
        for bound in [1_000_000, 250_000, 0] {
            let budget = Budget::new(Some(bound));
            let options = Options::new()
                .with_budget(&budget)
                .with_log(LogOptions::new(directory.path()))
                .with_write_policy(policy)
                .with_batch_rows(1, 1000)
                .unwrap();
            let cache = Cache::new(source(&sizes), &options).unwrap();
            while cache.ingest_for(Duration::ZERO, &Uninterrupted).unwrap() {
                assert!(budget.used() <= bound, "{} of {bound}", budget.used());
            }
            let (given, error) = replay(&cache);
            assert_eq!((given.len(), error), (200, None));
            assert!(cache.metrics().unwrap().batches_in_log > 100);
            assert!(budget.used() <= bound);
            for smaller in [bound / 3, 0] {
                budget.set_capacity(Some(smaller));
                cache.rebound().unwrap();
                assert!(budget.used() <= smaller, "{} of {smaller}", budget.used());
                assert_eq!(replay(&cache), (given.clone(), None));
            }
        }
    }
}

#[test]
fn slices_of_a_batch_that_memory_has_no_room_for_do_not_hold_it() {
    let directory = directory();
    // Of text a slice would be copied in any case: it holds much more than it shows.
    let large = rows(0, 20_000).project(&[0]).unwrap();
    let at = |batch: &RecordBatch| batch.column(0).to_data().buffers()[0].as_ptr() as usize;
    let held = at(&large)..at(&large) + 20_000 * 8;
    let source = RecordBatchIterator::new([Ok(large.clone())], large.schema());
    let options = Options::new()
        .with_memory_capacity(100_000)
        .with_log(LogOptions::new(directory.path()))
        .with_write_policy(WritePolicy::OnEviction)
        .with_batch_rows(1, 1000)
        .unwrap();
    let cache = Cache::new(source, &options).unwrap();
    cache.ingest_all().unwrap();
    assert!(cache.metrics().unwrap().batches_in_memory > 5);
    let (given, error) = replay(&cache);
    assert_eq!((given.len(), error), (20, None));
    assert!(given.iter().all(|batch| !held.contains(&at(batch))));
}

/// Gives so many small batches at once, and the next when it is told to.
struct Stalling {
    given: usize,
    at_once: usize,
    waits: Sender<()>,
    go_on: Receiver<()>,
}

impl Source for Stalling {
    fn schema(&self) -> SchemaRef {
        rows(0, 0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.given += 1;
        if self.given > self.at_once {
            self.waits.send(())?;
            self.go_on.recv()?;
            return Ok(None);
        }
        Ok(Some(rows(10 * (self.given - 1), 10)))
    }
}

fn stalling(at_once: usize) -> (Stalling, Receiver<()>, Sender<()>) {
    let (waits, is_waiting) = mpsc::channel();
    let (tell, go_on) = mpsc::channel();
    let source = Stalling {
        given: 0,
        at_once,
        waits,
        go_on,
    };
    (source, is_waiting, tell)
}

#[test]
fn the_first_rows_are_given_as_they_come() {
    let (source, is_waiting, tell) = stalling(1);
    let options = Options::new().with_batch_rows(1000, 2000).unwrap();
    let cache = Cache::new(source, &options).unwrap();
    let mut reader = cache.view().reader().unwrap();
    assert_eq!(
        reader.next_batch(&Uninterrupted).unwrap(),
        Some(rows(0, 10))
    );
    assert!(is_waiting.try_recv().is_err());
    drop(tell);
    // To join them for ever is what `coalesce_rows` means.
    let (source, is_waiting, tell) = stalling(1);
    let options = Options::new().with_coalesce_rows(1000);
    let cache = Cache::new(source, &options).unwrap();
    let reads = thread::spawn(move || {
        let mut reader = cache.view().reader().unwrap();
        reader.next_batch(&Uninterrupted).unwrap()
    });
    is_waiting.recv().unwrap();
    assert!(!reads.is_finished());
    tell.send(()).unwrap();
    assert_eq!(reads.join().unwrap(), Some(rows(0, 10)));
}

/// Takes its time for each batch.
struct Slow(Stalling);

impl Source for Slow {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        thread::sleep(Duration::from_millis(7));
        self.0.next_batch()
    }
}

#[test]
fn a_source_that_takes_its_time_is_not_waited_for_twice() {
    let (source, _is_waiting, tell) = stalling(5);
    tell.send(()).unwrap();
    let options = Options::new().with_batch_rows(1000, 2000).unwrap();
    let cache = Cache::new(Slow(source), &options).unwrap();
    let (given, error) = replay(&cache);
    assert_eq!(error, None);
    assert!(given.iter().map(RecordBatch::num_rows).eq([10; 5]));
    // Nobody waits for a batch where all are ingested.
    let (source, _is_waiting, tell) = stalling(5);
    tell.send(()).unwrap();
    let cache = Cache::new(Slow(source), &options).unwrap();
    cache.ingest_all().unwrap();
    assert_eq!(replay(&cache), (vec![rows(0, 50)], None));
}

#[test]
fn what_was_read_ahead_is_given_while_the_source_stalls() {
    let (source, is_waiting, tell) = stalling(4);
    let options = Options::new()
        .with_batch_rows(1000, 2000)
        .unwrap()
        .with_read_ahead(ReadAhead::new(Distance::Batches(1)));
    let cache = Cache::new(source, &options).unwrap();
    let mut reader = cache.view().reader().unwrap();
    let mut given = 0;
    while given < 40 {
        let batch = reader.next_batch(&Uninterrupted).unwrap().unwrap();
        assert_eq!(batch, rows(given, batch.num_rows()));
        given += batch.num_rows();
    }
    // All of that came while the source was not told to go on.
    is_waiting.recv().unwrap();
    tell.send(()).unwrap();
    assert_eq!(reader.next_batch(&Uninterrupted).unwrap(), None);
}
