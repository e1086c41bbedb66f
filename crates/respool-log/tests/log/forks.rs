//! A forked child holds nothing that is its parent's, and gives nothing back that is.
//!
//! Each test runs itself in a process of its own, which forks: it has one thread.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow_array::Int64Array;
use respool_log::{Error, Log, LogOptions, Removal, State};

use crate::child;
use crate::support::*;

unsafe extern "C" {
    fn fork() -> i32;
    safe fn _exit(code: i32) -> !;
}

const LONGEST: Duration = Duration::from_secs(30);

fn at(path: &Path) -> LogOptions {
    LogOptions::new(path).allow_tmpfs(true)
}

fn write(path: &Path) -> Log {
    let batch = batch_of(std::sync::Arc::new(Int64Array::from_iter_values(0..100)));
    let log = Log::create(batch.schema(), at(path)).unwrap();
    for _ in 0..3 {
        log.append(&batch).unwrap();
    }
    log
}

/// Waits for a file, or the end of its directory.
fn wait_for(path: &Path) {
    let begun = Instant::now();
    let is_over = || path.exists() || !path.parent().is_some_and(Path::exists);
    while !is_over() && begun.elapsed() < LONGEST {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A parent that has a log open, and its forked child.
struct Family {
    parent: Child,
    /// What both of them say.
    said: BufReader<ChildStdout>,
    /// Beside the log: a file of this name makes the parent close the log, or the child end.
    directory: PathBuf,
}

impl Family {
    /// Begins one. `how` says what the child does.
    fn begin(test: &str, how: &str, directory: &Path) -> Self {
        let argument = format!("{how} {}", directory.display());
        let mut command = child::command(&format!("forks::{test}"), &argument);
        let mut parent = command.stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(parent.stdout.take().unwrap());
        let directory = directory.to_owned();
        let mut family = Self {
            parent,
            said,
            directory,
        };
        family.hear("the child is ready");
        family
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    fn hear(&mut self, what: &str) {
        let mut line = String::new();
        while !line.contains(what) {
            line.clear();
            assert_ne!(self.said.read_line(&mut line).unwrap(), 0, "{what}: never");
        }
    }

    fn kill_parent(&mut self) {
        self.parent.kill().unwrap();
        self.parent.wait().unwrap();
    }

    /// Ends the child, and is sure of that: nobody has the other end of the pipe any more.
    fn end_child(&mut self) {
        std::fs::write(self.directory.join("over"), "").unwrap();
        self.said.read_to_end(&mut Vec::new()).unwrap();
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        let _gone = std::fs::write(self.directory.join("over"), "");
        let _gone = self.parent.kill();
        let _gone = self.parent.wait();
    }
}

/// The parent, and what becomes of it.
fn live(argument: &str) -> Outcome {
    let (how, directory) = argument.split_once(' ').unwrap();
    let directory = Path::new(directory);
    let path = directory.join("log");
    let log = write(&path);
    let reader = Log::open(&path)?;
    // SAFETY: the child of a process with one thread may do all that its parent may.
    if unsafe { fork() } == 0 {
        // Whatever happens, the child does not become a second runner of tests.
        let live = AssertUnwindSafe(|| live_as_child(how, directory, (log, reader)));
        let lived = catch_unwind(live);
        _exit(i32::from(lived.is_err()));
    }
    wait_for(&directory.join("close"));
    drop((log, reader));
    child::say("the parent has closed the log");
    wait_for(&directory.join("over"));
    Ok(())
}

fn live_as_child(how: &str, directory: &Path, theirs: impl Sized) {
    if how.contains("told") {
        respool_log::forked();
    }
    // These get the numbers of what was closed.
    let program = std::env::current_exe().unwrap();
    let files: Vec<_> = (0..8).map(|_| File::open(&program).unwrap()).collect();
    let own = directory.join("own");
    let log = write(&own);
    let mut reader = None;
    if how.contains("drop") {
        drop(theirs);
    } else {
        // Nobody gives it back.
        Box::leak(Box::new(theirs));
    }
    if how.contains("open") {
        reader = Some(Log::open(directory.join("log")).unwrap());
    }
    for file in files {
        let mut magic = [0; 4];
        file.read_exact_at(&mut magic, 0).unwrap();
        assert_eq!(&magic, b"\x7fELF");
    }
    assert_eq!(Log::remove(&own).unwrap(), Removal::InUse);
    assert!(matches!(Log::resume(at(&own)), Err(Error::Locked { .. })));
    drop(log);
    assert_eq!(Log::remove(&own).unwrap(), Removal::Removed);
    child::say("the child is ready");
    wait_for(&directory.join("over"));
    drop(reader);
    // Perhaps nobody listens any more.
    let _told = writeln!(std::io::stdout(), "the child is over");
}

fn state(path: &Path) -> State {
    Log::open(path).unwrap().state()
}

#[test]
fn a_child_that_is_told_lets_go_of_what_its_parent_had() -> Outcome {
    if let Some(argument) = child::argument() {
        return live(&argument);
    }
    let test = "a_child_that_is_told_lets_go_of_what_its_parent_had";
    for how in ["told", "told,drop"] {
        let directory = directory()?;
        let mut family = Family::begin(test, how, directory.path());
        let path = family.log();
        // The parent has it still.
        assert_eq!(state(&path), State::Growing);
        assert_eq!(Log::remove(&path)?, Removal::InUse);
        assert!(matches!(Log::resume(at(&path)), Err(Error::Locked { .. })));
        family.kill_parent();
        assert_eq!(state(&path), State::Abandoned);
        assert_eq!(Log::resume(at(&path))?.len(), 3);
        assert_eq!(Log::remove(&path)?, Removal::Removed);
        family.end_child();
    }
    // And one that is not told does not, which is why there is something to tell.
    let directory = directory()?;
    let mut family = Family::begin(test, "silent", directory.path());
    let path = family.log();
    family.kill_parent();
    assert_eq!(state(&path), State::Growing);
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    family.end_child();
    assert_eq!(state(&path), State::Abandoned);
    Ok(())
}

#[test]
fn a_child_that_drops_a_log_takes_nothing_from_its_parent() -> Outcome {
    if let Some(argument) = child::argument() {
        return live(&argument);
    }
    let test = "a_child_that_drops_a_log_takes_nothing_from_its_parent";
    for how in ["silent,drop", "told,drop"] {
        let directory = directory()?;
        let mut family = Family::begin(test, how, directory.path());
        let path = family.log();
        // The parent lives on.
        std::fs::write(directory.path().join("over"), "")?;
        family.hear("the child is over");
        assert_eq!(state(&path), State::Growing, "{how}");
        assert_eq!(Log::remove(&path)?, Removal::InUse, "{how}");
        assert!(matches!(Log::resume(at(&path)), Err(Error::Locked { .. })));
        family.kill_parent();
        assert_eq!(state(&path), State::Abandoned, "{how}");
    }
    Ok(())
}

#[test]
fn what_the_parent_closes_is_closed_whatever_a_child_has_open() -> Outcome {
    if let Some(argument) = child::argument() {
        return live(&argument);
    }
    let test = "what_the_parent_closes_is_closed_whatever_a_child_has_open";
    let directory = directory()?;
    let mut family = Family::begin(test, "silent", directory.path());
    let path = family.log();
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    std::fs::write(directory.path().join("close"), "")?;
    family.hear("the parent has closed the log");
    assert_eq!(state(&path), State::Abandoned);
    assert_eq!(Log::remove(&path)?, Removal::Removed);
    Ok(())
}

#[test]
fn what_a_child_opens_is_its_own() -> Outcome {
    if let Some(argument) = child::argument() {
        return live(&argument);
    }
    let test = "what_a_child_opens_is_its_own";
    let directory = directory()?;
    let mut family = Family::begin(test, "told,open", directory.path());
    let path = family.log();
    family.kill_parent();
    assert_eq!(state(&path), State::Abandoned);
    assert_eq!(Log::remove(&path)?, Removal::InUse);
    family.end_child();
    assert_eq!(Log::remove(&path)?, Removal::Removed);
    Ok(())
}

#[test]
fn a_child_waits_for_no_thread_that_it_has_not() -> Outcome {
    const FORKS: usize = 150;
    if let Some(argument) = child::argument() {
        fork_among_threads(Path::new(&argument), FORKS);
        return Ok(());
    }
    let test = "forks::a_child_waits_for_no_thread_that_it_has_not";
    let directory = directory()?;
    let output = child::run(test, &directory.path().display().to_string());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    assert_eq!(child::told(&output, "ended"), Some(FORKS), "{errors}");
    Ok(())
}

/// Forks while other threads take locks and give them back.
fn fork_among_threads(directory: &Path, forks: usize) {
    use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
    let path = directory.join("log");
    drop(write(&path));
    let is_over = AtomicBool::new(false);
    let ended = std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let _readers = [Log::open(&path).unwrap(), Log::open(&path).unwrap()];
                }
            });
        }
        let mut ended = 0;
        for number in 0..forks {
            // SAFETY: the child takes locks of this crate alone, and the system's allocator, which is
            // made for this.
            let child = unsafe { fork() };
            if child == 0 {
                respool_log::forked();
                let own = directory.join(number.to_string());
                let log = write(&own);
                let is_held = Log::remove(&own).is_ok_and(|done| done == Removal::InUse);
                drop(log);
                let is_free = Log::remove(&own).is_ok_and(|done| done == Removal::Removed);
                _exit(i32::from(!is_held || !is_free));
            }
            let child = Pid::from_raw(child).unwrap();
            let begun = Instant::now();
            let status = loop {
                if let Some((_, status)) = waitpid(Some(child), WaitOptions::NOHANG).unwrap() {
                    break status;
                }
                if begun.elapsed() > LONGEST {
                    kill_process(child, Signal::KILL).unwrap();
                }
                std::thread::sleep(Duration::from_millis(1));
            };
            ended += usize::from(status.exit_status() == Some(0));
        }
        is_over.store(true, Ordering::Relaxed);
        ended
    });
    child::say(&format!("ended {ended}"));
}
