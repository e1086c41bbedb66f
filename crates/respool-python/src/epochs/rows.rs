//! Numbers of rows as Python callers give them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict};

use crate::arrow::import_array;

/// Numbers of a sequence or an array of them.
pub(crate) fn rows_of(indices: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let py = indices.py();
    let pyarrow = py.import("pyarrow")?;
    let options = PyDict::new(py);
    options.set_item("type", pyarrow.call_method0("int64")?)?;
    let array = pyarrow.call_method("array", (indices,), Some(&options))?;
    let array = import_array(&array)?;
    let Some(numbers) = array.as_primitive_opt::<Int64Type>() else {
        return Err(PyValueError::new_err("a row is known by its number"));
    };
    if numbers.null_count() > 0 {
        return Err(PyValueError::new_err(
            "a row is known by its number, and there are nulls",
        ));
    }
    let rows = numbers.values().iter().map(|row| {
        u64::try_from(*row)
            .map_err(|_| PyIndexError::new_err(format!("no row {row}: rows are numbered from 0")))
    });
    rows.collect()
}

pub(crate) fn no_row(row: u64) -> PyErr {
    PyIndexError::new_err(format!("no row {row}: there are not so many"))
}
