//! The memory of a step, for NumPy to make arrays of.

use arrow_buffer::MutableBuffer;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// Memory that nobody else has and nobody here looks at again, so whoever has it may write to it.
#[pyclass(frozen, module = "respool._native", name = "Memory")]
pub(crate) struct PyMemory {
    /// Held, so that it stays where it is.
    memory: MutableBuffer,
    address: usize,
}

impl PyMemory {
    pub(crate) fn new(mut memory: MutableBuffer) -> Self {
        let address = memory.as_mut_ptr() as usize;
        Self { memory, address }
    }
}

#[pymethods]
impl PyMemory {
    /// Bytes that can be written to, by the array interface of NumPy.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("typestr", "|u1")?;
        interface.set_item("shape", PyTuple::new(py, [self.memory.len()])?)?;
        interface.set_item("data", (self.address, false))?;
        Ok(interface)
    }
}
