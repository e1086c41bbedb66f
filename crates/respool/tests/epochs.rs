//! Epochs: the order, places, and steps that are made ahead.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Int64Array, RecordBatch, RecordBatchIterator};
use respool::epochs::{EpochOptions, Epochs, Form, Made, Shuffle, Tail};
use respool::{BoxError, Cache, Error, Interrupt, Options, Uninterrupted};

/// Batches of so many rows, numbered throughout, all stored.
fn cache(rows: &[usize]) -> Cache {
    let mut next = 0;
    let batches: Vec<RecordBatch> = rows
        .iter()
        .map(|count| {
            let from = next;
            next += i64::try_from(*count).unwrap();
            let ids = Int64Array::from_iter_values(from..next);
            RecordBatch::try_from_iter([("id", Arc::new(ids) as _)]).unwrap()
        })
        .collect();
    let schema = batches[0].schema();
    let source = RecordBatchIterator::new(batches.into_iter().map(Ok), schema);
    let cache = Cache::new(source, &Options::new()).unwrap();
    cache.ingest_all().unwrap();
    cache
}

fn epochs(cache: &Cache, options: EpochOptions) -> Epochs {
    Epochs::new(cache.view(), options, &Uninterrupted).unwrap()
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    batch
        .column(0)
        .as_primitive::<Int64Type>()
        .values()
        .to_vec()
}

/// The rows of an epoch from a step on.
fn read(epochs: &Epochs, epoch: u64, done: u64) -> Vec<Vec<i64>> {
    let mut steps = epochs.begin(epoch, done, Form::Batch).unwrap();
    let mut read = Vec::new();
    while let Some(made) = steps.next_step(&Uninterrupted).unwrap() {
        let Made::Batch(batch) = made else {
            unreachable!("batches were asked for")
        };
        read.push(ids(&batch));
    }
    read
}

/// Never to be changed: places that were saved with an older version have to mean the same.
#[test]
fn the_order_is_the_one_that_was_written_down() {
    let cache = cache(&[3, 4, 2, 3]);
    let options = |shuffle| EpochOptions {
        seed: 7,
        shuffle,
        window: Some(2),
        ..EpochOptions::new(12)
    };
    let mixed = read(&epochs(&cache, options(Shuffle::Window)), 3, 0);
    assert_eq!(mixed, [MIXED]);
    let batches = read(&epochs(&cache, options(Shuffle::Batches)), 3, 0);
    assert_eq!(batches, [BATCHES]);
    let plain = read(&epochs(&cache, options(Shuffle::Nothing)), 3, 0);
    assert_eq!(plain, [(0..12).collect::<Vec<i64>>()]);
}

const MIXED: [i64; 12] = [2, 0, 1, 8, 7, 3, 11, 10, 5, 9, 4, 6];
const BATCHES: [i64; 12] = [7, 8, 0, 1, 2, 9, 10, 11, 3, 4, 5, 6];

#[test]
fn ranks_and_places_are_parts_of_one_order() {
    let cache = cache(&[10, 1, 25, 14, 30, 20]);
    let options = EpochOptions {
        tail: Tail::Pad,
        ..EpochOptions::new(12)
    };
    let whole = read(&epochs(&cache, options.clone()), 5, 0);
    assert_eq!(whole.len(), 9);
    for prefetch in [0, 1, 4] {
        for world_size in [1, 2, 3, 4, 6, 12] {
            let ranks: Vec<Vec<Vec<i64>>> = (0..world_size)
                .map(|rank| {
                    let options = EpochOptions {
                        rank,
                        world_size,
                        prefetch,
                        ..options.clone()
                    };
                    read(&epochs(&cache, options), 5, 4)
                })
                .collect();
            for (step, expected) in whole[4..].iter().enumerate() {
                let all: Vec<i64> = ranks.iter().flat_map(|rank| rank[step].clone()).collect();
                assert_eq!(all, *expected);
            }
        }
    }
}

#[test]
fn a_place_in_something_else_is_refused() {
    let cache = cache(&[10, 20]);
    let ours = epochs(&cache, EpochOptions::new(5));
    let state = ours.state(2, 3).unwrap();
    assert_eq!(ours.restored(&state).unwrap(), (2, 3));
    let mut other = state.clone();
    other.seed = 9;
    assert!(matches!(
        ours.restored(&other),
        Err(Error::InvalidArgument(_))
    ));
    let mut behind = state;
    behind.rows_done = 35;
    assert!(ours.restored(&behind).is_err());
}

/// Interrupts the second time it is asked.
struct Once(std::cell::Cell<bool>);

impl Interrupt for Once {
    fn check(&self) -> Result<(), BoxError> {
        if self.0.replace(true) {
            return Err("enough".into());
        }
        Ok(())
    }
}

#[test]
fn what_comes_ahead_is_bounded_and_ends_when_it_is_dropped() {
    let cache = cache(&[100; 10]);
    let options = EpochOptions {
        prefetch: 2,
        ..EpochOptions::new(10)
    };
    let epochs = epochs(&cache, options);
    let mut steps = epochs.begin(0, 0, Form::Batch).unwrap();
    let interrupt = Once(std::cell::Cell::new(false));
    assert!(steps.next_step(&interrupt).unwrap().is_some());
    assert_eq!(steps.done(), 1);
    drop(steps);
    // What it read is let go: only the cache and the epochs have the store.
    drop(epochs);
    cache.close().unwrap();
    assert!(matches!(
        Epochs::new(cache.view(), EpochOptions::new(1), &Uninterrupted),
        Err(Error::Closed)
    ));
}

#[test]
fn rows_are_taken_by_their_numbers() {
    let cache = cache(&[2, 3, 4]);
    let epochs = epochs(&cache, EpochOptions::new(1));
    let taken = epochs.take(&[8, 0, 4, 4, 2]).unwrap();
    assert_eq!(ids(&taken), [8, 0, 4, 4, 2]);
    assert!(epochs.take(&[9]).is_err());
    assert_eq!(epochs.take(&[]).unwrap().num_rows(), 0);
}

#[test]
fn a_closed_cache_is_an_error_at_its_place() {
    let cache = cache(&[10; 10]);
    let options = EpochOptions {
        shuffle: Shuffle::Batches,
        prefetch: 1,
        ..EpochOptions::new(10)
    };
    let epochs = epochs(&cache, options);
    let mut steps = epochs.begin(0, 0, Form::Batch).unwrap();
    assert!(steps.next_step(&Uninterrupted).unwrap().is_some());
    cache.close().unwrap();
    let error = loop {
        match steps.next_step(&Uninterrupted) {
            Ok(made) => assert!(made.is_some()),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Closed));
    assert!(matches!(
        steps.next_step(&Uninterrupted),
        Err(Error::Closed)
    ));
}
