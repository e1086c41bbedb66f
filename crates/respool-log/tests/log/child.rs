//! Tests that run themselves in a process of their own.

use std::io::Write;
use std::process::{Command, Output};

const NAME: &str = "RESPOOL_TEST_CHILD";

/// What the parent has said, if this is a child.
pub(crate) fn argument() -> Option<String> {
    std::env::var(NAME).ok()
}

/// The command that runs a test of this program in a child, which is told something.
pub(crate) fn command(test: &str, argument: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(NAME, argument);
    command
}

pub(crate) fn run(test: &str, argument: &str) -> Output {
    command(test, argument).output().unwrap()
}

/// The largest number that a child has told, as in `told 7`.
pub(crate) fn told(output: &Output, what: &str) -> Option<usize> {
    let text = String::from_utf8_lossy(&output.stdout);
    let said = text.split_whitespace().collect::<Vec<_>>();
    let pairs = said.windows(2).filter(|pair| pair[0] == what);
    pairs.filter_map(|pair| pair[1].parse().ok()).max()
}

/// Says something on the standard output, at once.
pub(crate) fn say(text: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{text}").unwrap();
    out.flush().unwrap();
}
