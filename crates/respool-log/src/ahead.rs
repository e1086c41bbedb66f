//! What will be read next is looked at, and brought in before anybody touches it.
//!
//! A scan knows which columns of which batches come next; the system does not, and brings in what lies
//! around a page that is touched. To know where the columns of a batch lie, its metadata has to be there. So
//! who scans first has metadata brought in far ahead, then the columns, a bounded number of bytes ahead.
//! Nothing here is an error: what is wrong is found by who reads.

use std::ops::Range;

use arrow_buffer::Buffer;

use crate::decode::{Decoder, caught};
use crate::encode::DictionaryRecord;
use crate::segment::Segment;

/// What was seen of the columns of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The bytes that a read of them touches, about.
    pub bytes: u64,
    /// Whether they seemed to be in memory.
    pub was_there: bool,
}

/// Whether what is missing is brought in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// It is only looked for.
    Look,
    /// It is brought in; nobody waits for it.
    Bring,
}

/// A batch in a mapped segment.
#[derive(Debug)]
pub(crate) struct Spot<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) offset: u64,
    pub(crate) metadata_len: usize,
    /// How many bytes behind the metadata are looked at with it.
    pub(crate) table_len: usize,
    pub(crate) body_len: u64,
    /// Where the messages lie that are brought in with it, if it is small.
    pub(crate) run: Range<u64>,
}

/// How many bytes small messages are brought in at once: each by itself would be a page or two.
const RUN: u64 = 256 << 10;

/// The first and the last of the records that are brought in with one of them. They are the same for each of
/// these, so that one after the other asks for the same.
pub(crate) fn run_of(record: usize, len: u64) -> (usize, usize) {
    let count = usize::try_from(RUN / len.max(1)).unwrap_or(1);
    let count = (count / 2 + 1).next_power_of_two();
    let first = record - record % count;
    (first, first + count - 1)
}

impl Spot<'_> {
    pub(crate) fn len(&self) -> u64 {
        self.metadata_len as u64 + self.body_len
    }

    fn head_len(&self) -> usize {
        self.metadata_len + self.table_len
    }

    /// The message, if it is mapped: nobody has touched it.
    fn mapped(&self) -> Option<Buffer> {
        let maps = || self.segment.maps();
        let bytes = maps().then(|| self.segment.published(self.offset, self.len()));
        // That may be how it turns out that there is no map.
        bytes?.ok().filter(|_| maps())
    }

    /// Brings in what says where the columns lie.
    pub(crate) fn bring_head(&self) {
        if self.mapped().is_some() {
            self.segment.bring(self.offset, self.head_len());
        }
    }

    /// Looks at some columns, all if `None`. Waits for the metadata where that is not there.
    pub(crate) fn see(
        &self,
        decoder: &Decoder,
        columns: Option<&[usize]>,
        dictionaries: &[&DictionaryRecord],
        wish: Wish,
    ) -> Option<Seen> {
        let message = self.mapped()?;
        let len = usize::try_from(self.len()).ok()?;
        let check = |offset: u64, len: usize| match wish {
            Wish::Look => self.segment.seems_there(offset, len),
            Wish::Bring => self.segment.bring(offset, len),
        };
        let mut seen = Seen {
            bytes: 0,
            was_there: true,
        };
        let add = |seen: &mut Seen, offset: u64, len: usize| {
            seen.was_there &= check(offset, len);
            seen.bytes += len as u64;
        };
        let has_parts = self.segment.has_parts(self.len());
        match columns {
            _ if !has_parts => {
                seen.bytes += self.len();
                seen.was_there = self.segment.seems_there(self.offset, len);
                if !seen.was_there && wish == Wish::Bring {
                    let run = usize::try_from(self.run.end - self.run.start).ok()?;
                    self.segment.bring(self.run.start, run);
                }
            }
            None => add(&mut seen, self.offset, len),
            Some(columns) => {
                add(&mut seen, self.offset, self.head_len());
                if wish == Wish::Look && !seen.was_there {
                    return Some(seen);
                }
                let metadata = message.get(..self.metadata_len)?;
                let body_len = usize::try_from(self.body_len).ok()?;
                // Not even what is damaged ends more than this look.
                let parts = caught(|| Ok(decoder.parts_of(metadata, body_len, columns)));
                let body = self.offset + self.metadata_len as u64;
                for Range { start, end } in parts.unwrap_or_default() {
                    add(&mut seen, body + start as u64, end - start);
                }
            }
        }
        for dictionary in dictionaries {
            let len = u64::from(dictionary.metadata_len) + dictionary.body_len;
            let len = usize::try_from(len).ok()?;
            // Many batches share one: it counts where it has to be brought in.
            if !check(dictionary.offset, len) {
                seen.was_there = false;
                seen.bytes += len as u64;
            }
        }
        Some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_record_of_a_run_has_the_same_run() {
        for len in [1, 100, 2_000, 70_000, 128 << 10, 1 << 40] {
            let (first, last) = run_of(1000, len);
            assert!((first..=last).contains(&1000), "{len}");
            for record in first..=last.min(first + 5000) {
                assert_eq!(run_of(record, len), (first, last));
            }
            let bytes = (last - first + 1) as u64 * len;
            assert!(bytes <= RUN * 2 || first == last, "{len}");
        }
    }
}
