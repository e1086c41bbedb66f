//! What a scan reads of the log next is brought in before it is touched.
//!
//! A fault in a map brings in what lies around the page, which is other columns. So whoever scans has the
//! system bring in the columns that it wants of the next batches, and nothing else: a bounded number of bytes
//! ahead, metadata first, which says where the columns lie.
//!
//! Where all is in memory that would be work for nothing. So a scan only looks: at its first batch and one
//! further on, and then every few megabytes, if it has taken a while to come so far: a scan that waits for no disk
//! misses no pages. Where one is missing, it begins to bring in, until a window was found in memory.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use respool_log::{Seen, Wish};

use super::lookup::Stored;
use crate::sync::now;

/// How many bytes are on their way behind the batch that is read, and then no other is asked for.
const WINDOW: u64 = 16 << 20;

/// How many bytes are read between two looks.
const STEP: u64 = 4 << 20;

/// How long a scan goes on without a look, whatever it reads: from a disk that takes longer.
const WHILE: Duration = Duration::from_millis(1);

/// For how many batches beyond the window metadata is brought in.
const HEADS: usize = 16;

/// What a scan does with a batch.
pub(crate) enum Coming<'a> {
    /// It reads these columns, all if `None`.
    Read(Stored, Option<Cow<'a, [usize]>>),
    /// It leaves it out.
    Skip,
    /// It does not get there, or nobody knows yet.
    End,
}

/// Who knows what a scan reads next.
pub(crate) trait Scan {
    /// The first batch that is looked at from this number on.
    fn at_or_after(&self, batch: usize) -> Option<usize>;

    /// What becomes of such a batch.
    fn coming(&self, batch: usize) -> Coming<'_>;
}

/// How far a scan has looked ahead.
#[derive(Debug)]
pub(crate) enum Lookahead {
    /// Nothing was looked at yet.
    New,
    /// All seemed to be in memory; so many batches are read before the next look.
    Warm {
        left: usize,
        step: usize,
        looked: Instant,
    },
    /// Something was missing.
    Cold(Window),
}

/// What is on its way.
#[derive(Debug)]
pub(crate) struct Window {
    /// The first batch that was not asked for yet.
    next: usize,
    /// The first batch whose metadata was not asked for yet.
    heads: usize,
    /// Batches that were asked for and not read yet, and their bytes.
    asked: VecDeque<(usize, u64)>,
    bytes: u64,
    /// How many bytes were found in memory one after the other.
    there: u64,
}

impl Lookahead {
    /// Whether it is time to look before the next batch is read; counts that batch.
    pub(crate) fn is_due(&mut self) -> bool {
        match self {
            Self::Warm { left, step, looked } => {
                if let Some(less) = left.checked_sub(1) {
                    *left = less;
                    return false;
                }
                *left = *step - 1;
                now().duration_since(*looked) >= WHILE
            }
            Self::New | Self::Cold(_) => true,
        }
    }

    /// Looks ahead from a batch that is about to be read from the log.
    pub(crate) fn look(&mut self, batch: usize, scan: &impl Scan) {
        *self = match std::mem::replace(self, Self::New) {
            Self::New => match see(scan, batch, Wish::Look) {
                Some(here) if here.was_there => Self::further(batch, Self::step(here), scan),
                Some(_) => Self::Cold(Window::from(batch)),
                // Nobody can tell.
                None => Self::warm(usize::MAX, usize::MAX),
            },
            Self::Warm { step, .. } => Self::further(batch, step, scan),
            cold @ Self::Cold(_) => cold,
        };
        if let Self::Cold(window) = self {
            window.fill(batch, scan);
            if window.there >= WINDOW {
                *self = Self::New;
            }
        }
    }

    /// Looks at a batch further on.
    fn further(batch: usize, step: usize, scan: &impl Scan) -> Self {
        let mut reach = step;
        let far = loop {
            let far = scan.at_or_after(batch.saturating_add(reach));
            match far.map(|far| (far, scan.coming(far))) {
                Some((far, Coming::Read(stored, columns))) => {
                    let log = stored.log();
                    break log.and_then(|log| log.look(far, columns.as_deref(), Wish::Look));
                }
                // Nearer, where the end is.
                None | Some((_, Coming::End)) if reach > 1 => reach /= 2,
                _ => break None,
            }
        };
        match far {
            Some(far) if !far.was_there => Self::Cold(Window::from(batch)),
            far => Self::warm(reach - 1, far.map_or(step, Self::step)),
        }
    }

    fn warm(left: usize, step: usize) -> Self {
        let looked = now();
        Self::Warm { left, step, looked }
    }

    /// How many batches like this are read between two looks.
    fn step(seen: Seen) -> usize {
        let step = usize::try_from(STEP / seen.bytes.max(1)).unwrap_or(usize::MAX);
        step.max(1)
    }
}

/// Looks at what a scan reads of a batch; `None` where it reads nothing of the log, or nobody can tell.
pub(crate) fn see(scan: &impl Scan, batch: usize, wish: Wish) -> Option<Seen> {
    match scan.coming(batch) {
        Coming::Read(stored, columns) => stored.log()?.look(batch, columns.as_deref(), wish),
        Coming::Skip | Coming::End => None,
    }
}

impl Window {
    /// Nothing is on its way yet; `batch` is read next.
    pub(crate) fn from(batch: usize) -> Self {
        Self {
            next: batch,
            heads: batch,
            asked: VecDeque::new(),
            bytes: 0,
            there: 0,
        }
    }

    /// Asks for `batch`, which is read next, and for those behind it until the window is full.
    pub(crate) fn fill(&mut self, batch: usize, scan: &impl Scan) {
        self.next = self.next.max(batch);
        loop {
            // The batch that is read is not on its way any more.
            while let Some((_, bytes)) = self.asked.pop_front_if(|(asked, _)| *asked <= batch) {
                self.bytes -= bytes;
            }
            if self.bytes >= WINDOW {
                return;
            }
            let Some(next) = scan.at_or_after(self.next) else {
                return;
            };
            let (stored, columns) = match scan.coming(next) {
                Coming::Read(stored, columns) => (stored, columns),
                Coming::Skip => {
                    self.next = next + 1;
                    continue;
                }
                Coming::End => return,
            };
            self.next = next + 1;
            let Some(log) = stored.log() else { continue };
            self.bring_heads(next, scan);
            let Some(seen) = log.look(next, columns.as_deref(), Wish::Bring) else {
                continue;
            };
            self.there = if seen.was_there {
                self.there.saturating_add(seen.bytes)
            } else {
                0
            };
            self.bytes += seen.bytes;
            self.asked.push_back((next, seen.bytes));
        }
    }

    /// Asks for the metadata of the batches behind one.
    fn bring_heads(&mut self, batch: usize, scan: &impl Scan) {
        self.heads = self.heads.max(batch);
        while self.heads <= batch.saturating_add(HEADS)
            && let Some(head) = scan.at_or_after(self.heads)
        {
            self.heads = head + 1;
            match scan.coming(head) {
                Coming::Read(stored, _) => {
                    if let Some(log) = stored.log() {
                        log.bring_head(head);
                    }
                }
                Coming::Skip => {}
                Coming::End => return,
            }
        }
    }
}
