//! Logs that were written when a version of the format was released are read for ever.
//!
//! `tests/golden/v1` was written by the ignored test below and is never written again: a change of the
//! format that these logs do not survive is a new version.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::reader::FileReader;
use arrow_schema::{DataType, Schema};
use respool_log::format::Failure;
use respool_log::{Access, Compression, Error, Log, LogOptions, LogReader, State};

use crate::reopened::assert_has;
use crate::support::*;

const ROWS: usize = 6;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/v1")
}

/// A batch with a column of every type.
fn every_type() -> Vec<RecordBatch> {
    let types = all_types();
    let fields: Vec<_> = types.iter().map(|t| field("c", t.clone())).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut numbers = Numbers::new(2026);
    let columns = types.iter().map(|t| sample(t, ROWS, &mut numbers));
    let batch = RecordBatch::try_new(schema, columns.collect()).unwrap();
    vec![batch]
}

/// Batches whose dictionary changes, over segments of both layouts.
fn changing() -> Vec<RecordBatch> {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    (0..6)
        .map(|i| batch_of(sample(&data_type, 40, &mut Numbers::new(i / 2))))
        .collect()
}

fn failure() -> Failure {
    Failure {
        kind: "ValueError".to_owned(),
        text: "the source has gone away".to_owned(),
    }
}

/// A name, what it has, its codec, and how it was left.
type Golden = (
    &'static str,
    Vec<RecordBatch>,
    Option<Compression>,
    fn() -> State,
);

fn all() -> Vec<Golden> {
    let complete = || State::Complete;
    vec![
        ("plain-complete", every_type(), None, complete),
        (
            "lz4-complete",
            every_type(),
            Some(Compression::Lz4),
            complete,
        ),
        (
            "zstd-complete",
            every_type(),
            Some(Compression::Zstd),
            complete,
        ),
        ("streams-complete", changing(), None, complete),
        ("plain-unfinished", changing(), None, || State::Abandoned),
        ("lz4-unfinished", changing(), Some(Compression::Lz4), || {
            State::Abandoned
        }),
        (
            "plain-failed",
            changing(),
            None,
            || State::Failed(failure()),
        ),
        ("zstd-failed", changing(), Some(Compression::Zstd), || {
            State::Failed(failure())
        }),
    ]
}

#[test]
#[ignore = "writes the golden logs, which is done once for each version of the format"]
fn write_golden_logs() -> Outcome {
    for (name, model, compression, state) in all() {
        let path = golden().join(name);
        let options = LogOptions::new(&path)
            .allow_tmpfs(true)
            .segment_bytes(6_000)
            .compression(compression)
            .key(Some(name.as_bytes().to_vec()))
            .metadata(vec![("owner".to_owned(), b"the golden test".to_vec())]);
        let log = Log::create(model[0].schema(), options)?;
        for batch in &model {
            log.append_shown(batch, 100)?;
            log.flush()?;
        }
        match state() {
            State::Complete => log.finish()?,
            State::Failed(failure) => log.fail(&failure)?,
            _ => {}
        }
        drop(log);
        if state() == State::Complete {
            Log::open(&path)?.write_sidecar("zones.0", name.as_bytes())?;
        }
        fs::remove_file(path.join("_lock"))?;
    }
    Ok(())
}

/// The golden log as a program of its user has it: a checkout has rights as it likes.
fn private(name: &str, parent: &Path) -> PathBuf {
    let to = parent.join(name);
    fs::DirBuilder::new().mode(0o700).create(&to).unwrap();
    for entry in fs::read_dir(golden().join(name)).unwrap() {
        let entry = entry.unwrap();
        let file = to.join(entry.file_name());
        fs::copy(entry.path(), &file).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    to
}

#[test]
fn golden_logs_of_version_1_are_read() -> Outcome {
    let mut seen = 0;
    for (name, model, compression, state) in all() {
        let parent = directory()?;
        let path = private(name, parent.path());
        for access in [Access::Map, Access::Read] {
            let options = LogOptions::new(&path).allow_tmpfs(true).access(access);
            let reader = LogReader::open_with(&options)?;
            assert_eq!(reader.state(), state(), "{name}");
            assert_eq!(reader.compression(), compression);
            assert_eq!(reader.key(), Some(name.as_bytes()));
            assert_eq!(reader.metadata()[0].1, b"the golden test");
            assert_eq!(reader.shown_bytes(), 100 * model.len() as u64);
            assert_has(&reader, &model);
            if state() == State::Complete {
                let sidecar = reader.read_sidecar("zones.0")?;
                assert_eq!(sidecar.as_deref(), Some(name.as_bytes()));
            }
            seen += 1;
        }
        // By other means too.
        let file = fs::File::open(path.join("00000000.arrow"))?;
        let first = FileReader::try_new(file, None)?.next().transpose()?;
        assert_same(&first.unwrap(), &model[0]);
    }
    assert_eq!(seen, 16);
    Ok(())
}

#[test]
fn golden_logs_that_were_not_complete_go_on() -> Outcome {
    let mut seen = 0;
    for (name, model, _, state) in all() {
        let parent = directory()?;
        let path = private(name, parent.path());
        let options = LogOptions::new(&path).allow_tmpfs(true);
        if state() == State::Complete {
            assert!(matches!(Log::resume(options), Err(Error::Finished)));
            continue;
        }
        let log = Log::resume(options)?;
        log.append(&model[3])?;
        log.finish()?;
        let mut more = model.clone();
        more.push(model[3].clone());
        let reader = Log::open(&path)?;
        assert_eq!(reader.state(), State::Complete);
        assert_has(&reader, &more);
        seen += 1;
    }
    assert_eq!(seen, 4);
    Ok(())
}

#[test]
fn a_golden_log_of_a_newer_version_or_with_unknown_features_is_refused_by_name() -> Outcome {
    // Where the header has the version, and the features that must be known.
    for (at, says) in [(8, "version 2"), (10, "features")] {
        for file in ["_manifest", "_index"] {
            let parent = directory()?;
            let path = private("plain-complete", parent.path());
            let mut bytes = fs::read(path.join(file))?;
            bytes[at] = 2;
            let crc = respool_log::format::crc32c(&bytes[..60]);
            bytes[60..64].copy_from_slice(&crc.to_le_bytes());
            fs::write(path.join(file), bytes)?;
            let error = Log::open(&path).unwrap_err();
            assert!(matches!(error, Error::Newer { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains(says) && text.contains(file), "{text}");
        }
    }
    Ok(())
}
