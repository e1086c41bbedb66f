//! Numbers of rows as Python callers give them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyAny;

use crate::arrow::import_array;

/// Numbers of a sequence or an array of them.
pub(crate) fn rows_of(indices: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let py = indices.py();
    let pyarrow = py.import("pyarrow")?;
    let int64 = pyarrow.call_method0("int64")?;
    let mut array = pyarrow.call_method1("array", (indices,))?;
    let kind = array.getattr("type")?;
    let types = pyarrow.getattr("types")?;
    let is_empty = array.len()? == 0;
    // pyarrow makes whole numbers of others, and says nothing.
    let is_number = types.call_method1("is_integer", (&kind,))?.is_truthy()?;
    if !is_number && !is_empty && !types.call_method1("is_null", (&kind,))?.is_truthy()? {
        return Err(PyTypeError::new_err(format!(
            "a row is known by its number, an integer, not {kind}"
        )));
    }
    if is_empty {
        return Ok(Vec::new());
    }
    array = array.call_method1("cast", (int64,))?;
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
