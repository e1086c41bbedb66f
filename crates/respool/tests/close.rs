//! What a closed cache says of itself, and that it gives everything back.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, RecordBatch, RecordBatchIterator};
use arrow_schema::{ArrowError, SchemaRef};
use respool::{BoxError, Budget, Cache, Compression, LogOptions, Options, Source, Uninterrupted};
use support::{batch, directory};

/// Gives a batch, then closes the cache that it feeds and ends, or fails.
struct Closing {
    cache: Arc<Mutex<Option<Cache>>>,
    given: bool,
    fails: bool,
}

impl Source for Closing {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        if !std::mem::replace(&mut self.given, true) {
            return Ok(Some(batch(0)));
        }
        let cache = self.cache.lock().unwrap().take();
        cache.unwrap().close().unwrap();
        if self.fails {
            Err("the wire broke".into())
        } else {
            Ok(None)
        }
    }
}

#[test]
fn a_cache_that_is_closed_before_the_end_never_becomes_complete() {
    for fails in [false, true] {
        let own = Arc::new(Mutex::new(None));
        let source = Closing {
            cache: Arc::clone(&own),
            given: false,
            fails,
        };
        let cache = Cache::new(source, &Options::new()).unwrap();
        *own.lock().unwrap() = Some(cache.clone());
        let (given, error) = support::replay(&cache);
        assert_eq!(given, [batch(0)]);
        assert!(error.unwrap().contains("closed"));
        let snapshot = cache.snapshot().unwrap();
        assert!(snapshot.is_closed && !snapshot.is_ended(), "{snapshot:?}");
        assert!(!cache.view().extent().unwrap().is_complete);
    }
}

#[test]
fn a_cache_that_is_closed_while_it_is_read_leaves_nothing_in_its_budget() {
    let directory = directory();
    let batches: Vec<RecordBatch> = (0..20)
        .map(|batch| {
            let texts = (0..200).map(|row| format!("a text {row} of batch {batch}"));
            let texts: Vec<String> = texts.collect();
            let column = texts
                .iter()
                .map(String::as_str)
                .collect::<DictionaryArray<Int32Type>>();
            RecordBatch::try_from_iter([("s", Arc::new(column) as ArrayRef)]).unwrap()
        })
        .collect();
    for round in 0..20 {
        let budget = Budget::new(Some(50_000));
        let log = LogOptions::new(directory.path()).compression(Some(Compression::Zstd));
        let options = Options::new().with_budget(&budget).with_log(log);
        let given = batches.clone().into_iter().map(Ok::<_, ArrowError>);
        let source = RecordBatchIterator::new(given, batches[0].schema());
        let cache = Cache::new(source, &options).unwrap();
        if round % 2 == 0 {
            cache.ingest_all().unwrap();
        }
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Ok(mut reader) = cache.view().reader() {
                        while let Ok(Some(_)) = reader.next_batch(&Uninterrupted) {}
                    }
                });
            }
            thread::sleep(Duration::from_millis(round));
            cache.close().unwrap();
        });
        assert_eq!(budget.used(), 0, "round {round}");
    }
}
