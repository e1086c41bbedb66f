//! What was made before a fork is left alone after it. A process of its own: after the call nothing works here.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use respool::{BoxError, Budget, Cache, Error, Options, Source, Uninterrupted};
use support::batch;

/// Forks while it is asked, as seen by the child; then gives that, and nothing more.
struct Forking {
    gives: Option<RecordBatch>,
    asked: bool,
    is_gone: Arc<AtomicBool>,
}

impl Source for Forking {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        assert!(!self.asked);
        self.asked = true;
        respool::fork::happened();
        Ok(self.gives.clone())
    }
}

impl Drop for Forking {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_source_that_forks_is_not_let_go_in_the_child_and_nothing_is_counted_there() {
    for gives in [None, Some(batch(0))] {
        for joins in [false, true] {
            let is_gone = Arc::new(AtomicBool::new(false));
            let source = Forking {
                gives: gives.clone(),
                asked: false,
                is_gone: Arc::clone(&is_gone),
            };
            // In the child another thread may have held the budget's lock for ever.
            let budget = Budget::new(None);
            let options = Options::new().with_budget(&budget);
            let options = if joins {
                options.with_coalesce_rows(1000)
            } else {
                options
            };
            let cache = Cache::new(source, &options).unwrap();
            let mut reader = cache.view().reader().unwrap();
            let given = reader.next_batch(&Uninterrupted);
            assert!(matches!(given, Err(Error::Forked)), "{given:?}");
            drop((reader, cache));
            assert!(!is_gone.load(Ordering::SeqCst));
            assert_eq!(budget.used(), 0);
        }
    }
}
