//! Paths as Python callers give them.

use std::path::PathBuf;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::attach::inside;

/// A path argument: `str`, `bytes` or `os.PathLike`; `~` is somebody's home, as for the engines.
pub(crate) struct PathArgument(pub(crate) PathBuf);

impl<'py> FromPyObject<'_, 'py> for PathArgument {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        // An import may let go of the GIL.
        let _inside = inside()?;
        let os = object.py().import("os")?;
        let text = os.call_method1("fsdecode", (object,))?;
        let text = os.getattr("path")?.call_method1("expanduser", (text,))?;
        let path: PathBuf = text.extract()?;
        // Otherwise the first call of the system refuses it, as an error without a number.
        if path.as_os_str().as_encoded_bytes().contains(&0) {
            return Err(PyValueError::new_err("a path holds no null byte"));
        }
        if path.as_os_str().is_empty() {
            return Err(PyValueError::new_err(
                "a path is not empty: \".\" is the current directory",
            ));
        }
        Ok(Self(path))
    }
}
