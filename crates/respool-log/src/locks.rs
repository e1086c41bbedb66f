//! The locks of all our crates: those of the standard library, which are not poisoned here.
//!
//! On Linux they are words of memory that the kernel waits at, and nothing else; elsewhere a child takes none that it
//! has from its parent, but by `try_lock`. `parking_lot` has one table of all who wait
//! in the process, with entries on their stacks: in a forked child the entries of threads that are not there stay in
//! it, over memory that new threads get, and who waits then may go round in it for ever.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{self, PoisonError, TryLockError};
use std::time::Duration;

/// One at a time.
#[derive(Debug, Default)]
pub struct Mutex<T>(sync::Mutex<T>);

/// Holds a [`Mutex`].
#[derive(Debug)]
pub struct MutexGuard<'a, T> {
    /// Absent only within [`Condvar::wait_for`].
    held: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> Self {
        Self(sync::Mutex::new(value))
    }

    /// Waits for it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard {
            held: Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Takes it, if nobody has it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let held = match self.0.try_lock() {
            Ok(held) => held,
            Err(TryLockError::Poisoned(held)) => held.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(MutexGuard { held: Some(held) })
    }

    /// What is in it, which nobody else can have.
    pub fn get_mut(&mut self) -> &mut T {
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

/// Where threads wait until they are told.
///
/// To tell nobody asks the kernel for nothing: the standard library's would, each time.
#[derive(Debug, Default)]
pub struct Condvar {
    inner: sync::Condvar,
    /// Who waits, counted while he has the lock. What he waits for changes under the lock too, so who tells of it
    /// afterwards sees him, or he has seen the change. In a forked child those of the parent may be among them, which
    /// costs a call of the kernel.
    waiting: AtomicUsize,
}

impl Condvar {
    /// Nobody waits.
    pub const fn new() -> Self {
        Self {
            inner: sync::Condvar::new(),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Gives the lock back, waits until it is told or the time is over, or for no reason, and takes the lock again.
    pub fn wait_for<T>(&self, guard: &mut MutexGuard<'_, T>, time: Duration) {
        if let Some(held) = guard.held.take() {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            let waited = self.inner.wait_timeout(held, time);
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            guard.held = Some(waited.unwrap_or_else(PoisonError::into_inner).0);
        }
    }

    /// Tells one who waits.
    pub fn notify_one(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.inner.notify_one();
        }
    }

    /// Tells all who wait.
    pub fn notify_all(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.inner.notify_all();
        }
    }
}

/// Many who read, or one who writes.
#[derive(Debug, Default)]
pub struct RwLock<T>(sync::RwLock<T>);

/// Reads in a [`RwLock`].
pub type RwLockReadGuard<'a, T> = sync::RwLockReadGuard<'a, T>;

impl<T> RwLock<T> {
    /// A lock that nobody holds.
    pub const fn new(value: T) -> Self {
        Self(sync::RwLock::new(value))
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody reads or writes.
    pub fn write(&self) -> sync::RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in it, which nobody else can have.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}
