//! How many rows a stored batch is to have.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// For how long rows that somebody waits for are held back, counted from when the source was asked for the first
/// of them: a source that takes longer for a batch has nothing ready, and what it gave is not to wait for more.
const READY: Duration = Duration::from_millis(5);

/// The least and the most rows of a stored batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchRows {
    pub(crate) least: usize,
    pub(crate) most: NonZeroUsize,
    /// Joins as many as it takes, however long that lasts and whoever waits.
    is_patient: bool,
}

impl BatchRows {
    /// # Errors
    /// [`Error::InvalidArgument`] where no number of rows is right.
    pub(crate) fn new(least: usize, most: usize) -> Result<Self> {
        match NonZeroUsize::new(most) {
            Some(most) if least <= most.get() => Ok(Self {
                least,
                most,
                is_patient: false,
            }),
            _ => Err(Error::invalid(format!(
                "batch_rows is (least, most), where most is at least 1 and no less than least: not ({least}, {most})"
            ))),
        }
    }

    /// So many or more, for which everybody waits.
    pub(crate) fn patient(least: usize) -> Self {
        Self {
            least,
            most: NonZeroUsize::MAX,
            is_patient: true,
        }
    }

    pub(crate) fn is_patient(self) -> bool {
        self.is_patient
    }

    /// When rows that are waited for are given, however few: those of the first batch at once.
    pub(crate) fn given_at(self, since: Instant, is_first: bool) -> Option<Instant> {
        let held = if is_first { Duration::ZERO } else { READY };
        (!self.is_patient).then(|| since + held)
    }
}
