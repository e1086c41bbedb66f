//! A persistent log is a directory that other Arrow readers and its own index can vouch for.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::DataType;
use respool_log::format::{EntryKind, Layout, Manifest, Scan, Status, Totals, crc32c, scan};
use respool_log::{Compression, Error, Log, LogOptions};

use crate::support::*;

fn segments(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found: Vec<_> = std::fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    found.retain(|path| {
        path.extension()
            .is_some_and(|e| e == "arrow" || e == "arrows")
    });
    found.sort();
    Ok(found)
}

fn index(directory: &Path) -> Result<Scan, Box<dyn std::error::Error>> {
    Ok(scan(&std::fs::read(directory.join("_index"))?)?)
}

fn write(batches: &[RecordBatch], options: LogOptions) -> Result<Log, Error> {
    let log = Log::create(batches[0].schema(), options)?;
    for batch in batches {
        log.append(batch)?;
    }
    log.finish()?;
    Ok(log)
}

#[test]
fn sealed_segments_open_as_ipc_files_of_every_type() -> Outcome {
    for compression in [None, Some(Compression::Lz4), Some(Compression::Zstd)] {
        for (seed, data_type) in all_types().into_iter().enumerate() {
            let directory = directory()?;
            let array = sample(&data_type, 120, &mut Numbers::new(seed as u64));
            let batches = [batch_of(array.clone()), batch_of(array)];
            drop(write(
                &batches,
                options(&directory).compression(compression),
            )?);
            let path = segments(directory.path())?.remove(0);
            let back: Vec<_> =
                FileReader::try_new(File::open(path)?, None)?.collect::<Result<_, _>>()?;
            assert_eq!(back.len(), 2);
            for (back, batch) in back.iter().zip(&batches) {
                assert_same(back, batch);
            }
        }
    }
    Ok(())
}

#[test]
fn every_segment_is_readable_by_itself() -> Outcome {
    let directory = directory()?;
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let batch = batch_of(sample(&data_type, 500, &mut Numbers::new(1)));
    let batches = vec![batch; 30];
    let log = write(&batches, options(&directory).segment_bytes(20_000))?;
    let paths = segments(directory.path())?;
    assert!(paths.len() > 2);
    let mut found = 0;
    for path in paths {
        for batch in FileReader::try_new(File::open(path)?, None)? {
            assert_same(&batch?, &batches[0]);
            found += 1;
        }
    }
    assert_eq!(found, 30);
    assert_same(&log.read(29, None)?, &batches[0]);
    Ok(())
}

#[test]
fn a_replaced_dictionary_turns_the_log_to_streams() -> Outcome {
    let directory = directory()?;
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    let batches: Vec<_> = (0..12)
        .map(|i| batch_of(sample(&data_type, 200, &mut Numbers::new(i / 2))))
        .collect();
    let log = write(&batches, options(&directory).segment_bytes(30_000))?;
    let mut back = Vec::new();
    for (number, path) in segments(directory.path())?.into_iter().enumerate() {
        let file = File::open(path)?;
        if number == 0 {
            for batch in FileReader::try_new(file, None)? {
                back.push(batch?);
            }
        } else {
            for batch in StreamReader::try_new(file, None)? {
                back.push(batch?);
            }
        }
    }
    assert_eq!(back.len(), batches.len());
    for (record, (back, batch)) in back.iter().zip(&batches).enumerate() {
        assert_same(back, batch);
        assert_same(&log.read(record, None)?, batch);
    }
    let layouts: Vec<_> = index(directory.path())?
        .entries
        .iter()
        .filter_map(|entry| match entry.kind {
            EntryKind::Seal { layout, .. } => Some(layout),
            _ => None,
        })
        .collect();
    assert_eq!(layouts[0], Layout::File);
    assert!(layouts.len() > 1 && layouts[1..].iter().all(|l| *l == Layout::Stream));
    Ok(())
}

#[test]
fn the_index_vouches_for_every_byte_and_for_completeness() -> Outcome {
    let directory = directory()?;
    let data_type = wrap(
        5,
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
    );
    let batches: Vec<_> = (0..9)
        .map(|i| batch_of(sample(&data_type, 90, &mut Numbers::new(i))))
        .collect();
    let log = Log::create(
        batches[0].schema(),
        options(&directory).segment_bytes(9_000),
    )?;
    for batch in &batches {
        log.append(batch)?;
    }
    assert_eq!(index(directory.path())?.closed, None);
    log.finish()?;
    let scan = index(directory.path())?;
    let (status, totals) = scan.closed.unwrap();
    assert_eq!(status, Status::Complete);
    assert_eq!((totals.records, totals.rows), (9, 9 * 90));
    assert!(totals.shown > 9 * 90);
    assert_eq!(scan.damage, None);
    log.flush()?;
    let paths = segments(directory.path())?;
    let mut checked = 0;
    for entry in &scan.entries {
        let (EntryKind::Batch { extent, .. } | EntryKind::Dictionary { extent, .. }) = entry.kind
        else {
            continue;
        };
        // One column: the table is one checksum in the first 64 bytes, over all behind them.
        let bytes = std::fs::read(&paths[extent.segment as usize])?;
        let body = extent.offset as usize + extent.metadata_len as usize;
        assert_eq!(
            crc32c(&bytes[extent.offset as usize..body + 64]),
            extent.crc
        );
        let column = crc32c(&bytes[body + 64..extent.end() as usize]);
        assert_eq!(bytes[body..body + 4], column.to_le_bytes());
        assert_eq!(bytes[body + 4..body + 64], [0; 60]);
        checked += 1;
    }
    assert!(checked >= 18);
    let manifest = std::fs::read(directory.path().join("_manifest"))?;
    let manifest = Manifest::decode(&manifest)?;
    assert_eq!(manifest.header.identity, scan.header.identity);
    let schema = arrow_ipc::convert::try_schema_from_ipc_buffer(&manifest.schema)?;
    assert_eq!(&schema, batches[0].schema().as_ref());
    Ok(())
}

#[test]
fn a_log_without_batches_is_a_file_with_a_schema() -> Outcome {
    let directory = directory()?;
    let batch = batch_of(sample(&DataType::Utf8, 0, &mut Numbers::new(1)));
    let log = Log::create(batch.schema(), options(&directory))?;
    log.finish()?;
    let path = segments(directory.path())?.remove(0);
    let reader = FileReader::try_new(File::open(path)?, None)?;
    assert_eq!(reader.num_batches(), 0);
    assert_eq!(reader.schema(), batch.schema());
    let closed = index(directory.path())?.closed;
    assert_eq!(closed, Some((Status::Complete, Totals::default())));
    Ok(())
}

#[test]
fn a_directory_has_one_writer_and_must_be_empty() -> Outcome {
    let directory = directory()?;
    let batch = batch_of(sample(&DataType::Int8, 5, &mut Numbers::new(1)));
    let path = directory.path().join("log");
    let log = Log::create(batch.schema(), LogOptions::new(&path).allow_tmpfs(true))?;
    let again = || Log::create(batch.schema(), LogOptions::new(&path).allow_tmpfs(true));
    assert!(matches!(again(), Err(Error::Locked { .. })));
    drop(log);
    let Err(Error::Io { source, .. }) = again() else {
        panic!("a used directory was taken")
    };
    assert_eq!(source.kind(), std::io::ErrorKind::AlreadyExists);
    Ok(())
}

#[test]
#[cfg(unix)]
fn files_are_private() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let directory = directory()?;
    let path = directory.path().join("log");
    let batch = batch_of(sample(&DataType::Int8, 5, &mut Numbers::new(1)));
    drop(write(&[batch], LogOptions::new(&path).allow_tmpfs(true))?);
    assert_eq!(
        std::fs::metadata(&path)?.permissions().mode() & 0o777,
        0o700
    );
    let mut seen = 0;
    for entry in std::fs::read_dir(&path)? {
        assert_eq!(entry?.metadata()?.permissions().mode() & 0o777, 0o600);
        seen += 1;
    }
    assert_eq!(seen, 4);
    Ok(())
}

#[test]
fn buffers_lie_on_multiples_of_64_bytes_of_the_file() -> Outcome {
    let directory = directory()?;
    let batch = batch_of(sample(&DataType::Utf8, 300, &mut Numbers::new(1)));
    drop(write(
        &[batch.clone(), batch.slice(7, 100)],
        options(&directory),
    )?);
    let entries = index(directory.path())?.entries;
    let path = segments(directory.path())?.remove(0);
    let bytes = std::fs::read(path)?;
    let mut seen = 0;
    for entry in entries {
        let EntryKind::Batch { extent, .. } = entry.kind else {
            continue;
        };
        let body = extent.offset + u64::from(extent.metadata_len);
        assert_eq!(body % 64, 0);
        let metadata = &bytes[extent.offset as usize + 8..body as usize];
        let message = arrow_ipc::root_as_message(metadata)?;
        for buffer in message.header_as_record_batch().unwrap().buffers().unwrap() {
            assert_eq!(buffer.offset() % 64, 0);
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
    Ok(())
}

/// A struct in a struct in a struct.
fn nested(depth: usize) -> DataType {
    (0..depth).fold(DataType::Int8, |inner, _| wrap(5, inner))
}

#[test]
fn a_type_nested_too_deeply_to_be_opened_again_is_refused_at_once() -> Outcome {
    let (mut stored, mut refused) = (0, 0);
    for depth in (1..100).step_by(9).chain(55..70) {
        let directory = directory()?;
        let path = directory.path().join("log");
        let batch = batch_of(sample(&nested(depth), 1, &mut Numbers::new(1)));
        let options = LogOptions::new(&path).allow_tmpfs(true);
        match Log::create(batch.schema(), options) {
            Ok(log) => {
                log.append(&batch)?;
                log.finish()?;
                let file = File::open(segments(&path)?.remove(0))?;
                let back: Vec<_> = FileReader::try_new(file, None)?.collect::<Result<_, _>>()?;
                assert_same(&back[0], &batch);
                let manifest = std::fs::read(path.join("_manifest"))?;
                arrow_ipc::convert::try_schema_from_ipc_buffer(
                    &Manifest::decode(&manifest)?.schema,
                )?;
                stored += 1;
            }
            Err(e) => {
                let text = e.to_string();
                assert!(matches!(e, Error::Schema { .. }), "{text}");
                assert!(text.contains("nested"), "{text}");
                assert!(!path.exists());
                refused += 1;
            }
        }
        // What is never opened again has no such limit.
        let log = Log::temporary(batch.schema(), self::options(&directory))?;
        log.append(&batch)?;
        assert_same(&log.read(0, None)?, &batch);
    }
    assert!(stored > 8 && refused > 8, "{stored} {refused}");
    Ok(())
}
