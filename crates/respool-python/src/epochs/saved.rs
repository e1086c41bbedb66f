//! A place in an epoch as a dict, and back.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict};
use respool::epochs::{Shuffle, State};

use crate::error::OrRaise;
use crate::view::PyView;

/// The form of the dict. What a later version adds, it adds under another number.
const VERSION: u64 = 1;

/// What a pickle holds: the view, how it is read, and the place.
pub(crate) type Reduced<'py> = (Bound<'py, PyView>, Bound<'py, PyDict>, Bound<'py, PyDict>);

/// Numbers of 64 bits that mean nothing by themselves are text: not every reader of JSON has them.
pub(crate) fn dict_of<'py>(py: Python<'py>, state: &State) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("version", VERSION)?;
    dict.set_item(
        "identity",
        format!("{:032x}", u128::from_be_bytes(state.identity)),
    )?;
    let layout = state.layout.map(|layout| format!("{layout:016x}"));
    dict.set_item("layout", layout)?;
    dict.set_item("seed", state.seed)?;
    dict.set_item("epoch", state.epoch)?;
    dict.set_item("rows_done", state.rows_done)?;
    dict.set_item("batch_size", state.batch_size)?;
    dict.set_item("shuffle", state.shuffle.name())?;
    dict.set_item("window", state.window)?;
    dict.set_item("follow", state.follow)?;
    Ok(dict)
}

/// # Errors
/// `ValueError` where it is no such dict, or of a version that this one does not know.
pub(crate) fn state_of(state: &Bound<'_, PyAny>) -> PyResult<State> {
    let Ok(dict) = state.cast::<PyDict>() else {
        return Err(PyTypeError::new_err(format!(
            "a state is the dict that state_dict() gave, not {}",
            state.get_type().name()?
        )));
    };
    // That of a worker has an entry more, and the beginning of an epoch as its place: see `respool.torch`.
    if dict.contains("worker")? {
        return Err(PyValueError::new_err(
            "this state is that of a worker, which knows no place in the epoch: load it into an EpochDataset, by the \
             StatefulDataLoader that saved it",
        ));
    }
    let version: u64 = entry(dict, "version")?;
    if version != VERSION {
        return Err(PyValueError::new_err(format!(
            "this state is of version {version}, which this respool does not know: it knows {VERSION}"
        )));
    }
    let identity: String = entry(dict, "identity")?;
    let identity = u128::from_str_radix(&identity, 16);
    let layout: Option<String> = entry(dict, "layout")?;
    let layout = layout.map(|layout| u64::from_str_radix(&layout, 16));
    let shuffle: Option<String> = entry(dict, "shuffle")?;
    Ok(State {
        identity: identity.map_err(|_| damaged("identity"))?.to_be_bytes(),
        layout: layout.transpose().map_err(|_| damaged("layout"))?,
        seed: entry(dict, "seed")?,
        epoch: entry(dict, "epoch")?,
        rows_done: entry(dict, "rows_done")?,
        batch_size: entry(dict, "batch_size")?,
        shuffle: match shuffle {
            Some(shuffle) => shuffle.parse().or_raise(dict.py())?,
            None => Shuffle::Nothing,
        },
        window: entry(dict, "window")?,
        follow: entry(dict, "follow")?,
    })
}

fn entry<'py, T>(dict: &Bound<'py, PyDict>, name: &str) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py>,
{
    let value = dict.get_item(name)?.ok_or_else(|| damaged(name))?;
    value.extract::<T>().map_err(|_| damaged(name))
}

fn damaged(name: &str) -> PyErr {
    PyValueError::new_err(format!(
        "this is no state of epochs: its {name:?} is missing, or nothing that could be one"
    ))
}
