//! Where steps wait that were made ahead, and the thread that makes them.
//!
//! The thread has nothing to do with Python and pulls no source: who reads steps waits for what they are made of
//! and says how many can be. It has the [`Maker`] while it is there, and leaves it behind when it goes, so
//! that a cache is never let go on that thread.

use std::collections::VecDeque;
use std::sync::Arc;

use super::making::Maker;
use super::shape::Made;
use crate::ahead::{Bell, Within};
use crate::error::{Error, Result};
use crate::interrupt::{Interrupt, SLICE};
use crate::panics::caught;
use crate::sync::{Condvar, Mutex, spawn};

pub(super) struct Room {
    bell: Arc<Bell>,
    ahead: Mutex<Ahead>,
    changed: Condvar,
    /// Absent while the thread has it.
    maker: Mutex<Option<Maker>>,
}

/// Locked for a moment.
struct Ahead {
    made: VecDeque<Result<Made>>,
    /// The step that is made next.
    next: u64,
    /// The first step that can't be made yet, or not at all.
    end: u64,
    /// How many may wait.
    room: usize,
    thread: Thread,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Thread {
    Unborn,
    Works,
    /// It ended, or could not begin: steps are made where they are asked for.
    Gone,
}

impl Room {
    pub(super) fn new(maker: Maker, next: u64, room: usize) -> Arc<Self> {
        Arc::new(Self {
            bell: Arc::default(),
            ahead: Mutex::new(Ahead {
                made: VecDeque::new(),
                next,
                end: next,
                room,
                thread: if room == 0 {
                    Thread::Gone
                } else {
                    Thread::Unborn
                },
            }),
            changed: Condvar::new(),
            maker: Mutex::new(Some(maker)),
        })
    }

    /// The next step, of those before `end`. An error comes at its place; the next call tries again.
    ///
    /// # Errors
    /// What making it says; [`Error::Interrupted`].
    pub(super) fn next(
        self: &Arc<Self>,
        end: u64,
        within: Within,
        interrupt: &dyn Interrupt,
    ) -> Result<Made> {
        loop {
            let (taken, thread, next) = {
                let mut ahead = self.ahead.lock();
                ahead.end = ahead.end.max(end);
                let mut taken = ahead.made.pop_front();
                if taken.is_none() && ahead.thread == Thread::Works {
                    self.bell.ring();
                    self.changed.wait_for(&mut ahead, SLICE);
                    taken = ahead.made.pop_front();
                }
                (taken, ahead.thread, ahead.next)
            };
            if let Some(made) = taken {
                self.bell.ring();
                return made;
            }
            match thread {
                Thread::Unborn => self.begin(within),
                Thread::Works => interrupt.check().map_err(Error::Interrupted)?,
                Thread::Gone => {
                    let Some(mut maker) = self.maker.lock().take() else {
                        // It is on its way back.
                        interrupt.check().map_err(Error::Interrupted)?;
                        std::thread::yield_now();
                        continue;
                    };
                    let made = make(&mut maker, next);
                    *self.maker.lock() = Some(maker);
                    self.ahead.lock().next += u64::from(made.is_ok());
                    return made;
                }
            }
        }
    }

    fn begin(self: &Arc<Self>, within: Within) {
        self.ahead.lock().thread = Thread::Works;
        self.bell.call();
        self.bell.ring();
        let making = Making {
            room: Arc::clone(self),
        };
        // Dropped where no thread can be had.
        let _begun = spawn("respool-epochs", move || making.run(within));
    }

    /// Ends the thread, and waits until it has left. What it leaves behind is dropped here.
    pub(super) fn close(&self, interrupt: &dyn Interrupt) -> Result<()> {
        self.bell.stop();
        let waited = self.bell.wait_until_left(interrupt);
        let maker = self.maker.lock().take();
        drop(maker);
        waited
    }

    /// The step to be made, where there is one and room for it.
    fn due(&self) -> Option<u64> {
        let ahead = self.ahead.lock();
        let has_failed = ahead.made.back().is_some_and(Result::is_err);
        let is_due = ahead.next < ahead.end && ahead.made.len() < ahead.room && !has_failed;
        (is_due && !self.bell.is_over()).then_some(ahead.next)
    }
}

fn make(maker: &mut Maker, step: u64) -> Result<Made> {
    caught(|| maker.make(step)).unwrap_or_else(|text| {
        Err(Error::invalid(format!(
            "gathering the rows of a step panicked: {text}"
        )))
    })
}

/// The thread, or that it could not begin.
struct Making {
    room: Arc<Room>,
}

impl Making {
    fn run(self, within: Within) {
        self.room.bell.come();
        within(&mut || {
            let Some(mut maker) = self.room.maker.lock().take() else {
                return;
            };
            while self.room.bell.listen() {
                while let Some(step) = self.room.due() {
                    let made = make(&mut maker, step);
                    let mut ahead = self.room.ahead.lock();
                    ahead.next += u64::from(made.is_ok());
                    ahead.made.push_back(made);
                    drop(ahead);
                    self.room.changed.notify_all();
                }
            }
            *self.room.maker.lock() = Some(maker);
        });
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        self.room.ahead.lock().thread = Thread::Gone;
        self.room.changed.notify_all();
        self.room.bell.leave();
    }
}
