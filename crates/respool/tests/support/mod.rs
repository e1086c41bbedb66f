//! Sources and readings that the behaviour tests share.
#![allow(dead_code, reason = "each test file uses some of it")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use respool::{BoxError, Cache, LogOptions, Options, Reader, Source, Uninterrupted};

pub(crate) const ROWS: i64 = 100;

/// Batch `index` of every source here.
pub(crate) fn batch(index: usize) -> RecordBatch {
    let from = i64::try_from(index).unwrap() * ROWS;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + ROWS));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(
        (from..from + ROWS).map(|n| format!("text {n}")),
    ));
    RecordBatch::try_from_iter([("n", numbers), ("s", texts)]).unwrap()
}

pub(crate) fn batches(count: usize) -> Vec<RecordBatch> {
    (0..count).map(batch).collect()
}

/// What the source does after its batches.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Then {
    End,
    Fail,
    Panic,
}

/// Counts how often it is asked.
pub(crate) struct Counting {
    batches: usize,
    then: Then,
    given: usize,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Counting {
    pub(crate) fn new(batches: usize, then: Then) -> Self {
        Self {
            batches,
            then,
            given: 0,
            asked: Arc::default(),
        }
    }
}

impl Source for Counting {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.given < self.batches {
            self.given += 1;
            return Ok(Some(batch(self.given - 1)));
        }
        match self.then {
            Then::End => Ok(None),
            Then::Fail => Err("the wire broke".into()),
            Then::Panic => panic!("the source panics"),
        }
    }
}

/// What a replay gives: its batches, and the error that ended it.
pub(crate) fn replayed(mut reader: Reader) -> (Vec<RecordBatch>, Option<String>) {
    let mut batches = Vec::new();
    loop {
        match reader.next_batch(&Uninterrupted) {
            Ok(Some(batch)) => batches.push(batch),
            Ok(None) => return (batches, None),
            Err(error) => return (batches, Some(error.to_string())),
        }
    }
}

pub(crate) fn replay(cache: &Cache) -> (Vec<RecordBatch>, Option<String>) {
    replayed(cache.view().reader().unwrap())
}

/// A directory for logs that is on a disk.
pub(crate) fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Options of every kind of store, with room for about two batches in memory where it is bounded.
pub(crate) fn stores(directory: &tempfile::TempDir) -> Vec<(&'static str, Options)> {
    let log = || LogOptions::new(directory.path());
    let bounded = || Options::new().with_memory_capacity(5000);
    vec![
        ("memory", Options::new()),
        (
            "log",
            Options::new().with_memory_capacity(0).with_log(log()),
        ),
        ("log and memory", bounded().with_log(log())),
        (
            "overflowing",
            bounded()
                .with_log(log())
                .with_write_policy(respool::WritePolicy::OnEviction),
        ),
        (
            "compressed",
            bounded().with_log(log().compression(Some(respool::Compression::Lz4))),
        ),
        (
            "read, not mapped",
            bounded().with_log(log().access(respool::Access::Read)),
        ),
    ]
}
