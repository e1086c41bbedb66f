//! The end of a process: threads that read ahead are told to end. Alone, as it ends those of other tests too.

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use respool::{Cache, Distance, Options, ReadAhead, Uninterrupted, Within, stop_reading_ahead};
use support::{Counting, Then, batches, replay};

#[test]
fn readers_ask_where_a_thread_was_ended() {
    let never_back: Within = |work| {
        work();
        loop {
            thread::park();
        }
    };
    let mut is_kept = false;
    let caches = [(); 20].map(|()| {
        let source = Counting::new(10, Then::End);
        let asked = Arc::clone(&source.asked);
        let mut ahead = ReadAhead::new(Distance::Batches(2));
        // As a runtime that ends keeps threads from going back to it.
        is_kept = !is_kept;
        if is_kept {
            ahead = ahead.within(never_back);
        }
        let options = Options::new().with_read_ahead(ahead);
        (Cache::new(source, &options).unwrap(), asked)
    });
    for (cache, _) in &caches {
        cache.view().batch(0, &Uninterrupted).unwrap();
    }
    stop_reading_ahead();
    thread::sleep(Duration::from_millis(20));
    let before = caches.each_ref().map(|(_, asked)| asked.load(SeqCst));
    thread::sleep(Duration::from_millis(20));
    for ((cache, asked), before) in caches.iter().zip(before) {
        assert_eq!(asked.load(SeqCst), before);
        assert!(before <= 4);
        assert_eq!(replay(cache), (batches(10), None));
        assert_eq!(asked.load(SeqCst), 11);
    }
}
