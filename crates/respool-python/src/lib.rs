//! The Python seam of respool: convert, detach, call, convert back.
//!
//! Rules of this crate: whatever may wait (a lock, a file, the user's stream) runs detached; nothing
//! attaches while a lock is held; every class is frozen.
#![deny(unsafe_code)]
#![expect(
    clippy::doc_markdown,
    clippy::doc_link_with_quotes,
    reason = "most doc comments here are Python docstrings"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 hands arguments over by value"
)]

mod c_stream;
mod cache;
mod error;
mod frames;
mod predicate;
mod progress;
mod pyarrow;
mod reader;
mod shutdown;
mod signals;
mod size;
mod source;
mod view;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The native module of respool. Import `respool` instead.
#[pyo3::pymodule]
mod _native {
    use pyo3::prelude::*;
    use pyo3::types::{PyCFunction, PyDict};

    #[pymodule_export]
    use crate::cache::{PyCache, cache};
    #[pymodule_export]
    use crate::error::{CorruptLogError, DiskCapacityError, MemoryCapacityError};
    #[pymodule_export]
    use crate::predicate::{PyPredicate, PyTerm};
    #[pymodule_export]
    use crate::reader::PyReader;
    #[pymodule_export]
    use crate::view::PyView;

    /// The version, as in `Cargo.toml`.
    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name for it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        let shut_down = wrap_pyfunction!(crate::shutdown::shut_down, module)?;
        py.import("atexit")?
            .call_method1("register", (shut_down,))?;
        // A child must not use the parent's caches: threads that hold their locks don't exist there.
        let os = py.import("os")?;
        if os.hasattr("register_at_fork")? {
            let hooks = PyDict::new(py);
            let forked = PyCFunction::new_closure(py, None, None, |_, _| {
                respool::fork::happened();
                crate::shutdown::forked();
            })?;
            hooks.set_item("after_in_child", forked)?;
            os.call_method("register_at_fork", (), Some(&hooks))?;
        }
        Ok(())
    }
}
