//! What was made before a fork is left alone after it. A process of its own: after the call nothing works here.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use respool::{BoxError, Cache, Error, Options, Source, Uninterrupted};
use support::batch;

/// Forks while it is asked, as seen by the child.
struct Forking(Arc<AtomicBool>, usize);

impl Source for Forking {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.1 += 1;
        assert_eq!(self.1, 1);
        respool::fork::happened();
        Ok(None)
    }
}

impl Drop for Forking {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_source_that_forks_at_its_end_is_not_let_go_in_the_child() {
    let is_gone = Arc::new(AtomicBool::new(false));
    let cache = Cache::new(Forking(Arc::clone(&is_gone), 0), &Options::new()).unwrap();
    let mut reader = cache.view().reader().unwrap();
    let given = reader.next_batch(&Uninterrupted);
    assert!(matches!(given, Err(Error::Forked)), "{given:?}");
    drop((reader, cache));
    assert!(!is_gone.load(Ordering::SeqCst));
}
