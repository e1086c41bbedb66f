//! The thread that reads the source ahead, where that was asked for.
//!
//! It asks the source with nothing of the store in its hands: a cache that is let go meanwhile goes at once, and
//! what waits to be joined can be stored by who waits for it. Only to store what came does it hold the store.

use std::sync::{Arc, Weak};

use super::Goal;
use super::turn::{Turn, ask};
use crate::ahead::{Bell, Within};
use crate::error::{Error, Result};
use crate::fork::Process;
use crate::interrupt::SLICE;
use crate::source::Source;
use crate::store::Store;
use crate::store::ahead::Thread;
use crate::store::upstream::{Answer, Upstream};
use crate::sync::{current_thread, now, spawn};

/// What the thread does next.
enum Work {
    Rest,
    Ask(Box<dyn Source>),
    Store(Upstream, (usize, u64)),
}

impl Store {
    /// Begins the thread.
    pub(super) fn read_ahead(self: &Arc<Self>) {
        let (Some(bell), Some(within)) = (&self.bell, self.within) else {
            return;
        };
        bell.call();
        bell.ring();
        let reading = Reading {
            store: Arc::downgrade(self),
            bell: Arc::clone(bell),
            process: Process::here(),
            is_known_gone: false,
        };
        // Dropped where no thread can be had.
        let _begun = spawn("respool-ahead", move || reading.run(within));
    }

    /// What is to be done; `None` where the thread is not needed any more.
    fn next_work(&self, bell: &Bell) -> Option<Work> {
        let mut state = self.look_open().ok()?;
        let stored = (state.slots.len(), state.rows);
        let ahead = state.ahead.as_ref()?;
        if bell.is_over() {
            return None;
        }
        if state.puller.is_some() || !ahead.works() {
            return Some(Work::Rest);
        }
        let is_due = ahead.is_due(stored.0);
        let Some(Upstream::Source(feed)) = &mut state.upstream else {
            return None;
        };
        if feed.has_something() {
            state.puller = Some(current_thread());
            return state.upstream.take().map(|it| Work::Store(it, stored));
        }
        let source = feed.source.take_if(|_| is_due);
        Some(match source {
            Some(source) => {
                state.reads_ahead = Some(current_thread());
                Work::Ask(source)
            }
            None => Work::Rest,
        })
    }

    /// Gives the source back, with what it said.
    ///
    /// # Errors
    /// [`Error::Closed`]; [`Error::Forked`], in which case nothing was dropped.
    fn give_back(&self, asked: &mut Asked) -> Result<()> {
        let mut state = self.look_open()?;
        loop {
            if let Some(Upstream::Source(feed)) = &mut state.upstream {
                feed.source = asked.source.take();
                feed.answer = asked.answer.take();
                state.reads_ahead = None;
                return Ok(());
            }
            if state.puller.is_none() {
                return Err(Error::Closed);
            }
            // Somebody stores what was there already.
            self.advanced.wait_for(&mut state, SLICE);
            drop(state);
            state = self.look_open()?;
        }
    }

    /// Notes what became of the thread, and wakes who relies on it.
    fn note_thread(&self, thread: Thread) {
        let Ok(mut state) = self.look() else {
            return;
        };
        if let Some(ahead) = &mut state.ahead {
            ahead.thread = thread;
        }
        drop(state);
        self.advanced.notify_all();
    }
}

/// The thread, or that it could not begin.
struct Reading {
    store: Weak<Store>,
    bell: Arc<Bell>,
    process: Process,
    /// Whether those who relied on it know that it is gone.
    is_known_gone: bool,
}

impl Reading {
    fn run(mut self, within: Within) {
        self.bell.come();
        // Told before `within` cleans up, which may wait for ever where the process ends.
        within(&mut || {
            self.work();
            self.is_gone();
        });
    }

    fn work(&self) {
        while self.bell.listen() {
            while let Some(store) = self.store.upgrade() {
                match store.next_work(&self.bell) {
                    None => return,
                    Some(Work::Rest) => break,
                    Some(Work::Ask(source)) => {
                        let mut asked = Asked {
                            store: Weak::clone(&self.store),
                            source: Some(source),
                            answer: None,
                        };
                        let schema = Arc::clone(&store.schema);
                        drop(store);
                        let source = asked.source.as_deref_mut();
                        asked.answer = source.map(|source| ask(source, &schema, now()));
                    }
                    Some(Work::Store(upstream, stored)) => {
                        let turn = Turn::new(&store, upstream, stored, false);
                        if turn.take(Goal::End, now() + SLICE, None).is_err() {
                            store.note_thread(Thread::Parked);
                        }
                        store.tell();
                    }
                }
            }
        }
    }

    fn is_gone(&mut self) {
        if !std::mem::replace(&mut self.is_known_gone, true)
            && let Some(store) = self.store.upgrade()
        {
            store.note_thread(Thread::Gone);
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // Not in the child of a source that forks: somebody who is not there may have the lock.
        if self.process.is_here() {
            self.is_gone();
            self.bell.leave();
        }
    }
}

/// A source that is asked; given back by dropping it, also by a panic.
struct Asked {
    store: Weak<Store>,
    source: Option<Box<dyn Source>>,
    answer: Option<Answer>,
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Where the store is gone, or closed, the source goes too, with no lock held.
        let Some(store) = self.store.upgrade() else {
            return;
        };
        if let Err(Error::Forked) = store.give_back(self) {
            // It may wait for who is not there.
            let left = (self.source.take(), self.answer.take());
            Box::leak(Box::new((left, store)));
        }
    }
}
