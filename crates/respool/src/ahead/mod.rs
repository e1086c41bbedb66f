//! Reading a source ahead: how far, on what kind of thread, and how that thread is told to go on or to end.
//!
//! What it does is in `ingest`, what it knows of the store in `store`.

mod bell;
mod bells;

use std::fmt;

pub use self::bells::stop_reading_ahead;

pub(crate) use self::bell::Bell;

/// How far ahead of the furthest reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distance {
    /// So many stored batches that nobody has asked for.
    Batches(usize),
    /// So many bytes, as they show, of such batches.
    Bytes(u64),
}

/// What a thread runs; see [`ReadAhead::within`].
pub type Within = fn(&mut (dyn FnMut() + Send));

/// That a source is read ahead by a thread of its own.
///
/// The thread begins when a reader first waits for a batch, and alone asks the source for what readers wait for
/// from then on. It holds the cache by a weak reference, rests where it is far enough ahead or where there is no
/// room, and ends with the source, with the cache, or when it is [told to](stop_reading_ahead). Without it, also
/// where no thread can be had, readers ask the source themselves.
///
/// ```
/// use respool::{Distance, Options, ReadAhead};
///
/// let options = Options::new().with_read_ahead(ReadAhead::new(Distance::Batches(4)));
/// assert!(options.read_ahead().is_some());
/// ```
#[derive(Clone, Copy)]
pub struct ReadAhead {
    pub(crate) distance: Distance,
    pub(crate) within: Within,
}

impl ReadAhead {
    /// Ahead by about so much: what was asked for when that is reached is stored too.
    pub fn new(distance: Distance) -> Self {
        Self {
            distance,
            within: |work| work(),
        }
    }

    /// Has the thread run all its work within a function, which prepares the thread for the source and cleans up
    /// behind it. Where that does not call its argument nothing is read ahead.
    #[must_use]
    pub fn within(self, within: Within) -> Self {
        Self { within, ..self }
    }
}

impl fmt::Debug for ReadAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAhead")
            .field("distance", &self.distance)
            .finish_non_exhaustive()
    }
}
