//! The order of the entries: what may come after what, and what it adds up to.

use super::{
    Chain, Damage, ENTRY_LEN, Entry, EntryKind, Extent, Header, INDEX_MAGIC, Status, Totals,
};

/// Where a walk from the first entry on has come to. Each entry is held against all before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    /// The slot of the next entry: its offset in the index divided by 64.
    pub slot: u64,
    /// What the next entry goes on from.
    pub chain: Chain,
    /// What the log holds up to here.
    pub totals: Totals,
    /// The segment that grows.
    pub segment: u32,
    /// Where its messages end, 0 if it has none.
    pub end: u64,
    /// How many batches it has.
    pub batches: u64,
    /// The slot of the last seal, 0 if there is none.
    pub last_seal: u64,
    /// The slot behind the last entry up to which everything is durable, 0 if there is none.
    pub durable: u64,
    /// Whether a run of dictionaries waits for its batch.
    pub is_provisional: bool,
    /// How the log has ended, if it has.
    pub closed: Option<Status>,
}

impl Walk {
    /// Begins behind the header of an index.
    pub fn begin(header: &[u8]) -> Result<(Header, Self), Damage> {
        let decoded = Header::decode(header, INDEX_MAGIC)?;
        let walk = Self {
            slot: 1,
            chain: Chain::behind(header)?,
            totals: Totals::default(),
            segment: 0,
            end: 0,
            batches: 0,
            last_seal: 0,
            durable: 0,
            is_provisional: false,
            closed: None,
        };
        Ok((decoded, walk))
    }

    /// Takes the entry at the beginning of `bytes`. After an error the walk is where it was.
    pub fn step(&mut self, bytes: &[u8]) -> Result<Entry, Damage> {
        let mut next = *self;
        let entry = Entry::decode(bytes, &mut next.chain)?;
        next.accept(&entry)?;
        next.slot += 1;
        *self = next;
        Ok(entry)
    }

    /// Whether everything before belongs together: no dictionary waits for its batch.
    pub fn is_whole(&self) -> bool {
        !self.is_provisional
    }

    /// The length of the index up to here.
    pub fn len(&self) -> u64 {
        self.slot * ENTRY_LEN as u64
    }

    /// Whether there is no entry yet.
    pub fn is_empty(&self) -> bool {
        self.slot == 1
    }

    fn accept(&mut self, entry: &Entry) -> Result<(), Damage> {
        if self.closed.is_some() {
            return Err(Damage::Value("place after the closing entry"));
        }
        if entry.record != self.totals.records {
            return Err(Damage::Value("record number"));
        }
        if entry.row != self.totals.rows {
            return Err(Damage::Value("row number"));
        }
        let is_message = matches!(
            entry.kind,
            EntryKind::Batch { .. } | EntryKind::Dictionary { .. }
        );
        if self.is_provisional && !is_message {
            return Err(Damage::Value("place behind a dictionary"));
        }
        match entry.kind {
            EntryKind::Batch {
                rows,
                shown,
                extent,
            } => {
                self.message(extent)?;
                let total = self.totals.rows.checked_add(rows);
                self.totals.rows = total.ok_or(Damage::Value("number of rows"))?;
                self.totals.shown = self.totals.shown.saturating_add(shown);
                self.totals.records += 1;
                self.batches += 1;
                self.is_provisional = false;
            }
            EntryKind::Dictionary { extent, .. } => {
                self.message(extent)?;
                self.is_provisional = true;
            }
            EntryKind::Seal {
                segment,
                batches,
                shown,
                end,
                len,
                last_seal,
                ..
            } => {
                self.check(shown, last_seal)?;
                if segment != self.segment || batches != self.batches {
                    return Err(Damage::Value("segment"));
                }
                if (self.end != 0 && end != self.end) || len < end {
                    return Err(Damage::Value("end"));
                }
                self.segment = segment.checked_add(1).ok_or(Damage::Value("segment"))?;
                (self.end, self.batches) = (0, 0);
                self.last_seal = self.slot;
            }
            EntryKind::Durable { shown, last_seal } => {
                self.check(shown, last_seal)?;
                self.durable = self.slot + 1;
            }
            EntryKind::Close {
                status,
                shown,
                last_seal,
            } => {
                self.check(shown, last_seal)?;
                if self.end != 0 {
                    return Err(Damage::Value("place before a seal"));
                }
                self.closed = Some(status);
                self.durable = self.slot + 1;
            }
            EntryKind::Other(_) => {}
        }
        Ok(())
    }

    fn check(&self, shown: u64, last_seal: u64) -> Result<(), Damage> {
        if shown != self.totals.shown.min(super::MAX_U48) {
            return Err(Damage::Value("number of bytes"));
        }
        if last_seal != self.last_seal {
            return Err(Damage::Value("last seal"));
        }
        Ok(())
    }

    /// Messages follow one another without a gap; the first comes behind the schema.
    fn message(&mut self, extent: Extent) -> Result<(), Damage> {
        if extent.segment != self.segment {
            return Err(Damage::Value("segment"));
        }
        if extent.offset == 0 || (self.end != 0 && extent.offset != self.end) {
            return Err(Damage::Value("offset"));
        }
        self.end = extent.end();
        Ok(())
    }
}

/// What an index says, as far as it can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The header.
    pub header: Header,
    /// The entries up to the first that is damaged or out of order, dictionaries without a batch
    /// left out.
    pub entries: Vec<Entry>,
    /// Where they end.
    pub walk: Walk,
    /// How a log has ended and what it holds; `None` for one that was not closed.
    pub closed: Option<(Status, Totals)>,
    /// Why the scan ended before the end of the file, if it did.
    pub damage: Option<Damage>,
}

/// Reads an index: all entries up to the first that cannot be believed.
pub fn scan(bytes: &[u8]) -> Result<Scan, Damage> {
    let (header, mut walk) = Walk::begin(bytes)?;
    let (mut entries, mut damage) = (Vec::new(), None);
    let (mut whole, mut count) = (walk, 0);
    for chunk in bytes.get(ENTRY_LEN..).unwrap_or_default().chunks(ENTRY_LEN) {
        match walk.step(chunk) {
            Ok(entry) => entries.push(entry),
            Err(e) => {
                damage = Some(e);
                break;
            }
        }
        if walk.is_whole() {
            (whole, count) = (walk, entries.len());
        }
    }
    entries.truncate(count);
    Ok(Scan {
        header,
        entries,
        walk: whole,
        closed: whole.closed.map(|status| (status, whole.totals)),
        damage,
    })
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{chain, entries};
    use super::super::header::tests::header;
    use super::*;

    fn file(entries: &[Entry]) -> Vec<u8> {
        let mut bytes = header().encode(INDEX_MAGIC).to_vec();
        let mut chain = chain();
        for entry in entries {
            bytes.extend_from_slice(&entry.encode(&mut chain));
        }
        bytes
    }

    #[test]
    fn only_the_whole_file_is_taken_for_a_closed_log() {
        let file = file(&entries());
        for len in 0..=file.len() {
            match scan(&file[..len]) {
                Err(damage) => assert!(len < ENTRY_LEN && damage == Damage::Truncated),
                Ok(scan) => {
                    let whole = len / ENTRY_LEN - 1;
                    // A dictionary alone is nothing.
                    assert_eq!(scan.entries.len(), if whole == 1 { 0 } else { whole });
                    assert_eq!(scan.closed.is_some(), len == file.len());
                    assert_eq!(scan.damage.is_some(), len % ENTRY_LEN != 0);
                }
            }
        }
    }

    #[test]
    fn a_damaged_byte_anywhere_ends_the_scan_there() {
        let file = file(&entries());
        for at in 0..file.len() {
            for byte in [file[at] ^ 1, 0, 0xff] {
                if byte == file[at] {
                    continue;
                }
                let mut damaged = file.clone();
                damaged[at] = byte;
                match scan(&damaged) {
                    Err(_) => assert!(at < ENTRY_LEN),
                    Ok(scan) => {
                        let before = at / ENTRY_LEN - 1;
                        assert_eq!(scan.entries.len(), if before == 1 { 0 } else { before });
                        assert!(scan.closed.is_none() && scan.damage.is_some());
                    }
                }
            }
        }
    }

    #[test]
    fn entries_that_are_missing_or_swapped_or_there_twice_end_the_scan() {
        let good = entries();
        for at in 0..good.len() {
            // Other kinds say nothing, so nothing is missed.
            if good[at].kind != EntryKind::Other(200) && at != 2 {
                let mut missing = good.clone();
                missing.remove(at);
                let missing = scan(&file(&missing)).unwrap();
                assert!(missing.closed.is_none(), "{at} missing");
            }
            let mut twice = good.clone();
            twice.insert(at, good[at]);
            let twice = scan(&file(&twice)).unwrap();
            // Behind the seal, which the closing entry points at, are one that says nothing, and the
            // closing entry, behind which nothing counts.
            assert_eq!(twice.closed.is_some(), at >= 4, "{at} twice");
        }
    }

    #[test]
    fn what_is_left_of_entries_that_were_replaced_never_follows() {
        let old = entries();
        let mut new = old.clone();
        let EntryKind::Batch { shown, .. } = &mut new[1].kind else {
            panic!()
        };
        *shown = 78;
        let mut mixed = file(&new[..2]);
        mixed.extend_from_slice(&file(&old)[ENTRY_LEN * 3..]);
        let scan = scan(&mixed).unwrap();
        assert_eq!(scan.entries, new[..2]);
        assert_eq!(scan.damage, Some(Damage::Checksum));
    }
}
