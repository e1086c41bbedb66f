//! Bytes that were not saved of a view are refused, and do no harm.

#[path = "allocated.rs"]
mod allocated;

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use proptest::prelude::*;
use respool::{Cache, Uninterrupted, View};

use super::values::Random;
use super::{above, cache, cast, random, read};

#[test]
fn views_of_a_newer_version_are_refused_by_name() {
    let cache = cache();
    let mut bytes = cache.view().to_bytes().unwrap();
    bytes[6] = 2;
    let error = View::from_bytes(&cache.view(), &bytes)
        .unwrap_err()
        .to_string();
    assert!(error.contains("version 2"), "{error}");
}

#[test]
fn what_contradicts_itself_is_refused() {
    let cache = cache();
    let refused = |bytes: &[u8]| {
        let view = View::from_bytes(&cache.view(), bytes);
        view.map(drop).unwrap_err().to_string()
    };
    let whole = cache.view().to_bytes().unwrap();
    let without = |tail: usize| whole[..whole.len() - tail].to_vec();
    // Behind the columns and filters are the batches (1 byte), their rows (11) and those that pass (11).
    let selecting = |batches: &[u8]| [&without(23), batches, &whole[whole.len() - 22..]].concat();
    assert!(View::from_bytes(&cache.view(), &selecting(&[3, 1, 5, 6, 1])).is_ok());
    for wrong in [[3, 1, 5, 5, 1], [3, 1, 5, 6, 0]] {
        assert!(refused(&selecting(&wrong)).contains("out of order"));
    }
    let counting = [without(11), vec![1, 5]].concat();
    assert!(refused(&counting).contains("none are left out"));

    let filtered = above(&cache.view(), 12).to_bytes().unwrap();
    let start = filtered.len() - 23 - 7; // the comparison
    let negated = |times: usize| {
        let negations = vec![2; times];
        [&filtered[..start], &negations, &filtered[start..]].concat()
    };
    assert!(View::from_bytes(&cache.view(), &negated(2)).is_ok());
    assert!(refused(&negated(1_000_000)).contains("nested too deeply"));

    // Column 2, one cast, to field 0, which is shown; the metadata of the cache; no filter.
    let inner = DataType::Struct([Arc::new(Field::new("inner", DataType::Int8, true))].into());
    let shown = cast(&cache.view(), 2, inner).select(&["t"]).unwrap();
    let bytes = shown.to_bytes().unwrap();
    let start = bytes.len() - 23 - 6;
    assert_eq!(bytes[start..start + 6], [2, 1, 0, 0, 0, 0]);
    let showing = |column: [u8; 4]| [&bytes[..start], &column, &bytes[start + 4..]].concat();
    assert!(refused(&showing([0, 1, 0, 0])).contains("cannot cast"));
    assert!(refused(&showing([2, 1, 1, 0])).contains("not listed"));
    assert!(refused(&showing([2, 0, 1, 0])).contains("another type than its cast"));
}

/// Restores bytes; what they make of a view is read, and nothing is allocated that the bytes do not pay for.
fn try_to_restore(cache: &Cache, bytes: &[u8]) -> bool {
    let (view, allocated) = allocated::peak(|| View::from_bytes(&cache.view(), bytes));
    assert!(
        allocated < 100_000 + 500 * bytes.len(),
        "{allocated} bytes for {}: {bytes:?}",
        bytes.len()
    );
    let Ok(view) = view else { return false };
    let _ = view.extent().unwrap();
    let _ = view.stored_batches().unwrap();
    let _ = read(&view);
    let _ = view.count(&Uninterrupted);
    true
}

#[test]
fn bytes_that_are_cut_off_are_refused() {
    for seed in 1..60 {
        let (cache, view) = random::view(&mut Random::new(seed));
        let bytes = view.to_bytes().unwrap();
        for len in 0..bytes.len() {
            assert!(
                !try_to_restore(&cache, &bytes[..len]),
                "seed {seed}, {len} bytes"
            );
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(!try_to_restore(&cache, &longer), "seed {seed}");
    }
}

#[test]
fn every_byte_of_a_view_may_be_another() {
    let mut taken = (0, 0);
    for seed in 1..60 {
        let mut random = Random::new(seed);
        let (cache, view) = random::view(&mut random);
        let bytes = view.to_bytes().unwrap();
        for at in 0..bytes.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff, bytes[at] ^ 1 << random.below(8)] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                taken.0 += usize::from(try_to_restore(&cache, &changed));
                taken.1 += 1;
            }
        }
    }
    // Other constants, columns and rows make other views; what is no view is refused.
    assert!(taken.0 > 0 && taken.0 * 2 < taken.1, "{taken:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_do_harm(
        frame in any::<bool>(),
        bytes in prop::collection::vec(prop_oneof![0..16_u8, any::<u8>()], 0..200),
    ) {
        let cache = cache();
        cache.ingest_all().unwrap();
        let bytes = if frame { [b"rsview\x01\0".as_slice(), &bytes].concat() } else { bytes };
        try_to_restore(&cache, &bytes);
    }
}
