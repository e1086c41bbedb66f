//! What it costs to open a log again and to verify what is read of it.
//!
//! ```text
//! cargo run --release -p respool-log --example reopen -- [DIRECTORY]
//! ```
//!
//! Times are the best of several; ratios inside one run are what counts.
#![expect(clippy::print_stdout, reason = "it reports to a terminal")]
#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "the numbers are small"
)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use respool_log::{Access, Log, LogOptions, LogReader};

type Outcome = Result<(), Box<dyn Error>>;

const RUNS: usize = 7;

fn main() -> Outcome {
    let directory = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    let directory = tempfile::tempdir_in(directory)?;
    for batches in [10_000, 1_000_000] {
        open(directory.path(), batches)?;
    }
    verify(directory.path(), "numbers", &numbers)?;
    verify(directory.path(), "numbers and strings", &strings)?;
    one_of_a_hundred(directory.path())
}

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true)
}

fn open(directory: &Path, batches: usize) -> Outcome {
    let path = directory.join(format!("{batches}"));
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..8));
    let batch = RecordBatch::try_from_iter([("n", column)])?;
    let log = Log::create(batch.schema(), at(&path))?;
    for _ in 0..batches {
        log.append(&batch)?;
    }
    let unfinished = best(|| {
        let reader = Log::open(&path)?;
        assert_eq!(reader.len(), batches);
        Ok(())
    })?;
    log.finish()?;
    drop(log);
    let before = anonymous()?;
    let reader = Log::open(&path)?;
    let memory = anonymous()?.saturating_sub(before);
    drop(reader);
    let opened = best(|| {
        Log::open(&path)?;
        Ok(())
    })?;
    let first = best(|| {
        let reader = Log::open(&path)?;
        reader.read(batches / 2, None)?;
        Ok(())
    })?;
    let reader = Log::open(&path)?;
    let mut passes = Vec::new();
    for _ in 0..3 {
        let start = Instant::now();
        for record in 0..batches {
            reader.read(record, None)?;
        }
        passes.push(start.elapsed().as_nanos() as f64 / batches as f64);
    }
    let each = |of: &dyn Fn(usize) -> respool_log::Result<()>| {
        let start = Instant::now();
        (0..batches).try_for_each(of)?;
        Ok::<_, respool_log::Error>(start.elapsed().as_nanos() as f64 / batches as f64)
    };
    let asked = each(&|record| reader.info(record).map(drop))?;
    let both = each(&|record| {
        reader.info(record)?;
        reader.read(record, None).map(drop)
    })?;
    // Each in another part.
    let start = Instant::now();
    std::thread::scope(|scope| {
        let parts = (0..4).map(|part| part * batches / 4..(part + 1) * batches / 4);
        let read = |mut part: std::ops::Range<usize>| {
            let reader = &reader;
            scope.spawn(move || part.try_for_each(|record| reader.info(record).map(drop)))
        };
        let threads: Vec<_> = parts.map(read).collect();
        threads
            .into_iter()
            .all(|thread| matches!(thread.join(), Ok(Ok(()))))
    });
    let by_four = start.elapsed().as_nanos() as f64 / batches as f64;
    println!(
        "{batches} batches: open {opened:?}, {memory} KiB; first batch {:?} more; \
         unfinished {unfinished:?}; ns a batch by pass {passes:.0?}; asked only {asked:.0}, asked and \
         read {both:.0}, asked by four threads {by_four:.0}",
        first.saturating_sub(opened)
    );
    std::fs::remove_dir_all(path)?;
    Ok(())
}

fn numbers(seed: i64) -> Result<RecordBatch, Box<dyn Error>> {
    let rows = seed..seed + 130_000;
    let columns = (0..6).map(|c| -> ArrayRef {
        if c % 2 == 0 {
            Arc::new(Int64Array::from_iter_values(rows.clone().map(|n| n * c)))
        } else {
            let values = rows.clone().map(|n| (n * c) as f64);
            Arc::new(Float64Array::from_iter_values(values))
        }
    });
    let names = ["a", "b", "c", "d", "e", "f"];
    Ok(RecordBatch::try_from_iter(names.into_iter().zip(columns))?)
}

fn strings(seed: i64) -> Result<RecordBatch, Box<dyn Error>> {
    let numbers = numbers(seed)?;
    let rows = seed..seed + 130_000;
    let words = StringArray::from_iter_values(rows.map(|n| format!("item number {n}")));
    let columns = numbers.columns().iter().cloned();
    let columns = columns.take(3).chain([Arc::new(words) as ArrayRef]);
    let names = ["a", "b", "c", "s"];
    Ok(RecordBatch::try_from_iter(names.into_iter().zip(columns))?)
}

/// Reads every byte of a batch, as whoever asked for it would.
fn touch(batch: &RecordBatch) -> u64 {
    let mut sum = 0u64;
    for column in batch.columns() {
        for buffer in column.to_data().buffers() {
            let (words, _) = buffer.as_slice().as_chunks::<8>();
            for word in words {
                sum = sum.wrapping_add(u64::from_le_bytes(*word));
            }
        }
    }
    sum
}

fn verify(
    directory: &Path,
    what: &str,
    batch: &dyn Fn(i64) -> Result<RecordBatch, Box<dyn Error>>,
) -> Outcome {
    const BATCHES: usize = 64;
    let path = directory.join("verify");
    let first = batch(0)?;
    let (mut own, mut own_later, mut verified, mut later) = (vec![], vec![], vec![], vec![]);
    let mut bytes = 0;
    for _ in 0..RUNS {
        let log = Log::create(first.schema(), at(&path))?;
        for seed in 0..BATCHES {
            log.append(&batch(seed as i64)?)?;
        }
        bytes = log.bytes();
        let read = |read: &dyn Fn(usize) -> respool_log::Result<RecordBatch>| {
            let start = Instant::now();
            let mut sum = 0u64;
            for record in 0..BATCHES {
                sum = sum.wrapping_add(touch(&read(record)?));
            }
            std::hint::black_box(sum);
            Ok::<_, respool_log::Error>(start.elapsed())
        };
        own.push(read(&|record| log.read(record, None))?);
        own_later.push(read(&|record| log.read(record, None))?);
        let reader = Log::open(&path)?;
        verified.push(read(&|record| reader.read(record, None))?);
        later.push(read(&|record| reader.read(record, None))?);
        drop((log, reader));
        std::fs::remove_dir_all(&path)?;
    }
    let least = |times: &[Duration]| times.iter().min().map_or(0.0, Duration::as_secs_f64);
    let (own, own_later) = (least(&own), least(&own_later));
    let (verified, later) = (least(&verified), least(&later));
    println!(
        "{what}, {} MB, every byte read: first pass {:.0} ms unverified, {:.0} ms verified ({:.2}x); \
         later {:.0} ms and {:.0} ms ({:.2}x)",
        bytes / 1_000_000,
        own * 1e3,
        verified * 1e3,
        verified / own,
        own_later * 1e3,
        later * 1e3,
        later / own_later
    );
    Ok(())
}

fn one_of_a_hundred(directory: &Path) -> Outcome {
    let path = directory.join("wide");
    let columns = (0..100).map(|c| {
        let values = (0..40_000).map(|n| n * c);
        let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
        (format!("c{c}"), column)
    });
    let batch = RecordBatch::try_from_iter(columns)?;
    let log = Log::create(batch.schema(), at(&path))?;
    for _ in 0..20 {
        log.append(&batch)?;
    }
    log.finish()?;
    drop(log);
    let columns: [(&str, Option<&[usize]>); 2] =
        [("one column", Some(&[57])), ("all columns", None)];
    for (what, columns) in columns {
        let read = |reader: &LogReader| {
            for record in 0..20 {
                touch(&reader.read(record, columns)?);
            }
            Outcome::Ok(())
        };
        let mut times = Vec::new();
        for is_cold in [true, false] {
            let mut least = Duration::MAX;
            for _ in 0..RUNS {
                if is_cold {
                    forget(&path)?;
                }
                let reader = LogReader::open_with(&at(&path))?;
                let start = Instant::now();
                read(&reader)?;
                least = least.min(start.elapsed());
            }
            times.push(least);
        }
        println!(
            "{what} of a hundred, first read: cold {:?}, warm {:?}",
            times[0], times[1]
        );
    }
    for access in [Access::Map, Access::Read] {
        forget(&path)?;
        let reader = LogReader::open_with(&at(&path).access(access))?;
        let column = 20 * 40_000 * 8 / 1024;
        let (before, read_before) = (mapped()?, read_bytes()?);
        for record in 0..20 {
            touch(&reader.read(record, Some(&[57]))?);
        }
        println!(
            "one column of a hundred, {access:?}: its bytes {column} KiB, pages of files mapped {} KiB, \
             read by system calls {} KiB",
            mapped()?.saturating_sub(before),
            (read_bytes()? - read_before) / 1024
        );
    }
    Ok(())
}

/// Has the system forget what it has in memory of the files in a directory.
fn forget(directory: &Path) -> Outcome {
    use rustix::fs::{Advice, fadvise};
    for entry in std::fs::read_dir(directory)? {
        let file = std::fs::File::open(entry?.path())?;
        file.sync_all()?;
        fadvise(&file, 0, None, Advice::DontNeed)?;
    }
    Ok(())
}

fn best(mut run: impl FnMut() -> Outcome) -> Result<Duration, Box<dyn Error>> {
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

fn field(file: &str, name: &str) -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string(PathBuf::from("/proc/self").join(file))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("no such field")?.parse()?)
}

fn anonymous() -> Result<u64, Box<dyn Error>> {
    field("status", "RssAnon:")
}

fn mapped() -> Result<u64, Box<dyn Error>> {
    field("status", "RssFile:")
}

fn read_bytes() -> Result<u64, Box<dyn Error>> {
    field("io", "rchar:")
}
