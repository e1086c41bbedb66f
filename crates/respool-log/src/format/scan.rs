//! What an index file proves, from its first entry to its last.

use super::{Damage, ENTRY_LEN, Entry, Header, INDEX_MAGIC};

/// What an index file says, as far as it can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The header.
    pub header: Header,
    /// The entries up to the first that is damaged or out of order.
    pub entries: Vec<Entry>,
    /// Batches and rows of a log that was finished; `None` for any other.
    pub closed: Option<(u64, u64)>,
    /// Why the scan ended before the end of the file, if it did.
    pub damage: Option<Damage>,
}

/// Reads an index: all entries up to the first that cannot be believed.
///
/// A log is whole only if `closed` is set, and it is set only if the closing entry agrees with the
/// entries before it.
pub fn scan(bytes: &[u8]) -> Result<Scan, Damage> {
    let header = Header::decode(bytes, INDEX_MAGIC)?;
    let mut entries = Vec::new();
    let (mut batches, mut total) = (0u64, 0u64);
    let (mut closed, mut damage) = (None, None);
    for chunk in bytes.get(ENTRY_LEN..).unwrap_or_default().chunks(ENTRY_LEN) {
        if closed.is_some() {
            damage = Some(Damage::Value("place after the closing entry"));
            break;
        }
        let entry = match Entry::decode(chunk) {
            Ok(entry) => entry,
            Err(e) => {
                damage = Some(e);
                break;
            }
        };
        match entry {
            Entry::Batch { record, rows, .. } => {
                let Some(sum) = total.checked_add(rows).filter(|_| record == batches) else {
                    damage = Some(Damage::Value("record number"));
                    break;
                };
                batches += 1;
                total = sum;
            }
            Entry::Close {
                batches: says,
                rows,
            } => {
                if (says, rows) != (batches, total) {
                    damage = Some(Damage::Value("closing count"));
                    break;
                }
                closed = Some((batches, total));
            }
            Entry::Dictionary { .. } | Entry::Seal { .. } => {}
        }
        entries.push(entry);
    }
    Ok(Scan {
        header,
        entries,
        closed,
        damage,
    })
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::entries;
    use super::super::header::tests::header;
    use super::*;

    fn file() -> Vec<u8> {
        let mut bytes = header().encode(INDEX_MAGIC).to_vec();
        for entry in entries() {
            bytes.extend_from_slice(&entry.encode());
        }
        bytes
    }

    #[test]
    fn only_the_whole_file_is_taken_for_a_whole_log() {
        let file = file();
        for len in 0..=file.len() {
            match scan(&file[..len]) {
                Err(damage) => assert!(len < ENTRY_LEN && damage == Damage::Truncated),
                Ok(scan) => {
                    assert_eq!(scan.entries.len(), len / ENTRY_LEN - 1);
                    assert_eq!(scan.closed.is_some(), len == file.len());
                    assert_eq!(scan.damage.is_some(), len % ENTRY_LEN != 0);
                }
            }
        }
    }

    #[test]
    fn a_damaged_byte_anywhere_ends_the_scan_there() {
        let file = file();
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
                        assert_eq!(scan.entries.len(), at / ENTRY_LEN - 1);
                        assert!(scan.closed.is_none() && scan.damage.is_some());
                    }
                }
            }
        }
    }

    #[test]
    fn a_closing_entry_that_counts_wrong_proves_nothing() {
        let mut file = file();
        let batch = ENTRY_LEN * 2..ENTRY_LEN * 3;
        file.drain(batch);
        let scan = scan(&file).unwrap();
        assert_eq!(scan.closed, None);
        assert_eq!(scan.damage, Some(Damage::Value("closing count")));
    }
}
