//! The signatures of our locks over the primitives of shuttle, which runs one thread at a time and chooses
//! at each of them who goes on.
//!
//! loom would try every order and knows weak memory, but the engine has no atomics that its threads
//! agree by, and too many steps for every order.
//!
//! Time is a matter of choice too: at each look at the clock a time slice may have passed or not.

use std::cell::Cell;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use shuttle::rand::{Rng, thread_rng};
use shuttle::{sync, thread};

pub(crate) use shuttle::thread::ThreadId;

use super::SLICE;

pub(crate) type RwLockReadGuard<'a, T> = sync::RwLockReadGuard<'a, T>;

thread_local! {
    // Every execution runs on one thread of the system; another test has another.
    static TIME: Cell<Option<Instant>> = const { Cell::new(None) };
    static WAITS_END: Cell<bool> = const { Cell::new(false) };
}

/// Whether waits may time out, for all that is checked on this thread of the system. Without it who waits
/// is woken or waits for ever: a lost wake-up is a deadlock then, and no short delay.
pub fn let_waits_time_out(they_do: bool) {
    WAITS_END.set(they_do);
}

pub(crate) fn current_thread() -> ThreadId {
    thread::current().id()
}

pub(crate) fn now() -> Instant {
    let before = TIME.get().unwrap_or_else(Instant::now);
    let passed = if thread_rng().gen_ratio(1, 6) {
        SLICE
    } else {
        Duration::from_nanos(1)
    };
    let time = before + passed;
    TIME.set(Some(time));
    time
}

pub(crate) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
}

pub(crate) fn reach_files() {
    thread::yield_now();
}

#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(sync::Mutex<T>);

#[derive(Debug)]
pub(crate) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// Absent only within [`Condvar::wait_for`].
    held: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        // Nothing is poisoned where the locks are real.
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        MutexGuard {
            mutex: self,
            held: Some(held),
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.held {
            Some(held) => held,
            None => unreachable!("a guard is used while it waits"),
        }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.held {
            Some(held) => held,
            None => unreachable!("a guard is used while it waits"),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Condvar(sync::Condvar);

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self(sync::Condvar::new())
    }

    pub(crate) fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, _time: Duration) {
        let Some(held) = guard.held.take() else {
            return;
        };
        guard.held = if WAITS_END.get() && thread_rng().r#gen() {
            drop(held);
            // Others first: a scheduler with priorities would wait here for ever.
            thread::yield_now();
            guard.mutex.lock().held.take()
        } else {
            let held = self.0.wait(held);
            Some(held.unwrap_or_else(PoisonError::into_inner))
        };
    }

    pub(crate) fn notify_all(&self) {
        self.0.notify_all();
    }
}

#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(sync::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}
