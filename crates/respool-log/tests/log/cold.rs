//! What a read brings in from the disk, of a file of which nothing is in memory.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Int64Array, RecordBatch, StringArray, StringViewArray,
};
use memmap2::MmapOptions;
use respool_log::{Access, Log, LogOptions, LogReader};
use rustix::fs::{Advice, fadvise};

use crate::support::*;

unsafe extern "C" {
    /// Says of each page of a map whether it is in memory.
    fn mincore(address: *mut u8, len: usize, pages: *mut u8) -> i32;
    safe fn getpagesize() -> i32;
}

const BATCHES: usize = 6;

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true)
}

/// A hundred columns, most of them numbers; the rows show about 16 MB.
fn batch() -> RecordBatch {
    let rows = 0..20_000_i64;
    let columns = (0..100).map(|c| {
        let words = rows
            .clone()
            .map(|n| format!("row {} of {c}", n * 7919 % 20_011));
        let column: ArrayRef = match c {
            10 => Arc::new(StringArray::from_iter_values(words)),
            20 => Arc::new(StringViewArray::from_iter_values(words)),
            30 => {
                let words: Vec<_> = words.collect();
                let words = words.iter().map(String::as_str);
                Arc::new(words.collect::<DictionaryArray<Int32Type>>())
            }
            _ => Arc::new(Int64Array::from_iter_values(rows.clone().map(|n| n * c))),
        };
        (format!("c{c}"), column)
    });
    RecordBatch::try_from_iter(columns).unwrap()
}

fn write(path: &Path, batch: &RecordBatch) -> Log {
    let log = Log::create(batch.schema(), at(path)).unwrap();
    for _ in 0..BATCHES {
        log.append(batch).unwrap();
    }
    log
}

/// What a log has to read of some columns: of each its buffers, and of a dictionary its values once.
fn least(part: &RecordBatch) -> u64 {
    let columns = part.columns().iter().map(|column| {
        if let Some(views) = column.as_string_view_opt() {
            // Short text is in the views themselves.
            let long = views.iter().flatten().map(str::len).filter(|len| *len > 12);
            return (views.views().len() * 16 + long.sum::<usize>()) * BATCHES;
        }
        let column = column.to_data();
        let values = column.child_data().iter();
        let values: usize = values.map(|v| v.get_slice_memory_size().unwrap()).sum();
        let all = column.get_slice_memory_size().unwrap();
        (all - values) * BATCHES + values
    });
    columns.sum::<usize>() as u64
}

/// How many bytes of a file are in memory.
fn resident(path: &Path) -> u64 {
    let file = File::open(path).unwrap();
    let len = file.metadata().unwrap().len() as usize;
    let map = MmapOptions::new()
        .len(len)
        .map_raw_read_only(&file)
        .unwrap();
    let page = getpagesize() as usize;
    let mut pages = vec![0; len.div_ceil(page)];
    // SAFETY: the map has `len` bytes, and there is a byte for each of its pages.
    let told = unsafe { mincore(map.as_mut_ptr(), len, pages.as_mut_ptr()) };
    assert_eq!(told, 0);
    pages.iter().filter(|&&is_there| is_there & 1 == 1).count() as u64 * page as u64
}

/// Has the system forget a file.
fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    fadvise(&file, 0, None::<NonZeroU64>, Advice::DontNeed).unwrap();
    let left = resident(path);
    assert!(left < 10_000, "{left} bytes are still in memory");
}

/// Reads columns of all batches, and sees that little else was brought in.
fn check(
    file: &Path,
    batch: &RecordBatch,
    columns: &[usize],
    read: &dyn Fn(usize) -> respool_log::Result<RecordBatch>,
) {
    let part = batch.project(columns).unwrap();
    for record in 0..BATCHES {
        assert_same(&read(record).unwrap(), &part);
    }
    let needed = least(&part);
    let bytes = resident(file);
    let most = needed * 12 / 10;
    assert!(
        (needed..=most).contains(&bytes),
        "{columns:?}: {bytes} of {needed}"
    );
}

const PARTS: [&[usize]; 8] = [
    &[57],
    &[0],
    &[99],
    &[10],
    &[20],
    &[30],
    &[41, 40],
    &[80, 20, 50],
];

#[test]
fn columns_of_a_hundred_are_verified_by_bringing_in_little_else() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = batch();
    write(&path, &batch).finish()?;
    let file = path.join("00000000.arrow");
    for access in [Access::Map, Access::Read] {
        for columns in PARTS {
            forget(&file);
            let reader = LogReader::open_with(&at(&path).access(access))?;
            check(&file, &batch, columns, &|r| reader.read(r, Some(columns)));
        }
    }
    Ok(())
}

#[test]
fn who_writes_a_log_reads_columns_of_it_by_bringing_in_little_else() -> Outcome {
    for columns in PARTS {
        let parent = directory()?;
        let path = parent.path().join("log");
        let batch = batch();
        let log = write(&path, &batch);
        log.flush()?;
        let file = path.join("_00000000.part");
        forget(&file);
        check(&file, &batch, columns, &|r| log.read(r, Some(columns)));
    }
    Ok(())
}
