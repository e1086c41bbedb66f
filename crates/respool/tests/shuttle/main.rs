//! Waiting and pulling in many orders of the threads, chosen by a model checker.
//!
//! `make test-shuttle` tries some; `RESPOOL_SHUTTLE_FACTOR=100` tries a hundred times as many. A check that
//! fails prints its order, which `shuttle::replay` plays again.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't be set up should fail"
)]

mod ahead;
mod room;
mod scene;

use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use respool::{BoxError, Cache, Error, Options, Reader, Source, Uninterrupted};
use scene::{Ended, Numbers, Then, batch, cache, check, join, read_all, read_some, reader, replay};
use shuttle::sync::mpsc;
use shuttle::thread;

/// Three replays, and one that is given up after a batch.
fn readers_share_a_source(then: Then) {
    check(2000, move || {
        let (source, seen) = Numbers::new(3, then);
        let (cache, budget) = cache(source, &Options::new(), None);
        let mut other = reader(&cache);
        let mut threads = vec![thread::spawn(move || {
            assert_eq!(read_some(&mut other, 1), (1, None));
        })];
        threads.extend((0..3).map(|_| replay(&cache, 3, then)));
        join(threads);
        seen.was_read_once(3);
        join([replay(&cache, 3, then)]);
        seen.was_read_once(3);
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn a_source_that_ends() {
    readers_share_a_source(Then::End);
}

#[test]
fn a_source_that_fails() {
    readers_share_a_source(Then::Fail);
}

#[test]
fn a_source_that_panics() {
    readers_share_a_source(Then::Panic);
}

#[test]
fn joined_batches_come_before_the_end() {
    for then in [Then::End, Then::Fail] {
        check(1000, move || {
            let (source, seen) = Numbers::new(5, then);
            let options = Options::new().with_coalesce_rows(100);
            let (cache, budget) = cache(source, &options, None);
            // Two and two are joined, and the last stays alone.
            join([(); 3].map(|()| replay(&cache, 3, then)));
            seen.was_read_once(5);
            drop(cache);
            assert_eq!(budget.used(), 0);
        });
    }
}

/// Gives its second batch when it is told to.
struct Patient {
    numbers: Numbers,
    /// Told when it begins to wait.
    waits: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

impl Patient {
    fn new(numbers: Numbers) -> (Self, mpsc::Receiver<()>, mpsc::Sender<()>) {
        let (waits, is_waiting) = mpsc::channel();
        let (tell, go_on) = mpsc::channel();
        let source = Self {
            numbers,
            waits,
            go_on,
        };
        (source, is_waiting, tell)
    }
}

impl Source for Patient {
    fn schema(&self) -> SchemaRef {
        self.numbers.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        let batch = self.numbers.next_batch()?;
        if batch.as_ref() == Some(&scene::batch(1)) {
            self.waits.send(())?;
            self.go_on.recv()?;
        }
        Ok(batch)
    }
}

#[test]
fn what_is_stored_is_given_while_the_source_is_asked_for_more() {
    check(1000, || {
        let (numbers, seen) = Numbers::new(2, Then::End);
        let (source, _is_waiting, tell) = Patient::new(numbers);
        let (cache, budget) = cache(source, &Options::new(), None);
        let mut first = reader(&cache);
        let all = cache.clone();
        join([
            thread::spawn(move || assert_eq!(all.ingest_all().unwrap(), 2)),
            thread::spawn(move || {
                assert_eq!(read_some(&mut first, 1), (1, None));
                tell.send(()).unwrap();
            }),
            replay(&cache, 2, Then::End),
        ]);
        seen.was_read_once(2);
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn closing_wakes_who_waits_for_a_source_that_does_not_answer() {
    check(1000, || {
        let (numbers, seen) = Numbers::new(2, Then::End);
        let (source, is_waiting, tell) = Patient::new(numbers);
        let (cache, budget) = cache(source, &Options::new(), None);
        let [puller, waiter] = [(); 2].map(|()| reader(&cache));
        let puller = thread::spawn(move || {
            let (_, ended) = read_all(puller);
            assert_eq!(ended, Ended::Closed);
        });
        is_waiting.recv().unwrap();
        let waiter = thread::spawn(move || {
            let (_, ended) = read_all(waiter);
            assert_eq!(ended, Ended::Closed);
        });
        thread::yield_now();
        cache.close().unwrap();
        join([waiter]);
        tell.send(()).unwrap();
        join([puller]);
        seen.was_let_go();
        assert_eq!(budget.used(), 0);
    });
}

/// Reads a cache.
struct Replaying(Reader);

impl Source for Replaying {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        loop {
            match self.0.next_batch(&scene::Impatient) {
                Err(Error::Interrupted(_)) => {}
                given => return Ok(given?),
            }
        }
    }
}

#[test]
fn a_source_that_reads_another_cache() {
    for then in [Then::End, Then::Fail] {
        check(1000, move || {
            let (source, seen) = Numbers::new(2, then);
            let (first, used_by_first) = cache(source, &Options::new(), None);
            let (second, used_by_second) = cache(Replaying(reader(&first)), &Options::new(), None);
            join([&first, &second, &second, &first].map(|cache| replay(cache, 2, then)));
            seen.was_read_once(2);
            drop((first, second));
            assert_eq!((used_by_first.used(), used_by_second.used()), (0, 0));
        });
    }
}

/// Gives few distinct strings, twice.
struct Texts(usize);

impl Source for Texts {
    fn schema(&self) -> SchemaRef {
        texts().schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.0 += 1;
        Ok((self.0 <= 2).then(texts))
    }
}

fn texts() -> RecordBatch {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(["a", "b"].repeat(32)));
    RecordBatch::try_from_iter([("s", texts)]).unwrap()
}

#[test]
fn two_that_encode_at_once_share_what_comes_of_it() {
    check(300, || {
        let (cache, budget) = cache(Texts(0), &Options::new(), None);
        cache.ingest_all().unwrap();
        let encoded = [(); 2].map(|()| {
            let view = cache.view();
            thread::spawn(move || view.encoded(&Uninterrupted).unwrap().unwrap())
        });
        let [first, second] = encoded.map(|thread| thread.join().unwrap());
        let alone = budget.used();
        drop(second);
        assert_eq!(budget.used(), alone);
        assert_eq!(first.snapshot().unwrap().rows, 128);
        let kept = cache.metrics().unwrap().encoded_memory_bytes;
        assert!(kept > 0 && kept < budget.used());
        drop(first);
        assert_eq!(budget.used(), alone);
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}

/// Reads the cache it feeds, after a batch.
struct SelfReading {
    own: Arc<Mutex<Option<Cache>>>,
    given: bool,
}

impl Source for SelfReading {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        if !std::mem::replace(&mut self.given, true) {
            return Ok(Some(batch(0)));
        }
        let own = self.own.lock().map_err(|_| "poisoned")?.take();
        let mut reader = reader(&own.ok_or("asked twice")?);
        // What is stored can be read.
        assert_eq!(read_some(&mut reader, 1), (1, None));
        match reader.next_batch(&Uninterrupted) {
            Err(Error::Reentrant) => Err("the wire broke".into()),
            other => Err(format!("{other:?}").into()),
        }
    }
}

#[test]
fn a_source_that_reads_its_own_cache() {
    check(2000, || {
        let own = Arc::new(Mutex::new(None));
        let source = SelfReading {
            own: Arc::clone(&own),
            given: false,
        };
        let (cache, budget) = cache(source, &Options::new(), None);
        *own.lock().unwrap() = Some(cache.clone());
        join([(); 3].map(|()| replay(&cache, 1, Then::Fail)));
        drop(cache);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn closing_ends_every_read_and_the_pulling() {
    closing(&Options::new(), 4);
}

#[test]
fn closing_ends_the_joining_too() {
    closing(&Options::new().with_coalesce_rows(1 << 20), 1);
}

/// Closes a cache of four batches that become so many.
fn closing(options: &Options, joined: usize) {
    let options = options.clone();
    check(1000, move || {
        let (source, seen) = Numbers::new(4, Then::End);
        let (cache, budget) = cache(source, &options, None);
        let readers = [(); 3].map(|()| {
            let reader = reader(&cache);
            thread::spawn(move || match read_all(reader) {
                (given, Ended::Closed) => assert!(given <= joined),
                (given, ended) => assert_eq!((given, ended), (joined, Ended::Cleanly)),
            })
        });
        let closer = {
            let (cache, seen) = (cache.clone(), Arc::clone(&seen));
            thread::spawn(move || {
                cache.close().unwrap();
                let asked = seen.asked.load(SeqCst);
                assert!(matches!(cache.view().reader(), Err(Error::Closed)));
                // Who was on the way to the source when the cache was closed may still ask it.
                thread::yield_now();
                assert!(seen.asked.load(SeqCst) <= asked + 1);
                asked
            })
        };
        join(readers);
        let asked = closer.join().unwrap();
        assert!(seen.asked.load(SeqCst) <= asked + 1);
        seen.was_let_go();
        // Nothing is held by a cache that is closed, also while it is there.
        assert_eq!(budget.used(), 0);
        drop(cache);
    });
}
