//! A thread that reads ahead: how far, for whom, and when it is gone.

mod support;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use respool::{
    BoxError, Budget, Cache, Distance, Error, Interrupt, Options, ReadAhead, Source, Uninterrupted,
};
use support::{Counting, Then, batch, batches, directory, replay, stores};

fn ahead(batches: usize) -> ReadAhead {
    ReadAhead::new(Distance::Batches(batches))
}

/// Waits until it is so.
fn until(is_so: impl Fn() -> bool) {
    let given_up = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < given_up, "it never came to that");
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether it stays like that for a while.
fn stays(is_so: impl Fn() -> bool) -> bool {
    (0..30).all(|_| {
        thread::sleep(Duration::from_millis(1));
        is_so()
    })
}

#[test]
fn nothing_is_read_before_somebody_asks_and_then_so_far_and_no_further() {
    let source = Counting::new(100, Then::End);
    let asked = Arc::clone(&source.asked);
    let options = Options::new().with_read_ahead(ahead(3));
    let cache = Cache::new(source, &options).unwrap();
    let mut reader = cache.view().reader().unwrap();
    assert!(stays(|| asked.load(SeqCst) == 0));
    for position in 0..50 {
        assert_eq!(
            reader.next_batch(&Uninterrupted).unwrap(),
            Some(batch(position))
        );
        until(|| asked.load(SeqCst) == position + 4);
    }
    assert!(stays(|| asked.load(SeqCst) == 53));
    // Who comes behind is not the furthest.
    let mut second = cache.view().reader().unwrap();
    second.next_batch(&Uninterrupted).unwrap();
    assert!(stays(|| asked.load(SeqCst) == 53));
    assert_eq!(replay(&cache), (batches(100), None));
    assert_eq!(asked.load(SeqCst), 101);
}

#[test]
fn bytes_are_a_distance_too() {
    let source = Counting::new(100, Then::End);
    let asked = Arc::clone(&source.asked);
    let each = {
        let one = Cache::new(Counting::new(1, Then::End), &Options::new()).unwrap();
        one.ingest_all().unwrap();
        one.snapshot().unwrap().bytes
    };
    let bytes = ReadAhead::new(Distance::Bytes(3 * each - each / 2));
    let cache = Cache::new(source, &Options::new().with_read_ahead(bytes)).unwrap();
    let mut reader = cache.view().reader().unwrap();
    for position in 0..5 {
        reader.next_batch(&Uninterrupted).unwrap();
        until(|| asked.load(SeqCst) >= position + 4);
        assert!(stays(|| asked.load(SeqCst) == position + 4));
    }
}

#[test]
fn every_store_gives_what_it_gives_without() {
    let directory = directory();
    for (name, options) in stores(&directory) {
        for then in [Then::End, Then::Fail, Then::Panic] {
            let source = Counting::new(20, then);
            let asked = Arc::clone(&source.asked);
            let alone = Cache::new(Counting::new(20, then), &options).unwrap();
            let cache = Cache::new(source, &options.clone().with_read_ahead(ahead(4))).unwrap();
            for _ in 0..2 {
                assert_eq!(replay(&cache), replay(&alone), "{name}");
            }
            assert_eq!(asked.load(SeqCst), 21, "{name}");
        }
    }
}

/// Notes who asks it.
struct Asked {
    numbers: Counting,
    threads: Arc<Mutex<HashSet<ThreadId>>>,
}

impl Source for Asked {
    fn schema(&self) -> SchemaRef {
        self.numbers.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        let me = thread::current().id();
        self.threads.lock().map_err(|_| "poisoned")?.insert(me);
        thread::sleep(Duration::from_micros(200));
        self.numbers.next_batch()
    }
}

#[test]
fn one_thread_asks_whatever_readers_there_are() {
    let threads = Arc::default();
    let source = Asked {
        numbers: Counting::new(60, Then::End),
        threads: Arc::clone(&threads),
    };
    let cache = Cache::new(source, &Options::new().with_read_ahead(ahead(2))).unwrap();
    let readers = [(); 4].map(|()| {
        let cache = cache.clone();
        thread::spawn(move || {
            assert_eq!(replay(&cache), (batches(60), None));
            thread::current().id()
        })
    });
    let readers = readers.map(|reader| reader.join().unwrap());
    let threads = threads.lock().unwrap();
    assert_eq!(threads.len(), 1);
    assert!(readers.iter().all(|reader| !threads.contains(reader)));
}

#[test]
fn a_reader_is_told_where_there_is_no_room_and_goes_on_when_there_is() {
    let source = Counting::new(20, Then::End);
    let asked = Arc::clone(&source.asked);
    let budget = Budget::new(Some(6000));
    let options = Options::new()
        .with_budget(&budget)
        .with_read_ahead(ahead(50));
    let cache = Cache::new(source, &options).unwrap();
    let mut reader = cache.view().reader().unwrap();
    let mut given = 0;
    let told = loop {
        match reader.next_batch(&Uninterrupted) {
            Ok(_) => given += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(told, Error::MemoryFull { .. }), "{told}");
    assert!((1..20).contains(&given) && budget.used() <= 6000);
    assert_eq!(asked.load(SeqCst), given + 1);
    assert!(stays(|| asked.load(SeqCst) == given + 1));
    assert!(reader.next_batch(&Uninterrupted).is_err());
    // The bound is the budget's, which others may share.
    cache.resize(None, None).unwrap();
    assert!(stays(|| asked.load(SeqCst) == given + 1));
    budget.set_capacity(None);
    cache.rebound().unwrap();
    // Nobody has to read for it to go on.
    until(|| asked.load(SeqCst) == 21);
    assert_eq!(replay(&cache), (batches(20), None));
}

#[test]
fn what_every_reader_has_passed_makes_room() {
    let source = Counting::new(60, Then::End);
    let asked = Arc::clone(&source.asked);
    let budget = Budget::new(Some(12_000));
    let options = Options::new()
        .with_budget(&budget)
        .with_max_readers(1)
        .with_read_ahead(ahead(50));
    let cache = Cache::new(source, &options).unwrap();
    let mut reader = cache.view().reader().unwrap();
    for position in 0..60 {
        let given = reader.next_batch(&Uninterrupted).unwrap();
        assert_eq!(given, Some(batch(position)));
        assert!(budget.used() <= 12_000);
    }
    assert_eq!(reader.next_batch(&Uninterrupted).unwrap(), None);
    assert_eq!((asked.load(SeqCst), budget.used()), (61, 0));
}

/// Gives a batch each time that it is told to.
struct Told {
    given: usize,
    waits: Sender<()>,
    go_on: Receiver<()>,
    is_gone: Arc<AtomicBool>,
}

impl Told {
    fn new() -> (Self, Receiver<()>, Sender<()>) {
        let (waits, is_waiting) = mpsc::channel();
        let (tell, go_on) = mpsc::channel();
        let source = Self {
            given: 0,
            waits,
            go_on,
            is_gone: Arc::default(),
        };
        (source, is_waiting, tell)
    }
}

impl Source for Told {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.waits.send(())?;
        self.go_on.recv()?;
        self.given += 1;
        Ok(Some(batch(self.given - 1)))
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        self.is_gone.store(true, SeqCst);
    }
}

#[test]
fn a_cache_goes_while_its_source_is_asked_and_the_source_when_it_answers() {
    let (source, is_waiting, tell) = Told::new();
    let is_gone = Arc::clone(&source.is_gone);
    let budget = Budget::new(None);
    let options = Options::new()
        .with_budget(&budget)
        .with_read_ahead(ahead(1));
    let cache = Cache::new(source, &options).unwrap();
    tell.send(()).unwrap();
    let mut reader = cache.view().reader().unwrap();
    reader.next_batch(&Uninterrupted).unwrap();
    is_waiting.recv().unwrap();
    is_waiting.recv().unwrap();
    assert!(budget.used() > 0);
    drop((cache, reader));
    assert_eq!(budget.used(), 0);
    assert!(!is_gone.load(SeqCst));
    tell.send(()).unwrap();
    until(|| is_gone.load(SeqCst));
}

#[test]
fn a_cache_that_rests_is_let_go_whole() {
    let (source, is_waiting, tell) = Told::new();
    let is_gone = Arc::clone(&source.is_gone);
    let cache = Cache::new(source, &Options::new().with_read_ahead(ahead(1))).unwrap();
    for _ in 0..2 {
        tell.send(()).unwrap();
    }
    cache.view().batch(0, &Uninterrupted).unwrap();
    until(|| cache.snapshot().unwrap().batches == 2);
    drop(is_waiting);
    drop(cache);
    until(|| is_gone.load(SeqCst));
}

#[test]
fn closing_waits_for_the_thread() {
    let (source, is_waiting, tell) = Told::new();
    let is_gone = Arc::clone(&source.is_gone);
    let cache = Cache::new(source, &Options::new().with_read_ahead(ahead(1))).unwrap();
    tell.send(()).unwrap();
    cache.view().batch(0, &Uninterrupted).unwrap();
    for _ in 0..2 {
        is_waiting.recv().unwrap();
    }
    let closes = thread::spawn({
        let cache = cache.clone();
        move || cache.close().unwrap()
    });
    until(|| cache.check_open().is_err());
    assert!(stays(|| !closes.is_finished()));
    tell.send(()).unwrap();
    closes.join().unwrap();
    assert!(is_gone.load(SeqCst));
}

struct AtOnce;

impl Interrupt for AtOnce {
    fn check(&self) -> Result<(), BoxError> {
        Err("enough".into())
    }
}

#[test]
fn a_wait_for_the_thread_is_called_off_and_ends_by_itself() {
    for is_patient in [false, true] {
        let (source, is_waiting, tell) = Told::new();
        let cache = Cache::new(source, &Options::new().with_read_ahead(ahead(1))).unwrap();
        let mut reader = cache.view().reader().unwrap();
        let told = reader.next_batch(&AtOnce);
        assert!(matches!(told, Err(Error::Interrupted(_))), "{told:?}");
        is_waiting.recv().unwrap();
        if is_patient {
            cache.close().unwrap();
        } else {
            let closed = cache.close_with(&AtOnce);
            assert!(matches!(closed, Err(Error::Interrupted(_))), "{closed:?}");
        }
        assert!(matches!(cache.check_open(), Err(Error::Closed)));
        drop(tell);
    }
}

#[test]
fn who_was_interrupted_goes_on() {
    let (source, is_waiting, tell) = Told::new();
    let cache = Cache::new(source, &Options::new().with_read_ahead(ahead(1))).unwrap();
    let mut reader = cache.view().reader().unwrap();
    for position in 0..3 {
        is_waiting_for_a_while(&mut reader);
        tell.send(()).unwrap();
        let given = reader.next_batch(&Uninterrupted).unwrap();
        assert_eq!(given, Some(batch(position)));
    }
    drop((is_waiting, tell));
    assert!(reader.next_batch(&Uninterrupted).is_err());
}

fn is_waiting_for_a_while(reader: &mut respool::Reader) {
    let told = reader.next_batch(&AtOnce);
    assert!(matches!(told, Err(Error::Interrupted(_))), "{told:?}");
}

/// Reads or closes the cache that it feeds.
struct OfItself {
    own: Arc<Mutex<Option<Cache>>>,
    asked: Arc<AtomicUsize>,
    closes: bool,
}

impl Source for OfItself {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        if self.asked.fetch_add(1, SeqCst) == 0 {
            return Ok(Some(batch(0)));
        }
        let own = self.own.lock().map_err(|_| "poisoned")?.take();
        let own = own.ok_or("asked twice")?;
        if self.closes {
            own.close()?;
            return Ok(None);
        }
        assert_eq!(own.view().batch(0, &Uninterrupted)?, Some(batch(0)));
        match own.view().batch(1, &Uninterrupted) {
            Err(Error::Reentrant) => Err("as it should be".into()),
            other => Err(format!("{other:?}").into()),
        }
    }
}

#[test]
fn a_source_that_reads_or_closes_its_own_cache() {
    for closes in [false, true] {
        let own: Arc<Mutex<Option<Cache>>> = Arc::default();
        let source = OfItself {
            own: Arc::clone(&own),
            asked: Arc::default(),
            closes,
        };
        let cache = Cache::new(source, &Options::new().with_read_ahead(ahead(1))).unwrap();
        *own.lock().unwrap() = Some(cache.clone());
        let (given, error) = replay(&cache);
        let error = error.unwrap();
        if closes {
            assert!(error.contains("closed"), "{error}");
        } else {
            assert!(error.contains("as it should be"), "{error}");
            assert_eq!(given, vec![batch(0)]);
        }
    }
}

#[test]
fn where_no_thread_runs_readers_ask() {
    let threads = Arc::default();
    let source = Asked {
        numbers: Counting::new(10, Then::End),
        threads: Arc::clone(&threads),
    };
    let nothing: respool::Within = |_| {};
    let options = Options::new().with_read_ahead(ahead(2).within(nothing));
    let cache = Cache::new(source, &options).unwrap();
    assert_eq!(replay(&cache), (batches(10), None));
    assert!(threads.lock().unwrap().contains(&thread::current().id()));
}
