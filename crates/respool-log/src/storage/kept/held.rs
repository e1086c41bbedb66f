//! Locks that this process holds, and how a forked child of it lets go of them.
//!
//! A lock belongs to an open file, and the child of a fork has all open files of its parent: where the
//! parent dies, its locks would last as long as the child. So the files that hold locks lie in a table,
//! and the child [empties](forked) it. Who has made a lock has a place in the table until it gives the
//! lock back, in the child too: nobody closes a descriptor by a number that may be somebody else's now.
//!
//! No thread waits for another here: a place is locked by the one thread that has it. Where the fork was
//! in the middle of that, the place stays as it is in the child, for ever.
//!
//! Nor are the memory and the open files of a child those of one moment, where other threads went on: a
//! number in the table may be that of nothing, or of another file. So a file is closed only if it is the
//! one that was put there.
//!
//! A process that forks between the taking of a lock and its entry in the table, or while it gives the
//! lock back, has a child that keeps the file open. That matters only if the process is killed then: it
//! takes a lock off the file before it closes it, and that counts for all who have the file open.

use std::fs::{File, TryLockError};
use std::os::fd::IntoRawFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::locks::Mutex;

use super::directory::FileId;

/// How many locks a process can hold so that a child lets go of them. A log that is read has one, a log
/// that is written two.
const PLACES: usize = 4096;

/// For how long a lock that is taken is tried again: others hold it for a moment, to see whether it is
/// free.
const PATIENCE: Duration = Duration::from_millis(20);

/// Within one page of memory, of which a child has either all or nothing that is new.
#[derive(Debug)]
#[repr(align(64))]
struct Place {
    is_taken: AtomicBool,
    file: Mutex<Option<(File, FileId)>>,
}

static TABLE: [Place; PLACES] = [const {
    Place {
        is_taken: AtomicBool::new(false),
        file: Mutex::new(None),
    }
}; PLACES];

/// How many places, from the first on, were ever taken.
static USED: AtomicUsize = AtomicUsize::new(0);

/// An open file with a lock, which is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Held {
    place: Option<&'static Place>,
    /// The file itself, where there was no place for it.
    alone: Option<File>,
    /// The process that has the lock.
    process: u32,
}

impl Held {
    /// Keeps a file that has a lock.
    pub(super) fn new(file: File) -> Self {
        let process = std::process::id();
        let alone = |file| Self {
            place: None,
            alone: Some(file),
            process,
        };
        let Ok(id) = FileId::of(&file) else {
            return alone(file);
        };
        for (number, place) in TABLE.iter().enumerate() {
            let is_taken = place.is_taken.load(Ordering::Relaxed)
                || place.is_taken.swap(true, Ordering::Acquire);
            if !is_taken {
                USED.fetch_max(number + 1, Ordering::Relaxed);
                *place.file.lock() = Some((file, id));
                return Self {
                    place: Some(place),
                    alone: None,
                    process,
                };
            }
        }
        alone(file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut file = self.alone.take();
        if let Some(place) = self.place {
            file = place.file.lock().take().map(|(file, _)| file);
            place.is_taken.store(false, Ordering::Release);
        }
        let is_ours = self.process == std::process::id();
        if let Some(file) = file.filter(|_| is_ours) {
            // A child that does not let go of it has the file open too. Closing it does the rest.
            let _closing = file.unlock();
        }
    }
}

/// To be called in the child after a fork, before it uses any log: lets go of the locks of the parent,
/// which keeps them. Then a log is taken for one without a writer when the parent has died, whatever
/// becomes of the child, and can be removed when the parent has closed it.
///
/// Logs of the parent must not be written to in the child. They can be read, but nothing keeps others
/// from removing them meanwhile; a log that the child opens by itself is its own.
///
/// Waits for nothing and can't fail.
pub fn forked() {
    let used = USED.load(Ordering::Relaxed);
    for place in TABLE.iter().take(used) {
        let taken = place.file.try_lock().and_then(|mut file| file.take());
        let Some((file, id)) = taken else { continue };
        if FileId::of(&file).is_ok_and(|there| there == id) {
            // Closing it takes no lock off that the parent has.
            drop(file);
        } else {
            let _of_another = file.into_raw_fd();
        }
    }
}

/// Takes a lock for itself. Who only looks whether there is a holder shares it for a moment, and is waited for; who has
/// it alone writes or removes, and then that is told at once.
pub(super) fn alone(lock: &File) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => {}
            tried => return tried,
        }
        lock.try_lock_shared()?;
        lock.unlock().map_err(TryLockError::Error)?;
        if begun.elapsed() >= PATIENCE {
            return Err(TryLockError::WouldBlock);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Tries a lock that others may hold for a moment.
pub(super) fn patiently(
    attempt: impl Fn() -> Result<(), TryLockError>,
) -> Result<(), TryLockError> {
    let begun = Instant::now();
    loop {
        match attempt() {
            Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
            }
            tried => return tried,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_given_back_is_free_for_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let open = || File::create(&path).unwrap();
        let file = open();
        file.try_lock().unwrap();
        let held = Held::new(file);
        assert!(matches!(open().try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        open().try_lock().unwrap();
    }

    #[test]
    fn a_lock_is_given_back_while_another_has_the_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let file = File::create(&path).unwrap();
        let mut copy = file.try_clone().unwrap();
        file.try_lock().unwrap();
        drop(Held::new(file));
        File::open(&path).unwrap().try_lock().unwrap();
        copy.write_all(b"still open").unwrap();
    }

    #[test]
    fn who_shares_a_lock_for_a_moment_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let open = || File::create(&path).unwrap();
        let (looks, lock) = (open(), open());
        looks.lock_shared().unwrap();
        let done = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(3));
            looks.unlock().unwrap();
        });
        alone(&lock).unwrap();
        done.join().unwrap();
        assert!(matches!(alone(&open()), Err(TryLockError::WouldBlock)));
    }

    #[test]
    fn who_has_a_lock_alone_is_told_of_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let open = || File::create(&path).unwrap();
        let lock = open();
        lock.lock().unwrap();
        let attempts = || (0..100).map(|_| alone(&open()));
        let begun = Instant::now();
        assert!({ attempts() }.all(|tried| matches!(tried, Err(TryLockError::WouldBlock))));
        // Not a measurement: with one wait it would be twenty times as long.
        assert!(begun.elapsed() < 100 * PATIENCE);
    }

    #[test]
    fn more_locks_than_places_are_held_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        // Places without files, because descriptors are fewer.
        let taken: Vec<_> = TABLE
            .iter()
            .filter(|place| !place.is_taken.swap(true, Ordering::Acquire))
            .collect();
        let file = File::create(&path).unwrap();
        file.try_lock().unwrap();
        let held = Held::new(file);
        assert!(held.place.is_none());
        for place in taken {
            place.is_taken.store(false, Ordering::Release);
        }
        let again = || File::open(&path).unwrap().try_lock();
        assert!(matches!(again(), Err(TryLockError::WouldBlock)));
        drop(held);
        again().unwrap();
    }
}
