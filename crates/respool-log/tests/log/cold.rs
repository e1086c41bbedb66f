//! What a read brings in from the disk, of a file of which nothing is in memory.
//!
//! Long because forgetting a file, and asking what is in memory of it, is shared by all tests here.
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
use respool_log::{Access, Compression, Log, LogOptions, LogReader, Seen, Wish};
use rustix::fs::{Advice, fadvise};

use crate::support::*;

unsafe extern "C" {
    /// Says of each page of a map whether it is in memory.
    fn mincore(address: *mut u8, len: usize, pages: *mut u8) -> i32;
    /// Says how a map is used.
    fn madvise(address: *mut u8, len: usize, advice: i32) -> i32;
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

/// Has the maps of a file in this process forget what they have touched: what is mapped stays in memory.
fn untouch(path: &Path) {
    const MADV_DONTNEED: i32 = 4;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    for line in maps.lines().filter(|l| l.ends_with(path.to_str().unwrap())) {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text| usize::from_str_radix(text, 16).unwrap();
        let (start, end) = (number(start), number(end));
        // SAFETY: the map shows a file and is only read, so each page comes back as it is in the file.
        let told = unsafe { madvise(start as *mut u8, end - start, MADV_DONTNEED) };
        assert_eq!(told, 0);
    }
}

/// Has the system forget a file.
fn forget(path: &Path) {
    let file = File::open(path).unwrap();
    file.sync_all().unwrap();
    // What is still on its way stays.
    for _ in 0..100 {
        untouch(path);
        fadvise(&file, 0, None::<NonZeroU64>, Advice::DontNeed).unwrap();
        if resident(path) < 10_000 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("{} bytes are still in memory", resident(path));
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

/// Looks at columns of all batches: what they have together, and whether all of it was there.
fn look(look: &dyn Fn(usize) -> Option<Seen>) -> Seen {
    let mut all = Seen {
        bytes: 0,
        was_there: true,
    };
    for record in 0..BATCHES {
        let seen = look(record).unwrap();
        all.bytes += seen.bytes;
        all.was_there &= seen.was_there;
    }
    all
}

#[test]
fn columns_that_were_forgotten_are_brought_in_again_by_themselves() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = batch();
    write(&path, &batch).finish()?;
    let file = path.join("00000000.arrow");
    let reader = LogReader::open_with(&at(&path))?;
    for columns in PARTS {
        for record in 0..BATCHES {
            reader.read(record, Some(columns))?;
        }
        forget(&file);
        let seen = look(&|r| reader.look(r, Some(columns), Wish::Bring));
        assert!(!seen.was_there, "{columns:?}");
        check(&file, &batch, columns, &|r| reader.read(r, Some(columns)));
        let again = look(&|r| reader.look(r, Some(columns), Wish::Look));
        assert!(again.was_there, "{columns:?}");
    }
    Ok(())
}

#[test]
fn who_writes_a_log_has_forgotten_columns_brought_in_again() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = batch();
    let log = write(&path, &batch);
    log.flush()?;
    let file = path.join("_00000000.part");
    for columns in PARTS {
        for record in 0..BATCHES {
            log.read(record, Some(columns))?;
        }
        forget(&file);
        let seen = look(&|r| log.look(r, Some(columns), Wish::Bring));
        assert!(!seen.was_there, "{columns:?}");
        check(&file, &batch, columns, &|r| log.read(r, Some(columns)));
    }
    Ok(())
}

#[test]
fn a_look_brings_in_nothing() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = batch();
    write(&path, &batch).finish()?;
    let file = path.join("00000000.arrow");
    let reader = LogReader::open_with(&at(&path))?;
    for columns in [None, Some(&[57][..]), Some(&[10, 30])] {
        forget(&file);
        let seen = look(&|r| reader.look(r, columns, Wish::Look));
        assert!(!seen.was_there);
        assert!(resident(&file) < 10_000, "{}", resident(&file));
        let brought = look(&|r| reader.look(r, columns, Wish::Bring));
        for record in 0..BATCHES {
            let read = reader.read(record, columns)?;
            let wanted = columns.map_or_else(|| Ok(batch.clone()), |c| batch.project(c))?;
            assert_same(&read, &wanted);
        }
        let seen = look(&|r| reader.look(r, columns, Wish::Look));
        assert!(seen.was_there && brought.bytes >= seen.bytes, "{seen:?}");
    }
    let past = reader.look(BATCHES, None, Wish::Bring);
    assert_eq!(past, None);
    reader.bring_head(BATCHES);
    Ok(())
}

#[test]
fn small_batches_are_brought_in_together() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let batch = RecordBatch::try_from_iter([("n", numbers)])?;
    let log = Log::create(batch.schema(), at(&path))?;
    for _ in 0..2000 {
        log.append(&batch)?;
    }
    log.finish()?;
    let file = path.join("00000000.arrow");
    let reader = LogReader::open_with(&at(&path))?;
    let all = std::fs::metadata(&file)?.len();
    assert!(all > 1_500_000, "{all}");
    for record in [0, 700, 1999] {
        forget(&file);
        let seen = reader.look(record, Some(&[0]), Wish::Bring).unwrap();
        assert!(!seen.was_there && seen.bytes < 2000, "{seen:?}");
        assert_same(&reader.read(record, Some(&[0]))?, &batch);
        let bytes = resident(&file);
        let range = if record == 1999 { 4096 } else { 100_000 }..400_000;
        assert!(range.contains(&bytes), "{record}: {bytes}");
    }
    // One after the other they are all brought in, once.
    forget(&file);
    for record in 0..2000 {
        reader.look(record, None, Wish::Bring);
        assert_same(&reader.read(record, None)?, &batch);
    }
    assert!(resident(&file) + 300_000 >= all);
    Ok(())
}

#[test]
fn of_a_compressed_log_the_wanted_columns_are_brought_in() -> Outcome {
    let batch = batch();
    for compression in [Compression::Lz4, Compression::Zstd] {
        let parent = directory()?;
        let path = parent.path().join("log");
        let options = at(&path).compression(Some(compression));
        let log = Log::create(batch.schema(), options)?;
        for _ in 0..BATCHES {
            log.append(&batch)?;
        }
        log.finish()?;
        let file = path.join("00000000.arrow");
        let reader = LogReader::open_with(&at(&path))?;
        for columns in [&[57][..], &[10, 40]] {
            forget(&file);
            let least = look(&|r| reader.look(r, Some(columns), Wish::Bring)).bytes;
            for record in 0..BATCHES {
                assert_same(
                    &reader.read(record, Some(columns))?,
                    &batch.project(columns)?,
                );
            }
            let (bytes, all) = (resident(&file), std::fs::metadata(&file)?.len());
            // Whole pages: small columns begin and end in the middle of one.
            let pages = (BATCHES * 2 * 4 * columns.len() * 4096) as u64;
            assert!(
                bytes <= least + pages && bytes < all / 4,
                "{compression:?} {columns:?}: {bytes} of {least}, {all}"
            );
        }
    }
    Ok(())
}

#[test]
fn what_is_damaged_is_looked_at_without_harm() -> Outcome {
    let parent = directory()?;
    let path = parent.path().join("log");
    let batch = batch().slice(0, 400);
    write(&path, &batch).finish()?;
    let file = path.join("00000000.arrow");
    let whole = std::fs::read(&file)?;
    for place in (0..whole.len().min(12_000)).step_by(97) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        std::fs::write(&file, &bytes)?;
        let reader = LogReader::open_with(&at(&path))?;
        for columns in [None, Some(&[0, 99][..])] {
            let _anything = reader.look(0, columns, Wish::Bring);
            let _anything = reader.look(1, columns, Wish::Look);
            reader.bring_head(0);
            match reader.read(0, columns) {
                Ok(read) => {
                    let wanted = columns.map_or_else(|| Ok(batch.clone()), |c| batch.project(c))?;
                    assert_same(&read, &wanted);
                }
                Err(error) => assert!(error.to_string().contains("00000000.arrow"), "{error}"),
            }
        }
    }
    std::fs::write(&file, whole.get(..20_000).unwrap_or_default())?;
    let reader = LogReader::open_with(&at(&path))?;
    assert_eq!(reader.look(5, Some(&[3]), Wish::Bring), None);
    Ok(())
}
