//! Schemas on their way in.
#![expect(unsafe_code, reason = "a schema of C is a pointer")]

use std::panic::catch_unwind;
use std::sync::Arc;

use arrow_array::ffi::FFI_ArrowSchema;
use arrow_schema::{Schema, SchemaRef};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use super::capsule::{SCHEMA, pointer};

/// The schema behind `object.__arrow_c_schema__()`.
pub(crate) fn import_schema(object: &Bound<'_, PyAny>) -> PyResult<SchemaRef> {
    if !object.hasattr("__arrow_c_schema__")? {
        return Err(PyTypeError::new_err(format!(
            "a schema is a pyarrow.Schema or another object with __arrow_c_schema__, not {}",
            object.get_type().name()?
        )));
    }
    schema_in(&object.call_method0("__arrow_c_schema__")?)
}

/// The schema in a capsule; the capsule keeps it.
pub(crate) fn schema_in(capsule: &Bound<'_, PyAny>) -> PyResult<SchemaRef> {
    let pointer = pointer(capsule, SCHEMA)?.cast::<FFI_ArrowSchema>();
    // SAFETY: invariant 1; the capsule outlives this borrow.
    let schema = unsafe { &*pointer };
    read_schema(schema)
        .map(Arc::new)
        .map_err(PyValueError::new_err)
}

/// Reads a schema; what is wrong with it is told by the name of the column.
pub(super) fn read_schema(schema: &FFI_ArrowSchema) -> Result<Schema, String> {
    let read = catch_unwind(|| Schema::try_from(schema));
    match read {
        Ok(Ok(schema)) => Ok(schema),
        Ok(Err(_)) if is_column(schema) => Err(
            "this is one column, not a batch of columns: wrap it, as in \
             pyarrow.table({\"name\": column})"
                .to_owned(),
        ),
        Ok(Err(error)) => Err(private_format(schema, "")
            .unwrap_or_else(|| format!("cannot read an Arrow schema: {error}"))),
        Err(_) => Err("this Arrow schema can't be read".to_owned()),
    }
}

/// Whether this is the schema of something else than a struct of columns.
fn is_column(schema: &FFI_ArrowSchema) -> bool {
    schema.format() != "+s" && !schema.format().starts_with("_pl")
}

/// Says what to do about a column of a type that Arrow does not have and Polars gives a format of its own.
fn private_format(schema: &FFI_ArrowSchema, path: &str) -> Option<String> {
    let name = |schema: &FFI_ArrowSchema| {
        let name = schema.name().unwrap_or_default();
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    };
    match schema.format() {
        format @ ("_pli128" | "_plu128") => {
            let kind = if format == "_pli128" {
                "Int128"
            } else {
                "UInt128"
            };
            let name = name(schema);
            Some(format!(
                "column {name:?} is a Polars {kind}, which is no Arrow type: cast it before, as in \
                 frame.with_columns(pl.col({name:?}).cast(pl.Decimal(38, 0))), or to pl.Int64 or \
                 pl.String"
            ))
        }
        format if format.starts_with("_pl") => Some(format!(
            "column {:?} has the type {format:?}, which is Polars' own and no Arrow type: cast it to \
             another before",
            name(schema)
        )),
        _ => {
            let path = name(schema);
            schema
                .children()
                .find_map(|child| private_format(child, &path))
        }
    }
}
