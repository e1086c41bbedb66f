//! One batch: found, verified when it is new, decoded.

use std::ops::Range;

use arrow_array::RecordBatch;

use super::index::Found;
use super::{LogReader, known};
use crate::ahead::{Seen, Spot, Wish, run_of};
use crate::decode::{Source, Trust};
use crate::encode::DictionaryRecord;
use crate::format::{Damage, Extent, table_len};
use crate::segment::Segment;
use crate::{Error, Result};

/// What a batch is, without a look at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordInfo {
    /// Its first row, counted over the log.
    pub first_row: u64,
    /// Its rows.
    pub rows: u64,
    /// The bytes that its rows showed when it was appended.
    pub shown_bytes: u64,
    /// The bytes that it takes in its segment, dictionaries left out.
    pub stored_bytes: u64,
}

impl LogReader {
    /// Reads a batch. `projection` lists top-level columns in any order; the bytes of other columns
    /// are not touched.
    ///
    /// What is read of a batch for the first time is verified: damage is an error that names the file
    /// and the place, never other data.
    pub fn read(&self, record: usize, projection: Option<&[usize]>) -> Result<RecordBatch> {
        let columns = self.schema().fields().len();
        crate::decode::check_projection(projection, columns)?;
        let (found, among) = self.find(record)?;
        let extent = found.extent;
        let opened = self.segments.get(extent.segment, among.sealed.as_ref())?;
        let corrupt = |e| match e {
            Error::Arrow(e) => opened.segment.corrupt(extent.offset, e.to_string()),
            e => e,
        };
        let dictionaries = self.dictionaries.needed(
            &self.index,
            &self.decoder,
            extent.segment,
            &among,
            found.slot,
            projection,
        )?;
        let verified = match projection {
            None => self.bits.look(record, 0..columns),
            Some(some) => self.bits.look(record, some.iter().copied()),
        };
        let trust = match &verified {
            Ok(verified) => Trust::Verified(*verified),
            Err(fresh) => Trust::Unverified {
                crc: extent.crc,
                rows: found.rows,
                fresh,
            },
        };
        let bytes = match projection {
            Some(some) if !self.segments.maps() => {
                let body_len = usize::try_from(extent.body_len).unwrap_or(usize::MAX);
                let with_table = verified.is_err();
                let wanted =
                    |metadata: &[u8]| self.decoder.wanted(metadata, body_len, some, with_table);
                opened.parts(&extent, &wanted)
            }
            _ => opened.message(&extent),
        };
        let segment = &opened.segment;
        // Where it was read before, it is most likely in memory, and that is not asked every time.
        let was_asked = || {
            let columns = projection.unwrap_or_default().iter().copied();
            self.asked.look(record, columns).is_ok()
        };
        let is_part = projection.is_some()
            && verified.is_err()
            && segment.has_parts(extent.len())
            && !was_asked();
        let metadata_len = extent.metadata_len as usize;
        let body = extent.offset + u64::from(extent.metadata_len);
        let ahead = |part: Range<usize>| {
            segment.bring(body + part.start as u64, part.len());
        };
        let source = Source {
            dictionary: &|dictionary| {
                let extent = extent_of(dictionary);
                let bytes = opened.message(&extent)?;
                if is_part {
                    segment.bring(extent.offset, bytes.len());
                }
                Ok(bytes)
            },
            ahead: if is_part { Some(&ahead) } else { None },
        };
        let batch = bytes
            .and_then(|bytes| {
                if is_part {
                    segment.bring(extent.offset, metadata_len + table_len(columns));
                }
                self.decoder.batch(
                    &bytes,
                    metadata_len,
                    &dictionaries,
                    projection,
                    source,
                    trust,
                )
            })
            .map_err(corrupt)?;
        if let Err(fresh) = &verified {
            self.bits.set(record, fresh);
        }
        Ok(batch)
    }

    /// Looks at some columns of a batch, or all, without reading them, and brings in what is missing if that
    /// is wished; nobody waits for it. `None` where nobody can tell or help.
    pub fn look(&self, record: usize, projection: Option<&[usize]>, wish: Wish) -> Option<Seen> {
        let (found, among) = self.find(record).ok()?;
        let extent = found.extent;
        let opened = self.segments.get(extent.segment, among.sealed.as_ref());
        let opened = opened.ok()?;
        opened.check(&extent).ok()?;
        let dictionaries = self.dictionaries.needed(
            &self.index,
            &self.decoder,
            extent.segment,
            &among,
            found.slot,
            projection,
        );
        let dictionaries = dictionaries.ok()?;
        let inside = |record: &&DictionaryRecord| {
            record.segment == extent.segment && opened.check(&extent_of(record)).is_ok()
        };
        let dictionaries: Vec<_> = dictionaries.iter().map(AsRef::as_ref).collect();
        let dictionaries: Vec<_> = dictionaries.into_iter().filter(inside).collect();
        let mut spot = self.spot(&extent, &opened.segment);
        if wish == Wish::Bring && !opened.segment.has_parts(extent.len()) {
            let (first, last) = run_of(record, extent.len());
            let last = last.min(self.len().saturating_sub(1));
            let extent_of = |record| self.find(record).ok().map(|(found, _)| found.extent);
            if let (Some(first), Some(last)) = (extent_of(first), extent_of(last))
                && (first.segment, last.segment) == (extent.segment, extent.segment)
                && first.offset <= extent.offset
                && extent.end() <= last.end()
                && opened.check(&last).is_ok()
            {
                spot.run = first.offset..last.end();
            }
        }
        let seen = spot.see(&self.decoder, projection, &dictionaries, wish)?;
        if let (Wish::Bring, Some(columns)) = (wish, projection)
            && self.bits.look(record, columns.iter().copied()).is_err()
        {
            self.asked.set(record, columns);
        }
        Some(seen)
    }

    /// Brings in the metadata of a batch, by which [`look`](Self::look) finds its columns; nobody waits for it.
    pub fn bring_head(&self, record: usize) {
        let Ok((found, among)) = self.find(record) else {
            return;
        };
        let opened = self
            .segments
            .get(found.extent.segment, among.sealed.as_ref());
        if let Some(opened) = opened.ok().filter(|o| o.check(&found.extent).is_ok()) {
            self.spot(&found.extent, &opened.segment).bring_head();
        }
    }

    fn spot<'a>(&self, extent: &Extent, segment: &'a Segment) -> Spot<'a> {
        Spot {
            run: extent.offset..extent.end(),
            segment,
            offset: extent.offset,
            metadata_len: extent.metadata_len as usize,
            // The checksums of the columns.
            table_len: table_len(self.schema().fields().len()),
            body_len: extent.body_len,
        }
    }

    fn find(&self, record: usize) -> Result<(Found, known::Among)> {
        let number = record as u64;
        let (among, len) = {
            let known = self.known.read();
            (known.among(number), known.walk.totals.records)
        };
        let among = among.ok_or_else(|| known::out_of_range(record, len))?;
        let found = self
            .index
            .find(number, among.first, among.low, among.high)?;
        let end = among.sealed.map(|sealed| (sealed.end, sealed.segment));
        let fits = |(end, segment)| found.extent.end() <= end && found.extent.segment == segment;
        if end.is_none_or(fits) {
            Ok((found, among))
        } else {
            let damage = Damage::Value("end");
            Err(self.index.damage(found.slot, damage))
        }
    }

    /// What is known of a batch without reading it.
    pub fn info(&self, record: usize) -> Result<RecordInfo> {
        let (found, _) = self.find(record)?;
        Ok(RecordInfo {
            first_row: found.first_row,
            rows: found.rows,
            shown_bytes: found.shown,
            stored_bytes: found.extent.len(),
        })
    }
}

fn extent_of(dictionary: &DictionaryRecord) -> Extent {
    Extent {
        segment: dictionary.segment,
        offset: dictionary.offset,
        metadata_len: dictionary.metadata_len,
        body_len: dictionary.body_len,
        crc: dictionary.crc,
    }
}
