//! Random predicates, and an interpreter that decides them one row at a time.
//!
//! Long because each kind of predicate is in three lists: what it is, what it answers, how it is built.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use respool::predicate::{Operator, Predicate, Scalar, Term, Transform};

use super::values::{self, Column, Random, Value, array_of, compare, ticks_per_day};

/// What one leaf of a tree is about.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    column: usize,
    path: Vec<usize>,
    transforms: Vec<Transform>,
    stored: DataType,
    /// After the transforms.
    data_type: DataType,
}

/// A predicate as the interpreter knows it.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
    Compare(Subject, Operator, Value),
    In(Subject, Vec<Option<Value>>),
    IsNull(Subject),
    IsNotNull(Subject),
    IsNan(Subject),
    StartsWith(Subject, Vec<u8>),
    Bool(Subject),
    Const(Option<bool>),
    Unknown,
}

/// A transform met a value that it does not take: the pair says nothing.
#[derive(Debug)]
pub(crate) struct OutOfRange;

const OPERATORS: [Operator; 6] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Lt,
    Operator::Le,
    Operator::Gt,
    Operator::Ge,
];

/// The year by walking there, year by year.
fn year_of(mut days: i128) -> Result<i128, OutOfRange> {
    if days.abs() > 400_000 {
        return Err(OutOfRange);
    }
    let length = |year: i128| {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        if leap { 366 } else { 365 }
    };
    let mut year = 1970;
    while days < 0 {
        year -= 1;
        days += length(year);
    }
    while days >= length(year) {
        days -= length(year);
        year += 1;
    }
    Ok(year)
}

#[expect(clippy::cast_precision_loss, reason = "casts are what is imitated")]
fn transformed(value: &Value, from: &DataType, transform: &Transform) -> Result<Value, OutOfRange> {
    let integer = || {
        if let Value::Integer(value) = value {
            value.to_i128().unwrap()
        } else {
            panic!("{value:?}")
        }
    };
    let days = || integer().div_euclid(ticks_per_day(from));
    let fits = |value: i128| i64::try_from(value).map(i128::from).map_err(|_| OutOfRange);
    Ok(match transform {
        Transform::Date => Value::int(i128::from(i32::try_from(days()).map_err(|_| OutOfRange)?)),
        Transform::Year => Value::int(year_of(days())?),
        Transform::Cast(to) => match (from, to) {
            (DataType::Decimal128(_, scale), DataType::Float64) => {
                Value::Float(format!("{}e{}", integer(), -scale).parse().unwrap())
            }
            (from, DataType::Float64) if from.is_integer() => Value::Float(integer() as f64),
            (from, DataType::Float32) if from.is_integer() => {
                Value::Float(f64::from(integer() as f32))
            }
            (DataType::Date32, to) if to.is_temporal() => {
                Value::int(fits(integer() * ticks_per_day(to))?)
            }
            _ => value.clone(),
        },
    })
}

impl Subject {
    fn value(&self, columns: &[Column], row: usize) -> Result<Option<Value>, OutOfRange> {
        let Some(mut value) = columns[self.column].value(&self.path, row) else {
            return Ok(None);
        };
        let mut from = self.stored.clone();
        for transform in &self.transforms {
            value = transformed(&value, &from, transform)?;
            from = match transform {
                Transform::Cast(to) => to.clone(),
                Transform::Date => DataType::Date32,
                Transform::Year => DataType::Int32,
            };
        }
        Ok(Some(value))
    }

    fn term(&self, schema: &Schema) -> Term {
        let mut term = Term::new(schema, self.column, &self.path).unwrap();
        for transform in &self.transforms {
            term = term.with(transform.clone()).unwrap();
        }
        assert_eq!(term.data_type(), &self.data_type);
        term
    }
}

impl Tree {
    /// SQL's three-valued logic for one row.
    pub(crate) fn answer(
        &self,
        columns: &[Column],
        row: usize,
    ) -> Result<Option<bool>, OutOfRange> {
        Ok(match self {
            Self::And(inner) => {
                let answers = inner
                    .iter()
                    .map(|tree| tree.answer(columns, row))
                    .collect::<Result<Vec<_>, _>>()?;
                if answers.contains(&Some(false)) {
                    Some(false)
                } else if answers.contains(&None) {
                    None
                } else {
                    Some(true)
                }
            }
            Self::Or(inner) => {
                let answers = inner
                    .iter()
                    .map(|tree| tree.answer(columns, row))
                    .collect::<Result<Vec<_>, _>>()?;
                if answers.contains(&Some(true)) {
                    Some(true)
                } else if answers.contains(&None) {
                    None
                } else {
                    Some(false)
                }
            }
            Self::Not(inner) => inner.answer(columns, row)?.map(|answer| !answer),
            Self::Compare(subject, operator, constant) => {
                subject.value(columns, row)?.map(|value| {
                    let ordering = compare(&value, constant);
                    match operator {
                        Operator::Eq => ordering.is_eq(),
                        Operator::Ne => ordering.is_ne(),
                        Operator::Lt => ordering.is_lt(),
                        Operator::Le => ordering.is_le(),
                        Operator::Gt => ordering.is_gt(),
                        Operator::Ge => ordering.is_ge(),
                    }
                })
            }
            Self::In(subject, list) => match subject.value(columns, row)? {
                None => None,
                Some(value) => {
                    if list
                        .iter()
                        .flatten()
                        .any(|other| compare(&value, other).is_eq())
                    {
                        Some(true)
                    } else if list.contains(&None) {
                        None
                    } else {
                        Some(false)
                    }
                }
            },
            Self::IsNull(subject) => {
                Some(columns[subject.column].value(&subject.path, row).is_none())
            }
            Self::IsNotNull(subject) => {
                Some(columns[subject.column].value(&subject.path, row).is_some())
            }
            Self::IsNan(subject) => subject
                .value(columns, row)?
                .map(|value| matches!(value, Value::Float(float) if float.is_nan())),
            Self::StartsWith(subject, prefix) => subject
                .value(columns, row)?
                .map(|value| matches!(value, Value::Bytes(bytes) if bytes.starts_with(prefix))),
            Self::Bool(subject) => subject
                .value(columns, row)?
                .map(|value| compare(&value, &Value::int(1)).is_eq()),
            Self::Const(answer) => *answer,
            Self::Unknown => return Err(OutOfRange),
        })
    }

    pub(crate) fn is_exact(&self) -> bool {
        match self {
            Self::And(inner) | Self::Or(inner) => inner.iter().all(Self::is_exact),
            Self::Not(inner) => inner.is_exact(),
            Self::Unknown => false,
            _ => true,
        }
    }

    pub(crate) fn predicate(&self, schema: &Schema) -> Predicate {
        match self {
            Self::And(inner) => {
                Predicate::And(inner.iter().map(|tree| tree.predicate(schema)).collect())
            }
            Self::Or(inner) => Predicate::or(inner.iter().map(|tree| tree.predicate(schema))),
            Self::Not(inner) => Predicate::Not(Box::new(inner.predicate(schema))),
            Self::Compare(subject, operator, value) => {
                let array = array_of(&subject.data_type, &[Some(value.clone())]);
                let value = Scalar::new(array.as_ref(), 0).unwrap();
                let predicate = Predicate::compare(subject.term(schema), *operator, &value);
                assert_ne!(predicate, Predicate::Unknown);
                predicate
            }
            Self::In(subject, list) => {
                let predicate = Predicate::is_in(
                    subject.term(schema),
                    array_of(&subject.data_type, list).as_ref(),
                );
                assert_ne!(predicate, Predicate::Unknown);
                predicate
            }
            Self::IsNull(subject) => Predicate::IsNull(subject.term(schema)),
            Self::IsNotNull(subject) => Predicate::IsNotNull(subject.term(schema)),
            Self::IsNan(subject) => Predicate::IsNan(subject.term(schema)),
            Self::StartsWith(subject, prefix) => Predicate::StartsWith {
                term: subject.term(schema),
                prefix: prefix.clone(),
            },
            Self::Bool(subject) => Predicate::Bool(subject.term(schema)),
            Self::Const(answer) => Predicate::Const(*answer),
            Self::Unknown => Predicate::Unknown,
        }
    }
}

/// Some transforms that fit the type, often none.
fn transforms_for(random: &mut Random, stored: &DataType) -> (Vec<Transform>, DataType) {
    use DataType::{Date32, Float32, Float64, Int16, Int32, Int64, Timestamp};
    let cast = |to: DataType| (vec![Transform::Cast(to.clone())], to);
    if random.chance(60) {
        return (Vec::new(), stored.clone());
    }
    match stored {
        DataType::Int8 if random.chance(50) => {
            (vec![Transform::Cast(Int16), Transform::Cast(Int64)], Int64)
        }
        DataType::UInt8 | DataType::UInt16 => cast(Int32),
        Int32 | DataType::UInt32 if random.chance(50) => cast(Int64),
        integer if integer.is_integer() => cast(random.pick(&[Float64, Float32]).clone()),
        DataType::Float16 | Float32 | DataType::Decimal128(..) => cast(Float64),
        Date32 if random.chance(40) => cast(Timestamp(*random.pick(&values::UNITS), None)),
        Date32 | DataType::Date64 | Timestamp(_, None) => match random.below(3) {
            0 => (vec![Transform::Date], Date32),
            1 => (vec![Transform::Date, Transform::Year], Int32),
            _ => (vec![Transform::Year], Int32),
        },
        DataType::Utf8 => cast(DataType::Utf8View),
        DataType::FixedSizeBinary(_) => cast(DataType::Binary),
        other => (Vec::new(), other.clone()),
    }
}

fn leaf(random: &mut Random, columns: &[Column]) -> Tree {
    let column = random.below(columns.len());
    let (path, stored) = columns[column].any_leaf(random);
    let plain = Subject {
        column,
        path,
        transforms: Vec::new(),
        data_type: stored.clone(),
        stored: stored.clone(),
    };
    if !values::is_leaf(&stored) {
        return if random.chance(50) {
            Tree::IsNull(plain)
        } else {
            Tree::IsNotNull(plain)
        };
    }
    let (transforms, data_type) = transforms_for(random, &stored);
    let subject = Subject {
        transforms,
        data_type,
        ..plain.clone()
    };
    let rows = columns[column].len();
    // Constants near the values of the batch: elsewhere every proof is easy.
    let constant = |random: &mut Random| {
        let near = if rows > 0 && random.chance(65) {
            let row = random.below(rows);
            subject
                .value(columns, row)
                .ok()
                .flatten()
                .filter(|value| value.fits(&subject.data_type))
        } else {
            None
        };
        near.unwrap_or_else(|| random.value(&subject.data_type))
    };
    match random.below(20) {
        0 => Tree::IsNull(plain),
        1 => Tree::IsNotNull(plain),
        2 => Tree::IsNan(subject),
        3..=6 => {
            let count = if random.chance(20) {
                20 + random.below(30)
            } else {
                random.below(4)
            };
            let mut list: Vec<_> = (0..count).map(|_| Some(constant(random))).collect();
            if random.chance(20) {
                list.push(None);
            }
            Tree::In(subject, list)
        }
        7..=8 if matches!(random.value(&subject.data_type), Value::Bytes(_)) => {
            let Value::Bytes(mut prefix) = constant(random) else {
                panic!("{subject:?}")
            };
            prefix.truncate(random.below(prefix.len() + 1));
            Tree::StartsWith(subject, prefix)
        }
        7..=12 if stored == DataType::Boolean => Tree::Bool(plain),
        19 if random.chance(20) => random
            .pick(&[
                Tree::Const(None),
                Tree::Const(Some(true)),
                Tree::Const(Some(false)),
                Tree::Unknown,
            ])
            .clone(),
        _ => {
            let value = constant(random);
            Tree::Compare(subject, *random.pick(&OPERATORS), value)
        }
    }
}

/// A tree of at most that depth.
pub(crate) fn tree(random: &mut Random, columns: &[Column], depth: usize) -> Tree {
    if depth == 0 || random.chance(35) {
        return leaf(random, columns);
    }
    let inner = |random: &mut Random| {
        (0..random.below(3) + usize::from(random.chance(90)))
            .map(|_| tree(random, columns, depth - 1))
            .collect()
    };
    match random.below(5) {
        0 | 1 => Tree::And(inner(random)),
        2 | 3 => Tree::Or(inner(random)),
        _ => Tree::Not(Box::new(tree(random, columns, depth - 1))),
    }
}

pub(crate) fn batch_of(columns: &[Column]) -> RecordBatch {
    let fields: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(i, c)| Field::new(format!("c{i}"), c.array().data_type().clone(), true))
        .collect();
    let arrays = columns
        .iter()
        .map(|column| ArrayRef::clone(column.array()))
        .collect();
    let rows = columns.first().map_or(0, Column::len);
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap()
}
