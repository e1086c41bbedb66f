//! Random cuts of a cache, one after the other, against the same cuts of a plain list of rows.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
use arrow_schema::ArrowError;
use proptest::prelude::*;
use respool::predicate::{Operator, Predicate, Scalar, Term};
use respool::{Cache, Options, Uninterrupted, View};

/// Rows of the batches, of which some have none.
const LENGTHS: [usize; 12] = [0, 0, 100, 0, 150, 50, 0, 0, 1, 199, 100, 0];
const BATCHES: usize = LENGTHS.len();
const ROWS: usize = 600;

/// Numbers from 0 on.
fn cache() -> Cache {
    let mut from = 0;
    let batches = LENGTHS.map(|rows| {
        let rows = i64::try_from(rows).unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + rows));
        from += rows;
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    });
    let schema = batches[0].schema();
    let source = RecordBatchIterator::new(batches.map(Ok::<_, ArrowError>), schema);
    Cache::new(source, &Options::new()).unwrap()
}

#[derive(Clone, Debug)]
enum Cut {
    Slice(u64, Option<u64>),
    Below(i64),
    From(i64),
    Batches(Vec<usize>, usize),
    Prefix,
    Stride(usize, usize),
    Ingest(usize),
}

fn cuts() -> impl Strategy<Value = Vec<Cut>> {
    let row = || prop_oneof![8 => 0..650_u64, 1 => Just(0), 1 => Just(u64::MAX)];
    let value = || -10..650_i64;
    let cut = prop_oneof![
        3 => (row(), proptest::option::of(row())).prop_map(|(at, length)| Cut::Slice(at, length)),
        1 => value().prop_map(Cut::Below),
        1 => value().prop_map(Cut::From),
        2 => (proptest::sample::subsequence((0..BATCHES + 2).collect::<Vec<_>>(), 0..4), 0..BATCHES + 2)
            .prop_map(|(listed, from)| Cut::Batches(listed, from)),
        1 => Just(Cut::Prefix),
        1 => (0..4_usize, 1..4_usize).prop_map(|(rank, world)| Cut::Stride(rank, world)),
        2 => (0..=BATCHES).prop_map(Cut::Ingest),
    ];
    prop::collection::vec(cut, 0..6)
}

fn skip<T>(rows: Vec<T>, offset: u64, length: Option<u64>) -> Vec<T> {
    let whole = |rows: u64| usize::try_from(rows).unwrap();
    let rest = rows.into_iter().skip(whole(offset));
    rest.take(length.map_or(usize::MAX, whole)).collect()
}

/// The numbers that batches hold.
fn numbers(view: &View, position: respool::Position) -> Vec<Vec<i64>> {
    let mut reader = view.reader_at(position, &Uninterrupted).unwrap();
    let mut given = Vec::new();
    while let Some(batch) = reader.next_batch(&Uninterrupted).unwrap() {
        given.push(
            batch
                .column(0)
                .as_primitive::<Int64Type>()
                .values()
                .to_vec(),
        );
    }
    given
}

fn batch_of(row: i64) -> usize {
    let mut left = usize::try_from(row).unwrap();
    let ends = LENGTHS.iter().position(|rows| {
        let is_here = left < *rows;
        left = left.saturating_sub(*rows);
        is_here
    });
    ends.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_view_shows_what_was_cut_out(cuts in cuts()) {
        let cache = cache();
        let mut view = cache.view();
        // A slice or a filtered view shows only batches that it has rows of.
        let mut is_cut = false;
        let mut rows: Vec<i64> = (0..i64::try_from(ROWS).unwrap()).collect();
        for cut in cuts {
            let term = Term::new(&view.schema(), 0, &[]).unwrap();
            match cut {
                Cut::Slice(offset, length) => {
                    is_cut |= offset > 0 || length.is_some_and(|length| length < u64::MAX);
                    view = view.slice(offset, length);
                    rows = skip(rows, offset, length);
                }
                Cut::Below(value) => {
                    if let Ok(filtered) = view.filter(&Predicate::compare(term, Operator::Lt, &Scalar::from(value))) {
                        is_cut = true;
                        view = filtered;
                        rows.retain(|row| *row < value);
                    }
                }
                Cut::From(value) => {
                    if let Ok(filtered) = view.filter(&Predicate::compare(term, Operator::Ge, &Scalar::from(value))) {
                        is_cut = true;
                        view = filtered;
                        rows.retain(|row| *row >= value);
                    }
                }
                Cut::Batches(listed, from) => {
                    if let Ok(some) = view.batches(&listed, from) {
                        view = some;
                        rows.retain(|row| batch_of(*row) >= from || listed.contains(&batch_of(*row)));
                    }
                }
                Cut::Prefix => {
                    let stored = cache.snapshot().unwrap().batches;
                    view = view.prefix().unwrap();
                    // Of a slice, the rows that were there: the first ones of what is shown.
                    rows.retain(|row| batch_of(*row) < stored);
                }
                Cut::Stride(rank, world) => {
                    if let Ok(part) = view.stride(rank, world) {
                        view = part;
                        rows.retain(|row| batch_of(*row) % world == rank);
                    }
                }
                Cut::Ingest(batches) => {
                    cache.view().batch(batches, &Uninterrupted).unwrap();
                }
            }
        }
        let given = numbers(&view, respool::Position::default());
        if is_cut {
            prop_assert!(given.iter().all(|batch| !batch.is_empty()));
        }
        prop_assert_eq!(given.concat(), rows.clone());
        let bytes = view.to_bytes().unwrap();
        let restored = View::from_bytes(&cache.view(), &bytes).unwrap();
        prop_assert_eq!(numbers(&restored, respool::Position::default()), given.clone());
        prop_assert_eq!(restored.to_bytes().unwrap(), bytes);
        prop_assert!(!view.ingest_for(std::time::Duration::MAX, &Uninterrupted).unwrap());
        let count = view.count(&Uninterrupted).unwrap();
        prop_assert_eq!(count.1, rows.len() as u64);
        prop_assert_eq!(count.0, given.len());
        for index in 0..=given.len() {
            let batch = view.batch(index, &Uninterrupted).unwrap();
            let batch = batch.map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec());
            prop_assert_eq!(batch.as_ref(), given.get(index));
        }
        let numbered = view.select_indexes(&[0]).unwrap();
        prop_assert_eq!(numbered.num_bytes(&Uninterrupted).unwrap(), rows.len() as u64 * 8);
        // Every position is taken up by another reader.
        let mut reader = view.reader().unwrap();
        for passed in 0..given.len() {
            prop_assert_eq!(numbers(&view, reader.at()), given[passed..].to_vec());
            reader.next_batch(&Uninterrupted).unwrap();
        }
    }
}
