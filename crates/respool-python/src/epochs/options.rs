//! The arguments of `respool.epochs`.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyBool, PyDict};
use respool::epochs::{EpochOptions, Shuffle, Tail};

use crate::attach::beside;
use crate::error::OrRaise;
use crate::number::Number;

/// A number of something, which may not be more than memory has addresses.
pub(crate) struct Count(pub(crate) usize);

impl<'py> FromPyObject<'_, 'py> for Count {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let number = object.extract::<Number>()?;
        Ok(Self(usize::try_from(number.0)?))
    }
}

/// The number of an epoch, which is part of what its order is made from, so none stands for another.
pub(crate) struct EpochNumber(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for EpochNumber {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let refused = || {
            PyValueError::new_err(format!(
                "an epoch is a number from 0 to 2**64 - 1, not {}",
                &*object
            ))
        };
        let number = match object.extract::<Number>() {
            Ok(number) => number.0,
            // It speaks of rows, batches and readers.
            Err(error) if error.is_instance_of::<PyValueError>(object.py()) => {
                return Err(refused());
            }
            Err(error) => return Err(error),
        };
        if object.ne(number)? {
            return Err(refused());
        }
        Ok(Self(number))
    }
}

/// What was asked for.
pub(crate) struct Asked {
    pub(crate) options: EpochOptions,
}

impl Asked {
    pub(crate) fn options(&self) -> EpochOptions {
        self.options.clone()
    }

    /// As keywords.
    pub(crate) fn dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let options = &self.options;
        let dict = PyDict::new(py);
        dict.set_item("batch_size", options.batch_size)?;
        dict.set_item("seed", options.seed)?;
        dict.set_item("shuffle", options.shuffle.name())?;
        dict.set_item("window", options.window)?;
        dict.set_item("rank", options.rank)?;
        dict.set_item("world_size", options.world_size)?;
        let tail = match options.tail {
            Tail::Drop => "drop",
            Tail::Pad => "pad",
        };
        dict.set_item("tail", tail)?;
        dict.set_item("prefetch", options.prefetch)?;
        dict.set_item("follow", options.follow)?;
        Ok(dict)
    }
}

/// What was asked for in words.
pub(crate) fn asked(
    py: Python<'_>,
    mut options: EpochOptions,
    seed: Option<&Bound<'_, PyAny>>,
    shuffle: Option<&str>,
    tail: &str,
) -> PyResult<Asked> {
    if let Some(seed) = seed {
        options.seed = seed_of(seed)?;
    }
    options.shuffle = match shuffle {
        Some(shuffle) => shuffle.parse().or_raise(py)?,
        None => Shuffle::Nothing,
    };
    options.tail = tail.parse().or_raise(py)?;
    options.within = beside;
    Ok(Asked { options })
}

fn seed_of(seed: &Bound<'_, PyAny>) -> PyResult<u64> {
    let refused = || {
        let text = seed.repr().map(|repr| repr.to_string());
        let text = text.unwrap_or_else(|_| "that".to_owned());
        PyValueError::new_err(format!("seed is a number from 0 to 2**64 - 1, not {text}"))
    };
    if seed.is_instance_of::<PyBool>() {
        return Err(PyTypeError::new_err("seed is a number, not bool"));
    }
    seed.extract().map_err(|_| refused())
}
