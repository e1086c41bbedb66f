//! The index of a persistent log, as bytes: pure functions, no files.
//!
//! `FORMAT.md` has the layout byte by byte. Decoding trusts nothing: every length is checked, every
//! entry carries a checksum, and a damaged entry is an error rather than a panic. The file is long
//! because its tests, which damage every bit, stand beside what they test.

use std::fmt;

/// The length of the header and of every entry.
pub const ENTRY_LEN: usize = 64;

/// The version of the format that this crate writes.
pub const VERSION: u16 = 1;

/// The first bytes of an index file.
pub const INDEX_MAGIC: [u8; 8] = *b"RSPINDEX";

/// The first bytes of a manifest.
pub const MANIFEST_MAGIC: [u8; 8] = *b"RSPMANIF";

/// CRC-32C (Castagnoli) of some bytes.
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// Why bytes are not an entry, a header or a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// There are fewer bytes than the structure has.
    Truncated,
    /// The checksum does not fit the bytes.
    Checksum,
    /// The file does not begin as it should.
    Magic,
    /// The format is newer than this crate.
    Version(u16),
    /// The kind of entry is unknown.
    Kind(u8),
    /// A field has a value that it cannot have.
    Value(&'static str),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("it is cut short"),
            Self::Checksum => f.write_str("its checksum does not fit"),
            Self::Magic => f.write_str("it does not begin with the magic bytes"),
            Self::Version(version) => write!(
                f,
                "it has format version {version}, this program reads up to {VERSION}; upgrade"
            ),
            Self::Kind(kind) => write!(f, "its kind {kind} is unknown"),
            Self::Value(field) => write!(f, "its {field} cannot be"),
        }
    }
}

impl std::error::Error for Damage {}

/// Where a message lies, and what its bytes sum to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The number of the segment.
    pub segment: u32,
    /// The offset of the message in the segment.
    pub offset: u64,
    /// The length of the metadata, with its prefix and its padding.
    pub metadata_len: u32,
    /// The length of the body.
    pub body_len: u64,
    /// CRC-32C of metadata and body.
    pub crc: u32,
}

/// How a segment is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Arrow IPC file: magic bytes, messages, footer.
    File,
    /// Arrow IPC stream: messages only, so that dictionaries may be replaced.
    Stream,
}

/// One entry of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A batch. It needs, of each dictionary id, the dictionary entry of the same segment that
    /// came last before it.
    Batch {
        /// The number of the record.
        record: u64,
        /// Its rows.
        rows: u64,
        /// How many dictionary entries of its segment stand before it.
        dictionaries: u32,
        /// Where it lies.
        extent: Extent,
    },
    /// A dictionary, written before the batches that need it.
    Dictionary {
        /// Its id in the schema of the segment.
        id: i64,
        /// How many values it has.
        values: u64,
        /// Where it lies.
        extent: Extent,
    },
    /// A segment was sealed: nothing is added to it any more.
    Seal {
        /// The number of the segment.
        segment: u32,
        /// How many batches it holds.
        batches: u64,
        /// Where its messages end.
        end: u64,
        /// The length of the file.
        len: u64,
        /// How it is laid out.
        layout: Layout,
    },
    /// The log is whole. The only proof of it, and the last entry.
    Close {
        /// How many batches the log has.
        batches: u64,
        /// How many rows they have.
        rows: u64,
    },
}

const BATCH: u8 = 1;
const DICTIONARY: u8 = 2;
const SEAL: u8 = 3;
const CLOSE: u8 = 4;

// The fields of an entry, one after the other.
const KIND: usize = 0;
const LAYOUT: usize = KIND + 1;
const RESERVED: usize = LAYOUT + 1;
const SEGMENT: usize = RESERVED + 2;
const NUMBER: usize = SEGMENT + 4;
const OFFSET: usize = NUMBER + 8;
const BODY: usize = OFFSET + 8;
const ROWS: usize = BODY + 8;
const METADATA: usize = ROWS + 8;
const DATA_CRC: usize = METADATA + 4;
const DICTIONARIES: usize = DATA_CRC + 4;
const ZERO: usize = DICTIONARIES + 4;
const CRC: usize = ZERO + 8;
const _: () = assert!(CRC + 4 == ENTRY_LEN);

impl Entry {
    /// The bytes of the entry.
    pub fn encode(&self) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        match *self {
            Self::Batch {
                record,
                rows,
                dictionaries,
                extent,
            } => {
                put(&mut out, KIND, &[BATCH]);
                put(&mut out, NUMBER, &record.to_le_bytes());
                put(&mut out, ROWS, &rows.to_le_bytes());
                put(&mut out, DICTIONARIES, &dictionaries.to_le_bytes());
                put_extent(&mut out, extent);
            }
            Self::Dictionary { id, values, extent } => {
                put(&mut out, KIND, &[DICTIONARY]);
                put(&mut out, NUMBER, &id.to_le_bytes());
                put(&mut out, ROWS, &values.to_le_bytes());
                put_extent(&mut out, extent);
            }
            Self::Seal {
                segment,
                batches,
                end,
                len,
                layout,
            } => {
                put(&mut out, KIND, &[SEAL]);
                put(&mut out, LAYOUT, &[u8::from(layout == Layout::Stream)]);
                put(&mut out, SEGMENT, &segment.to_le_bytes());
                put(&mut out, NUMBER, &batches.to_le_bytes());
                put(&mut out, OFFSET, &end.to_le_bytes());
                put(&mut out, BODY, &len.to_le_bytes());
            }
            Self::Close { batches, rows } => {
                put(&mut out, KIND, &[CLOSE]);
                put(&mut out, NUMBER, &batches.to_le_bytes());
                put(&mut out, ROWS, &rows.to_le_bytes());
            }
        }
        seal(&mut out);
        out
    }

    /// Reads an entry from the beginning of `bytes`.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let bytes = checked(bytes)?;
        let extent = Extent {
            segment: u32::from_le_bytes(take(bytes, SEGMENT)?),
            offset: u64::from_le_bytes(take(bytes, OFFSET)?),
            metadata_len: u32::from_le_bytes(take(bytes, METADATA)?),
            body_len: u64::from_le_bytes(take(bytes, BODY)?),
            crc: u32::from_le_bytes(take(bytes, DATA_CRC)?),
        };
        let number = u64::from_le_bytes(take(bytes, NUMBER)?);
        let rows = u64::from_le_bytes(take(bytes, ROWS)?);
        let [kind] = take(bytes, KIND)?;
        match kind {
            BATCH => Ok(Self::Batch {
                record: number,
                rows,
                dictionaries: u32::from_le_bytes(take(bytes, DICTIONARIES)?),
                extent: extent.checked()?,
            }),
            DICTIONARY => Ok(Self::Dictionary {
                id: number.cast_signed(),
                values: rows,
                extent: extent.checked()?,
            }),
            SEAL => Ok(Self::Seal {
                segment: extent.segment,
                batches: number,
                end: extent.offset,
                len: extent.body_len,
                layout: match take(bytes, LAYOUT)? {
                    [0] => Layout::File,
                    [1] => Layout::Stream,
                    _ => return Err(Damage::Value("layout")),
                },
            }),
            CLOSE => Ok(Self::Close {
                batches: number,
                rows,
            }),
            other => Err(Damage::Kind(other)),
        }
    }
}

impl Extent {
    /// Refuses extents that no log has, before anybody computes with them.
    fn checked(self) -> Result<Self, Damage> {
        if !self.offset.is_multiple_of(64) {
            return Err(Damage::Value("offset"));
        }
        if self.metadata_len < 64 || !self.metadata_len.is_multiple_of(64) {
            return Err(Damage::Value("metadata length"));
        }
        if !self.body_len.is_multiple_of(64) {
            return Err(Damage::Value("body length"));
        }
        let end = self.offset.checked_add(u64::from(self.metadata_len));
        match end.and_then(|end| end.checked_add(self.body_len)) {
            Some(end) if end <= i64::MAX.cast_unsigned() => Ok(self),
            _ => Err(Damage::Value("end")),
        }
    }
}

// The fields of a header, one after the other.
const MAGIC: usize = 0;
const HEADER_VERSION: usize = MAGIC + 8;
const HEADER_RESERVED: usize = HEADER_VERSION + 2;
const HEADER_CODEC: usize = HEADER_RESERVED + 2;
const HEADER_ALIGNMENT: usize = HEADER_CODEC + 1;
const HEADER_ZERO: usize = HEADER_ALIGNMENT + 1;
const IDENTITY: usize = HEADER_ZERO + 2;
const SEGMENT_BYTES: usize = IDENTITY + 16;
const SCHEMA_LEN: usize = SEGMENT_BYTES + 8;
const SCHEMA_CRC: usize = SCHEMA_LEN + 8;
const HEADER_PADDING: usize = SCHEMA_CRC + 4;
const _: () = assert!(HEADER_PADDING + 8 == CRC);

/// The header of an index file, and the fixed part of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The same sixteen random bytes in all files of one log.
    pub identity: [u8; 16],
    /// 0: none, 1: LZ4 frames, 2: Zstandard. Only in a manifest.
    pub codec: u8,
    /// The size at which a new segment is begun. Only in a manifest.
    pub segment_bytes: u64,
    /// The length of the schema message that follows. Only in a manifest.
    pub schema_len: u64,
    /// CRC-32C of that message. Only in a manifest.
    pub schema_crc: u32,
}

impl Header {
    /// The bytes of the header, for a file that begins with `magic`.
    pub fn encode(&self, magic: [u8; 8]) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        put(&mut out, MAGIC, &magic);
        put(&mut out, HEADER_VERSION, &VERSION.to_le_bytes());
        put(&mut out, HEADER_CODEC, &[self.codec]);
        put(&mut out, HEADER_ALIGNMENT, &[64]);
        put(&mut out, IDENTITY, &self.identity);
        put(&mut out, SEGMENT_BYTES, &self.segment_bytes.to_le_bytes());
        put(&mut out, SCHEMA_LEN, &self.schema_len.to_le_bytes());
        put(&mut out, SCHEMA_CRC, &self.schema_crc.to_le_bytes());
        seal(&mut out);
        out
    }

    /// Reads the header of a file that should begin with `magic`.
    pub fn decode(bytes: &[u8], magic: [u8; 8]) -> Result<Self, Damage> {
        // The magic bytes and the version come first: a newer format may have other checksums.
        if take::<8>(bytes, MAGIC)? != magic {
            return Err(Damage::Magic);
        }
        let version = u16::from_le_bytes(take(bytes, HEADER_VERSION)?);
        if version != VERSION {
            return Err(Damage::Version(version));
        }
        let bytes = checked(bytes)?;
        if take(bytes, HEADER_ALIGNMENT)? != [64] {
            return Err(Damage::Value("alignment"));
        }
        let [codec] = take(bytes, HEADER_CODEC)?;
        if codec > 2 {
            return Err(Damage::Value("codec"));
        }
        Ok(Self {
            identity: take(bytes, IDENTITY)?,
            codec,
            segment_bytes: u64::from_le_bytes(take(bytes, SEGMENT_BYTES)?),
            schema_len: u64::from_le_bytes(take(bytes, SCHEMA_LEN)?),
            schema_crc: u32::from_le_bytes(take(bytes, SCHEMA_CRC)?),
        })
    }
}

/// A manifest: its header and the schema message.
pub fn encode_manifest(header: Header, schema: &[u8]) -> Vec<u8> {
    let header = Header {
        schema_len: schema.len() as u64,
        schema_crc: crc32c(schema),
        ..header
    };
    let mut out = header.encode(MANIFEST_MAGIC).to_vec();
    out.extend_from_slice(schema);
    out
}

/// The header of a manifest and its schema message.
pub fn decode_manifest(bytes: &[u8]) -> Result<(Header, &[u8]), Damage> {
    let header = Header::decode(bytes, MANIFEST_MAGIC)?;
    let len = usize::try_from(header.schema_len).map_err(|_| Damage::Value("schema length"))?;
    let end = ENTRY_LEN
        .checked_add(len)
        .ok_or(Damage::Value("schema length"))?;
    let schema = bytes.get(ENTRY_LEN..end).ok_or(Damage::Truncated)?;
    if crc32c(schema) != header.schema_crc {
        return Err(Damage::Checksum);
    }
    Ok((header, schema))
}

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

fn put(out: &mut [u8; ENTRY_LEN], at: usize, bytes: &[u8]) {
    for (place, byte) in out.iter_mut().skip(at).zip(bytes) {
        *place = *byte;
    }
}

fn put_extent(out: &mut [u8; ENTRY_LEN], extent: Extent) {
    put(out, SEGMENT, &extent.segment.to_le_bytes());
    put(out, OFFSET, &extent.offset.to_le_bytes());
    put(out, BODY, &extent.body_len.to_le_bytes());
    put(out, METADATA, &extent.metadata_len.to_le_bytes());
    put(out, DATA_CRC, &extent.crc.to_le_bytes());
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Damage> {
    let rest = bytes.get(at..).ok_or(Damage::Truncated)?;
    rest.first_chunk().copied().ok_or(Damage::Truncated)
}

fn seal(out: &mut [u8; ENTRY_LEN]) {
    let (covered, _) = out.split_at(CRC);
    let crc = crc32c(covered);
    put(out, CRC, &crc.to_le_bytes());
}

/// The entry at the beginning of `bytes`, if its checksum fits.
fn checked(bytes: &[u8]) -> Result<&[u8; ENTRY_LEN], Damage> {
    let entry: &[u8; ENTRY_LEN] = bytes.first_chunk().ok_or(Damage::Truncated)?;
    let (covered, _) = entry.split_at(CRC);
    if crc32c(covered) == u32::from_le_bytes(take(entry, CRC)?) {
        Ok(entry)
    } else {
        Err(Damage::Checksum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries() -> Vec<Entry> {
        let extent = Extent {
            segment: 3,
            offset: 0x1_0000_0040,
            metadata_len: 192,
            body_len: 0x2_0000_0000,
            crc: 0xdead_beef,
        };
        vec![
            Entry::Dictionary {
                id: 7,
                values: 9,
                extent,
            },
            Entry::Batch {
                record: 0,
                rows: 1 << 40,
                dictionaries: 1,
                extent,
            },
            Entry::Seal {
                segment: 3,
                batches: 1,
                end: 640,
                len: 1000,
                layout: Layout::Stream,
            },
            Entry::Close {
                batches: 1,
                rows: 1 << 40,
            },
        ]
    }

    fn header() -> Header {
        Header {
            identity: *b"sixteen bytes!!!",
            codec: 2,
            segment_bytes: 256 << 20,
            schema_len: 0,
            schema_crc: 0,
        }
    }

    fn file() -> Vec<u8> {
        let mut bytes = header().encode(INDEX_MAGIC).to_vec();
        for entry in entries() {
            bytes.extend_from_slice(&entry.encode());
        }
        bytes
    }

    #[test]
    fn entries_come_back_as_they_were() {
        for entry in entries() {
            assert_eq!(Entry::decode(&entry.encode()), Ok(entry));
        }
        let bytes = header().encode(MANIFEST_MAGIC);
        assert_eq!(Header::decode(&bytes, MANIFEST_MAGIC), Ok(header()));
    }

    #[test]
    fn the_checksum_is_the_one_of_the_standard() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn an_entry_that_is_cut_short_is_an_error() {
        for entry in entries() {
            let bytes = entry.encode();
            for len in 0..ENTRY_LEN {
                assert_eq!(Entry::decode(&bytes[..len]), Err(Damage::Truncated));
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for entry in entries() {
            for bit in 0..ENTRY_LEN * 8 {
                let mut bytes = entry.encode();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Entry::decode(&bytes), Err(Damage::Checksum), "bit {bit}");
            }
        }
        for bit in 0..ENTRY_LEN * 8 {
            let mut bytes = header().encode(INDEX_MAGIC);
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&bytes, INDEX_MAGIC).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn an_extent_that_no_log_has_is_an_error() {
        let good = Extent {
            segment: 0,
            offset: 64,
            metadata_len: 64,
            body_len: 64,
            crc: 0,
        };
        let bad = [
            Extent { offset: 65, ..good },
            Extent {
                metadata_len: 0,
                ..good
            },
            Extent {
                metadata_len: 100,
                ..good
            },
            Extent {
                body_len: 1,
                ..good
            },
            Extent {
                body_len: u64::MAX - 63,
                ..good
            },
            Extent {
                offset: u64::MAX - 63,
                ..good
            },
        ];
        for extent in bad {
            let entry = Entry::Dictionary {
                id: 0,
                values: 0,
                extent,
            };
            let decoded = Entry::decode(&entry.encode());
            assert!(matches!(decoded, Err(Damage::Value(_))), "{extent:?}");
        }
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

    #[test]
    fn a_newer_version_is_refused_by_name() {
        let mut bytes = header().encode(INDEX_MAGIC);
        bytes[8] = 2;
        assert_eq!(Header::decode(&bytes, INDEX_MAGIC), Err(Damage::Version(2)));
    }

    #[test]
    fn a_manifest_that_is_cut_or_changed_is_an_error() {
        let manifest = encode_manifest(header(), b"the schema");
        assert_eq!(decode_manifest(&manifest).unwrap().1, b"the schema");
        for len in 0..manifest.len() {
            assert!(decode_manifest(&manifest[..len]).is_err());
        }
        for at in 0..manifest.len() {
            let mut damaged = manifest.clone();
            damaged[at] ^= 0x10;
            assert!(decode_manifest(&damaged).is_err(), "byte {at}");
        }
    }
}
