//! Who waits for whom.

mod support;

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use respool::{BoxError, Cache, Error, Interrupt, Options, Polled, Source, Uninterrupted};
use support::{batch, batches, replay};

/// Gives one batch, then waits to be told to go on.
struct Stalling {
    given: usize,
    go_on: mpsc::Receiver<()>,
    stalls: mpsc::Sender<()>,
}

fn stalling() -> (Stalling, mpsc::Sender<()>, mpsc::Receiver<()>) {
    let (tell, go_on) = mpsc::channel();
    let (stalls, stalled) = mpsc::channel();
    (
        Stalling {
            given: 0,
            go_on,
            stalls,
        },
        tell,
        stalled,
    )
}

impl Source for Stalling {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.given += 1;
        match self.given {
            1 => Ok(Some(batch(0))),
            2 => {
                self.stalls.send(())?;
                self.go_on.recv()?;
                Ok(Some(batch(1)))
            }
            _ => Ok(None),
        }
    }
}

struct After(Instant);

impl Interrupt for After {
    fn check(&self) -> Result<(), BoxError> {
        if Instant::now() < self.0 {
            Ok(())
        } else {
            Err("enough".into())
        }
    }
}

#[test]
fn what_is_stored_is_served_while_the_source_stalls() {
    let (source, go_on, stalled) = stalling();
    let cache = Cache::new(source, &Options::new()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| assert_eq!(replay(&cache), (batches(2), None)));
        stalled.recv().unwrap();
        let mut other = cache.view().reader().unwrap();
        assert!(matches!(other.poll().unwrap(), Polled::Batch(first) if first == batch(0)));
        assert!(matches!(other.poll().unwrap(), Polled::Pending));
        go_on.send(()).unwrap();
    });
    assert_eq!(replay(&cache), (batches(2), None));
}

#[test]
fn a_wait_for_another_pull_can_be_interrupted_and_taken_up_again() {
    let (source, go_on, stalled) = stalling();
    let cache = Cache::new(source, &Options::new()).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| replay(&cache));
        stalled.recv().unwrap();
        let mut other = cache.view().reader().unwrap();
        other.next_batch(&Uninterrupted).unwrap();
        let waited = other.next_batch(&After(Instant::now() + Duration::from_millis(60)));
        assert!(matches!(waited, Err(Error::Interrupted(_))), "{waited:?}");
        go_on.send(()).unwrap();
        assert_eq!(other.next_batch(&Uninterrupted).unwrap(), Some(batch(1)));
    });
}

#[test]
fn closing_wakes_who_waits() {
    let (source, go_on, stalled) = stalling();
    let cache = Cache::new(source, &Options::new()).unwrap();
    thread::scope(|scope| {
        let puller = scope.spawn(|| replay(&cache));
        stalled.recv().unwrap();
        let waiter = scope.spawn(|| replay(&cache));
        thread::sleep(Duration::from_millis(20));
        cache.close().unwrap();
        assert!(waiter.join().unwrap().1.is_some());
        go_on.send(()).unwrap();
        assert!(puller.join().unwrap().1.is_some());
    });
}

/// Reads the cache it feeds.
struct SelfReading(Arc<Mutex<Option<Cache>>>);

impl Source for SelfReading {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        let cache = self
            .0
            .lock()
            .map_err(|_| "poisoned")?
            .clone()
            .ok_or("no cache")?;
        let mut reader = cache.view().reader()?;
        Ok(reader.next_batch(&Uninterrupted)?)
    }
}

#[test]
fn a_source_that_reads_its_own_cache_is_told_so() {
    let own = Arc::new(Mutex::new(None));
    let cache = Cache::new(SelfReading(Arc::clone(&own)), &Options::new()).unwrap();
    *own.lock().unwrap() = Some(cache.clone());
    let (given, error) = replay(&cache);
    assert!(given.is_empty());
    assert!(error.unwrap().contains("reading the cache it feeds"));
    own.lock().unwrap().take();
}
