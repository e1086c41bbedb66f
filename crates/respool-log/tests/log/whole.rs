//! What a finished log must be, whatever happened before: read by other means than its own.

use std::io::Cursor;

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use respool_log::format::{EntryKind, Layout, Status, Totals, scan};
use respool_log::testing::MemoryStorage;

use crate::support::*;

/// The segments as `_index` has them: every sealed one whole, and as long as its entry says.
/// Returns the batches of all sealed segments.
pub(crate) fn sealed_batches(storage: &MemoryStorage) -> Vec<RecordBatch> {
    let index = scan(&storage.bytes("_index").unwrap()).unwrap();
    let mut found = Vec::new();
    for entry in &index.entries {
        let EntryKind::Seal {
            segment,
            batches,
            len,
            layout,
            ..
        } = &entry.kind
        else {
            continue;
        };
        let last = match layout {
            Layout::File => "arrow",
            Layout::Stream => "arrows",
        };
        // What could not be renamed yet has its first name.
        let bytes = storage
            .bytes(&format!("{segment:08}.{last}"))
            .or_else(|| storage.bytes(&format!("_{segment:08}.part")))
            .unwrap();
        assert_eq!(bytes.len() as u64, *len, "the length of segment {segment}");
        let before = found.len();
        match layout {
            Layout::File => {
                let reader = FileReader::try_new(Cursor::new(bytes), None).unwrap();
                found.extend(reader.map(Result::unwrap));
            }
            Layout::Stream => {
                let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
                found.extend(reader.map(Result::unwrap));
            }
        }
        assert_eq!((found.len() - before) as u64, *batches);
    }
    found
}

/// The names of the segments.
pub(crate) fn segments(storage: &MemoryStorage) -> Vec<String> {
    let mut names = storage.names();
    names.retain(|name| !name.starts_with('_'));
    names
}

/// Asserts that a finished log has these batches and nothing else, in its segments and its index.
pub(crate) fn assert_whole(storage: &MemoryStorage, model: &[RecordBatch]) {
    let index = scan(&storage.bytes("_index").unwrap()).unwrap();
    assert_eq!(index.damage, None);
    let rows = model.iter().map(|batch| batch.num_rows() as u64).sum();
    let (status, totals) = index.closed.unwrap();
    assert_eq!(status, Status::Complete);
    let want = Totals {
        records: model.len() as u64,
        rows,
        ..totals
    };
    assert_eq!(totals, want);
    let batches = sealed_batches(storage);
    assert_eq!(batches.len(), model.len());
    for (got, want) in batches.iter().zip(model) {
        assert_same(got, want);
    }
    let seals = index.entries.iter();
    let seals = seals.filter(|entry| matches!(entry.kind, EntryKind::Seal { .. }));
    assert_eq!(seals.count(), segments(storage).len(), "all are sealed");
}
