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

mod arrow;
mod attach;
mod budget;
mod cache;
mod describe;
mod door;
mod epochs;
mod error;
mod events;
mod every_error;
mod exit;
mod feeding;
mod frames;
mod hold;
mod metadata;
mod named;
mod number;
mod open;
mod options;
mod origin;
mod path;
mod predicate;
mod progress;
mod pyarrow;
mod reader;
mod signals;
mod size;
mod source;
mod turns;
mod view;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The native module of respool. Import `respool` instead.
///
/// A free-threaded Python has its GIL back while this is loaded, and says so. Locks that attached threads hold for a
/// moment could be waited for by threads that the garbage collector wants to stop: nobody has tried that yet.
#[pyo3::pymodule(gil_used = true)]
mod _native {
    use pyo3::prelude::*;
    use pyo3::types::{PyCFunction, PyDict};

    #[pymodule_export]
    use crate::budget::PyBudget;
    #[pymodule_export]
    use crate::cache::PyCache;
    #[pymodule_export]
    use crate::door::{cache, fill};
    #[pymodule_export]
    use crate::epochs::PyEpochs;
    #[pymodule_export]
    use crate::every_error::every_error;
    #[pymodule_export]
    use crate::named::{bytes_of, check_options, check_place, remove_log};
    #[pymodule_export]
    use crate::open::{open, peek, resume};
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
        let threading = py.import("threading")?;
        let current = threading.call_method0("current_thread")?;
        if current.is(&threading.call_method0("main_thread")?) {
            crate::exit::this_is_main();
        }
        crate::attach::tell_of_the_end();
        let shut_down = wrap_pyfunction!(crate::exit::shut_down, module)?;
        py.import("atexit")?
            .call_method1("register", (shut_down,))?;
        // A child must not use the parent's caches: threads that hold their locks don't exist there.
        let os = py.import("os")?;
        if os.hasattr("register_at_fork")? {
            let hooks = PyDict::new(py);
            let forked = PyCFunction::new_closure(py, None, None, |_, _| {
                respool::fork::happened();
                crate::exit::forked();
            })?;
            hooks.set_item("after_in_child", forked)?;
            os.call_method("register_at_fork", (), Some(&hooks))?;
        }
        Ok(())
    }
}
