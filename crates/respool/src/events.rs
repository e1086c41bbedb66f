//! What a cache tells of its work, for logs and metrics.
//!
//! What happens is noted where it happens, also under a lock, and told later by a thread that holds none and has
//! no turn at the source: there, where signals are looked at too. So whoever is told may read the cache.
//!
//! 1. The lock of the queue is taken last, held for a moment, and nothing foreign runs meanwhile.
//! 2. One thread tells at a time, in the order in which things happened.
//! 3. A turn ends early where much waits to be told, so nothing is lost where the one who causes it may tell it.
//!    Where nobody may, the queue is bounded, and what is lost is counted.
//! 4. In a forked child nothing is noted or told: the lock may be held by a thread that is not there.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::fork::Process;
use crate::sync::Mutex;

/// Events that wait at most.
const MOST: usize = 4096;

/// So many are worth the end of a turn.
const MANY: usize = 256;

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Batches of the source are stored, and readers have them.
    Ingest,
    /// A batch was written to the log.
    Spill,
    /// Memory has given up its copy of a batch.
    Evict,
    /// The source failed, or a batch could not be stored.
    Error,
    /// The source has come to its end, and everything is stored.
    End,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What it was.
    pub kind: EventKind,
    /// The number of the first batch that it is about; of an error that of the batch that is not there, at the end
    /// the number of all.
    pub batch: usize,
    /// Of how many batches it tells.
    pub batches: usize,
    /// Their rows.
    pub rows: u64,
    /// Bytes: shown by what was stored, written to the log, given back by memory.
    pub bytes: u64,
    /// How long the source was waited for since the ingest before, or the log was written.
    pub took: Duration,
    /// What went wrong.
    pub error: Option<String>,
    /// How many events before this one were lost, since nobody could tell them.
    pub dropped: u64,
}

impl Event {
    /// One that has only a kind and a place.
    pub(crate) fn new(kind: EventKind, batch: usize) -> Self {
        Self {
            kind,
            batch,
            batches: 1,
            rows: 0,
            bytes: 0,
            took: Duration::ZERO,
            error: None,
            dropped: 0,
        }
    }
}

/// Who is told.
pub trait Listener: Send + Sync {
    /// Takes what `next` gives, one event after another, until there is none; `false` where nothing more can be told
    /// now. What was not taken is told another time.
    fn listen(&self, next: &mut dyn FnMut() -> Option<Event>) -> bool;
}

/// A listener, as options carry it.
#[derive(Clone)]
pub(crate) struct Listening(pub(crate) Arc<dyn Listener>);

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listening")
    }
}

/// What waits to be told of one cache.
pub(crate) struct Outbox {
    listener: Arc<dyn Listener>,
    queue: Mutex<Queue>,
    /// The length of the queue.
    waiting: AtomicUsize,
    is_told: AtomicBool,
    /// For how long the source was waited for since the last ingest.
    source_nanos: AtomicU64,
    process: Process,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    dropped: u64,
}

impl Outbox {
    pub(crate) fn new(Listening(listener): &Listening) -> Self {
        Self {
            listener: Arc::clone(listener),
            queue: Mutex::default(),
            waiting: AtomicUsize::new(0),
            is_told: AtomicBool::new(false),
            source_nanos: AtomicU64::new(0),
            process: Process::here(),
        }
    }

    /// Takes note of a wait for the source, for the next ingest.
    pub(crate) fn waited(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.source_nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What was waited for the source since it was asked for the last time.
    pub(crate) fn waited_since(&self) -> Duration {
        Duration::from_nanos(self.source_nanos.swap(0, Ordering::Relaxed))
    }

    /// Takes note of something, to be told later. May be called under any lock of the store.
    pub(crate) fn note(&self, event: Event) {
        if !self.process.is_here() {
            return;
        }
        let mut queue = self.queue.lock();
        if queue.events.len() < MOST {
            let dropped = std::mem::take(&mut queue.dropped);
            queue.events.push_back(Event { dropped, ..event });
        } else {
            queue.dropped += 1;
        }
        self.waiting.store(queue.events.len(), Ordering::Release);
    }

    /// Whether there is so much to tell that a turn should end for it.
    pub(crate) fn is_due(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) >= MANY && !self.is_told.load(Ordering::Relaxed)
    }

    /// Tells what waits, if nobody does. To be called with no lock held, and without the turn.
    pub(crate) fn tell(&self) {
        while self.waiting.load(Ordering::Acquire) > 0 && self.process.is_here() {
            // Also where this very thread tells, further up its own stack.
            if self.is_told.swap(true, Ordering::AcqRel) {
                return;
            }
            let telling = Telling(&self.is_told);
            let goes_on = self.listener.listen(&mut || self.next());
            drop(telling);
            // What came since it was looked at is told in the next round.
            if !goes_on {
                return;
            }
        }
    }

    fn next(&self) -> Option<Event> {
        if !self.process.is_here() {
            return None;
        }
        let mut queue = self.queue.lock();
        let event = queue.events.pop_front();
        self.waiting.store(queue.events.len(), Ordering::Release);
        event
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}

/// That somebody tells; over when it is dropped, also by a panic.
struct Telling<'a>(&'a AtomicBool);

impl Drop for Telling<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Ears {
        heard: Mutex<Vec<(usize, u64)>>,
        is_deaf: AtomicBool,
    }

    impl Listener for Ears {
        fn listen(&self, next: &mut dyn FnMut() -> Option<Event>) -> bool {
            if self.is_deaf.load(Ordering::Relaxed) {
                return false;
            }
            while let Some(event) = next() {
                self.heard.lock().push((event.batch, event.dropped));
            }
            true
        }
    }

    fn outbox() -> (Arc<Ears>, Outbox) {
        let ears = Arc::new(Ears::default());
        let listener: Arc<dyn Listener> = Arc::clone(&ears) as _;
        (ears, Outbox::new(&Listening(listener)))
    }

    #[test]
    fn what_is_noted_is_told_in_order_and_once() {
        let (ears, outbox) = outbox();
        for batch in 0..3 {
            outbox.note(Event::new(EventKind::Ingest, batch));
        }
        assert!(ears.heard.lock().is_empty());
        outbox.tell();
        outbox.tell();
        assert_eq!(*ears.heard.lock(), [(0, 0), (1, 0), (2, 0)]);
    }

    #[test]
    fn what_nobody_can_tell_is_bounded_and_counted() {
        let (ears, outbox) = outbox();
        ears.is_deaf.store(true, Ordering::Relaxed);
        for batch in 0..MOST + 7 {
            outbox.note(Event::new(EventKind::Ingest, batch));
            outbox.tell();
        }
        assert!(outbox.is_due());
        ears.is_deaf.store(false, Ordering::Relaxed);
        outbox.tell();
        outbox.note(Event::new(EventKind::End, 9999));
        outbox.tell();
        let heard = ears.heard.lock();
        assert_eq!(heard.len(), MOST + 1);
        assert_eq!(heard.last(), Some(&(9999, 7)));
    }
}
