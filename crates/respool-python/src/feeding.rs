//! How a cache is fed, from the arguments of Python: how far ahead, and in batches of how many rows.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyString;
use respool::{Distance, Options, ReadAhead};

use crate::attach::read_ahead;
use crate::error::OrRaise;
use crate::number::Number;
use crate::size::SizeArgument;

/// What is said of it in one call.
#[derive(Default)]
pub(crate) struct Feeding {
    pub(crate) prefetch: Option<Prefetch>,
    pub(crate) batch_rows: Option<BatchRows>,
    pub(crate) coalesce_rows: Option<Number>,
}

impl Feeding {
    /// # Errors
    /// `ValueError` where numbers make no sense.
    pub(crate) fn add_to(&self, py: Python<'_>, mut options: Options) -> PyResult<Options> {
        if let Some(Number(rows)) = &self.coalesce_rows {
            if self.batch_rows.is_some() {
                return Err(PyValueError::new_err(
                    "coalesce_rows=n is batch_rows=(n, None) that waits for the source: give one of them",
                ));
            }
            if *rows == 0 {
                return Err(PyValueError::new_err("coalesce_rows is at least 1"));
            }
            options = options.with_coalesce_rows(count(*rows));
        }
        if let Some(BatchRows { least, most }) = &self.batch_rows {
            options = options.with_batch_rows(*least, *most).or_raise(py)?;
        }
        if let Some(Prefetch(distance)) = self.prefetch {
            options = options.with_read_ahead(ReadAhead::new(distance).within(read_ahead));
        }
        Ok(options)
    }
}

/// More than there can ever be is as good as all.
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The `prefetch` argument of [`cache`](crate::door::cache) and its like.
pub(crate) struct Prefetch(Distance);

/// Fewer bytes are nobody's: who writes 4 means 4 batches.
const FEW: u64 = 4096;

impl<'py> FromPyObject<'_, 'py> for Prefetch {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = object.cast::<PyString>() {
            let text = text.to_cow()?;
            let number = text.trim_end().strip_suffix("batches");
            let number = number.or_else(|| text.trim_end().strip_suffix("batch"));
            if let Some(number) = number {
                return match number.trim().replace('_', "").parse() {
                    Ok(batches) if batches > 0 => Ok(Self(Distance::Batches(batches))),
                    _ => Err(PyValueError::new_err(format!(
                        "prefetch is a whole number of batches from 1 on, as in \"4 batches\", not {text:?}"
                    ))),
                };
            }
        }
        let bytes = SizeArgument::extract(object)?.of_memory();
        if bytes < FEW {
            return Err(PyValueError::new_err(format!(
                "prefetch={} would be {bytes} bytes, less than any batch: write a size such as \"64 MiB\", or a number \
                 of batches as \"4 batches\"",
                object.repr()?
            )));
        }
        Ok(Self(Distance::Bytes(bytes)))
    }
}

/// The `batch_rows` argument.
pub(crate) struct BatchRows {
    least: usize,
    most: usize,
}

impl<'py> FromPyObject<'_, 'py> for BatchRows {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let pair: Vec<Bound<'py, PyAny>> = object.extract().unwrap_or_default();
        let [least, most] = &pair[..] else {
            return Err(PyTypeError::new_err(format!(
                "batch_rows is (least, most), two numbers of rows, of which one may be None, not {}",
                object.repr()?
            )));
        };
        let least: Option<Number> = least.extract()?;
        let most: Option<Number> = most.extract()?;
        Ok(Self {
            least: least.map_or(0, |Number(rows)| count(rows)),
            most: most.map_or(usize::MAX, |Number(rows)| count(rows)),
        })
    }
}
