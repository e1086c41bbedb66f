//! The account that a persistent log keeps of itself.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_ipc::Block;
use arrow_schema::SchemaRef;

use super::INDEX;
use super::begin::begin;
use super::index::Index;
use crate::encode::{END_OF_STREAM, Kind, Plan, footer};
use crate::format::{ENTRY_LEN, Entry, Layout};
use crate::segment::{Growing, Segment};
use crate::storage::{Beginning, Storage, StorageFile};
use crate::{Error, LogOptions, Result};

/// How many sealed segments wait for a sync with their files open.
const MOST_UNSYNCED: usize = 32;

#[derive(Debug)]
struct Unsynced {
    segment: Arc<Segment>,
    file: Arc<dyn StorageFile>,
}

/// What a seal takes: end marker, footer (schema, a block for each message, frame), two entries.
pub(super) fn seal_size(schema_len: u64, blocks: u64) -> u64 {
    schema_len + blocks * size_of::<Block>() as u64 + 128 + 2 * ENTRY_LEN as u64
}

#[derive(Debug)]
pub(crate) struct Persistent {
    storage: Arc<dyn Storage>,
    schema: SchemaRef,
    /// The length of the schema message, which the footer of a segment holds too.
    schema_len: u64,
    index: Index,
    /// The messages of the segment under way.
    batches: Vec<Block>,
    dictionaries: Vec<Block>,
    /// Segments with bytes that were not synced yet, in the order of their numbers. Their files stay
    /// open: one that is opened again may not tell of what failed before.
    unsynced: VecDeque<Unsynced>,
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
        let file = begin(storage.as_ref(), beginning, options, message)?;
        Ok(Self {
            storage: Arc::clone(storage),
            schema: Arc::clone(schema),
            schema_len: message.len() as u64,
            index: Index::new(file),
            batches: Vec::new(),
            dictionaries: Vec::new(),
            unsynced: VecDeque::new(),
            failed: None,
        })
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

    pub(super) fn enter(&mut self, plan: &Plan, segment: u32, record: u64) -> Result<u64> {
        let written = self.index.write_plan(plan, segment, record);
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
        let mut seal = Vec::new();
        if segment.end() == 0 {
            seal.extend_from_slice(header);
        }
        match segment.layout {
            Layout::File => {
                let footer = footer(&self.schema, &self.dictionaries, &self.batches);
                seal.extend_from_slice(&footer);
            }
            Layout::Stream => seal.extend_from_slice(&END_OF_STREAM),
        }
        segment.close(&seal)?;
        let entry = Entry::Seal {
            segment: segment.number,
            batches: segment.records,
            end: segment.end(),
            len: segment.end() + seal.len() as u64,
            layout: segment.layout,
        };
        let written = self.index.write_entry(entry);
        let bytes = self.in_index(written)? + seal.len() as u64;
        while self.unsynced.len() > MOST_UNSYNCED {
            self.sync_oldest()?;
        }
        Ok(bytes)
    }

    pub(super) fn close(&mut self, batches: u64, rows: u64) -> Result<u64> {
        // It must not be found where anything before it is not.
        self.flush(None)?;
        let written = self.index.write_entry(Entry::Close { batches, rows });
        let bytes = self.in_index(written)?;
        if let Err(e) = self.index.sync() {
            self.fail(self.storage.path(INDEX), e)?;
        }
        Ok(bytes)
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
            return self.fail(open.segment.path.clone(), e);
        }
        let synced = self.index.sync();
        if let Err(e) = synced.and_then(|()| self.storage.sync_directory()) {
            return self.fail(self.storage.path(INDEX), e);
        }
        Ok(())
    }

    /// Syncs the segment that has waited longest, which is sealed, and closes its file.
    fn sync_oldest(&mut self) -> Result<()> {
        if let Some(oldest) = self.unsynced.front() {
            if let Err(e) = oldest.file.sync() {
                return self.fail(oldest.segment.path.clone(), e);
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
