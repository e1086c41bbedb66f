//! Proofs and applied predicates against an interpreter that looks at one row at a time.
//!
//! Random batches of every comparable type (with NaN, infinities, both zeros, nulls, extremes, dictionaries that hold
//! nulls, runs, structs with null parents, all of them sliced) meet random predicates. No proof may contradict the
//! rows, and applying must answer every row as the interpreter does. The interpreter, the values and the trees here
//! share nothing with the crate but its constructors, which is why this file is long.
//!
//! `RESPOOL_PREDICATE_CASES` sets the number of (predicate, batch) pairs, `RESPOOL_PREDICATE_SEED` the first seed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "predicate/values.rs"]
mod values;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use respool::predicate::{
    Operator, Predicate, Scalar, ScalarList, Term, Transform, Verdict, filter,
};
use respool::zones::{BatchZones, ZoneMaps};
use values::{Column, Random, Value, array_of, compare};

/// What one leaf of a tree is about.
#[derive(Clone, Debug)]
struct Subject {
    column: usize,
    path: Vec<usize>,
    transforms: Vec<Transform>,
    stored: DataType,
    /// After the transforms.
    data_type: DataType,
}

/// A predicate as the interpreter knows it.
#[derive(Clone, Debug)]
enum Tree {
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
struct OutOfRange;

const OPERATORS: [Operator; 6] = [
    Operator::Eq,
    Operator::Ne,
    Operator::Lt,
    Operator::Le,
    Operator::Gt,
    Operator::Ge,
];

fn ticks_per_day(data_type: &DataType) -> i128 {
    match data_type {
        DataType::Date32 => 1,
        DataType::Timestamp(TimeUnit::Second, _) => 86_400,
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => 86_400_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 86_400_000_000,
        _ => 86_400_000_000_000,
    }
}

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
    fn answer(&self, columns: &[Column], row: usize) -> Result<Option<bool>, OutOfRange> {
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

    fn is_exact(&self) -> bool {
        match self {
            Self::And(inner) | Self::Or(inner) => inner.iter().all(Self::is_exact),
            Self::Not(inner) => inner.is_exact(),
            Self::Unknown => false,
            _ => true,
        }
    }

    fn predicate(&self, schema: &Schema) -> Predicate {
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

fn tree(random: &mut Random, columns: &[Column], depth: usize) -> Tree {
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

fn batch_of(columns: &[Column]) -> RecordBatch {
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

#[derive(Debug, Default)]
struct Tally {
    pairs: usize,
    out_of_range: usize,
    prunable: usize,
    proven: usize,
    simple_prunable: usize,
    simple_proven: usize,
}

fn check(seed: u64, pairs: usize, tally: &mut Tally) {
    let mut random = Random::new(seed);
    let rows = if random.chance(5) {
        0
    } else {
        1 + random.below(40)
    };
    let count = 1 + random.below(4);
    let columns: Vec<Column> = (0..count)
        .map(|_| Column::random(&mut random, rows))
        .collect();
    let batch = batch_of(&columns);
    let schema = batch.schema();
    let maps = ZoneMaps::new();
    for _ in 0..pairs {
        let depth = random.below(5);
        let tree = tree(&mut random, &columns, depth);
        let predicate = tree.predicate(&schema);
        let context = || format!("seed {seed}: {predicate}\n{tree:?}\n{batch:?}");
        assert_eq!(predicate.is_exact(), tree.is_exact());
        assert_eq!(
            predicate.supports(&schema),
            tree.is_exact(),
            "{}",
            context()
        );

        let verdict = predicate.prove(&BatchZones::of(&batch, predicate.terms()));
        let load = |_batch: usize, column: usize| {
            Ok::<_, ArrowError>(ArrayRef::clone(batch.column(column)))
        };
        let stored = predicate.prove_stored(&maps, 3..4, &load).unwrap();
        // Of an empty batch everything holds, so the two may say different things.
        assert!(
            rows == 0 || stored == [verdict],
            "{stored:?} {verdict:?} {}",
            context()
        );

        tally.pairs += 1;
        let answers: Result<Vec<_>, _> = (0..rows).map(|row| tree.answer(&columns, row)).collect();
        let Ok(answers) = answers else {
            // What a proof may still say: something that holds for the rows that can be decided.
            assert!(tree.is_exact() || predicate.apply(&batch).is_ok() || rows > 0);
            tally.out_of_range += 1;
            continue;
        };
        let passing = answers
            .iter()
            .filter(|answer| **answer == Some(true))
            .count();
        match verdict {
            Verdict::All => assert_eq!(passing, rows, "{}", context()),
            Verdict::None => assert_eq!(passing, 0, "{}", context()),
            Verdict::Some => {}
        }
        if rows > 0 && (passing == 0 || passing == rows) {
            tally.prunable += 1;
            tally.proven += usize::from(verdict != Verdict::Some);
            if depth == 0 {
                tally.simple_prunable += 1;
                tally.simple_proven += usize::from(verdict != Verdict::Some);
            }
        }
        if !tree.is_exact() {
            continue;
        }
        let mask = predicate
            .apply(&batch)
            .unwrap_or_else(|error| panic!("{error}: {}", context()));
        let applied: Vec<Option<bool>> = mask.iter().collect();
        assert_eq!(applied, answers, "{}", context());
        let kept = filter(&batch, &mask).unwrap();
        assert_eq!(kept.num_rows(), passing, "{}", context());
        let expected: Vec<usize> = (0..rows)
            .filter(|&row| answers[row] == Some(true))
            .collect();
        if random.chance(5) {
            for (kept, column) in kept.columns().iter().zip(batch.columns()) {
                for (to, &from) in expected.iter().enumerate() {
                    assert_eq!(kept.slice(to, 1).as_ref(), column.slice(from, 1).as_ref());
                }
            }
        }
    }
}

#[test]
fn proofs_and_answers_agree_with_the_rows() {
    let setting = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().unwrap())
    };
    let cases = setting("RESPOOL_PREDICATE_CASES", 20_000);
    let first = setting("RESPOOL_PREDICATE_SEED", 1);
    let per_batch = 20;
    let mut tally = Tally::default();
    for batch in 0..cases.div_ceil(per_batch) {
        check(first * 1_000_000_007 + batch, 20, &mut tally);
    }
    println!("{tally:?}");
    assert!(tally.pairs >= 1 && tally.prunable > 0, "nothing was tried");
    assert!(
        tally.out_of_range * 5 < tally.pairs,
        "too many pairs say nothing: {tally:?}"
    );
    assert!(
        tally.proven * 4 >= tally.prunable * 3,
        "too few proofs: {tally:?}"
    );
}

#[test]
fn lists_know_their_nulls_and_repetitions() {
    let values = arrow_array::Int32Array::from(vec![Some(3), None, Some(1), Some(3)]);
    let list = ScalarList::new(&values).unwrap();
    assert_eq!((list.len(), list.has_null()), (2, true));
    assert_eq!(list.to_string(), "(1, 3, NULL)");
}
