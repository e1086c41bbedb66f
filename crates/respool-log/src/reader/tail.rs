//! The end of a log that nobody ended: what of it is good.

use std::io;

use super::known::Sealed;
use super::{LogReader, State};
use crate::decode::caught;
use crate::format::{EntryKind, Extent, Walk};
use crate::{Error, Result};

impl LogReader {
    /// Verifies the batches that were not made durable, of a log whose writer is gone, and lets go of
    /// all from the first that is not good. Returns how many are left.
    ///
    /// After a crash of the writer there is nothing to let go; after one of the machine the last
    /// batches may have an entry and no data.
    pub fn verify_tail(&self) -> Result<usize> {
        if *self.state.read() == State::Abandoned {
            self.cut_tail()?;
        }
        Ok(self.len())
    }

    /// Drops the batches behind the last durable entry from the first that is not good.
    pub(crate) fn cut_tail(&self) -> Result<()> {
        let mut known = self.known.write();
        let (mut walk, mut good) = (None, None);
        // From the beginning, because a walk can't begin in the middle.
        let mut at = self.beginning()?;
        let mut entries = self.index.entries(1, known.walk.slot);
        while let Some(bytes) = entries.next()? {
            let here = at.slot;
            let entry = at.step(&bytes).map_err(|e| self.index.damage(here, e))?;
            let message = match entry.kind {
                EntryKind::Batch { extent, .. } => Some((extent, None)),
                EntryKind::Dictionary { id, extent, .. } => Some((extent, i64::try_from(id).ok())),
                _ => None,
            };
            if let Some((extent, id)) = message.filter(|_| here >= known.walk.durable) {
                let number = extent.segment as usize;
                let sealed = known.seals.get(number).copied();
                if !self.is_good(&extent, id, sealed)? {
                    walk = good.or_else(|| self.beginning().ok());
                    break;
                }
            }
            if at.is_whole() {
                good = Some(at);
            }
        }
        if let Some(walk) = walk {
            known.cut(walk);
            // Another writer may put other batches in their places.
            self.dictionaries.forget();
            self.bits.forget();
            self.asked.forget();
            self.index.forget();
        }
        Ok(())
    }

    fn beginning(&self) -> Result<Walk> {
        let header = self.index.read(0, 1)?;
        let walk = Walk::begin(&header);
        walk.map(|(_, walk)| walk)
            .map_err(|e| self.index.damage(0, e))
    }

    /// Whether a message is there as it was written. An error is one of reading.
    fn is_good(&self, extent: &Extent, id: Option<i64>, sealed: Option<Sealed>) -> Result<bool> {
        let opened = match self.segments.get(extent.segment, sealed.as_ref()) {
            Ok(opened) => opened,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                return Ok(false);
            }
            Err(e) => return Err(e),
        };
        let verified = opened.message(extent).and_then(|bytes| {
            let metadata_len = extent.metadata_len as usize;
            caught(|| self.decoder.verify(&bytes, metadata_len, extent.crc, id))
        });
        match verified {
            Ok(()) => Ok(true),
            Err(Error::Arrow(_) | Error::Corrupt { .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Every message of a segment, as its footer lists them: where it lies, and whether it is a
    /// dictionary.
    pub(crate) fn messages(&self, segment: usize) -> Result<Vec<(Extent, bool)>> {
        let among = self.known.read().segment(segment);
        let mut found = Vec::new();
        for slot in among.low..among.high {
            match self.index.entry(slot)?.kind {
                EntryKind::Batch { extent, .. } => found.push((extent, false)),
                EntryKind::Dictionary { extent, .. } => found.push((extent, true)),
                _ => {}
            }
        }
        Ok(found)
    }
}
