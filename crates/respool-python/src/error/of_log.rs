//! Errors of logs, told to Python: what was being done, why it failed, and what to do next. The path stands
//! beside that where it is an `OSError`, so the text has none.

use std::io;
use std::path::Path;

use respool::LogError;

#[cfg(windows)]
use super::told::ENOSPC;
use super::told::{EACCES, EAGAIN, EEXIST, EIO, ENOENT, Kind, Told};

/// What the system says where there is no room.
const FULL: [io::ErrorKind; 3] = [
    io::ErrorKind::StorageFull,
    io::ErrorKind::QuotaExceeded,
    io::ErrorKind::FileTooLarge,
];

impl Told {
    pub(super) fn of_log(error: &LogError) -> Self {
        match error {
            LogError::Io {
                action,
                path,
                source,
            } => of_io(error, action, path, source),
            LogError::OutOfSpace {
                path,
                asked,
                used,
                capacity,
            } => full(path, *asked, *used, *capacity),
            LogError::Corrupt {
                path,
                offset,
                reason,
            } => {
                let beside = format!(
                    "the log is damaged at byte {offset} of this file: {reason}; what this batch does not need can \
                     still be read, and to have it whole, remove the log and fill it again from its source"
                );
                let whole = format!("{}: {beside}", path.display());
                Self::beside(Kind::CorruptLog, whole, path, beside)
            }
            LogError::Unsynced { path, source } => {
                let source = reason(source);
                let beside = format!(
                    "an earlier sync failed ({source}), so the log is not safely on disk; write it again to another \
                     place"
                );
                Self::beside(Kind::Os(EIO), error, path, beside)
            }
            LogError::Locked { path, owner } => {
                let directory = path.parent().unwrap_or(path);
                let beside = match owner {
                    Some(owner) if is_this_process(owner) => {
                        "this process writes to this log already: read the cache that fills it, or close that first"
                            .to_owned()
                    }
                    Some(owner) => format!(
                        "another writer has this log ({owner}): read it with respool.open, or close it there first"
                    ),
                    None => "another writer, which has not said who it is, has this log: read it with \
                             respool.open, or close it there first"
                        .to_owned(),
                };
                Self::beside(Kind::Os(EAGAIN), error, directory, beside)
            }
            LogError::Refused { path, reason } => {
                // What names its own cure is not a matter of rights.
                let next = if reason.contains(';') {
                    ""
                } else {
                    "; give it to the user of this process alone (chown, chmod go-w), or use another directory"
                };
                let beside = format!("it is not opened: {reason}{next}");
                Self::beside(Kind::Os(EACCES), error, path, beside)
            }
            LogError::Tmpfs { path } => Self::new(
                Kind::Value,
                format!(
                    "{} is on a memory file system (tmpfs), where a log takes the memory it should save; \
                     choose a directory on a disk, or pass allow_tmpfs=True",
                    path.display()
                ),
            ),
            LogError::Schema { reason } => Self::new(
                Kind::Value,
                format!(
                    "cannot keep this stream in a log: {reason}; cast that column, or leave it out, before it is \
                     cached, or do without a log (disk=None)"
                ),
            ),
            LogError::OutOfRange { .. } => Self::new(
                Kind::Value,
                format!("cannot read the log: {error}; ask for one below that number"),
            ),
            LogError::Arrow(said) => Self::new(
                Kind::Value,
                format!(
                    "cannot write a batch to the log, or read one: {said}; leave the column out that it is about, or \
                     do without a log (disk=None)"
                ),
            ),
            // These say it all.
            LogError::Finished | LogError::Newer { .. } => Self::new(Kind::Value, error),
        }
    }
}

fn full(path: &Path, asked: u64, used: u64, capacity: u64) -> Told {
    let text = if used == 0 {
        format!(
            "cannot begin the log: it takes {asked} bytes before any batch, and may take {capacity}; nothing was \
             read, give it more room (disk= of the cache or of its budget; of a named cache quota=, or \
             respool.prune)"
        )
    } else {
        format!(
            "the log is full: {asked} more bytes asked, {used} used of {capacity} that it may take (disk= says, or \
             90 % of what was free); nothing is lost: after resize(disk=...) of the cache or its budget the next \
             read goes on, and with a log that was closed respool.resume(path, source); a named cache has the room \
             that quota= leaves it, and respool.prune makes more"
        )
    };
    let whole = format!("{}: {text}", path.display());
    Told::beside(Kind::DiskCapacity, whole, path, text)
}

fn of_io(error: &LogError, action: &str, path: &Path, source: &io::Error) -> Told {
    let Some(errno) = errno(source) else {
        return match source.kind() {
            io::ErrorKind::OutOfMemory => Told::new(Kind::Memory, error),
            io::ErrorKind::AlreadyExists => {
                let text = "a new log wants a new or empty directory; a log that is there is opened with \
                            respool.open(path), and one that was not filled to its end gone on with by \
                            respool.resume(path, source)";
                let whole = format!("{}: {text}", path.display());
                Told::beside(Kind::Os(EEXIST), whole, path, text.to_owned())
            }
            _ => Told::at(Kind::Os(EIO), error, path),
        };
    };
    // What was wanted is not there: the action says that, and need not be given a reason.
    if action.starts_with("there is no") {
        return Told::beside(Kind::Os(errno), error, path, without_preposition(action));
    }
    let mut beside = format!("{}: {}", without_preposition(action), reason(source));
    if action.starts_with("cannot write") && FULL.contains(&source.kind()) {
        beside.push_str("; nothing is lost, and the next read goes on once there is room");
    } else if let Some(next) = next_step(action, errno) {
        beside.push_str(next);
    }
    Told::beside(Kind::Os(errno), error, path, beside)
}

/// What to do where the system says no.
fn next_step(action: &str, errno: i32) -> Option<&'static str> {
    // The same numbers everywhere, too.
    const EPERM: i32 = 1;
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const EROFS: i32 = 30;
    let step = match errno {
        // What it is to lie in is missing, which the path shows.
        ENOENT if action.starts_with("cannot create") => return None,
        ENOENT if action.starts_with("cannot use") => "; make it first, or give another directory",
        ENOENT => {
            "; if it was moved or removed, give its new path, or fill it again from its source"
        }
        EACCES | EPERM => {
            "; see who owns it and may write there (ls -ld), or use another directory"
        }
        EROFS => "; use a directory on a disk that can be written to",
        EMFILE | ENFILE => "; close caches that nobody reads, or allow more open files (ulimit -n)",
        EIO => "; see what the system says of the disk (dmesg), and fill it again elsewhere",
        _ => return None,
    };
    Some(step)
}

/// Whether the writer of a log is this process.
#[cfg(unix)]
fn is_this_process(owner: &str) -> bool {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    owner.starts_with(&format!("process {}, host {host},", std::process::id()))
}

/// Logs have no writers where they are not kept.
#[cfg(not(unix))]
fn is_this_process(_owner: &str) -> bool {
    false
}

/// The number of an error of the system, as Python's `errno` knows it.
#[cfg(not(windows))]
fn errno(source: &io::Error) -> Option<i32> {
    source.raw_os_error()
}

/// The numbers of Windows are others: those that tell something are found by the kind.
#[cfg(windows)]
fn errno(source: &io::Error) -> Option<i32> {
    source.raw_os_error()?;
    Some(match source.kind() {
        io::ErrorKind::NotFound => ENOENT,
        io::ErrorKind::PermissionDenied => EACCES,
        io::ErrorKind::AlreadyExists => EEXIST,
        io::ErrorKind::StorageFull => ENOSPC,
        _ => EIO,
    })
}

/// What was being done, without the word that leads to the path.
fn without_preposition(action: &str) -> String {
    [" in", " to"]
        .iter()
        .find_map(|preposition| action.strip_suffix(preposition))
        .unwrap_or(action)
        .to_owned()
}

/// Why it failed: `OSError` shows the number itself.
fn reason(source: &io::Error) -> String {
    let reason = source.to_string();
    reason
        .split_once(" (os error")
        .map_or_else(|| reason.clone(), |(reason, _)| reason.to_owned())
}
