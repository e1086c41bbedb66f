//! Random batches of random types against a vector of batches.

use arrow_schema::DataType;
use proptest::prelude::*;
use respool_log::{Access, Compression, Log};

use crate::support::*;

fn data_type() -> impl Strategy<Value = DataType> {
    let flat = prop::sample::select(flat_types());
    flat.prop_recursive(3, 8, 2, |inner| {
        (0..WRAPS, inner).prop_map(|(kind, inner)| wrap(kind, inner))
    })
    .prop_filter("arrow can handle it", is_buildable)
}

fn compression() -> impl Strategy<Value = Option<Compression>> {
    prop::sample::select(vec![
        None,
        None,
        Some(Compression::Lz4),
        Some(Compression::Zstd),
    ])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_a_vector_of_batches(
        data_type in data_type(),
        seed in any::<u64>(),
        slices in prop::collection::vec((0usize..150, 0usize..150), 1..8),
        segment_bytes in prop::sample::select(vec![1u64, 5_000, 1 << 20]),
        compression in compression(),
        access in prop::sample::select(vec![Access::Map, Access::Read]),
        persistent in any::<bool>(),
    ) {
        let directory = directory().unwrap();
        let options = options(&directory)
            .segment_bytes(segment_bytes)
            .compression(compression)
            .access(access);
        let mut numbers = Numbers::new(seed);
        let mut array = sample(&data_type, 150, &mut numbers);
        let schema = batch_of(array.clone()).schema();
        let log = if persistent {
            Log::create(schema, options).unwrap()
        } else {
            Log::temporary(schema, options).unwrap()
        };
        let mut model = Vec::new();
        for (start, end) in slices {
            if numbers.below(3) == 0 {
                array = sample(&data_type, 150, &mut numbers);
            }
            let (start, end) = (start.min(end), start.max(end));
            let batch = batch_of(array.slice(start, end - start));
            log.append(&batch).unwrap();
            model.push(batch);
            let record = numbers.below(model.len());
            assert_same(&log.read(record, None).unwrap(), &model[record]);
        }
        log.finish().unwrap();
        prop_assert_eq!(log.len(), model.len());
        prop_assert_eq!(log.num_rows(), model.iter().map(|b| b.num_rows() as u64).sum::<u64>());
        for (record, batch) in model.iter().enumerate() {
            assert_same(&log.read(record, None).unwrap(), batch);
        }
    }
}
