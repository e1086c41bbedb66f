//! What a thread that reads ahead waits at. It holds no store meanwhile, so that nothing keeps a cache alive.

use std::sync::Arc;
use std::time::Duration;

use super::bells;
use crate::error::{Error, Result};
use crate::interrupt::{Interrupt, SLICE};
use crate::sync::{Condvar, Mutex, ThreadId, current_thread, now};

/// A source that does not answer is not waited for any longer when its cache is closed.
const PATIENCE: Duration = Duration::from_secs(2);

/// Told when there may be something to do. Locked for a moment, also by who has the store's state locked; who
/// has this locked locks nothing else.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: Mutex<Told>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Told {
    is_rung: bool,
    is_over: bool,
    /// There while the thread is.
    thread: Option<Listener>,
}

#[derive(Debug, PartialEq)]
enum Listener {
    /// On its way.
    Called,
    Here(ThreadId),
}

impl Bell {
    /// Announces that a thread is on its way.
    pub(crate) fn call(self: &Arc<Self>) {
        self.state.lock().thread = Some(Listener::Called);
        bells::enter(self);
    }

    /// The thread is here.
    pub(crate) fn come(&self) {
        self.state.lock().thread = Some(Listener::Here(current_thread()));
    }

    /// Whether this is the thread.
    pub(crate) fn is_here(&self) -> bool {
        self.state.lock().thread == Some(Listener::Here(current_thread()))
    }

    /// The thread leaves, or could not come.
    pub(crate) fn leave(&self) {
        self.state.lock().thread = None;
        self.changed.notify_all();
    }

    pub(crate) fn ring(&self) {
        let mut state = self.state.lock();
        if !std::mem::replace(&mut state.is_rung, true) {
            drop(state);
            self.changed.notify_all();
        }
    }

    /// Has the thread end.
    pub(crate) fn stop(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state.lock().is_over
    }

    /// Waits until it is rung; `false` where the thread is to end.
    pub(crate) fn listen(&self) -> bool {
        let mut state = self.state.lock();
        while !state.is_over && !state.is_rung {
            self.changed.wait_for(&mut state, Duration::MAX);
        }
        state.is_rung = false;
        !state.is_over
    }

    /// Waits for a thread that was stopped to leave, unless it is this one; not for longer than a while.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(crate) fn wait_until_left(&self, interrupt: &dyn Interrupt) -> Result<()> {
        let given_up = now() + PATIENCE;
        let mut state = self.state.lock();
        while let Some(thread) = &state.thread
            && *thread != Listener::Here(current_thread())
            && now() < given_up
        {
            self.changed.wait_for(&mut state, SLICE);
            if state.thread.is_some() {
                drop(state);
                interrupt.check().map_err(Error::Interrupted)?;
                state = self.state.lock();
            }
        }
        Ok(())
    }
}
