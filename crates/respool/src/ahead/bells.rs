//! All threads of this process that read ahead, to be ended together.

use std::sync::{Arc, Weak};

// Locked for a moment, and while no other thread of a model checker can go on.
use respool_log::locks::Mutex;

use super::bell::Bell;
use crate::fork::Process;

/// Each with the process that its thread is of: in a child a bell of the parent may be locked for ever.
type Bells = Vec<(Process, Weak<Bell>)>;

#[cfg(not(feature = "shuttle"))]
static BELLS: Mutex<Bells> = Mutex::new(Vec::new());
#[cfg(feature = "shuttle")]
thread_local! {
    // Every execution runs on one thread of the system; another test has another.
    static BELLS: Mutex<Bells> = const { Mutex::new(Vec::new()) };
}

/// `None` where they can't be had: in a forked child a thread that is not there may hold the lock for ever.
fn with<T>(work: impl FnOnce(&mut Bells) -> T) -> Option<T> {
    let try_to = |bells: &Mutex<Bells>| {
        for _ in 0..1000 {
            if let Some(mut bells) = bells.try_lock() {
                return Some(work(&mut bells));
            }
            std::thread::yield_now();
        }
        None
    };
    #[cfg(not(feature = "shuttle"))]
    return try_to(&BELLS);
    #[cfg(feature = "shuttle")]
    return BELLS.with(try_to);
}

pub(super) fn enter(bell: &Arc<Bell>) {
    with(|bells| {
        bells.retain(|(_, bell)| bell.strong_count() > 0);
        bells.push((Process::here(), Arc::downgrade(bell)));
    });
}

/// Ends every thread of this process that reads ahead, each when its source has answered: what it was asked for is
/// kept. From then on readers ask the sources of these caches themselves. To be called before the process ends, or
/// what the sources need is gone.
pub fn stop_reading_ahead() {
    let all = with(std::mem::take).unwrap_or_default();
    let ours = all.iter().filter(|(process, _)| process.is_here());
    for bell in ours.filter_map(|(_, bell)| bell.upgrade()) {
        bell.stop();
    }
}
