//! Logs with a name: filled, opened again, followed, gone on with.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use respool::predicate::{Operator, Predicate, Scalar, Term};
use respool::{
    Cache, Compression, End, Error, LogOptions, Mismatch, Options, Residence, Skip, Unfinished,
    Uninterrupted,
};
use support::{Counting, Then, batch, batches, directory, replay, replayed};

fn log(directory: &tempfile::TempDir) -> LogOptions {
    LogOptions::new(directory.path().join("log")).allow_tmpfs(true)
}

fn kept(directory: &tempfile::TempDir, count: usize, then: Then) -> Cache {
    let options = Options::new().with_named_log(log(directory));
    Cache::new(Counting::new(count, then), &options).unwrap()
}

fn open(directory: &tempfile::TempDir) -> Cache {
    let path = directory.path().join("log");
    Cache::open(&path, Some(Duration::from_millis(30)), &Options::new()).unwrap()
}

fn resume(directory: &tempfile::TempDir, source: Counting, skip: Skip) -> Result<Cache, Error> {
    Cache::resume(Box::new(source), log(directory), skip, &Options::new())
}

#[test]
fn what_a_source_gave_is_there_when_the_log_is_opened_again() {
    for compression in [None, Some(Compression::Lz4)] {
        let directory = directory();
        let options = Options::new().with_named_log(log(&directory).compression(compression));
        let cache = Cache::new(Counting::new(7, Then::End), &options).unwrap();
        assert_eq!(replay(&cache), (batches(7), None));
        cache.close().unwrap();
        let again = open(&directory);
        let snapshot = again.snapshot().unwrap();
        assert!(snapshot.is_complete());
        assert_eq!((snapshot.batches, snapshot.rows), (7, 700));
        assert_eq!(again.metrics().unwrap().log_reads, 0);
        for _ in 0..2 {
            assert_eq!(replay(&again), (batches(7), None));
        }
        let view = again.view();
        let sliced = view.slice(250, Some(200)).reader().unwrap();
        let rows: usize = replayed(sliced).0.iter().map(RecordBatch::num_rows).sum();
        assert_eq!(rows, 200);
        assert_eq!(
            view.slice(250, Some(200)).stored_batches().unwrap(),
            [2, 3, 4]
        );
        assert_eq!(view.extent().unwrap().rows, 700);
        assert_eq!(view.slice(250, Some(200)).extent().unwrap().rows, 200);
        assert_eq!(view.batch(3, &Uninterrupted).unwrap(), Some(batch(3)));
        let residence = compression.is_none().then_some(Residence::MappedLog);
        // Decoded batches are kept, as long as there is room.
        assert_eq!(
            view.residence().unwrap(),
            residence.or(Some(Residence::Memory))
        );
        again.close().unwrap();
        assert!(matches!(again.view().reader(), Err(Error::Closed)));
    }
}

#[test]
fn a_log_is_complete_as_soon_as_the_source_is_without_being_closed() {
    let directory = directory();
    let cache = kept(&directory, 3, Then::End);
    cache.ingest_all().unwrap();
    assert!(open(&directory).snapshot().unwrap().is_complete());
    drop(cache);
    assert_eq!(replay(&open(&directory)), (batches(3), None));
}

#[test]
fn a_failed_source_is_told_with_counts_and_the_prefix_can_be_read() {
    let directory = directory();
    let cache = kept(&directory, 3, Then::Fail);
    assert_eq!(replay(&cache).0, batches(3));
    drop(cache);
    let again = open(&directory);
    let (given, error) = replay(&again);
    assert_eq!(given, batches(3));
    let error = error.unwrap();
    assert!(error.contains("after 3 batches (300 rows)"), "{error}");
    assert!(error.contains("the wire broke"), "{error}");
    let End::Failed(failure) = again.snapshot().unwrap().end else {
        panic!("not failed");
    };
    assert!(failure.error().downcast_ref::<Unfinished>().is_some());
    let prefix = again.view().prefix().unwrap();
    assert_eq!(replayed(prefix.reader().unwrap()), (batches(3), None));
}

#[test]
fn a_failed_log_is_gone_on_with_while_the_cache_that_failed_is_still_there() {
    let directory = directory();
    let failed = kept(&directory, 3, Then::Fail);
    assert_eq!(replay(&failed).0, batches(3));
    let cache = resume(&directory, Counting::new(6, Then::End), Skip::Check).unwrap();
    assert_eq!(replay(&cache), (batches(6), None));
    let (given, error) = replay(&failed);
    assert_eq!(given, batches(3));
    assert!(error.unwrap().contains("the wire broke"));
}

#[test]
fn a_log_that_was_left_is_not_whole() {
    for closes in [false, true] {
        let directory = directory();
        let cache = kept(&directory, 9, Then::End);
        let mut reader = cache.view().reader().unwrap();
        for _ in 0..4 {
            reader.next_batch(&Uninterrupted).unwrap();
        }
        if closes {
            cache.close().unwrap();
        } else {
            cache.flush().unwrap();
        }
        drop((reader, cache));
        let again = open(&directory);
        let (given, error) = replay(&again);
        assert_eq!(given, batches(4));
        assert!(error.unwrap().contains("its writer ended without"));
    }
}

#[test]
fn a_log_that_grows_is_followed_and_who_waits_too_long_is_told() {
    let directory = directory();
    let cache = kept(&directory, 5, Then::End);
    let mut writer = cache.view().reader().unwrap();
    writer.next_batch(&Uninterrupted).unwrap();
    let follower = open(&directory);
    let mut reader = follower.view().reader().unwrap();
    assert_eq!(reader.next_batch(&Uninterrupted).unwrap(), Some(batch(0)));
    for _ in 0..2 {
        let begun = Instant::now();
        let stalled = reader.next_batch(&Uninterrupted);
        assert!(matches!(stalled, Err(Error::Stalled { .. })), "{stalled:?}");
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }
    let following = std::thread::spawn(move || {
        let mut given = Vec::new();
        loop {
            match reader.next_batch(&Uninterrupted) {
                Ok(Some(batch)) => given.push(batch),
                Ok(None) => return given,
                Err(Error::Stalled { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    let mut given = vec![batch(0)];
    given.extend(replayed(writer).0);
    assert_eq!(given, batches(5));
    assert_eq!(following.join().unwrap(), batches(5)[1..]);
    assert!(follower.snapshot().unwrap().is_complete());
    assert_eq!(follower.view().extent().unwrap().rows, 500);
}

#[test]
fn a_follower_that_nobody_reads_tells_what_was_written_meanwhile() {
    let directory = directory();
    let cache = kept(&directory, 5, Then::End);
    let mut writer = cache.view().reader().unwrap();
    let follower = open(&directory);
    assert_eq!(follower.snapshot().unwrap().batches, 0);
    for stored in 1..=5 {
        writer.next_batch(&Uninterrupted).unwrap();
        let prefix = follower.view().prefix().unwrap();
        assert_eq!(prefix.extent().unwrap().batches, stored);
        assert_eq!(follower.metrics().unwrap().batches, stored);
        let bytes = follower.view().num_bytes(&Uninterrupted).unwrap();
        assert_eq!(bytes, cache.snapshot().unwrap().bytes);
        assert!(!follower.view().extent().unwrap().is_complete);
    }
    let mut behind = follower.view().reader_from_frontier().unwrap();
    assert_eq!(writer.next_batch(&Uninterrupted).unwrap(), None);
    assert!(follower.view().extent().unwrap().is_complete);
    assert_eq!(behind.next_batch(&Uninterrupted).unwrap(), None);
    assert_eq!(replay(&follower), (batches(5), None));
}

/// Asks to stop at once.
struct Stopping;

impl respool::Interrupt for Stopping {
    fn check(&self) -> Result<(), respool::BoxError> {
        Err("stop".into())
    }
}

#[test]
fn a_wait_that_was_interrupted_does_not_count_for_the_next() {
    let directory = directory();
    let cache = kept(&directory, 5, Then::End);
    cache
        .view()
        .reader()
        .unwrap()
        .next_batch(&Uninterrupted)
        .unwrap();
    let path = directory.path().join("log");
    let patient = Some(Duration::from_millis(200));
    let follower = Cache::open(&path, patient, &Options::new()).unwrap();
    let mut reader = follower.view().reader().unwrap();
    reader.next_batch(&Uninterrupted).unwrap();
    let stopped = reader.next_batch(&Stopping);
    assert!(matches!(stopped, Err(Error::Interrupted(_))), "{stopped:?}");
    std::thread::sleep(Duration::from_millis(250));
    let begun = Instant::now();
    let stalled = reader.next_batch(&Uninterrupted);
    assert!(matches!(stalled, Err(Error::Stalled { .. })), "{stalled:?}");
    assert!(begun.elapsed() >= Duration::from_millis(200));
}

#[test]
fn a_follower_learns_that_the_writer_is_gone() {
    let directory = directory();
    let cache = kept(&directory, 5, Then::End);
    let mut writer = cache.view().reader().unwrap();
    writer.next_batch(&Uninterrupted).unwrap();
    let follower = open(&directory);
    drop((writer, cache));
    let (given, error) = replay(&follower);
    assert_eq!(given, batches(1));
    assert!(error.unwrap().contains("its writer ended without"));
}

#[test]
fn a_second_writer_is_refused() {
    let directory = directory();
    let cache = kept(&directory, 5, Then::End);
    let options = Options::new().with_named_log(log(&directory));
    let second = Cache::new(Counting::new(5, Then::End), &options);
    assert!(second.is_err());
    let resumed = resume(&directory, Counting::new(5, Then::End), Skip::Check);
    let error = resumed.err().unwrap().to_string();
    assert!(error.contains("in use by another writer"), "{error}");
    drop(cache);
    resume(&directory, Counting::new(5, Then::End), Skip::Check).unwrap();
}

#[test]
fn a_log_is_gone_on_with() {
    for (then, skip) in [
        (Then::Fail, Skip::Check),
        (Then::End, Skip::Check),
        (Then::Fail, Skip::Trust),
        (Then::Fail, Skip::Batches(3)),
    ] {
        let directory = directory();
        let cache = kept(&directory, 3, then);
        let mut reader = cache.view().reader().unwrap();
        for _ in 0..3 {
            reader.next_batch(&Uninterrupted).unwrap();
        }
        if then == Then::Fail {
            reader.next_batch(&Uninterrupted).unwrap_err();
        }
        drop((reader, cache));
        let source = Counting::new(6, Then::End);
        let asked = std::sync::Arc::clone(&source.asked);
        let cache = resume(&directory, source, skip).unwrap();
        assert_eq!(cache.snapshot().unwrap().batches, 3);
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        for _ in 0..2 {
            assert_eq!(replay(&cache), (batches(6), None), "{skip:?}");
        }
        assert_eq!(asked.load(Ordering::SeqCst), 7);
        assert_eq!(
            cache.view().slice(250, Some(200)).stored_batches().unwrap(),
            [2, 3, 4]
        );
        assert_eq!(cache.view().extent().unwrap().rows, 600);
        drop(cache);
        assert_eq!(replay(&open(&directory)), (batches(6), None));
        let complete = resume(&directory, Counting::new(6, Then::End), skip);
        assert!(complete.is_err());
    }
}

/// The same rows, cut otherwise, and from a value on other ones.
struct Recut {
    rows: RecordBatch,
    at: usize,
    by: usize,
}

impl Recut {
    fn new(count: usize, by: usize) -> Self {
        let schema = batch(0).schema();
        let rows = arrow_select::concat::concat_batches(&schema, &batches(count)).unwrap();
        Self { rows, at: 0, by }
    }
}

impl respool::Source for Recut {
    fn schema(&self) -> arrow_schema::SchemaRef {
        self.rows.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, respool::BoxError> {
        let count = self.by.min(self.rows.num_rows() - self.at);
        let next = self.rows.slice(self.at, count);
        self.at += count;
        Ok((count > 0).then_some(next))
    }
}

#[test]
fn rows_are_compared_however_the_source_cuts_them() {
    for by in [1, 7, 99, 250, 1000] {
        let directory = directory();
        let cache = kept(&directory, 3, Then::Fail);
        replay(&cache);
        drop(cache);
        let source = Box::new(Recut::new(5, by));
        let options = Options::new();
        let cache = Cache::resume(source, log(&directory), Skip::Check, &options).unwrap();
        let (given, error) = replay(&cache);
        assert_eq!(error, None);
        let schema = batch(0).schema();
        let joined = |batches: &[RecordBatch]| {
            arrow_select::concat::concat_batches(&schema, batches).unwrap()
        };
        assert_eq!(joined(&given), joined(&batches(5)), "{by}");
    }
}

#[test]
fn another_stream_is_refused_and_changes_nothing() {
    let directory = directory();
    let cache = kept(&directory, 3, Then::Fail);
    replay(&cache);
    drop(cache);
    let mut other = Recut::new(5, 100);
    let (head, tail) = (other.rows.slice(0, 142), other.rows.slice(143, 300));
    let schema = other.rows.schema();
    other.rows = arrow_select::concat::concat_batches(&schema, &[head, tail]).unwrap();
    for source in [other, Recut::new(2, 100)] {
        let source = Box::new(source);
        let cache = Cache::resume(source, log(&directory), Skip::Check, &Options::new()).unwrap();
        let (given, error) = replay(&cache);
        assert_eq!(given, batches(3));
        let error = error.unwrap();
        assert!(error.contains("cannot go on with the log"), "{error}");
        let End::Failed(failure) = cache.snapshot().unwrap().end else {
            panic!("not failed");
        };
        assert!(failure.error().downcast_ref::<Mismatch>().is_some());
        // Nobody waits for a cache that gives nothing more, though it is still there.
        let (given, error) = replay(&open(&directory));
        assert_eq!(given, batches(3));
        assert!(error.unwrap().contains("the wire broke"));
        assert_eq!(replay(&cache).0, batches(3));
        assert_eq!(cache.view().slice(250, None).extent().unwrap().rows, 50);
    }
    let cache = resume(&directory, Counting::new(5, Then::End), Skip::Check).unwrap();
    assert_eq!(replay(&cache), (batches(5), None));
}

#[test]
fn zones_that_were_computed_are_kept() {
    let directory = directory();
    let cache = kept(&directory, 9, Then::End);
    let n = Term::new(&cache.schema(), 0, &[]).unwrap();
    let early = Predicate::compare(n, Operator::Lt, &Scalar::from(150));
    cache.ingest_all().unwrap();
    let filtered = cache.view().filter(&early).unwrap();
    assert_eq!(replayed(filtered.reader().unwrap()).0.len(), 2);
    // Without being closed.
    drop((filtered, cache));
    let again = open(&directory);
    let filtered = again.view().filter(&early).unwrap();
    let reader = filtered.reader().unwrap();
    assert_eq!(again.metrics().unwrap().log_reads, 0);
    assert_eq!(replayed(reader).0.len(), 2);
    assert_eq!(again.metrics().unwrap().log_reads, 2);
}

#[test]
fn a_copy_in_other_encodings_is_kept_beside_the_log() {
    let directory = directory();
    let cache = kept(&directory, 9, Then::End);
    cache.ingest_all().unwrap();
    let encoded = cache.view().encoded(&Uninterrupted).unwrap().unwrap();
    let shown = replay(&encoded);
    assert_eq!(shown.0.len(), 9);
    drop((encoded, cache));
    let again = open(&directory);
    let encoded = again.view().encoded(&Uninterrupted).unwrap().unwrap();
    assert_eq!(again.metrics().unwrap().log_reads, 0);
    assert_eq!(replay(&encoded), shown);
    again.close().unwrap();
    assert!(matches!(encoded.view().reader(), Err(Error::Closed)));
}

#[test]
fn a_damaged_copy_is_made_again() {
    let directory = directory();
    let cache = kept(&directory, 9, Then::End);
    cache.ingest_all().unwrap();
    let shown = replay(&cache.view().encoded(&Uninterrupted).unwrap().unwrap());
    drop(cache);
    let segment = directory.path().join("log/_encoded/00000000.arrow");
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    for byte in &mut bytes[middle - 600..middle + 600] {
        *byte ^= 0xff;
    }
    // Another file: what was shown is mapped from the one that was there.
    std::fs::remove_file(&segment).unwrap();
    std::fs::write(&segment, bytes).unwrap();
    std::fs::set_permissions(&segment, PermissionsExt::from_mode(0o600)).unwrap();
    let again = open(&directory);
    let damaged = again.view().encoded(&Uninterrupted).unwrap().unwrap();
    assert!(replay(&damaged).1.unwrap().contains("is damaged"));
    drop(damaged);
    for _ in 0..2 {
        let encoded = again.view().encoded(&Uninterrupted).unwrap().unwrap();
        assert_eq!(replay(&encoded), shown);
    }
    assert_eq!(replay(&again), (batches(9), None));
}

#[test]
fn what_somebody_has_not_finished_making_is_removed() {
    let directory = directory();
    let cache = kept(&directory, 3, Then::End);
    cache.ingest_all().unwrap();
    let draft = directory.path().join("log/_encoded-77.part");
    let options = Options::new().with_named_log(LogOptions::new(&draft).allow_tmpfs(true));
    let other = Cache::new(Counting::new(9, Then::End), &options).unwrap();
    other
        .view()
        .reader()
        .unwrap()
        .next_batch(&Uninterrupted)
        .unwrap();
    let slice = |cache: &Cache| cache.view().encoded(&Uninterrupted).unwrap().is_some();
    assert!(slice(&cache));
    assert!(draft.exists(), "it is in use");
    drop(other);
    std::fs::remove_dir_all(directory.path().join("log/_encoded")).unwrap();
    drop(cache);
    assert!(slice(&open(&directory)));
    assert!(!draft.exists());
}

#[test]
fn only_a_log_with_a_name_can_be_flushed() {
    let cache = Cache::new(Counting::new(1, Then::End), &Options::new()).unwrap();
    assert!(matches!(cache.flush(), Err(Error::InvalidArgument(_))));
}
