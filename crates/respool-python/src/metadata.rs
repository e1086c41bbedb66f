//! What its owner says of a log with a name: values that JSON can hold, each as its JSON text.

use pyo3::exceptions::{PyRecursionError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMapping, PyString};

/// The entries of what is to be a mapping.
///
/// # Errors
/// `TypeError` or `ValueError` where it is none, a name is no text, or a value would not come back from JSON as
/// it is.
pub(crate) fn entries_of(metadata: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<(String, Vec<u8>)>> {
    let Some(metadata) = metadata else {
        return Ok(Vec::new());
    };
    let py = metadata.py();
    let Ok(mapping) = metadata.cast::<PyMapping>() else {
        let kind = metadata.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "metadata is a dict with names that are text, not {kind}"
        )));
    };
    let json = py.import("json")?;
    let strictly = PyDict::new(py);
    strictly.set_item("allow_nan", false)?;
    let mut entries = Vec::new();
    for item in mapping.items()? {
        let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let name = name.cast::<PyString>().map(|name| name.to_str());
        let Ok(Ok(name)) = name else {
            return Err(PyTypeError::new_err(format!(
                "metadata is a dict with names that are text, not {}",
                item.get_item(0)?.repr()?
            )));
        };
        let name = name.to_owned();
        let refused = |why: String| {
            PyTypeError::new_err(format!(
                "metadata[{name:?}] can't be kept: {why}; give what JSON gives back as it is: None, bool, int, \
                 float, str, and lists and dicts (with text for names) of these"
            ))
        };
        let dumped = json.call_method("dumps", (&value,), Some(&strictly));
        let text = dumped.map_err(|error| refused(error.value(py).to_string()))?;
        if !json.call_method1("loads", (&text,))?.eq(&value)? {
            return Err(refused("it would come back as something else".to_owned()));
        }
        let text: String = text.extract()?;
        entries.push((name, text.into_bytes()));
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
            Err(error)
                if error.is_instance_of::<PyValueError>(py)
                    || error.is_instance_of::<PyRecursionError>(py) =>
            {
                metadata.set_item(name, bytes)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(metadata)
}
