//! Zones and the maps that keep them.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::cell::RefCell;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch,
    StringArray, StringViewArray, StructArray, UInt64Array,
};
use arrow_buffer::NullBuffer;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use respool::predicate::{Operator, Predicate, Scalar, Term, Verdict};
use respool::zones::{BatchZones, Bounds, Zone, ZoneMaps};

fn term(data_type: DataType) -> Term {
    Term::new(&Schema::new(vec![Field::new("x", data_type, true)]), 0, &[])
        .expect("the schema has the column")
}

fn prove(array: impl Array + 'static, predicate: &Predicate) -> Verdict {
    let batch =
        RecordBatch::try_from_iter_with_nullable([("x", Arc::new(array) as ArrayRef, true)]);
    predicate.prove(&BatchZones::of(
        &batch.expect("one column makes a batch"),
        predicate.terms(),
    ))
}

#[test]
fn long_strings_are_cut_to_wider_bounds() {
    let long = "m".repeat(1_000);
    let array = StringArray::from(vec![long.as_str()]);
    let zone = Zone::of(&array);
    let Bounds::Bytes(bounds) = zone.bounds() else {
        panic!("{zone:?}")
    };
    assert_eq!(bounds.min.len(), 64);
    assert_eq!(bounds.max.as_deref().map(<[u8]>::len), Some(64));
    assert!(!bounds.exact);

    let head = "m".repeat(64);
    let predicate = |operator, text: &str| {
        Predicate::compare(term(DataType::Utf8), operator, &Scalar::from(text))
    };
    // The bounds must not be taken for values.
    assert_eq!(
        prove(array.clone(), &predicate(Operator::Eq, &head)),
        Verdict::Some
    );
    assert_eq!(
        prove(array.clone(), &predicate(Operator::Eq, &long)),
        Verdict::Some
    );
    assert_eq!(
        prove(array.clone(), &predicate(Operator::Le, &head)),
        Verdict::Some
    );
    assert_eq!(
        prove(array.clone(), &predicate(Operator::Lt, "n")),
        Verdict::All
    );
    assert_eq!(prove(array, &predicate(Operator::Gt, "n")), Verdict::None);
}

#[test]
fn a_string_without_successor_has_no_upper_bound() {
    let array = arrow_array::BinaryArray::from(vec![[0xFF_u8; 80].as_slice()]);
    let Bounds::Bytes(bounds) = Zone::of(&array).bounds().clone() else {
        panic!("bytes have bounds of bytes")
    };
    assert_eq!(bounds.max, None);
    let value = Scalar::from([0xFF_u8; 100].as_slice());
    let predicate = Predicate::compare(term(DataType::Binary), Operator::Gt, &value);
    assert_eq!(prove(array, &predicate), Verdict::Some);
}

#[test]
fn nan_is_the_greatest_float_and_zeros_are_equal() {
    let above =
        |value| Predicate::compare(term(DataType::Float64), Operator::Gt, &Scalar::from(value));
    let equal =
        |value| Predicate::compare(term(DataType::Float64), Operator::Eq, &Scalar::from(value));
    assert_eq!(
        prove(
            Float64Array::from(vec![f64::NAN, f64::NAN]),
            &above(f64::INFINITY)
        ),
        Verdict::All
    );
    assert_eq!(
        prove(Float64Array::from(vec![1.0, f64::NAN]), &above(0.5)),
        Verdict::All
    );
    assert_eq!(
        prove(Float64Array::from(vec![1.0, f64::NAN]), &above(2.0)),
        Verdict::Some
    );
    assert_eq!(
        prove(Float64Array::from(vec![-0.0, 0.0]), &equal(0.0)),
        Verdict::All
    );
    assert_eq!(
        prove(Float64Array::from(vec![-f64::NAN]), &equal(f64::NAN)),
        Verdict::All
    );
    assert_eq!(
        prove(Float64Array::from(vec![f64::INFINITY]), &above(f64::MAX)),
        Verdict::All
    );
    assert_eq!(
        prove(Float64Array::from(vec![f64::INFINITY]), &above(f64::NAN)),
        Verdict::None
    );
    assert!(Zone::of(&Float32Array::from(vec![0.0, f32::NAN])).has_nan());
}

#[test]
fn a_negation_does_not_let_nulls_through() {
    let array = || Int64Array::from(vec![Some(5), None]);
    let equal = Predicate::compare(term(DataType::Int64), Operator::Eq, &Scalar::from(5));
    assert_eq!(prove(array(), &equal), Verdict::Some);
    assert_eq!(prove(array(), &equal.negate()), Verdict::None);
    assert_eq!(
        prove(array(), &Predicate::IsNull(term(DataType::Int64))),
        Verdict::Some
    );
    assert_eq!(
        prove(
            Int64Array::new_null(3),
            &Predicate::IsNull(term(DataType::Int64))
        ),
        Verdict::All
    );
}

#[test]
fn integers_beyond_64_bits_keep_their_order() {
    let array = UInt64Array::from(vec![u64::MAX, u64::MAX - 1]);
    let value = Scalar::new(&UInt64Array::from(vec![u64::MAX]), 0).expect("a value");
    let predicate = |operator| Predicate::compare(term(DataType::UInt64), operator, &value);
    assert_eq!(prove(array.clone(), &predicate(Operator::Le)), Verdict::All);
    assert_eq!(
        prove(array.clone(), &predicate(Operator::Gt)),
        Verdict::None
    );
    assert_eq!(prove(array, &predicate(Operator::Eq)), Verdict::Some);
}

#[test]
fn a_null_parent_hides_the_field() {
    let field = Arc::new(Field::new("a", DataType::Int64, true));
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1_000, 1, 2]));
    let array = StructArray::new(
        vec![Arc::clone(&field)].into(),
        vec![values],
        Some(NullBuffer::from(vec![false, true, true])),
    );
    let schema = Schema::new(vec![Field::new("x", array.data_type().clone(), true)]);
    let term = Term::named(&schema, &["x", "a"]).expect("the schema has the field");
    let small = Predicate::compare(term.clone(), Operator::Lt, &Scalar::from(10));
    assert_eq!(small.to_string(), "x.a < 10");
    assert_eq!(prove(array.clone(), &small), Verdict::Some);
    assert_eq!(prove(array.slice(1, 2), &small), Verdict::All);
    assert_eq!(
        prove(
            array,
            &Predicate::compare(term, Operator::Gt, &Scalar::from(10))
        ),
        Verdict::None
    );
}

/// Answers `load` from these columns and remembers what was asked.
struct Source {
    columns: Vec<Vec<ArrayRef>>,
    asked: RefCell<Vec<(usize, usize)>>,
}

impl Source {
    fn load(&self, batch: usize, column: usize) -> ArrayRef {
        self.asked.borrow_mut().push((batch, column));
        Arc::clone(&self.columns[column][batch])
    }

    fn asked(&self) -> Vec<(usize, usize)> {
        self.asked.take()
    }
}

#[test]
fn a_zone_is_computed_once_and_only_where_it_can_decide() -> Result<(), ArrowError> {
    let ids = (0..4_i64).map(|batch| {
        Arc::new(Int64Array::from_iter_values(batch * 10..batch * 10 + 10)) as ArrayRef
    });
    let names = ["a", "b", "c", "d"]
        .map(|name| Arc::new(StringViewArray::from(vec![name; 10])) as ArrayRef);
    let source = Source {
        columns: vec![ids.collect(), names.into()],
        asked: RefCell::default(),
    };
    let schema = Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("name", DataType::Utf8View, false),
    ]);
    let id = Term::named(&schema, &["id"]).expect("there is an id");
    let name = Term::named(&schema, &["name"]).expect("there is a name");
    let predicate = Predicate::and([
        Predicate::compare(id.clone(), Operator::Ge, &Scalar::from(20)),
        Predicate::compare(name, Operator::Eq, &Scalar::from("d")),
    ]);
    let load = |batch, column| Ok::<_, ArrowError>(source.load(batch, column));

    let zones = ZoneMaps::new();
    let expected = [Verdict::None, Verdict::None, Verdict::None, Verdict::All];
    assert_eq!(predicate.prove_stored(&zones, 0..4, &load)?, expected);
    assert_eq!(
        source.asked(),
        [(0, 0), (1, 0), (2, 0), (3, 0), (2, 1), (3, 1)],
        "names only of batches left over"
    );
    assert_eq!(predicate.prove_stored(&zones, 0..4, &load)?, expected);
    assert_eq!(predicate.prove_stored(&zones, 2..4, &load)?, expected[2..]);
    assert_eq!(source.asked(), [], "everything is known");
    assert_eq!(zones.zone(0, &[], 1).map(|zone| zone.rows()), Some(10));
    assert_eq!(zones.zone(1, &[], 0), None);
    Ok(())
}

#[test]
fn an_error_of_the_loader_comes_back_and_what_was_known_stays() {
    let zones = ZoneMaps::new();
    let predicate = Predicate::compare(term(DataType::Int64), Operator::Gt, &Scalar::from(5));
    let load = |batch, _column| {
        if batch == 0 {
            Ok(Arc::new(Int64Array::from(vec![1])) as ArrayRef)
        } else {
            Err("gone")
        }
    };
    assert_eq!(predicate.prove_stored(&zones, 0..2, &load), Err("gone"));
    assert!(zones.zone(0, &[], 0).is_some());
    assert_eq!(
        predicate.prove_stored(&zones, 0..1, &load),
        Ok(vec![Verdict::None])
    );
}

#[test]
fn threads_prove_at_the_same_time() {
    let zones = ZoneMaps::new();
    let predicate = Predicate::compare(term(DataType::Int64), Operator::Ge, &Scalar::from(500));
    let load = |batch: usize, _column: usize| {
        let start = i64::try_from(batch).map_err(|_| "too many")?;
        Ok::<_, &str>(Arc::new(Int64Array::from_iter_values(start..=start)) as ArrayRef)
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let verdicts = predicate
                    .prove_stored(&zones, 0..1_000, &load)
                    .expect("the loader does not fail");
                assert_eq!(
                    verdicts
                        .iter()
                        .filter(|verdict| **verdict == Verdict::All)
                        .count(),
                    500
                );
                assert_eq!(
                    verdicts
                        .iter()
                        .filter(|verdict| **verdict == Verdict::None)
                        .count(),
                    500
                );
            });
        }
    });
}

#[test]
fn boolean_zones_see_truth_under_nulls() {
    let condition = Predicate::Bool(term(DataType::Boolean));
    assert_eq!(
        prove(BooleanArray::from(vec![true, true]), &condition),
        Verdict::All
    );
    assert_eq!(
        prove(BooleanArray::from(vec![Some(false), None]), &condition),
        Verdict::None
    );
    assert_eq!(
        prove(BooleanArray::from(vec![Some(true), None]), &condition),
        Verdict::Some
    );
    assert_eq!(
        prove(
            BooleanArray::from(vec![Some(true), None]),
            &condition.negate()
        ),
        Verdict::None
    );
}
