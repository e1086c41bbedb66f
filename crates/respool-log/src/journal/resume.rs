//! How a writer goes on with a log that another one has left: what does not count goes, what counts
//! and may not be on the disk is put there, and the last segment is sealed, because the encoder does not
//! know which dictionaries it has.
//!
//! Every step can be done again after a crash in the middle of it.

use std::io::{self, IoSlice};
use std::sync::Arc;

use arrow_ipc::Block;

use super::index::Index;
use super::persistent::{Persistent, Unsynced};
use crate::encode::MAGIC;
use crate::format::{Extent, Layout};
use crate::format::{FAILURE, FAILURE_PART, INDEX, MANIFEST, MANIFEST_PART};
use crate::reader::{Known, LogReader, Sealed, is_sidecar};
use crate::segment::{Growing, Reach, Segment, name, part_name};
use crate::storage::{Storage, StorageFile, read_all, write_all};
use crate::{Error, Result};

/// What a log is when a writer goes on with it.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) journal: Persistent,
    /// How many segments there are.
    pub(crate) segments: u32,
    /// The layout of the next.
    pub(crate) layout: Layout,
    /// What the files of the log take.
    pub(crate) bytes: u64,
}

/// Goes on with the log of a reader, which has let go of all that is not good. `header` begins a
/// segment.
pub(super) fn resume(
    storage: &Arc<dyn Storage>,
    reader: &LogReader,
    reach: &Arc<Reach>,
    header: &dyn Fn(Layout) -> Vec<u8>,
) -> Result<Resumed> {
    let known = reader.known();
    let index = open(storage.as_ref(), INDEX)?;
    let cut = index.size().and_then(|len| {
        if len > known.walk.len() {
            index.truncate(known.walk.len())?;
        }
        // Entries that are cut off must stay so, and those before are said to be there from now on.
        index.sync()
    });
    cut.map_err(|e| Error::io("cannot cut", storage.path(INDEX), e))?;
    remove_orphans(storage.as_ref(), &known)?;
    let schema_len = reader.manifest().schema.len() as u64;
    let mut journal = Persistent::new(
        storage,
        reader.manifest().header,
        reader.schema(),
        schema_len,
        Index::new(index, known.walk),
    );
    let mut layout = Layout::File;
    for sealed in &known.seals {
        layout = sealed.layout;
        if sealed.slot >= known.walk.durable {
            let file = complete(storage.as_ref(), reader, &journal, sealed, header)?;
            journal
                .unsynced
                .push_back(file_to_sync(file, storage, sealed, reach));
        }
        publish(storage.as_ref(), sealed)?;
    }
    let mut segments = known.walk.segment;
    if known.walk.end > 0 {
        let mut last = reopen(storage, reach, &known)?;
        layout = last.layout;
        (journal.batches, journal.dictionaries) =
            blocks(&reader.messages(known.walk.segment as usize)?);
        journal.unsynced.push_back(Unsynced {
            segment: Arc::clone(&last.segment),
            file: Arc::clone(last.file()),
        });
        last.drop_rest()?;
        journal.seal(&mut last, &[])?;
        journal.publish(&mut last)?;
        segments += 1;
    }
    journal.flush(None)?;
    journal.mark();
    let mut bytes = 0;
    for file in storage
        .list()
        .map_err(|e| Error::io("cannot list", storage.path(""), e))?
    {
        if file == INDEX || file == MANIFEST || !file.starts_with('_') {
            let file = storage.open(&file, false).and_then(|file| file.size());
            bytes += file.map_err(|e| Error::io("cannot read", storage.path(""), e))?;
        }
    }
    Ok(Resumed {
        journal,
        segments,
        layout,
        bytes,
    })
}

fn open(storage: &dyn Storage, name: &str) -> Result<Arc<dyn StorageFile>> {
    let file = storage.open(name, true);
    file.map_err(|e| Error::io("cannot open", storage.path(name), e))
}

/// Removes what does not count: what was computed from batches that there may be more of now, why the
/// log failed, what was not finished, and segments that no entry speaks of. Nothing else.
fn remove_orphans(storage: &dyn Storage, known: &Known) -> Result<()> {
    let names = storage.list();
    let names = names.map_err(|e| Error::io("cannot list", storage.path(""), e))?;
    let counted = known.walk.segment + u32::from(known.walk.end > 0);
    let is_uncounted = |name: &str| {
        let number = name.trim_start_matches('_').split('.').next();
        let number = number.and_then(|number| number.parse::<u32>().ok());
        number.is_some_and(|number| {
            let is_ours = [
                part_name(number),
                self::name(number, Layout::File),
                self::name(number, Layout::Stream),
            ];
            number >= counted && is_ours.iter().any(|ours| ours == name)
        })
    };
    for name in names {
        let is_unfinished = [FAILURE, FAILURE_PART, MANIFEST_PART].contains(&name.as_str());
        if is_unfinished || is_sidecar(&name) || is_uncounted(&name) {
            let removed = storage.remove(&name);
            removed.map_err(|e| Error::io("cannot remove", storage.path(&name), e))?;
        }
    }
    Ok(())
}

fn blocks(messages: &[(Extent, bool)]) -> (Vec<Block>, Vec<Block>) {
    let of = |dictionaries| {
        let messages = messages.iter();
        let some = messages.filter(move |(_, is_dictionary)| *is_dictionary == dictionaries);
        some.map(|(extent, _)| {
            Block::new(
                extent.offset.cast_signed(),
                extent.metadata_len.cast_signed(),
                extent.body_len.cast_signed(),
            )
        })
        .collect()
    };
    (of(false), of(true))
}

/// The name that a segment has now.
fn current_name(storage: &dyn Storage, number: u32, layouts: &[Layout]) -> Result<String> {
    let names = storage.list();
    let names = names.map_err(|e| Error::io("cannot list", storage.path(""), e))?;
    let part = part_name(number);
    let finals = layouts.iter().map(|layout| name(number, *layout));
    let found = finals.chain([part.clone()]).find(|n| names.contains(n));
    let missing = || {
        let e = io::Error::from(io::ErrorKind::NotFound);
        Error::io("cannot open", storage.path(&part), e)
    };
    found.ok_or_else(missing)
}

/// Sees that a sealed segment ends as it should: its seal may be on the disk without that.
fn complete(
    storage: &dyn Storage,
    reader: &LogReader,
    journal: &Persistent,
    sealed: &Sealed,
    header: &dyn Fn(Layout) -> Vec<u8>,
) -> Result<Arc<dyn StorageFile>> {
    let name = current_name(storage, sealed.segment, &[sealed.layout])?;
    let file = open(storage, &name)?;
    let (batches, dictionaries) = blocks(&reader.messages(sealed.segment as usize)?);
    let mut ending = if sealed.end == 0 {
        header(sealed.layout)
    } else {
        Vec::new()
    };
    ending.extend_from_slice(&journal.ending(sealed.layout, &dictionaries, &batches));
    if sealed.end + ending.len() as u64 != sealed.len {
        return Err(Error::Corrupt {
            path: storage.path(&name),
            offset: sealed.end,
            reason: "it is not as long as its seal says".to_owned(),
        });
    }
    let complete = || -> io::Result<()> {
        let len = file.size()?;
        if len >= sealed.len {
            let mut there = vec![0; ending.len()];
            read_all(file.as_ref(), &mut there, sealed.end)?;
            if there == ending && len == sealed.len {
                return Ok(());
            }
        }
        write_all(file.as_ref(), &mut [IoSlice::new(&ending)], sealed.end)?;
        file.truncate(sealed.len)
    };
    complete().map_err(|e| Error::io("cannot write to", storage.path(&name), e))?;
    Ok(file)
}

fn file_to_sync(
    file: Arc<dyn StorageFile>,
    storage: &Arc<dyn Storage>,
    sealed: &Sealed,
    reach: &Arc<Reach>,
) -> Unsynced {
    let path = storage.path(&name(sealed.segment, sealed.layout));
    Unsynced {
        segment: Arc::new(Segment::new(Arc::clone(&file), path, Arc::clone(reach))),
        file,
    }
}

/// Gives a sealed segment its last name, if it has its first.
fn publish(storage: &dyn Storage, sealed: &Sealed) -> Result<()> {
    let to = name(sealed.segment, sealed.layout);
    let from = current_name(storage, sealed.segment, &[sealed.layout])?;
    if from != to {
        let renamed = storage.rename(&from, &to);
        renamed.map_err(|e| Error::io("cannot rename", storage.path(&from), e))?;
    }
    Ok(())
}

/// Opens the segment that was not sealed.
fn reopen(storage: &Arc<dyn Storage>, reach: &Arc<Reach>, known: &Known) -> Result<Growing> {
    let number = known.walk.segment;
    let layouts = [Layout::File, Layout::Stream];
    let found = current_name(storage.as_ref(), number, &layouts)?;
    let file = open(storage.as_ref(), &found)?;
    let mut first = [0; MAGIC.len()];
    let read = read_all(file.as_ref(), &mut first, 0);
    read.map_err(|e| Error::io("cannot read", storage.path(&found), e))?;
    let layout = if first == *MAGIC {
        Layout::File
    } else {
        Layout::Stream
    };
    // A power cut may have kept its last name and not its seal.
    let part = part_name(number);
    if found != part {
        let renamed = storage.rename(&found, &part);
        renamed.map_err(|e| Error::io("cannot rename", storage.path(&found), e))?;
        file.renamed(&part);
    }
    let path = storage.path(&part);
    let segment = Arc::new(Segment::new(Arc::clone(&file), path, Arc::clone(reach)));
    let walk = &known.walk;
    Ok(Growing::reopened(
        segment,
        file,
        number,
        layout,
        walk.end,
        walk.batches,
    ))
}
