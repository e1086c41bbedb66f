//! The writer is killed at any write, sync and rename: all that was stored is there, whole batches
//! only, and nothing is called complete that is not.
//!
//! `RESPOOL_LONG=1` kills at every one of them; else at some.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use respool_log::storage::FileStorage;
use respool_log::testing::{Fault, Faulty, Mode, Operation};
use respool_log::{Log, LogOptions, Quota, State};

use crate::child;
use crate::reopened::assert_has;
use crate::support::*;

const KILL: i32 = 9;

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true).segment_bytes(9_000)
}

fn batches() -> Vec<RecordBatch> {
    let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    (0..20)
        .map(|i| batch_of(sample(&data_type, 90, &mut Numbers::new(i / 3))))
        .collect()
}

fn say(what: &str, number: usize) {
    child::say(&format!("{what} {number}"));
}

/// What the child does: begins a log or goes on with one, and is killed at some call.
fn fill(argument: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut words = argument.splitn(3, ' ');
    let verb = words.next().unwrap();
    let call: u64 = words.next().unwrap().parse()?;
    let path = Path::new(words.next().unwrap());
    let model = batches();
    let fault = Fault {
        call,
        mode: Mode::Kill,
        errno: 0,
        operations: vec![
            Operation::Create,
            Operation::Rename,
            Operation::Write,
            Operation::Truncate,
            Operation::Sync,
            Operation::SyncDirectory,
            Operation::SyncParent,
            Operation::Remove,
        ],
    };
    let log = if verb == "create" {
        let inner = FileStorage::named(&at(path))?;
        let storage = Arc::new(Faulty::new(Arc::new(inner), Some(fault)));
        Log::with_storage(model[0].schema(), at(path), storage)?
    } else {
        let inner = FileStorage::claimed(&at(path))?;
        let storage = Arc::new(Faulty::new(Arc::new(inner), Some(fault)));
        Log::resume_storage(at(path), &Quota::new(None), storage)?
    };
    say("created", 1);
    for (record, batch) in model.iter().enumerate().skip(log.len()) {
        log.append(batch)?;
        say("stored", record + 1);
        if record % 5 == 3 {
            log.flush()?;
        }
    }
    log.finish()?;
    say("finished", 1);
    Ok(())
}

/// Runs a child until it is killed or done; says how many batches it had stored, and whether it ended.
fn run(verb: &str, call: usize, path: &Path) -> (usize, bool, bool) {
    let argument = format!("{verb} {call} {}", path.display());
    let output = child::run("kills::a_writer_that_is_killed", &argument);
    let is_killed = output.status.signal() == Some(KILL);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(is_killed || output.status.success(), "{text}");
    let is_created = child::told(&output, "created").is_some();
    let finished = child::told(&output, "finished").is_some();
    assert_ne!(is_killed, finished);
    (
        child::told(&output, "stored").unwrap_or(0),
        is_created,
        finished,
    )
}

fn check(path: &Path, stored: usize, is_created: bool, finished: bool) -> Option<usize> {
    let model = batches();
    let reader = match Log::open(path) {
        Ok(reader) => reader,
        Err(e) => {
            assert!(!is_created, "{e}");
            return None;
        }
    };
    let len = reader.len();
    assert!(len >= stored && len <= stored + 1, "{len} of {stored}");
    assert_has(&reader, &model[..len]);
    match reader.state() {
        State::Complete => assert_eq!(len, model.len()),
        State::Abandoned => assert!(!finished),
        state => panic!("{state:?}"),
    }
    Some(len)
}

#[test]
fn a_writer_that_is_killed() -> Outcome {
    if let Some(argument) = child::argument() {
        return fill(&argument);
    }
    let is_long = std::env::var_os("RESPOOL_LONG").is_some();
    let (step, second_step) = if is_long { (1, 1) } else { (6, 17) };
    let (mut kills, mut resumed) = (0, 0);
    for call in (0..).step_by(step) {
        let parent = directory()?;
        let path = parent.path().join("log");
        let (stored, is_created, finished) = run("create", call, &path);
        if finished {
            assert!(call > 60, "{call}");
            check(&path, stored, is_created, true);
            break;
        }
        kills += 1;
        let Some(len) = check(&path, stored, is_created, false) else {
            // What was never created can be created.
            let (_, _, finished) = run("create", 100_000, &path);
            assert!(finished);
            continue;
        };
        // And over going on, of a few of them.
        if call % (step * 7) != 0 {
            continue;
        }
        let kept = parent.path().join("kept");
        copy(&path, &kept);
        for second in (0..).step_by(second_step) {
            std::fs::remove_dir_all(&path)?;
            copy(&kept, &path);
            if Log::open(&path)?.state() == State::Complete {
                break;
            }
            let (stored, _, finished) = run("resume", second, &path);
            check(&path, stored.max(len), true, finished);
            resumed += 1;
            if finished {
                break;
            }
        }
    }
    assert!(kills > 10 && resumed > 5, "{kills} {resumed}");
    if is_long {
        child::say(&format!("{kills} kills, {resumed} over going on"));
    }
    Ok(())
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn followers_learn_that_a_writer_was_killed() -> Outcome {
    if let Some(argument) = child::argument() {
        let path = Path::new(&argument);
        let model = batches();
        let log = Log::create(model[0].schema(), at(path))?;
        for batch in model.iter().cycle() {
            log.append(batch)?;
            std::thread::sleep(Duration::from_micros(300));
        }
        return Ok(());
    }
    let model = batches();
    let rounds = if std::env::var_os("RESPOOL_LONG").is_some() {
        100
    } else {
        3
    };
    for round in 0..rounds {
        let parent = directory()?;
        let path = parent.path().join("log");
        let test = "kills::followers_learn_that_a_writer_was_killed";
        let mut writer = child::command(test, &path.display().to_string())
            .stdout(std::process::Stdio::null())
            .spawn()?;
        while !path.join("_manifest").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        let followers: Vec<_> = (0..3)
            .map(|_| {
                let (path, model) = (path.clone(), model.clone());
                std::thread::spawn(move || {
                    let reader = Log::open(path).unwrap();
                    let mut seen = 0;
                    loop {
                        let progress = reader.wait(seen, Duration::from_mins(1)).unwrap();
                        for record in seen..progress.len {
                            let batch = reader.read(record, None).unwrap();
                            assert_same(&batch, &model[record % model.len()]);
                        }
                        if seen == progress.len {
                            return (seen, progress.state);
                        }
                        seen = progress.len;
                    }
                })
            })
            .collect();
        // However long it takes to begin.
        while Log::open(&path)?.is_empty() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(round % 7 * 9));
        writer.kill()?;
        writer.wait()?;
        let seen: Vec<_> = followers.into_iter().map(|f| f.join().unwrap()).collect();
        let len = Log::open(&path)?.len();
        assert!(len > 0);
        for (seen, state) in seen {
            assert_eq!((seen, state), (len, State::Abandoned));
        }
    }
    Ok(())
}
