//! What the log costs beside a bare `write`, in one run.
//!
//! ```text
//! cargo run --release -p respool-log --example throughput -- [--dir DIRECTORY]
//! ```
//!
//! The stream has 77 batches, 10 million rows, 6 columns (one of strings) and about 510 MB. Ratios
//! inside one run are what counts; absolute times belong to the machine.
#![expect(clippy::print_stdout, reason = "it reports to a terminal")]
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss,
    reason = "the numbers are small"
)]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use respool_log::{Log, LogOptions};

const ROWS: usize = 10_000_000;
const BATCHES: usize = 77;
const RUNS: usize = 5;
const SMALL: usize = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--dir"), Some(directory)) => PathBuf::from(directory),
        (None, _) => PathBuf::from("."),
        _ => return Err("usage: throughput [--dir DIRECTORY]".into()),
    };
    large(&directory)?;
    small(&directory)
}

fn large(directory: &Path) -> Result<(), Box<dyn Error>> {
    let rows = ROWS / BATCHES;
    let batches: Vec<_> = (0..BATCHES)
        .map(|i| batch(rows, i * rows))
        .collect::<Result<_, _>>()?;
    let buffers: Vec<_> = batches.iter().map(buffers).collect();
    let bytes: usize = buffers
        .iter()
        .flatten()
        .map(arrow_buffer::Buffer::len)
        .sum();
    println!(
        "{BATCHES} batches, {} rows, {:.0} MB",
        rows * BATCHES,
        bytes as f64 / 1e6
    );
    let (mut raw, mut append, mut read, mut touch) = (vec![], vec![], vec![], vec![]);
    let mut persistent = vec![];
    for run in 0..=RUNS {
        let start = Instant::now();
        let mut file = tempfile::tempfile_in(directory)?;
        for buffer in buffers.iter().flatten() {
            file.write_all(buffer)?;
        }
        let raw_time = start.elapsed();
        drop::<File>(file);

        let start = Instant::now();
        let log = Log::temporary(batches[0].schema(), LogOptions::new(directory))?;
        for batch in &batches {
            log.append(batch)?;
        }
        let append_time = start.elapsed();
        let start = Instant::now();
        let back: Vec<_> = (0..log.len())
            .map(|i| log.read(i, None))
            .collect::<Result<_, _>>()?;
        let read_time = start.elapsed();
        let start = Instant::now();
        let sum: i64 = back.iter().map(sum).fold(0, i64::wrapping_add);
        let touch_time = start.elapsed();
        assert_eq!(
            sum,
            batches.iter().map(self::sum).fold(0, i64::wrapping_add)
        );
        assert_eq!(back, batches);
        drop((back, log));

        let kept = tempfile::tempdir_in(directory)?;
        let start = Instant::now();
        let log = Log::create(batches[0].schema(), LogOptions::new(kept.path()))?;
        for batch in &batches {
            log.append(batch)?;
        }
        let persistent_time = start.elapsed();
        // Waits for the disk, whose speed is no concern of the log.
        log.finish()?;
        // The first run warms the page cache and the allocator.
        if run > 0 {
            raw.push(raw_time);
            append.push(append_time);
            read.push(read_time);
            touch.push(touch_time);
            persistent.push(persistent_time);
        }
    }
    report("raw write", &mut raw);
    report("append", &mut append);
    report("append, persistent", &mut persistent);
    report("read of all batches", &mut read);
    report("first touch of one column", &mut touch);
    println!(
        "append / raw write: best {:.2}, median {:.2}",
        append[0].as_secs_f64() / raw[0].as_secs_f64(),
        append[RUNS / 2].as_secs_f64() / raw[RUNS / 2].as_secs_f64()
    );
    Ok(())
}

fn small(directory: &Path) -> Result<(), Box<dyn Error>> {
    let batch = batch(100, 0)?;
    let (mut raw, mut append, mut read, mut project) = (vec![], vec![], vec![], vec![]);
    for run in 0..=RUNS {
        let log = Log::temporary(batch.schema(), LogOptions::new(directory))?;
        let start = Instant::now();
        for _ in 0..SMALL {
            log.append(&batch)?;
        }
        let append_time = start.elapsed();
        let record = vec![7u8; usize::try_from(log.bytes())? / SMALL];
        let start = Instant::now();
        for i in 0..SMALL {
            std::hint::black_box(log.read(i, None)?);
        }
        let read_time = start.elapsed();
        let start = Instant::now();
        for i in 0..SMALL {
            std::hint::black_box(log.read(i, Some(&[1, 4]))?);
        }
        let project_time = start.elapsed();
        let start = Instant::now();
        let mut file = tempfile::tempfile_in(directory)?;
        for _ in 0..SMALL {
            file.write_all(&record)?;
        }
        if run > 0 {
            raw.push(start.elapsed());
            append.push(append_time);
            read.push(read_time);
            project.push(project_time);
        }
    }
    println!("{SMALL} batches of 100 rows, microseconds per batch:");
    for (what, mut times) in [
        ("raw write", raw),
        ("append", append),
        ("read", read),
        ("read of two columns", project),
    ] {
        times.sort();
        let each = |time: Duration| time.as_secs_f64() * 1e6 / SMALL as f64;
        let (best, median) = (each(times[0]), each(times[RUNS / 2]));
        println!("  {what:26} best {best:6.2}   median {median:6.2}");
    }
    Ok(())
}

fn report(what: &str, times: &mut [Duration]) {
    times.sort();
    let each = |time: Duration| time.as_secs_f64() * 1e3;
    let (best, median) = (each(times[0]), each(times[RUNS / 2]));
    println!("  {what:26} best {best:8.2} ms   median {median:8.2} ms");
}

fn batch(rows: usize, from: usize) -> Result<RecordBatch, Box<dyn Error>> {
    let numbers = from..from + rows;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            Arc::new(Int64Array::from_iter_values(
                numbers.clone().map(|i| i as i64),
            )),
        ),
        (
            "kind",
            Arc::new(Int32Array::from_iter_values(
                numbers.clone().map(|i| (i % 97) as i32),
            )),
        ),
        (
            "price",
            Arc::new(
                numbers
                    .clone()
                    .map(|i| (i % 11 > 0).then_some(i as f64 / 7.0))
                    .collect::<Float64Array>(),
            ),
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from_iter_values(
                numbers.clone().map(|i| i as i64 * 1000),
            )),
        ),
        (
            "flag",
            Arc::new(
                numbers
                    .clone()
                    .map(|i| Some(i % 3 == 0))
                    .collect::<BooleanArray>(),
            ),
        ),
        (
            "name",
            Arc::new(StringArray::from_iter_values(
                numbers.map(|i| format!("customer-{:09}", i * 7919 % 1_000_003)),
            )),
        ),
    ];
    Ok(RecordBatch::try_from_iter(columns)?)
}

fn buffers(batch: &RecordBatch) -> Vec<arrow_buffer::Buffer> {
    let data = batch.columns().iter().map(Array::to_data);
    data.flat_map(|data| {
        let nulls = data.nulls().map(|nulls| nulls.buffer().clone());
        nulls
            .into_iter()
            .chain(data.buffers().iter().cloned())
            .collect::<Vec<_>>()
    })
    .collect()
}

fn sum(batch: &RecordBatch) -> i64 {
    let column = batch.column(0).as_any().downcast_ref::<Int64Array>();
    column.map_or(0, |column| {
        column.values().iter().fold(0, |a, b| a.wrapping_add(*b))
    })
}
