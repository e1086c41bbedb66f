//! What the checks share: orders to try, a source that watches how it is asked, readers that watch what they get.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use arrow_schema::SchemaRef;
use respool::sync::checked::let_waits_time_out;
use respool::{BoxError, Budget, Cache, Error, Interrupt, Options, Reader, Source};
use shuttle::rand::{Rng, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Mutex;
use shuttle::{Config, Runner, thread};

/// Rows of a batch.
const ROWS: i64 = 64;

/// About the bytes that two batches take in the ledger.
pub(crate) const TWO: u64 = 2 * (ROWS.cast_unsigned() * 8 + 512) + 256;

/// So many times the orders of a normal run.
fn factor() -> usize {
    let factor = std::env::var("RESPOOL_SHUTTLE_FACTOR");
    factor.map_or(1, |factor| factor.parse().unwrap())
}

/// Plays a scene in so many orders, chosen evenly and by few changes of priority; with waits that end only
/// by being woken, and with others that time out.
pub(crate) fn check(orders: usize, scene: impl Fn() + Send + Sync + 'static) {
    let scene = Arc::new(scene);
    let mut config = Config::new();
    // Kernels, compression and file calls need more than the default.
    config.stack_size = 1 << 20;
    let orders = orders * factor();
    for waits_time_out in [false, true] {
        let play = {
            let scene = Arc::clone(&scene);
            move || {
                let_waits_time_out(waits_time_out);
                scene();
            }
        };
        Runner::new(RandomScheduler::new(orders), config.clone()).run(play.clone());
        Runner::new(PctScheduler::new(3, orders), config.clone()).run(play);
    }
}

/// Batch `index` of every source here.
pub(crate) fn batch(index: usize) -> RecordBatch {
    let from = i64::try_from(index).unwrap() * ROWS;
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + ROWS));
    RecordBatch::try_from_iter([("n", numbers)]).unwrap()
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Then {
    End,
    Fail,
    Panic,
}

/// What was asked of a source.
#[derive(Default)]
pub(crate) struct Seen {
    /// Locked while the source works: a point at which others may go on.
    working: Mutex<()>,
    pub(crate) asked: AtomicUsize,
    pub(crate) is_gone: AtomicBool,
    /// Asked by two at once.
    is_shared: AtomicBool,
}

/// Gives its batches, and then what it is told to.
pub(crate) struct Numbers {
    given: usize,
    batches: usize,
    then: Then,
    seen: Arc<Seen>,
}

impl Numbers {
    pub(crate) fn new(batches: usize, then: Then) -> (Self, Arc<Seen>) {
        let seen = Arc::new(Seen::default());
        let source = Self {
            given: 0,
            batches,
            then,
            seen: Arc::clone(&seen),
        };
        (source, seen)
    }
}

impl Source for Numbers {
    fn schema(&self) -> SchemaRef {
        batch(0).schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, BoxError> {
        self.seen.asked.fetch_add(1, SeqCst);
        match self.seen.working.try_lock() {
            Ok(_working) => thread::yield_now(),
            Err(_) => self.seen.is_shared.store(true, SeqCst),
        }
        if self.given < self.batches {
            self.given += 1;
            return Ok(Some(batch(self.given - 1)));
        }
        match self.then {
            Then::End => Ok(None),
            Then::Fail => Err("the wire broke".into()),
            // As `panic!`, past the hook that would print the order as that of a failed check.
            Then::Panic => std::panic::resume_unwind(Box::new("the wire broke")),
        }
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.seen.is_gone.store(true, SeqCst);
    }
}

impl Seen {
    /// Asserts that the source was asked for every batch and the end, once each, and let go.
    pub(crate) fn was_read_once(&self, batches: usize) {
        assert_eq!(self.asked.load(SeqCst), batches + 1);
        self.was_let_go();
    }

    pub(crate) fn was_let_go(&self) {
        assert!(self.is_gone.load(SeqCst));
        assert!(!self.is_shared.load(SeqCst));
    }
}

/// Calls off every other wait or pull that lasts.
pub(crate) struct Impatient;

impl Interrupt for Impatient {
    fn check(&self) -> Result<(), BoxError> {
        if thread_rng().r#gen() {
            Err("enough".into())
        } else {
            Ok(())
        }
    }
}

/// How a replay ended.
#[derive(Debug, PartialEq)]
pub(crate) enum Ended {
    Cleanly,
    Failed,
    Closed,
}

impl From<Then> for Ended {
    fn from(then: Then) -> Self {
        match then {
            Then::End => Self::Cleanly,
            Then::Fail | Then::Panic => Self::Failed,
        }
    }
}

/// Reads at most so many batches, going on after every interrupt and wherever there is no room yet.
/// Asserts that they are the next ones; returns how many there were, and the end if it was met.
pub(crate) fn read_some(reader: &mut Reader, most: usize) -> (usize, Option<Ended>) {
    let mut rows = i64::try_from(reader.at().batch).unwrap() * ROWS;
    let mut given = 0;
    while given < most {
        match reader.next_batch(&Impatient) {
            Ok(Some(batch)) => {
                let numbers = batch.column(0).as_primitive::<Int64Type>().values();
                let wanted: Vec<i64> = (rows..).take(numbers.len()).collect();
                assert_eq!(numbers[..], wanted);
                rows += i64::try_from(numbers.len()).unwrap();
                given += 1;
            }
            Ok(None) => return (given, Some(Ended::Cleanly)),
            Err(Error::Source(failure)) => {
                assert!(failure.to_string().contains("the wire broke"), "{failure}");
                return (given, Some(Ended::Failed));
            }
            Err(Error::Closed) => return (given, Some(Ended::Closed)),
            Err(Error::Interrupted(_)) => {}
            Err(Error::MemoryFull { .. } | Error::Log(_)) => thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    (given, None)
}

/// As [`read_some`], up to the end.
pub(crate) fn read_all(mut reader: Reader) -> (usize, Ended) {
    let (given, end) = read_some(&mut reader, usize::MAX);
    (given, end.unwrap())
}

pub(crate) fn reader(cache: &Cache) -> Reader {
    cache.view().reader().unwrap()
}

/// Starts a replay of everything that is to end like that.
pub(crate) fn replay(cache: &Cache, batches: usize, then: Then) -> thread::JoinHandle<()> {
    let reader = reader(cache);
    thread::spawn(move || assert_eq!(read_all(reader), (batches, then.into())))
}

pub(crate) fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A cache with a bound of its own, to be asked for what is left of it.
pub(crate) fn cache(
    source: impl Source + 'static,
    options: &Options,
    memory: Option<u64>,
) -> (Cache, Budget) {
    let budget = Budget::new(memory);
    let options = options.clone().with_budget(&budget);
    (Cache::new(source, &options).unwrap(), budget)
}

/// Changes the bound of memory, which is the budget's.
pub(crate) fn resize(cache: &Cache, budget: &Budget, memory: Option<u64>) -> Result<(), Error> {
    budget.set_capacity(memory);
    cache.rebound()
}
