//! The manifest: what a log is, and what its owner says of it.

use super::sections::{check_known, find};
use super::{Damage, Header, MANIFEST_MAGIC, Section, decode_sections, encode_sections};

const SCHEMA: u16 = 1;
const CREATED: u16 = 2;
const WRITER: u16 = 3;
const KEY: u16 = 4;
const TIME_TO_LIVE: u16 = 5;
const METADATA: u16 = 6;

/// What a log is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Identity, codec and the size of segments.
    pub header: Header,
    /// The schema, as the message that begins a segment of the stream layout.
    pub schema: Vec<u8>,
    /// When it was created, in microseconds since 1970.
    pub created: u64,
    /// The program that created it.
    pub writer: String,
    /// What the owner knows it by.
    pub key: Option<Vec<u8>>,
    /// For how many microseconds it is good, as the owner says.
    pub time_to_live: Option<u64>,
    /// What else the owner says of it.
    pub metadata: Vec<(String, Vec<u8>)>,
}

impl Manifest {
    /// The bytes of the file.
    pub fn encode(&self) -> Vec<u8> {
        let created = self.created.to_le_bytes();
        let time_to_live = self.time_to_live.unwrap_or_default().to_le_bytes();
        let mut metadata = Vec::new();
        for (name, value) in &self.metadata {
            for bytes in [name.as_bytes(), value] {
                metadata.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                metadata.extend_from_slice(bytes);
            }
        }
        let mut sections = vec![
            Section {
                must_be_known: true,
                ..Section::new(SCHEMA, &self.schema)
            },
            Section::new(CREATED, &created),
            Section::new(WRITER, self.writer.as_bytes()),
        ];
        if let Some(key) = &self.key {
            sections.push(Section::new(KEY, key));
        }
        if self.time_to_live.is_some() {
            sections.push(Section::new(TIME_TO_LIVE, &time_to_live));
        }
        if !metadata.is_empty() {
            sections.push(Section::new(METADATA, &metadata));
        }
        encode_sections(self.header, MANIFEST_MAGIC, &sections)
    }

    /// Reads the bytes of the file.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let (header, sections) = decode_sections(bytes, MANIFEST_MAGIC)?;
        let known = [SCHEMA, CREATED, WRITER, KEY, TIME_TO_LIVE, METADATA];
        check_known(&sections, &known)?;
        let number = |bytes: Option<&[u8]>| {
            bytes
                .map(|bytes| bytes.try_into().map(u64::from_le_bytes))
                .transpose()
                .map_err(|_| Damage::Value("time"))
        };
        let writer = find(&sections, WRITER).unwrap_or_default();
        Ok(Self {
            header,
            schema: find(&sections, SCHEMA)
                .ok_or(Damage::Value("schema"))?
                .to_vec(),
            created: number(find(&sections, CREATED))?.unwrap_or_default(),
            writer: String::from_utf8_lossy(writer).into_owned(),
            key: find(&sections, KEY).map(<[u8]>::to_vec),
            time_to_live: number(find(&sections, TIME_TO_LIVE))?,
            metadata: pairs(find(&sections, METADATA).unwrap_or_default())?,
        })
    }
}

fn pairs(mut bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, Damage> {
    let mut next = || -> Result<Option<Vec<u8>>, Damage> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let (len, rest) = bytes.split_first_chunk().ok_or(Damage::Truncated)?;
        let len = usize::try_from(u64::from_le_bytes(*len)).map_err(|_| Damage::Truncated)?;
        let (found, rest) = rest.split_at_checked(len).ok_or(Damage::Truncated)?;
        bytes = rest;
        Ok(Some(found.to_vec()))
    };
    let mut pairs = Vec::new();
    while let Some(name) = next()? {
        let name = String::from_utf8(name).map_err(|_| Damage::Value("metadata"))?;
        pairs.push((name, next()?.ok_or(Damage::Truncated)?));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::super::header::tests::header;
    use super::*;

    #[test]
    fn a_manifest_comes_back_as_it_was() {
        let small = Manifest {
            header: header(),
            schema: b"the schema".to_vec(),
            created: 5,
            writer: "a program".to_owned(),
            key: None,
            time_to_live: None,
            metadata: Vec::new(),
        };
        let large = Manifest {
            key: Some(vec![0, 1]),
            time_to_live: Some(9),
            metadata: vec![("a".to_owned(), vec![]), ("é".to_owned(), vec![1, 2, 3])],
            ..small.clone()
        };
        for manifest in [small, large] {
            let bytes = manifest.encode();
            let len = bytes.len() as u64;
            let header = Header { len, ..header() };
            let want = Manifest { header, ..manifest };
            assert_eq!(Manifest::decode(&bytes), Ok(want));
        }
    }
}
