//! What is known of a log: what its index proves, without a look at any data.

use super::index::IndexFile;
use crate::format::{Chain, Damage, ENTRY_LEN, Entry, EntryKind, Header, Layout, Totals, Walk};
use crate::{Error, Result};

/// How many entries are scanned at once.
const CHUNK: u64 = 4096;

/// A segment that is sealed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sealed {
    /// The slot of its seal: its entries are those behind the seal before, up to here.
    pub(crate) slot: u64,
    pub(crate) segment: u32,
    /// Up to which record and row the log is then.
    pub(crate) record: u64,
    pub(crate) row: u64,
    /// Where its messages end, and how long the file is.
    pub(crate) end: u64,
    pub(crate) len: u64,
    pub(crate) layout: Layout,
}

impl Sealed {
    fn of(slot: u64, entry: &Entry) -> Option<(Self, u64)> {
        let EntryKind::Seal {
            segment,
            end,
            len,
            layout,
            last_seal,
            ..
        } = entry.kind
        else {
            return None;
        };
        let sealed = Self {
            slot,
            segment,
            record: entry.record,
            row: entry.row,
            end,
            len,
            layout,
        };
        Some((sealed, last_seal))
    }
}

/// Which entries to look among, and what is known of their segment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Among {
    pub(crate) low: u64,
    pub(crate) high: u64,
    /// The first record of the segment.
    pub(crate) first: u64,
    /// The seal of the segment, if it has one.
    pub(crate) sealed: Option<Sealed>,
}

/// What the index proves so far.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// The last place where everything was whole.
    pub(crate) walk: Walk,
    pub(crate) seals: Vec<Sealed>,
    /// Why the entries behind that place do not count, if there are any.
    pub(crate) damage: Option<Damage>,
}

impl Known {
    /// Opens an index: through its seals, if it was closed, else from its first entry to its last.
    pub(super) fn open(index: &IndexFile) -> Result<(Header, Self)> {
        let len = index.len()?;
        if len < ENTRY_LEN as u64 {
            return Err(index.damage(0, Damage::Truncated));
        }
        let header = index.read(0, 1)?;
        let (header, walk) = Walk::begin(&header).map_err(|e| index.damage(0, e))?;
        let mut known = Self {
            walk,
            seals: Vec::new(),
            damage: None,
        };
        let slots = len / ENTRY_LEN as u64;
        let last = if len.is_multiple_of(ENTRY_LEN as u64) && slots > 1 {
            index.entry(slots - 1).ok()
        } else {
            None
        };
        match last {
            Some(last) if matches!(last.kind, EntryKind::Close { .. }) => {
                known.leap(index, slots - 1, &last)?;
            }
            _ => known.scan(index)?,
        }
        Ok((header, known))
    }

    /// Goes back to before the closing entry.
    pub(super) fn reopen(&mut self, index: &IndexFile) -> Result<()> {
        let header = index.read(0, 1)?;
        let (_, walk) = Walk::begin(&header).map_err(|e| index.damage(0, e))?;
        let close = self.walk.slot - 1;
        (self.walk, self.seals) = (walk, Vec::new());
        self.scan_up_to(index, close)?;
        let slot = self.walk.slot;
        match self.damage {
            Some(damage) => Err(index.damage(slot, damage)),
            None => Ok(()),
        }
    }

    /// Takes the closing entry at its word, and follows the seals.
    fn leap(&mut self, index: &IndexFile, slot: u64, close: &Entry) -> Result<()> {
        let EntryKind::Close {
            status,
            shown,
            last_seal,
        } = close.kind
        else {
            return Err(index.damage(slot, Damage::Value("kind")));
        };
        let bad = |slot, what| index.damage(slot, Damage::Value(what));
        let (mut next, mut from) = (last_seal, slot);
        while next != 0 {
            if next >= from {
                return Err(bad(from, "last seal"));
            }
            let entry = index.entry(next)?;
            let sealed = Sealed::of(next, &entry);
            let (sealed, before) = sealed.ok_or_else(|| bad(next, "kind"))?;
            self.seals.push(sealed);
            (from, next) = (next, before);
        }
        self.seals.reverse();
        let mut before = (0, 0);
        for (number, sealed) in (0u32..).zip(&self.seals) {
            let here = (sealed.record, sealed.row);
            if sealed.segment != number || here.0 < before.0 || here.1 < before.1 {
                return Err(bad(sealed.slot, "place"));
            }
            before = here;
        }
        if before != (close.record, close.row) {
            return Err(bad(slot, "closing count"));
        }
        self.walk.slot = slot + 1;
        self.walk.totals = Totals {
            records: close.record,
            rows: close.row,
            shown,
        };
        self.walk.segment = u32::try_from(self.seals.len()).unwrap_or(u32::MAX);
        self.walk.last_seal = last_seal;
        self.walk.durable = slot + 1;
        self.walk.closed = Some(status);
        Ok(())
    }

    /// Goes on from where everything was whole, as far as the entries are a chain.
    pub(super) fn scan(&mut self, index: &IndexFile) -> Result<()> {
        let slots = index.len()? / ENTRY_LEN as u64;
        // A writer that goes on cuts off only what is not good; what was counted here may be that.
        let last = self.walk.slot - 1;
        let is_there = slots > last && {
            let bytes = index.read(last, 1)?;
            Chain::behind(&bytes) == Ok(self.walk.chain)
        };
        if !is_there {
            let gone = Damage::Value("place, since entries that were read before are gone,");
            return Err(index.damage(last, gone));
        }
        self.scan_up_to(index, slots)
    }

    fn scan_up_to(&mut self, index: &IndexFile, slots: u64) -> Result<()> {
        let mut walk = self.walk;
        let mut seals = Vec::new();
        self.damage = None;
        while walk.slot < slots && walk.closed.is_none() {
            let bytes = index.read(walk.slot, CHUNK.min(slots - walk.slot))?;
            for entry in bytes.chunks(ENTRY_LEN) {
                let slot = walk.slot;
                let entry = match walk.step(entry) {
                    Ok(entry) => entry,
                    Err(e) if e.is_newer() => return Err(index.damage(slot, e)),
                    Err(e) => {
                        self.damage = Some(e);
                        return Ok(());
                    }
                };
                if let Some((sealed, _)) = Sealed::of(slot, &entry) {
                    seals.push(sealed);
                }
                if walk.is_whole() {
                    self.walk = walk;
                    self.seals.append(&mut seals);
                }
                if walk.closed.is_some() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Goes back to before a batch, because it or what it needs is not there.
    pub(crate) fn cut(&mut self, walk: Walk) {
        self.walk = walk;
        self.seals.retain(|sealed| sealed.slot < walk.slot);
    }

    /// Where the entries of a record are.
    pub(super) fn among(&self, record: u64) -> Option<Among> {
        if record >= self.walk.totals.records {
            return None;
        }
        let at = self.seals.partition_point(|sealed| sealed.record <= record);
        Some(self.segment(at))
    }

    /// The entries of a segment.
    pub(super) fn segment(&self, number: usize) -> Among {
        let before = number.checked_sub(1).and_then(|n| self.seals.get(n));
        let sealed = self.seals.get(number).copied();
        Among {
            low: before.map_or(1, |before| before.slot + 1),
            high: sealed.map_or(self.walk.slot, |sealed| sealed.slot),
            first: before.map_or(0, |before| before.record),
            sealed,
        }
    }
}

/// The error of a log that has no such record.
pub(super) fn out_of_range(record: usize, len: u64) -> Error {
    Error::OutOfRange {
        what: "record",
        index: record,
        len: usize::try_from(len).unwrap_or(usize::MAX),
    }
}
