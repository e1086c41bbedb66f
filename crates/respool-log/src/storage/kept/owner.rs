//! Who writes a log, as its lock file says.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{SystemTime, UNIX_EPOCH};

/// The most bytes that are read of a lock file.
const MOST: usize = 512;

/// Says in the lock file that it is us.
pub(super) fn sign(lock: &File) {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let process = std::process::id();
    let text = format!("process {process}\nhost {host}\nsince {}\n", now());
    // Whoever is refused would like to know, but the lock holds without.
    let _unsigned = lock
        .set_len(0)
        .and_then(|()| lock.write_all_at(text.as_bytes(), 0));
}

/// What the writer has said of itself.
pub(super) fn read(lock: &File) -> Option<String> {
    let mut bytes = [0; MOST];
    let len = lock.read_at(&mut bytes, 0).ok()?;
    let text = String::from_utf8_lossy(bytes.get(..len)?);
    let text = text.trim().replace('\n', ", ");
    (!text.is_empty()).then_some(text)
}

/// The time of day, as in 2026-11-24T08:30:00Z.
fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let seconds = since.map_or(0, |since| since.as_secs());
    let (hours, minutes) = (seconds / 3600 % 24, seconds / 60 % 60);
    let (year, month, day) = date(seconds / 86400);
    let seconds = seconds % 60;
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}Z")
}

/// The date of a day, counted from the first of 1970. Years begin in March here, so that the day
/// that is not always there comes last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_786), (2026, 11, 29));
    }

    #[test]
    fn what_is_said_is_read() {
        let lock = tempfile::tempfile().unwrap();
        assert_eq!(read(&lock), None);
        sign(&lock);
        let owner = read(&lock).unwrap();
        let process = format!("process {}, host ", std::process::id());
        assert!(owner.starts_with(&process), "{owner}");
    }
}
