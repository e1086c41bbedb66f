//! The account that a persistent log keeps of itself.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_ipc::Block;
use arrow_schema::SchemaRef;

use super::begin::begin;
use super::index::Index;
use crate::encode::{END_OF_STREAM, Kind, Plan, footer};
use crate::format::{ENTRY_LEN, EntryKind, FAILURE_MAX, Failure, Header, Layout, Status};
use crate::format::{FAILURE, FAILURE_PART, INDEX};
use crate::segment::{Growing, Segment};
use crate::storage::{Beginning, Storage, StorageFile, write_all};
use crate::{Error, LogOptions, Result};

/// How many sealed segments wait for a sync with their files open.
const MOST_UNSYNCED: usize = 32;

#[derive(Debug)]
pub(super) struct Unsynced {
    pub(super) segment: Arc<Segment>,
    pub(super) file: Arc<dyn StorageFile>,
}

/// What the closing entry takes, and the failure file.
pub(super) const CLOSE_SIZE: u64 = ENTRY_LEN as u64 + FAILURE_MAX;

/// What the end of a log takes: end marker, footer (schema, a block for each message, frame), the
/// entry of the seal, and its closing.
pub(super) fn seal_size(schema_len: u64, blocks: u64) -> u64 {
    let footer = schema_len + blocks * size_of::<Block>() as u64 + 128;
    footer + ENTRY_LEN as u64 + CLOSE_SIZE
}

#[derive(Debug)]
pub(crate) struct Persistent {
    storage: Arc<dyn Storage>,
    pub(super) header: Header,
    schema: SchemaRef,
    /// The length of the schema message, which the footer of a segment holds too.
    schema_len: u64,
    index: Index,
    /// The messages of the segment under way.
    pub(super) batches: Vec<Block>,
    pub(super) dictionaries: Vec<Block>,
    /// Segments with bytes that were not synced yet, in the order of their numbers. Their files stay
    /// open: one that is opened again may not tell of what failed before.
    pub(super) unsynced: VecDeque<Unsynced>,
    /// The first failure to sync, which is final.
    failed: Option<(PathBuf, Arc<io::Error>)>,
}

impl Persistent {
    pub(super) fn begin(
        storage: &Arc<dyn Storage>,
        beginning: &mut Beginning<'_>,
        options: &LogOptions,
        schema: &SchemaRef,
        message: &[u8],
    ) -> Result<Self> {
        let (file, header, walk) = begin(storage.as_ref(), beginning, options, message)?;
        let index = Index::new(file, walk);
        let schema_len = message.len() as u64;
        Ok(Self::new(storage, header, schema, schema_len, index))
    }

    /// The account of a log with this index.
    pub(super) fn new(
        storage: &Arc<dyn Storage>,
        header: Header,
        schema: &SchemaRef,
        schema_len: u64,
        index: Index,
    ) -> Self {
        Self {
            storage: Arc::clone(storage),
            header,
            schema: Arc::clone(schema),
            schema_len,
            index,
            batches: Vec::new(),
            dictionaries: Vec::new(),
            unsynced: VecDeque::new(),
            failed: None,
        }
    }

    /// What a segment of these messages ends with.
    pub(super) fn ending(
        &self,
        layout: Layout,
        dictionaries: &[Block],
        batches: &[Block],
    ) -> Vec<u8> {
        match layout {
            Layout::File => footer(&self.schema, dictionaries, batches),
            Layout::Stream => END_OF_STREAM.to_vec(),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match &self.failed {
            None => Ok(()),
            Some((path, source)) => Err(Error::Unsynced {
                path: path.clone(),
                source: Arc::clone(source),
            }),
        }
    }

    pub(super) fn overhead(&self, plan: &Plan) -> u64 {
        let messages = plan.messages.len() as u64;
        let blocks = (self.batches.len() + self.dictionaries.len()) as u64;
        messages * ENTRY_LEN as u64 + seal_size(self.schema_len, blocks + messages)
    }

    pub(super) fn begun(&mut self, segment: &Growing) {
        self.batches.clear();
        self.dictionaries.clear();
        self.unsynced.push_back(Unsynced {
            segment: Arc::clone(&segment.segment),
            file: Arc::clone(segment.file()),
        });
    }

    pub(super) fn enter(&mut self, plan: &Plan, segment: u32, shown: u64) -> Result<u64> {
        self.cut()?;
        let written = self.index.write_plan(plan, segment, shown);
        let bytes = self.in_index(written)?;
        for message in &plan.messages {
            let block = Block::new(
                message.offset.cast_signed(),
                message.metadata_len.cast_signed(),
                message.body_len.cast_signed(),
            );
            match message.kind {
                Kind::Batch => self.batches.push(block),
                Kind::Dictionary(_) => self.dictionaries.push(block),
            }
        }
        Ok(bytes)
    }

    pub(super) fn seal(&mut self, segment: &mut Growing, header: &[u8]) -> Result<u64> {
        if segment.is_sealed {
            return Ok(0);
        }
        self.cut()?;
        let mut seal = Vec::new();
        if segment.end() == 0 {
            seal.extend_from_slice(header);
        }
        let ending = self.ending(segment.layout, &self.dictionaries, &self.batches);
        seal.extend_from_slice(&ending);
        segment.close(&seal)?;
        let walk = self.index.walk();
        let written = self.index.write_entry(EntryKind::Seal {
            segment: segment.number,
            batches: segment.records,
            shown: walk.totals.shown,
            end: segment.end(),
            len: segment.end() + seal.len() as u64,
            layout: segment.layout,
            last_seal: walk.last_seal,
        });
        let bytes = self.in_index(written)? + seal.len() as u64;
        segment.is_sealed = true;
        Ok(bytes)
    }

    /// Other tools take a segment for a whole file by its name, so it gets that when it is one.
    pub(super) fn publish(&mut self, segment: &mut Growing) -> Result<()> {
        segment.publish(self.storage.as_ref())?;
        while self.unsynced.len() > MOST_UNSYNCED {
            self.sync_oldest()?;
        }
        Ok(())
    }

    pub(super) fn close(&mut self, failure: Option<&Failure>) -> Result<u64> {
        let mut bytes = 0;
        if let Some(failure) = failure {
            let written = self.write_failure(failure);
            bytes +=
                written.map_err(|e| Error::io("cannot write", self.storage.path(FAILURE), e))?;
        }
        // It must not be found where anything before it is not.
        self.flush(None)?;
        self.cut()?;
        let walk = self.index.walk();
        let written = self.index.write_entry(EntryKind::Close {
            status: match failure {
                None => Status::Complete,
                Some(_) => Status::Failed,
            },
            shown: walk.totals.shown,
            last_seal: walk.last_seal,
        });
        bytes += self.in_index(written)?;
        if let Err(e) = self.index.sync() {
            self.fail(self.storage.path(INDEX), e)?;
        }
        Ok(bytes)
    }

    fn write_failure(&self, failure: &Failure) -> io::Result<u64> {
        // What an earlier try left; where there is nothing, nothing is lost.
        let _gone = self.storage.remove(FAILURE_PART);
        let _gone = self.storage.remove(FAILURE);
        let records = self.index.walk().totals.records;
        let bytes = failure.encode(self.header, records);
        let file = self.storage.create(FAILURE_PART)?;
        write_all(file.as_ref(), &mut [IoSlice::new(&bytes)], 0)?;
        file.sync()?;
        self.storage.rename(FAILURE_PART, FAILURE)?;
        Ok(bytes.len() as u64)
    }

    /// Enters that everything so far is durable. That only spares who recovers the log some reading,
    /// so it may fail.
    pub(super) fn mark(&mut self) -> u64 {
        if self.mark_size() == 0 || self.cut().is_err() {
            return 0;
        }
        let walk = self.index.walk();
        let written = self.index.write_entry(EntryKind::Durable {
            shown: walk.totals.shown,
            last_seal: walk.last_seal,
        });
        written.unwrap_or(0)
    }

    pub(super) fn mark_size(&self) -> u64 {
        let walk = self.index.walk();
        let is_marked = walk.durable == walk.slot || walk.is_empty();
        if is_marked { 0 } else { ENTRY_LEN as u64 }
    }

    pub(super) fn flush(&mut self, open: Option<&Growing>) -> Result<()> {
        self.check()?;
        while let Some(oldest) = self.unsynced.front() {
            // The segment that grows is the last, and has to be synced again.
            if open.is_some_and(|open| Arc::ptr_eq(&open.segment, &oldest.segment)) {
                break;
            }
            self.sync_oldest()?;
        }
        if let Some(open) = open
            && let Err(e) = open.file().sync()
        {
            return self.fail(open.segment.path(), e);
        }
        let synced = self.storage.sync_directory();
        if let Err(e) = synced.and_then(|()| self.index.sync()) {
            return self.fail(self.storage.path(INDEX), e);
        }
        Ok(())
    }

    /// Cuts off the entries that an earlier failure left, for good: were they found behind a power
    /// cut, they would follow as well as those that replace them.
    fn cut(&mut self) -> Result<()> {
        let cut = self.index.cut();
        if self.in_index(cut)?
            && let Err(e) = self.index.sync()
        {
            return self.fail(self.storage.path(INDEX), e);
        }
        Ok(())
    }

    /// Syncs the segment that has waited longest, which is sealed, and closes its file.
    fn sync_oldest(&mut self) -> Result<()> {
        if let Some(oldest) = self.unsynced.front() {
            if let Err(e) = oldest.file.sync() {
                return self.fail(oldest.segment.path(), e);
            }
            oldest.segment.release(0);
            self.unsynced.pop_front();
        }
        Ok(())
    }

    fn fail(&mut self, path: PathBuf, e: io::Error) -> Result<()> {
        self.failed = Some((path, Arc::new(e)));
        self.check()
    }

    fn in_index<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(|e| Error::io("cannot write to", self.storage.path(INDEX), e))
    }
}
