//! One batch of a log that is written.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_buffer::Buffer;

use super::Log;
use crate::ahead::{Seen, Spot, Wish, run_of};
use crate::decode::{Source, Trust, check_projection};
use crate::encode::DictionaryRecord;
use crate::published::Record;
use crate::segment::Segment;
use crate::{Error, LogReader, Result};

impl Log {
    /// Reads a batch. `projection` lists top-level columns in any order; the bytes of other columns
    /// are not touched.
    pub fn read(&self, record: usize, projection: Option<&[usize]>) -> Result<RecordBatch> {
        check_projection(projection, self.schema().fields().len())?;
        let before = self.earlier.as_ref().map_or(0, LogReader::len);
        if let Some(earlier) = self.earlier.as_ref().filter(|_| record < before) {
            return earlier.read(record, projection);
        }
        let (place, segment) =
            self.published
                .record(record - before)
                .map_err(|len| Error::OutOfRange {
                    what: "record",
                    index: record,
                    len: before + len,
                })?;
        let len = u64::from(place.metadata_len) + place.body_len;
        let bytes = match projection {
            Some(columns) if !self.reach.maps() => {
                let body_len = usize::try_from(place.body_len).unwrap_or(usize::MAX);
                let wanted =
                    |metadata: &[u8]| self.decoder.wanted(metadata, body_len, columns, false);
                segment.read_parts(place.offset, place.metadata_len as usize, len, &wanted)
            }
            _ => segment.published(place.offset, len),
        };
        let metadata_len = place.metadata_len as usize;
        let columns = projection.unwrap_or_default();
        // Where it was read before, it is most likely in memory, and that is not asked every time.
        let is_part = projection.is_some()
            && segment.has_parts(len)
            && self.brought.look(record, columns.iter().copied()).is_err();
        let body = place.offset + u64::from(place.metadata_len);
        let ahead = |part: Range<usize>| {
            segment.bring(body + part.start as u64, part.len());
        };
        let source = Source {
            dictionary: &|dictionary| self.dictionary(dictionary, is_part),
            ahead: if is_part { Some(&ahead) } else { None },
        };
        bytes
            .and_then(|bytes| {
                if is_part {
                    segment.bring(place.offset, metadata_len);
                    self.brought.set(record, columns);
                }
                let dictionaries = place.dictionaries.as_deref().unwrap_or_default();
                self.decoder.batch(
                    &bytes,
                    metadata_len,
                    dictionaries,
                    projection,
                    source,
                    Trust::Own,
                )
            })
            .map_err(|e| match e {
                Error::Arrow(e) => segment.corrupt(place.offset, e.to_string()),
                e => e,
            })
    }

    /// Looks at some columns of a batch, or all, without reading them, and brings in what is missing if that
    /// is wished; nobody waits for it. `None` where nobody can tell or help.
    pub fn look(&self, record: usize, projection: Option<&[usize]>, wish: Wish) -> Option<Seen> {
        let before = self.earlier.as_ref().map_or(0, LogReader::len);
        if let Some(earlier) = self.earlier.as_ref().filter(|_| record < before) {
            return earlier.look(record, projection, wish);
        }
        let (place, segment) = self.published.record(record - before).ok()?;
        let dictionaries = place.dictionaries.as_deref().unwrap_or_default();
        let dictionaries: Vec<_> = if dictionaries.is_empty() {
            Vec::new()
        } else {
            let ids: Vec<_> = self.decoder.ids_of(projection).collect();
            let needed = dictionaries.iter().map(AsRef::as_ref);
            // Those that lie in other segments were brought in with a batch there.
            let needed = needed.filter(|dictionary| {
                ids.contains(&dictionary.id) && dictionary.segment == place.segment
            });
            needed.collect()
        };
        let mut spot = spot(&place, &segment);
        if wish == Wish::Bring && !segment.has_parts(spot.len()) {
            let (first, last) = run_of(record - before, spot.len());
            let last = last.min(self.published.len().saturating_sub(1));
            let place_of = |record| self.published.record(record).ok().map(|(place, _)| place);
            if let (Some(first), Some(last)) = (place_of(first), place_of(last))
                && (first.segment, last.segment) == (place.segment, place.segment)
            {
                let end = last.offset + u64::from(last.metadata_len) + last.body_len;
                spot.run = first.offset..end;
            }
        }
        let seen = spot.see(&self.decoder, projection, &dictionaries, wish)?;
        if let (Wish::Bring, Some(columns)) = (wish, projection) {
            self.brought.set(record, columns);
        }
        Some(seen)
    }

    /// Brings in the metadata of a batch, by which [`look`](Self::look) finds its columns; nobody waits for it.
    pub fn bring_head(&self, record: usize) {
        let before = self.earlier.as_ref().map_or(0, LogReader::len);
        match self.earlier.as_ref().filter(|_| record < before) {
            Some(earlier) => earlier.bring_head(record),
            None => {
                if let Ok((place, segment)) = self.published.record(record - before) {
                    spot(&place, &segment).bring_head();
                }
            }
        }
    }

    /// The bytes of a dictionary record, brought in by themselves if that is of use.
    fn dictionary(&self, record: &DictionaryRecord, is_part: bool) -> Result<Buffer> {
        let segment = self.published.segment(record.segment);
        let segment = segment.ok_or(Error::OutOfRange {
            what: "segment",
            index: record.segment as usize,
            len: 0,
        })?;
        let len = u64::from(record.metadata_len) + record.body_len;
        let bytes = segment.published(record.offset, len)?;
        if is_part {
            segment.bring(record.offset, bytes.len());
        }
        Ok(bytes)
    }
}

fn spot<'a>(place: &Record, segment: &'a Segment) -> Spot<'a> {
    let end = place.offset + u64::from(place.metadata_len) + place.body_len;
    Spot {
        run: place.offset..end,
        segment,
        offset: place.offset,
        metadata_len: place.metadata_len as usize,
        table_len: 0,
        body_len: place.body_len,
    }
}
