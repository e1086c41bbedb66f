//! Random operations against the plain list of batches.
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

mod support;

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use proptest::prelude::*;
use respool::{Cache, Reader, Uninterrupted};
use support::{Counting, Then, batch, batches, directory, stores};

const BATCHES: usize = 12;

#[derive(Clone, Debug)]
enum Operation {
    Open,
    Next(usize),
    Drop(usize),
    Shrink,
    Grow,
    Slice(u64, u64),
    Batch(usize),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let operation = prop_oneof![
        2 => Just(Operation::Open),
        8 => (0..4_usize).prop_map(Operation::Next),
        1 => (0..4_usize).prop_map(Operation::Drop),
        1 => Just(Operation::Shrink),
        1 => Just(Operation::Grow),
        2 => (0..1500_u64, 0..400_u64).prop_map(|(offset, length)| Operation::Slice(offset, length)),
        2 => (0..15_usize).prop_map(Operation::Batch),
    ];
    prop::collection::vec(operation, 1..60)
}

fn rows(batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&batch(0).schema(), batches).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn each_reader_sees_every_batch_in_order_whatever_the_others_do(operations in operations()) {
        let directory = directory();
        let model = batches(BATCHES);
        let table = rows(&model);
        for (store, options) in stores(&directory) {
            let cache = Cache::new(Counting::new(BATCHES, Then::End), &options).unwrap();
            let mut readers: Vec<(Reader, usize)> = Vec::new();
            for operation in &operations {
                match *operation {
                    Operation::Open => readers.push((cache.view().reader().unwrap(), 0)),
                    Operation::Next(reader) => {
                        if let Some((reader, at)) = readers.get_mut(reader) {
                            let next = reader.next_batch(&Uninterrupted).unwrap();
                            prop_assert_eq!(next.as_ref(), model.get(*at), "{}", store);
                            *at += 1;
                        }
                    }
                    Operation::Drop(reader) => {
                        if reader < readers.len() {
                            readers.swap_remove(reader);
                        }
                    }
                    Operation::Shrink if options.log().is_some() => {
                        cache.resize(Some(1000), None).unwrap();
                    }
                    Operation::Shrink => {}
                    Operation::Grow => cache.resize(Some(1 << 20), None).unwrap(),
                    Operation::Slice(offset, length) => {
                        let view = cache.view().slice(offset, Some(length));
                        let given: Vec<_> =
                            view.reader().unwrap().collect::<Result<_, _>>().unwrap();
                        let from = usize::try_from(offset).unwrap().min(table.num_rows());
                        let length = usize::try_from(length).unwrap().min(table.num_rows() - from);
                        prop_assert_eq!(rows(&given), table.slice(from, length), "{}", store);
                    }
                    Operation::Batch(index) => {
                        let found = cache.view().batch(index, &Uninterrupted).unwrap();
                        prop_assert_eq!(found.as_ref(), model.get(index), "{}", store);
                    }
                }
            }
        }
    }
}
