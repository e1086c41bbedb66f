//! Numbers of rows, batches and readers as Python callers give them.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt};

/// A number of something: not negative, and as large as one likes.
pub(crate) struct Number(pub(crate) u64);

impl<'py> FromPyObject<'_, 'py> for Number {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if !object.is_instance_of::<PyInt>() || object.is_instance_of::<PyBool>() {
            let Some(index) = standing_for(object) else {
                return Err(PyTypeError::new_err(format!(
                    "a number is wanted, not {}",
                    object.get_type().name()?
                )));
            };
            return Self::extract(index.as_borrowed());
        }
        if object.lt(0)? {
            return Err(PyValueError::new_err(format!(
                "a number of rows, batches or readers is not negative: {}",
                &*object
            )));
        }
        // More than there can ever be is as good as all.
        Ok(Self(object.extract().unwrap_or(u64::MAX)))
    }
}

/// The number that something else stands for, as one of NumPy's does; truth values stand for none.
pub(crate) fn standing_for<'py>(object: Borrowed<'_, 'py, PyAny>) -> Option<Bound<'py, PyAny>> {
    let index = object.call_method0("__index__").ok()?;
    (!object.is_instance_of::<PyBool>()).then_some(index)
}
