//! Small files of sections: a header, then pieces that each have a type, a length and a checksum.

use super::bytes::{ENTRY_LEN, Sum, take};
use super::{Damage, Header};

/// The length of what stands before the bytes of a section.
const SECTION_HEADER: usize = 16;

/// Sections begin on multiples of this.
const PADDING: usize = 8;

/// Says that a reader that does not know the section must not go on.
const MUST_BE_KNOWN: u16 = 1;

/// One section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// What it is.
    pub kind: u16,
    /// Whether a reader that does not know it must not go on.
    pub must_be_known: bool,
    /// What it says.
    pub bytes: &'a [u8],
}

impl<'a> Section<'a> {
    /// A section that may be ignored by who does not know it.
    pub fn new(kind: u16, bytes: &'a [u8]) -> Self {
        Self {
            kind,
            must_be_known: false,
            bytes,
        }
    }

    fn head(&self) -> [u8; 12] {
        let mut head = [0; 12];
        let flags = if self.must_be_known { MUST_BE_KNOWN } else { 0 };
        let fields = [self.kind.to_le_bytes(), flags.to_le_bytes()];
        let fields = fields.into_iter().flatten();
        let len = (self.bytes.len() as u64).to_le_bytes();
        for (place, byte) in head.iter_mut().zip(fields.chain(len)) {
            *place = byte;
        }
        head
    }

    fn crc(&self) -> u32 {
        let mut sum = Sum::new();
        sum.add(&self.head());
        sum.add(self.bytes);
        sum.get()
    }
}

/// A file of sections; its length in the header is set here.
pub fn encode_sections(header: Header, magic: [u8; 8], sections: &[Section<'_>]) -> Vec<u8> {
    let mut out = vec![0; ENTRY_LEN];
    for section in sections {
        out.extend_from_slice(&section.head());
        out.extend_from_slice(&section.crc().to_le_bytes());
        out.extend_from_slice(section.bytes);
        out.resize(out.len().next_multiple_of(PADDING), 0);
    }
    let len = out.len() as u64;
    let header = Header { len, ..header }.encode(magic);
    for (place, byte) in out.iter_mut().zip(header) {
        *place = byte;
    }
    out
}

/// The header and the sections of a file that should begin with `magic`. Nothing may be missing and
/// nothing may follow.
pub fn decode_sections(bytes: &[u8], magic: [u8; 8]) -> Result<(Header, Vec<Section<'_>>), Damage> {
    let header = Header::decode(bytes, magic)?;
    match header.len.cmp(&(bytes.len() as u64)) {
        std::cmp::Ordering::Less => return Err(Damage::Value("length")),
        std::cmp::Ordering::Greater => return Err(Damage::Truncated),
        std::cmp::Ordering::Equal => {}
    }
    let mut rest = bytes.get(ENTRY_LEN..).ok_or(Damage::Truncated)?;
    let mut sections = Vec::new();
    while !rest.is_empty() {
        let flags = u16::from_le_bytes(take(rest, 2)?);
        let len = u64::from_le_bytes(take(rest, 4)?);
        let crc = u32::from_le_bytes(take(rest, 12)?);
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| len.checked_add(SECTION_HEADER))
            .ok_or(Damage::Truncated)?;
        let section = Section {
            kind: u16::from_le_bytes(take(rest, 0)?),
            must_be_known: flags & MUST_BE_KNOWN != 0,
            bytes: rest.get(SECTION_HEADER..end).ok_or(Damage::Truncated)?,
        };
        let padded = end.checked_next_multiple_of(PADDING);
        let padded = padded.ok_or(Damage::Truncated)?;
        let padding = rest.get(end..padded).ok_or(Damage::Truncated)?;
        if section.crc() != crc || flags > MUST_BE_KNOWN || padding.iter().any(|&byte| byte != 0) {
            return Err(Damage::Checksum);
        }
        sections.push(section);
        rest = rest.get(padded..).unwrap_or_default();
    }
    Ok((header, sections))
}

/// The bytes of a section, if it is there.
pub(super) fn find<'a>(sections: &[Section<'a>], kind: u16) -> Option<&'a [u8]> {
    let found = sections.iter().find(|section| section.kind == kind);
    found.map(|section| section.bytes)
}

/// Refuses sections that must be known and are not.
pub(super) fn check_known(sections: &[Section<'_>], known: &[u16]) -> Result<(), Damage> {
    let unknown = sections
        .iter()
        .find(|section| section.must_be_known && !known.contains(&section.kind));
    unknown.map_or(Ok(()), |section| Err(Damage::Section(section.kind)))
}

#[cfg(test)]
mod tests {
    use super::super::SIDECAR_MAGIC;
    use super::super::header::tests::header;
    use super::*;

    #[test]
    fn sections_that_are_cut_or_changed_or_followed_are_an_error() {
        let sections = [Section::new(1, b"first"), Section::new(900, b"second..")];
        let file = encode_sections(header(), SIDECAR_MAGIC, &sections);
        assert_eq!(decode_sections(&file, SIDECAR_MAGIC).unwrap().1, sections);
        for len in 0..file.len() {
            assert!(decode_sections(&file[..len], SIDECAR_MAGIC).is_err());
        }
        for at in 0..file.len() {
            for byte in [file[at] ^ 0x10, 0, 0xff] {
                let mut damaged = file.clone();
                damaged[at] = byte;
                let decoded = decode_sections(&damaged, SIDECAR_MAGIC);
                assert_eq!(decoded.is_err(), byte != file[at], "byte {at}");
            }
        }
        for more in 1..64 {
            let longer = [file.clone(), vec![0; more]].concat();
            assert!(decode_sections(&longer, SIDECAR_MAGIC).is_err());
        }
    }

    #[test]
    fn a_section_that_must_be_known_is_refused_by_name() {
        let strange = Section {
            must_be_known: true,
            ..Section::new(77, b"")
        };
        let error = check_known(&[Section::new(78, b""), strange], &[1]).unwrap_err();
        assert_eq!(error, Damage::Section(77));
        assert_eq!(check_known(&[strange], &[77]), Ok(()));
    }
}
