//! What a stream of another library says when it fails.

use std::error::Error as StdError;
use std::ffi::c_int;
use std::fmt;

use super::ended::Ended;
use super::told::EINVAL;

/// What a C stream says when it fails: a number and a text, and nothing else.
#[derive(Debug)]
pub(crate) struct StreamError {
    pub(super) errno: c_int,
    text: String,
    pub(super) ended: Ended,
}

impl StreamError {
    pub(crate) fn new(errno: c_int, text: String) -> Self {
        Self {
            errno,
            text,
            ended: Ended::here(),
        }
    }

    /// A schema that can't be read: the argument is not right.
    pub(crate) fn bad_schema(text: String) -> Self {
        Self::new(EINVAL, text)
    }

    /// Whether the producer was interrupted: its text is "KeyboardInterrupt", or ends with a
    /// traceback of one, which is how pyarrow carries an exception.
    pub(super) fn is_interrupt(&self) -> bool {
        let names_it = |line: &str| {
            line.strip_prefix("KeyboardInterrupt")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        names_it(&self.text)
            || self
                .text
                .trim_end()
                .lines()
                .next_back()
                .is_some_and(names_it)
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            write!(
                f,
                "the Arrow stream failed with error {} and no message",
                self.errno
            )
        } else {
            f.write_str(&self.text)
        }
    }
}

impl StdError for StreamError {}
