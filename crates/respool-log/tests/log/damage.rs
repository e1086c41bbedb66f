//! Whatever byte of a log is changed, wherever a file is cut or longer: equal data, or an error that
//! names the file and the place. Never other data, a panic, an abort, or memory that nobody has.
//!
//! `RESPOOL_LONG=1` changes every byte; else some.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use respool_log::format::Failure;
use respool_log::{Access, Error, Log, LogOptions, LogReader, State};

use crate::child;
use crate::reopened::CODECS;
use crate::support::*;

fn is_long() -> bool {
    std::env::var_os("RESPOOL_LONG").is_some()
}

fn model() -> Vec<RecordBatch> {
    let types = [
        DataType::Int32,
        DataType::Utf8,
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        wrap(0, DataType::Utf8View),
        wrap(8, DataType::Boolean),
    ];
    let fields: Vec<_> = types.iter().map(|t| field("c", t.clone())).collect();
    let schema = Arc::new(Schema::new(fields));
    (0..4)
        .map(|seed| {
            let mut numbers = Numbers::new(seed / 2 + 1);
            let columns = types.iter().map(|t| sample(t, 20, &mut numbers)).collect();
            RecordBatch::try_new(schema.clone(), columns).unwrap()
        })
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Ending {
    Complete,
    Unfinished,
    Failed,
}

struct Fixture {
    _parent: tempfile::TempDir,
    path: PathBuf,
    model: Vec<RecordBatch>,
    ending: Ending,
    access: Access,
}

const SIDECAR: &[u8] = b"the smallest and the largest";

impl Fixture {
    fn new(codec: usize, ending: Ending, access: Access) -> Self {
        let parent = directory().unwrap();
        let path = parent.path().join("log");
        let model = model();
        let options = LogOptions::new(&path)
            .allow_tmpfs(true)
            .segment_bytes(5_000)
            .metadata(vec![("a".to_owned(), vec![1, 2, 3])])
            .compression(CODECS[codec]);
        let log = Log::create(model[0].schema(), options).unwrap();
        for batch in &model {
            log.append(batch).unwrap();
            log.flush().unwrap();
        }
        match ending {
            Ending::Complete => log.finish().unwrap(),
            Ending::Unfinished => {}
            Ending::Failed => log
                .fail(&Failure {
                    kind: "E".to_owned(),
                    text: "no".to_owned(),
                })
                .unwrap(),
        }
        drop(log);
        let reader = Log::open(&path).unwrap();
        reader.write_sidecar("zones.0", SIDECAR).unwrap();
        Self {
            _parent: parent,
            path,
            model,
            ending,
            access,
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).unwrap();
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.retain(|file| !file.ends_with("_lock"));
        files.sort();
        files
    }

    /// Reads all that can be read; says whether anything was an error.
    fn check(&self, what: &str) -> bool {
        let options = LogOptions::new(&self.path).access(self.access);
        let reader = match LogReader::open_with(&options) {
            Ok(reader) => reader,
            Err(e) => {
                self.check_error(&e, what);
                return true;
            }
        };
        let len = reader.len();
        assert!(len <= self.model.len(), "{what}: {len} batches");
        let mut damaged = len < self.model.len();
        match reader.state() {
            State::Complete => assert!(self.ending == Ending::Complete && !damaged, "{what}"),
            State::Failed(failure) => {
                assert!(self.ending == Ending::Failed && !damaged, "{what}");
                let named = failure.text.contains("_failure is damaged at byte")
                    || failure.text.contains("_failure can't be read");
                assert!(failure.text == "no" || named, "{what}: {failure:?}");
                damaged |= named;
            }
            State::Abandoned => damaged |= self.ending != Ending::Unfinished,
            State::Growing => panic!("{what}: nobody writes"),
        }
        for (record, batch) in self.model.iter().enumerate().take(len) {
            for projection in [Some(&[3usize, 0][..]), None, Some(&[1]), None] {
                match reader.read(record, projection) {
                    Ok(read) => match projection {
                        None => assert_same(&read, batch),
                        Some(some) => assert_same(&read, &batch.project(some).unwrap()),
                    },
                    Err(e) => {
                        self.check_error(&e, what);
                        damaged = true;
                    }
                }
            }
        }
        match reader.read_sidecar("zones.0") {
            Ok(Some(bytes)) => assert_eq!(bytes, SIDECAR, "{what}"),
            Ok(None) => damaged = true,
            Err(e) => {
                self.check_error(&e, what);
                damaged = true;
            }
        }
        damaged
    }

    fn check_error(&self, e: &Error, what: &str) {
        match e {
            Error::Corrupt { path, .. } | Error::Newer { path, .. } => {
                assert!(path.starts_with(&self.path), "{what}: {e}");
            }
            e => panic!("{what}: {e}"),
        }
    }
}

/// How many panics there were, in whatever thread, caught or not.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn every_byte(argument: &str) {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let limit = Some(4 << 30);
    let limit = Rlimit {
        current: limit,
        maximum: limit,
    };
    setrlimit(Resource::As, limit).unwrap();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
    let mut words = argument
        .split(' ')
        .map(|word| word.parse::<usize>().unwrap());
    let (codec, ending, access) = (
        words.next().unwrap(),
        words.next().unwrap(),
        words.next().unwrap(),
    );
    let ending = [Ending::Complete, Ending::Unfinished, Ending::Failed][ending];
    let access = [Access::Auto, Access::Read][access];
    let fixture = Fixture::new(codec, ending, access);
    assert!(!fixture.check("as it was"));
    let step = if is_long() { 1 } else { 47 };
    let (mut changed, mut found) = (0, 0);
    for file in fixture.files() {
        let whole = std::fs::read(&file).unwrap();
        for at in (0..whole.len()).step_by(step) {
            for byte in [whole[at] ^ (1 << (at % 8)), 0, 0xff] {
                if byte == whole[at] {
                    continue;
                }
                let mut damaged = whole.clone();
                damaged[at] = byte;
                std::fs::write(&file, &damaged).unwrap();
                let what = format!("{} at {at}: {byte}", file.display());
                changed += 1;
                found += usize::from(fixture.check(&what));
            }
        }
        std::fs::write(&file, &whole).unwrap();
    }
    assert_eq!(PANICS.load(Ordering::Relaxed), 0);
    child::say(&format!("changed {changed} found {found}"));
}

#[test]
fn whatever_byte_is_changed() {
    if let Some(argument) = child::argument() {
        every_byte(&argument);
        return;
    }
    let (mut changed, mut found) = (0, 0);
    for codec in 0..3 {
        for (ending, access) in [(0, 0), (1, 0), (2, 1)] {
            let argument = format!("{codec} {ending} {access}");
            let output = child::run("damage::whatever_byte_is_changed", &argument);
            let text = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{argument}: {text}");
            changed += child::told(&output, "changed").unwrap();
            found += child::told(&output, "found").unwrap();
        }
    }
    child::say(&format!(
        "{changed} bytes changed, {found} found, no other made a difference"
    ));
    assert!(
        changed > 1000 && found > changed / 2,
        "{found} of {changed}"
    );
}

#[test]
fn wherever_a_file_is_cut_or_longer() -> Outcome {
    let step = if is_long() { 1 } else { 31 };
    let mut cuts = 0;
    for codec in 0..3 {
        for ending in [Ending::Complete, Ending::Unfinished] {
            let fixture = Fixture::new(codec, ending, Access::Auto);
            for file in fixture.files() {
                let whole = std::fs::read(&file)?;
                let name = file.display();
                for len in (0..whole.len()).step_by(step) {
                    // In place of it, because a file that is mapped is not cut.
                    std::fs::remove_file(&file)?;
                    write_private(&file, &whole[..len])?;
                    let damaged = fixture.check(&format!("{name} cut to {len}"));
                    let is_index = file.ends_with("_index");
                    assert!(damaged || !is_index || ending != Ending::Complete);
                    cuts += 1;
                }
                for more in 1..=64 {
                    for byte in [0, 0xa5] {
                        let longer = [whole.clone(), vec![byte; more]].concat();
                        std::fs::write(&file, longer)?;
                        fixture.check(&format!("{name} longer by {more}"));
                        cuts += 1;
                    }
                }
                std::fs::write(&file, &whole)?;
                assert!(!fixture.check("whole again"));
            }
        }
    }
    child::say(&format!("{cuts} files cut or longer"));
    Ok(())
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)
}
