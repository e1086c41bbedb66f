//! Many threads read while one appends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use respool_log::{Access, Log};

use crate::support::*;

#[test]
fn readers_see_whole_batches_in_order_while_one_thread_appends() -> Outcome {
    for access in [Access::Map, Access::Read] {
        let directory = directory()?;
        let options = options(&directory).segment_bytes(200_000).access(access);
        let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let batches: Vec<RecordBatch> = (0..400)
            .map(|i| batch_of(sample(&data_type, 300, &mut Numbers::new(i / 3))))
            .collect();
        let log = Arc::new(Log::temporary(batches[0].schema(), options)?);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for reader in 0..4 {
                let (log, batches, done) = (&log, &batches, &done);
                scope.spawn(move || {
                    let mut numbers = Numbers::new(reader);
                    let mut last = 0;
                    while !done.load(Ordering::Acquire) || last < batches.len() {
                        let len = log.len();
                        assert!(len >= last);
                        last = len;
                        if len > 0 {
                            let record = numbers.below(len);
                            let batch = log.read(record, None).unwrap();
                            assert_eq!(batch, batches[record]);
                        }
                    }
                });
            }
            for batch in &batches {
                log.append(batch).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        assert_eq!(log.num_rows(), 400 * 300);
    }
    Ok(())
}

#[test]
fn a_log_can_be_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Log>();
}
