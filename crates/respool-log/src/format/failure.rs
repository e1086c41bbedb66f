//! The failure file: why what a log was filled from failed.

use std::borrow::Cow;

use super::sections::{check_known, find};
use super::{Damage, FAILURE_MAGIC, Header, Section, decode_sections, encode_sections};

const KIND: u16 = 1;
const TEXT: u16 = 2;

/// The most bytes that a failure file has; longer texts are cut.
pub const FAILURE_MAX: u64 = 4096;

/// How many bytes of a kind are kept.
const KIND_MAX: usize = 200;
/// How many bytes of a text are kept, so that the file fits.
const TEXT_MAX: usize = 3600;

/// Why a log was not filled to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What sort of error it was, as the owner of the log tells them apart.
    pub kind: String,
    /// What it said.
    pub text: String,
}

impl Failure {
    /// The bytes of the file, for a log whose header is `header` and that has `records` records.
    pub fn encode(&self, header: Header, records: u64) -> Vec<u8> {
        let (kind, text) = (cut(&self.kind, KIND_MAX), cut(&self.text, TEXT_MAX));
        let sections = [
            Section::new(KIND, kind.as_bytes()),
            Section::new(TEXT, text.as_bytes()),
        ];
        encode_sections(Header { records, ..header }, FAILURE_MAGIC, &sections)
    }

    /// Reads the bytes of the file.
    pub fn decode(bytes: &[u8]) -> Result<(Header, Self), Damage> {
        let (header, sections) = decode_sections(bytes, FAILURE_MAGIC)?;
        check_known(&sections, &[KIND, TEXT])?;
        let text = |kind| {
            let bytes = find(&sections, kind).unwrap_or_default();
            String::from_utf8_lossy(bytes).into_owned()
        };
        let failure = Self {
            kind: text(KIND),
            text: text(TEXT),
        };
        Ok((header, failure))
    }
}

/// A text, or its beginning and a mark that it went on.
fn cut(text: &str, len: usize) -> Cow<'_, str> {
    match text.get(..text.floor_char_boundary(len)) {
        Some(beginning) if beginning.len() < text.len() => format!("{beginning}\u{2026}").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::header;
    use super::*;

    #[test]
    fn a_failure_comes_back_and_a_long_one_is_cut() {
        let failure = Failure {
            kind: "ValueError".to_owned(),
            text: "a\0b".to_owned(),
        };
        let (found, back) = Failure::decode(&failure.encode(header(), 9)).unwrap();
        assert_eq!((found.records, back), (9, failure));
        let long = Failure {
            kind: "é".repeat(3000),
            text: "é".repeat(9000),
        };
        let bytes = long.encode(header(), 9);
        assert!(bytes.len() as u64 <= FAILURE_MAX);
        let (_, back) = Failure::decode(&bytes).unwrap();
        let beginning = back.text.strip_suffix('\u{2026}').unwrap();
        assert!(long.text.starts_with(beginning) && beginning.len() > 3000);
    }
}
