//! Numbers of rows as Python callers give them.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyAny;

use respool::counted;

use crate::arrow::import_array;

/// Numbers of a sequence or an array of them.
pub(crate) fn rows_of(indices: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let py = indices.py();
    let pyarrow = py.import("pyarrow")?;
    let given = pyarrow.call_method1("array", (indices,));
    let given = given.map_err(|error| match indices.get_type().name() {
        Ok(name) if error.is_instance_of::<PyTypeError>(py) => PyTypeError::new_err(format!(
            "rows are given as a list or an array of their numbers, as in take([3]), not as {name}"
        )),
        _ => error,
    })?;
    let kind = given.getattr("type")?;
    let whole = py.import("pyarrow.types")?.getattr("is_integer")?;
    // Of something empty nobody knows the type.
    if given.len()? > 0 && !whole.call1((&kind,))?.extract::<bool>()? {
        return Err(PyTypeError::new_err(format!(
            "rows are known by whole numbers, not by {kind}: of a mask, take numpy.flatnonzero(mask)"
        )));
    }
    let array = given.call_method1("cast", (pyarrow.call_method0("int64")?,))?;
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

pub(crate) fn no_row(row: u64, all: u64, is_whole: bool) -> PyErr {
    let rows = counted(all, "row", "rows");
    PyIndexError::new_err(if is_whole {
        format!("no row {row}: there are {rows}, numbered from 0")
    } else {
        format!("no row {row} yet: {rows} were read of a source that is followed")
    })
}
