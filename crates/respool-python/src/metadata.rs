//! What its owner says of a log with a name: values that JSON can hold, each as its JSON text.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};

/// The entries of what is to be a dict.
///
/// # Errors
/// `TypeError` or `ValueError` where it is none, a name is no text, or JSON can't hold a value.
pub(crate) fn entries_of(metadata: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(String, Vec<u8>)>> {
    let Some(metadata) = metadata else {
        return Ok(Vec::new());
    };
    let refused = |what: String| {
        PyTypeError::new_err(format!(
            "metadata is a dict with names that are text, not {what}"
        ))
    };
    let Ok(metadata) = metadata.cast::<PyDict>() else {
        return Err(refused(metadata.get_type().name()?.to_string()));
    };
    let dumps = metadata.py().import("json")?.getattr("dumps")?;
    let mut entries = Vec::new();
    for (name, value) in metadata {
        let Ok(name) = name.cast::<PyString>() else {
            return Err(refused(name.repr()?.to_string()));
        };
        let text: String = dumps.call1((value,))?.extract()?;
        entries.push((name.to_str()?.to_owned(), text.into_bytes()));
    }
    Ok(entries)
}

/// The dict of some entries; what is no JSON, as another program may have written, stays bytes.
pub(crate) fn dict_of<'py>(
    py: Python<'py>,
    entries: &[(String, Vec<u8>)],
) -> PyResult<Bound<'py, PyDict>> {
    let loads = py.import("json")?.getattr("loads")?;
    let metadata = PyDict::new(py);
    for (name, value) in entries {
        let bytes = PyBytes::new(py, value);
        match loads.call1((&bytes,)) {
            Ok(value) => metadata.set_item(name, value)?,
            Err(_) => metadata.set_item(name, bytes)?,
        }
    }
    Ok(metadata)
}
