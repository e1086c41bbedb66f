//! The rules of the language, one by one: constants, text, filtering and refusals.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array,
    Int32Array, Int64Array, ListArray, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampSecondArray, types::Int8Type,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use respool::predicate::{Operator, Predicate, Scalar, Term, Transform, filter};

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("columns of one length")
}

fn named(batch: &RecordBatch, name: &str) -> Term {
    Term::named(&batch.schema(), &[name]).expect("the batch has the column")
}

fn applied(predicate: &Predicate, batch: &RecordBatch) -> Vec<Option<bool>> {
    predicate
        .apply(batch)
        .expect("the predicate applies")
        .iter()
        .collect()
}

#[test]
fn constants_are_cast_only_without_loss() {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let millis = DataType::Timestamp(TimeUnit::Millisecond, None);
    let zoned = DataType::Timestamp(TimeUnit::Millisecond, Some("Europe/Berlin".into()));
    let odd = Scalar::new(&TimestampMicrosecondArray::from(vec![1_500]), 0).expect("a value");
    let even = Scalar::new(&TimestampMicrosecondArray::from(vec![2_000]), 0).expect("a value");
    let utc = Scalar::new(
        &TimestampMicrosecondArray::from(vec![2_000]).with_timezone("UTC"),
        0,
    )
    .expect("a value");
    assert_eq!(even.cast(&micros).map(|value| value == even), Some(true));
    assert!(even.cast(&millis).is_some() && odd.cast(&millis).is_none());
    assert!(even.cast(&zoned).is_none(), "a local time is no instant");
    assert!(
        utc.cast(&zoned).is_some(),
        "an instant is the same in every zone"
    );

    let int = |value| Scalar::from(value);
    assert!(int(200).cast(&DataType::UInt8).is_some() && int(300).cast(&DataType::UInt8).is_none());
    assert!(int(-1).cast(&DataType::UInt64).is_none());
    assert!(
        int((1 << 53) + 1).cast(&DataType::Float64).is_none(),
        "no such float"
    );
    assert!(int(1 << 53).cast(&DataType::Float64).is_some());
    assert!(
        int(2_049).cast(&DataType::Float16).is_none()
            && int(2_048).cast(&DataType::Float16).is_some()
    );
    assert!(int(i64::MAX).cast(&DataType::Float64).is_none());
    assert!(
        Scalar::from(1.0).cast(&DataType::Int64).is_none(),
        "floats compare as floats"
    );
    assert!(Scalar::from(f64::NAN).cast(&DataType::Float32).is_some());
    assert!(Scalar::from(true).cast(&DataType::Int8).is_none());

    let cents = Decimal128Array::from(vec![1_250])
        .with_precision_and_scale(10, 2)
        .expect("fits");
    let cents = Scalar::new(&cents, 0).expect("a value");
    assert_eq!(
        cents
            .cast(&DataType::Decimal64(18, 4))
            .map(|value| value.to_string()),
        Some("12.5000".into())
    );
    assert!(
        cents.cast(&DataType::Decimal128(10, 1)).is_some()
            && cents.cast(&DataType::Decimal128(10, 0)).is_none()
    );
    assert!(
        int(i64::MAX).cast(&DataType::Decimal256(76, 76)).is_none(),
        "too large at that scale"
    );
    assert!(int(1).cast(&DataType::Decimal128(38, -3)).is_none());

    assert!(
        Scalar::from("ab")
            .cast(&DataType::FixedSizeBinary(2))
            .is_some()
    );
    assert!(
        Scalar::from("ab")
            .cast(&DataType::FixedSizeBinary(3))
            .is_none()
    );
    assert!(
        Scalar::from([0xFF].as_slice())
            .cast(&DataType::Utf8View)
            .is_none()
    );
    assert!(
        Scalar::new(&Int64Array::new_null(1), 0).is_none()
            && Scalar::new(&Int64Array::from(vec![1]), 1).is_none()
    );

    let dictionary: DictionaryArray<Int8Type> = [Some("a"), None].into_iter().collect();
    assert_eq!(Scalar::new(&dictionary, 0), Some(Scalar::from("a")));
    assert_eq!(Scalar::new(&dictionary, 1), None);
    assert!(Scalar::from("a").cast(dictionary.data_type()).is_some());
}

#[test]
fn predicates_print_as_sql() {
    let days = Date32Array::from(vec![0]);
    let batch = batch(vec![
        ("id", Arc::new(Int32Array::from(vec![1])) as ArrayRef),
        ("full name", Arc::new(StringArray::from(vec!["O'Hara"]))),
        ("day", Arc::new(days.clone())),
    ]);
    let id = || named(&batch, "id");
    let name = || named(&batch, "full name");
    let wide = id()
        .with(Transform::Cast(DataType::Int64))
        .expect("a widening cast");
    let year = named(&batch, "day")
        .with(Transform::Year)
        .expect("dates have years");
    let predicate = Predicate::or([
        Predicate::and([
            Predicate::compare(wide, Operator::Ge, &Scalar::from(1)),
            Predicate::compare(name(), Operator::Ne, &Scalar::from("O'Hara")),
        ]),
        Predicate::is_in(id(), &Int64Array::from(vec![Some(2), None, Some(1)])).negate(),
        Predicate::IsNotNull(name()),
        Predicate::StartsWith {
            term: name(),
            prefix: b"\xFFa".to_vec(),
        },
        Predicate::compare(
            named(&batch, "day"),
            Operator::Lt,
            &Scalar::new(&days, 0).expect("a value"),
        ),
        Predicate::compare(year, Operator::Eq, &Scalar::from(2020)),
        Predicate::Const(None),
        Predicate::Unknown,
    ]);
    let expected = "(CAST(id AS Int64) >= 1 AND \"full name\" <> 'O''Hara') OR NOT (id IN (1, 2, NULL)) \
                    OR \"full name\" IS NOT NULL OR starts_with(\"full name\", X'FF61') OR day < '1970-01-01' \
                    OR year(day) = 2020 OR NULL OR <unknown>";
    assert_eq!(predicate.to_string(), expected);
    assert_eq!(
        predicate.columns().into_iter().collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(Predicate::and([]).to_string(), "TRUE");
    assert_eq!(Predicate::or([]).to_string(), "FALSE");
}

#[test]
fn instants_are_shown_in_utc_whatever_their_zone() {
    for zone in ["UTC", "Europe/Berlin", "+02:00"] {
        let instants = TimestampSecondArray::from(vec![86_400, i64::MAX]).with_timezone(zone);
        let scalar = |index| Scalar::new(&instants, index).expect("a value");
        assert_eq!(scalar(0).to_string(), "'1970-01-02T00:00:00Z'");
        // Beyond the calendar there is a count to show.
        assert!(scalar(1).to_string().contains("9223372036854775807"));
    }
}

#[test]
fn nulls_in_lists_follow_sql() {
    let batch = batch(vec![(
        "x",
        Arc::new(Int32Array::from(vec![Some(1), Some(2), None])) as ArrayRef,
    )]);
    let list = Predicate::is_in(named(&batch, "x"), &Int64Array::from(vec![Some(1), None]));
    assert_eq!(applied(&list, &batch), [Some(true), None, None]);
    assert_eq!(applied(&list.negate(), &batch), [Some(false), None, None]);
    let nothing = Predicate::is_in(named(&batch, "x"), &Int32Array::from(Vec::<i32>::new()));
    assert_eq!(applied(&nothing, &batch), [Some(false), Some(false), None]);
}

#[test]
fn years_are_those_of_the_calendar() {
    let days = [
        ("1970-01-01", 0, 1970),
        ("1969-12-31", -1, 1969),
        ("2000-02-29", 11_016, 2000),
    ];
    let more = [
        ("1600-03-01", -135_080, 1600),
        ("2100-12-31", 47_846, 2100),
        ("-0001-12-31", -719_529, -1),
    ];
    for (text, day, year) in days.into_iter().chain(more) {
        let batch = batch(vec![(
            "day",
            Arc::new(Date32Array::from(vec![day])) as ArrayRef,
        )]);
        let term = named(&batch, "day")
            .with(Transform::Year)
            .expect("dates have years");
        let predicate = Predicate::compare(term, Operator::Eq, &Scalar::from(year));
        assert_eq!(applied(&predicate, &batch), [Some(true)], "{text}");
    }
}

#[test]
fn a_contiguous_run_is_not_copied() -> Result<(), ArrowError> {
    let batch = batch(vec![(
        "x",
        Arc::new(Int64Array::from_iter_values(0..100)) as ArrayRef,
    )]);
    let start = |batch: &RecordBatch| batch.column(0).to_data().buffers()[0].as_ptr() as usize;
    let mask = |test: &dyn Fn(usize) -> Option<bool>| (0..100).map(test).collect::<BooleanArray>();

    let run = filter(
        &batch,
        &mask(&|row| {
            if row == 9 {
                None
            } else {
                Some((10..20).contains(&row))
            }
        }),
    )?;
    assert_eq!(run, batch.slice(10, 10));
    assert_eq!(start(&run), start(&batch) + 10 * size_of::<i64>());
    assert_eq!(
        start(&filter(&batch, &mask(&|_| Some(true)))?),
        start(&batch)
    );
    assert_eq!(filter(&batch, &mask(&|_| None))?.num_rows(), 0);
    assert_eq!(
        filter(&batch, &mask(&|row| Some(row % 50 == 0)))?.num_rows(),
        2
    );
    assert!(filter(&batch.slice(0, 5), &mask(&|_| None)).is_err());
    Ok(())
}

#[test]
fn a_projected_batch_is_addressed_by_its_own_positions() -> Result<(), ArrowError> {
    let whole = batch(vec![
        ("a", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef),
        ("b", Arc::new(Float64Array::from(vec![0.5, 1.5]))),
    ]);
    let predicate = Predicate::compare(named(&whole, "b"), Operator::Gt, &Scalar::from(1.0));
    let projected = whole.project(&[1])?;
    assert_eq!(
        predicate.apply_projected(&projected, |column| column - 1)?,
        BooleanArray::from(vec![false, true])
    );
    assert!(predicate.apply(&projected).is_err(), "there is no column 1");
    assert!(
        predicate.apply(&whole.project(&[1, 0])?).is_err(),
        "column 1 has another type"
    );
    Ok(())
}

#[test]
fn what_cannot_be_decided_is_refused_in_advance() {
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let lists: ArrayRef = Arc::new(ListArray::new_null(item, 2));
    let batch = batch(vec![
        ("x", Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef),
        ("l", lists),
    ]);
    let schema = batch.schema();
    let x = || named(&batch, "x");
    let refused = [
        Predicate::Unknown,
        Predicate::compare(x(), Operator::Lt, &Scalar::from("text")),
        Predicate::is_in(named(&batch, "l"), &Int32Array::from(vec![1])),
        Predicate::Bool(x()),
        Predicate::StartsWith {
            term: x(),
            prefix: vec![],
        },
        Predicate::IsNan(named(&batch, "l")),
        // A constant of another type than the column, made by hand.
        Predicate::Compare {
            term: x(),
            operator: Operator::Eq,
            value: Scalar::from(1),
        },
    ];
    for predicate in refused {
        assert!(!predicate.supports(&schema), "{predicate}");
        assert!(predicate.apply(&batch).is_err(), "{predicate}");
        assert!(!Predicate::and([Predicate::IsNull(x()), predicate.negate()]).supports(&schema));
    }
    let null = Predicate::IsNull(named(&batch, "l"));
    assert!(null.supports(&schema) && !null.supports(&Schema::empty()));
    assert_eq!(applied(&null, &batch), [Some(true), Some(true)]);
}
