//! Predicates for the translators of `respool.duckdb` and `respool.polars`. Not public.

use arrow_schema::{Field, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use respool::predicate::{Operator, Predicate, Scalar, Term, Transform};

use crate::arrow::{import_array, import_schema};
use crate::pyarrow::schema_to_pyarrow;

/// A column, a field below it, or a monotone function of one. Made by `view._term`.
#[pyclass(frozen, module = "respool._native", name = "Term")]
#[derive(Clone)]
pub(crate) struct PyTerm(pub(crate) Term);

#[pymethods]
impl PyTerm {
    /// The type of the values, dictionaries and runs decoded.
    #[getter]
    fn data_type<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let schema = Schema::new(vec![Field::new("value", self.0.data_type().clone(), true)]);
        schema_to_pyarrow(py, &schema)?
            .call_method1("field", (0,))?
            .getattr("type")
    }

    /// The term as the type of the schema's first field; None if that might not keep order or might fail.
    fn cast(&self, schema: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let schema = import_schema(schema)?;
        let field = schema
            .fields()
            .first()
            .ok_or_else(|| PyValueError::new_err("no field"))?;
        Ok(self.with(Transform::Cast(field.data_type().clone())))
    }

    /// The day of a date or a naive timestamp; None for other types.
    fn date(&self) -> Option<Self> {
        self.with(Transform::Date)
    }

    /// The calendar year of a date or a naive timestamp; None for other types.
    fn year(&self) -> Option<Self> {
        self.with(Transform::Year)
    }

    fn __repr__(&self) -> String {
        self.0.to_string()
    }
}

impl PyTerm {
    fn with(&self, transform: Transform) -> Option<Self> {
        self.0.clone().with(transform).map(Self)
    }
}

/// A condition on the rows of a view. Constants are Arrow arrays of the term's type.
#[pyclass(frozen, module = "respool._native", name = "Predicate")]
pub(crate) struct PyPredicate(pub(crate) Predicate);

#[pymethods]
impl PyPredicate {
    /// `term operator value`, with the value first in an array; a NULL gives NULL for every row.
    #[staticmethod]
    fn compare(term: &PyTerm, operator: &str, value: &Bound<'_, PyAny>) -> PyResult<Self> {
        let operator = match operator {
            "=" => Operator::Eq,
            "!=" => Operator::Ne,
            "<" => Operator::Lt,
            "<=" => Operator::Le,
            ">" => Operator::Gt,
            ">=" => Operator::Ge,
            other => return Err(PyValueError::new_err(format!("no comparison {other:?}"))),
        };
        let values = import_array(value)?;
        if values.len() == 1 && values.is_null(0) {
            return Ok(Self(Predicate::Const(None)));
        }
        Ok(Self(match Scalar::new(&values, 0) {
            Some(value) => Predicate::compare(term.0.clone(), operator, &value),
            None => Predicate::Unknown,
        }))
    }

    /// Membership in an array.
    #[staticmethod]
    fn is_in(term: &PyTerm, values: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self(Predicate::is_in(
            term.0.clone(),
            &import_array(values)?,
        )))
    }

    #[staticmethod]
    fn is_null(term: &PyTerm) -> Self {
        Self(Predicate::IsNull(term.0.clone()))
    }

    #[staticmethod]
    fn is_not_null(term: &PyTerm) -> Self {
        Self(Predicate::IsNotNull(term.0.clone()))
    }

    #[staticmethod]
    fn is_nan(term: &PyTerm) -> Self {
        Self(Predicate::IsNan(term.0.clone()))
    }

    #[staticmethod]
    fn starts_with(term: &PyTerm, prefix: Vec<u8>) -> Self {
        Self(Predicate::StartsWith {
            term: term.0.clone(),
            prefix,
        })
    }

    /// A boolean column by itself.
    #[staticmethod]
    fn boolean(term: &PyTerm) -> Self {
        Self(Predicate::Bool(term.0.clone()))
    }

    /// The same for every row; None is NULL.
    #[staticmethod]
    fn constant(answer: Option<bool>) -> Self {
        Self(Predicate::Const(answer))
    }

    /// What a translator did not know: may be true of some rows.
    #[staticmethod]
    fn unknown() -> Self {
        Self(Predicate::Unknown)
    }

    #[staticmethod]
    fn all_of(predicates: Vec<PyRef<'_, Self>>) -> Self {
        Self(Predicate::and(
            predicates.iter().map(|predicate| predicate.0.clone()),
        ))
    }

    #[staticmethod]
    fn any_of(predicates: Vec<PyRef<'_, Self>>) -> Self {
        Self(Predicate::or(
            predicates.iter().map(|predicate| predicate.0.clone()),
        ))
    }

    fn negate(&self) -> Self {
        Self(self.0.clone().negate())
    }

    /// Whether nothing in it is unknown.
    #[getter]
    fn is_exact(&self) -> bool {
        self.0.is_exact()
    }

    fn __repr__(&self) -> String {
        self.0.to_string()
    }
}
