//! Proofs and applied predicates against an interpreter that looks at one row at a time.
//!
//! Random batches of every comparable type (with NaN, infinities, both zeros, nulls, extremes, dictionaries that hold
//! nulls, runs, structs with null parents, all of them sliced) meet random predicates. No proof may contradict the
//! rows, and applying must answer every row as the interpreter does. The interpreter, the values and the trees
//! (`predicate/`) share nothing with the crate but its constructors.
//!
//! `RESPOOL_PREDICATE_CASES` sets the number of (predicate, batch) pairs, `RESPOOL_PREDICATE_SEED` the first seed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "predicate/trees.rs"]
mod trees;
#[path = "predicate/values.rs"]
mod values;

use arrow_array::{Array, ArrayRef};
use arrow_schema::ArrowError;
use respool::predicate::{ScalarList, Verdict, filter};
use respool::zones::{BatchZones, ZoneMaps};
use trees::{batch_of, tree};
use values::{Column, Random};

#[derive(Debug, Default)]
struct Tally {
    pairs: usize,
    out_of_range: usize,
    prunable: usize,
    proven: usize,
    simple_prunable: usize,
    simple_proven: usize,
}

fn check(seed: u64, pairs: usize, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let rows = if random.chance(5) {
        0
    } else {
        1 + random.below(40)
    };
    let count = 1 + random.below(4);
    let columns: Vec<Column> = (0..count)
        .map(|_| Column::random(&mut random, rows))
        .collect();
    let batch = batch_of(&columns);
    let schema = batch.schema();
    let maps = ZoneMaps::new();
    for _ in 0..pairs {
        let depth = random.below(5);
        let tree = tree(&mut random, &columns, depth);
        let predicate = tree.predicate(&schema);
        let context = || format!("seed {seed}: {predicate}\n{tree:?}\n{batch:?}");
        assert_eq!(predicate.is_exact(), tree.is_exact());
        assert_eq!(
            predicate.supports(&schema),
            tree.is_exact(),
            "{}",
            context()
        );

        let verdict = predicate.prove(&BatchZones::of(&batch, predicate.terms()));
        let load = |_batch: usize, column: usize| {
            Ok::<_, ArrowError>(ArrayRef::clone(batch.column(column)))
        };
        let stored = predicate.prove_stored(&maps, 3..4, &load).unwrap();
        // Of an empty batch everything holds, so the two may say different things.
        assert!(
            rows == 0 || stored == [verdict],
            "{stored:?} {verdict:?} {}",
            context()
        );

        tally.pairs += 1;
        let answers: Result<Vec<_>, _> = (0..rows).map(|row| tree.answer(&columns, row)).collect();
        let Ok(answers) = answers else {
            // What a proof may still say: something that holds for the rows that can be decided.
            assert!(tree.is_exact() || predicate.apply(&batch).is_ok() || rows > 0);
            tally.out_of_range += 1;
            continue;
        };
        let passing = answers
            .iter()
            .filter(|answer| **answer == Some(true))
            .count();
        match verdict {
            Verdict::All => assert_eq!(passing, rows, "{}", context()),
            Verdict::None => assert_eq!(passing, 0, "{}", context()),
            Verdict::Some => {}
        }
        if rows > 0 && (passing == 0 || passing == rows) {
            tally.prunable += 1;
            tally.proven += usize::from(verdict != Verdict::Some);
            if depth == 0 {
                tally.simple_prunable += 1;
                tally.simple_proven += usize::from(verdict != Verdict::Some);
            }
        }
        if !tree.is_exact() {
            continue;
        }
        let mask = predicate
            .apply(&batch)
            .unwrap_or_else(|error| panic!("{error}: {}", context()));
        let applied: Vec<Option<bool>> = mask.iter().collect();
        assert_eq!(applied, answers, "{}", context());
        let kept = filter(&batch, &mask).unwrap();
        assert_eq!(kept.num_rows(), passing, "{}", context());
        let expected: Vec<usize> = (0..rows)
            .filter(|&row| answers[row] == Some(true))
            .collect();
        if random.chance(5) {
            for (kept, column) in kept.columns().iter().zip(batch.columns()) {
                for (to, &from) in expected.iter().enumerate() {
                    assert_eq!(kept.slice(to, 1).as_ref(), column.slice(from, 1).as_ref());
                }
            }
        }
    }
}

#[test]
fn proofs_and_answers_agree_with_the_rows() {
    let setting = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap())
    };
    let cases = setting("RESPOOL_PREDICATE_CASES", 20_000);
    let first = setting("RESPOOL_PREDICATE_SEED", 1);
    let per_batch = 20;
    let mut tally = Tally::default();
    for batch in 0..cases.div_ceil(per_batch) {
        check(first * 1_000_000_007 + batch, 20, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.pairs >= 1 && tally.prunable > 0, "nothing was tried");
    assert!(
        tally.out_of_range * 5 < tally.pairs,
        "too many pairs say nothing: {tally:?}"
    );
    assert!(
        tally.proven * 4 >= tally.prunable * 3,
        "too few proofs: {tally:?}"
    );
}

#[test]
fn lists_know_their_nulls_and_repetitions() {
    let values = arrow_array::Int32Array::from(vec![Some(3), None, Some(1), Some(3)]);
    let list = ScalarList::new(&values).unwrap();
    assert_eq!((list.len(), list.has_null()), (2, true));
    assert_eq!(list.to_string(), "(1, 3, NULL)");
}
