//! Values, columns and the random numbers they are made from.
//!
//! Long because every Arrow type has its line in three lists: which there are, what they hold, how they are built.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray,
    DictionaryArray, FixedSizeBinaryArray, LargeBinaryArray, LargeStringArray, ListArray,
    PrimitiveArray, RunArray, StringArray, StringViewArray, StructArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer, i256};
use arrow_schema::{DataType, Field, Fields, TimeUnit};

pub(crate) const UNITS: [TimeUnit; 4] = [
    TimeUnit::Second,
    TimeUnit::Millisecond,
    TimeUnit::Microsecond,
    TimeUnit::Nanosecond,
];

/// A value that is not null.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i256),
    Float(f64),
    Bytes(Vec<u8>),
}

impl Value {
    pub(crate) fn int(value: i128) -> Self {
        Self::Integer(i256::from_i128(value))
    }

    /// Whether the value is one of the type: sums made for constants may not be.
    pub(crate) fn fits(&self, data_type: &DataType) -> bool {
        match self {
            Self::Integer(value) => {
                let (min, max) = range(data_type);
                *value >= min && *value <= max
            }
            _ => true,
        }
    }
}

/// NaN equals NaN and is the greatest; zeros are equal; bytes are unsigned.
pub(crate) fn compare(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Bytes(a), Value::Bytes(b)) => a.iter().cmp(b.iter()),
        (Value::Float(a), Value::Float(b)) => match (a.is_nan(), b.is_nan()) {
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) if a < b => Ordering::Less,
            (false, false) if a > b => Ordering::Greater,
            _ => Ordering::Equal,
        },
        _ => panic!("{a:?} has no place beside {b:?}"),
    }
}

/// The generator `SplitMix64`.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    #[expect(clippy::cast_possible_truncation, reason = "small bounds")]
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    pub(crate) fn value(&mut self, data_type: &DataType) -> Value {
        match data_type {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => self.float(data_type),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => self.text(),
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
                let len = if self.chance(10) {
                    60 + self.below(80)
                } else {
                    self.below(6)
                };
                Value::Bytes(
                    (0..len)
                        .map(|_| *self.pick(&[0, 1, b'a', 0x7F, 0x80, 0xFF]))
                        .collect(),
                )
            }
            DataType::FixedSizeBinary(width) => Value::Bytes(
                (0..*width)
                    .map(|_| *self.pick(&[0, b'a', 0x80, 0xFF]))
                    .collect(),
            ),
            _ => self.integer(data_type),
        }
    }

    fn integer(&mut self, data_type: &DataType) -> Value {
        let (min, max) = range(data_type);
        let small = i256::from_i128(self.below(40) as i128 - 15);
        let value = match self.below(20) {
            0 => min,
            1 => max,
            2 => min.wrapping_add(i256::ONE),
            3 => max.wrapping_sub(i256::ONE),
            // Beyond the integers that floats can tell apart.
            4 => i256::from_i128((1 << 53) + self.below(3) as i128),
            5..=8 if data_type.is_temporal() => {
                let day = ticks_per_day(data_type);
                i256::from_i128(
                    day * (self.below(60_000) as i128 - 30_000) + self.below(3) as i128 - 1,
                )
            }
            _ => small,
        };
        Value::Integer(if value < min || value > max {
            i256::from_i128(self.below(2) as i128)
        } else {
            value
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn float(&mut self, data_type: &DataType) -> Value {
        let extreme = match data_type {
            DataType::Float16 => 65_504.0,
            DataType::Float32 => f64::from(f32::MAX),
            _ => f64::MAX,
        };
        Value::Float(match self.below(20) {
            0 => f64::NAN,
            1 => -f64::NAN,
            2 => f64::INFINITY,
            3 => f64::NEG_INFINITY,
            4 => 0.0,
            5 => -0.0,
            6 => extreme,
            7 => -extreme,
            _ => (self.below(40) as f64 - 15.0) / 4.0,
        })
    }

    fn text(&mut self) -> Value {
        let mut text = String::new();
        if self.chance(15) {
            // Around the length at which bounds are cut, with a character across it.
            text.push_str(&"x".repeat(60 + self.below(5)));
        }
        for _ in 0..self.below(5) {
            text.push(*self.pick(&['a', 'b', '\0', 'é', '\u{10FFFF}', '\u{FFFF}', 'z']));
        }
        if self.chance(10) {
            text = "\u{10FFFF}".repeat(15 + self.below(4));
        }
        Value::Bytes(text.into_bytes())
    }
}

/// The integers that a type holds.
fn range(data_type: &DataType) -> (i256, i256) {
    let wide = |min: i128, max: i128| (i256::from_i128(min), i256::from_i128(max));
    let digits = |precision: u8| {
        let bound = i256::from_i128(10)
            .wrapping_pow(u32::from(precision))
            .wrapping_sub(i256::ONE);
        (bound.wrapping_neg(), bound)
    };
    match data_type {
        DataType::Boolean => wide(0, 1),
        DataType::Int8 => wide(i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => wide(i16::MIN.into(), i16::MAX.into()),
        DataType::UInt8 => wide(0, u8::MAX.into()),
        DataType::UInt16 => wide(0, u16::MAX.into()),
        DataType::UInt32 => wide(0, u32::MAX.into()),
        DataType::UInt64 => wide(0, u64::MAX.into()),
        DataType::Int32 | DataType::Date32 | DataType::Time32(_) => {
            wide(i32::MIN.into(), i32::MAX.into())
        }
        DataType::Decimal32(precision, _)
        | DataType::Decimal64(precision, _)
        | DataType::Decimal128(precision, _)
        | DataType::Decimal256(precision, _) => digits(*precision),
        _ => wide(i64::MIN.into(), i64::MAX.into()),
    }
}

pub(crate) fn ticks_per_day(data_type: &DataType) -> i128 {
    match data_type {
        DataType::Date32 => 1,
        DataType::Timestamp(TimeUnit::Second, _) => 86_400,
        DataType::Date64 | DataType::Timestamp(TimeUnit::Millisecond, _) => 86_400_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 86_400_000_000,
        _ => 86_400_000_000_000,
    }
}

pub(crate) fn is_leaf(data_type: &DataType) -> bool {
    !matches!(data_type, DataType::Struct(_) | DataType::List(_))
}

fn leaf_type(random: &mut Random) -> DataType {
    use DataType::*;
    let unit = *random.pick(&UNITS);
    let types = [
        Boolean,
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Float64,
        Decimal32(7, 2),
        Decimal64(15, 3),
        Decimal128(38, 10),
        Decimal128(20, -2),
        Decimal256(76, 5),
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Timestamp(unit, None),
        Timestamp(unit, Some("+02:00".into())),
        Timestamp(unit, Some("UTC".into())),
        Duration(unit),
        Utf8,
        LargeUtf8,
        Utf8View,
        Binary,
        LargeBinary,
        BinaryView,
        FixedSizeBinary(4),
    ];
    random.pick(&types).clone()
}

/// How spread the values of a column are.
fn rows_of(random: &mut Random, data_type: &DataType, rows: usize) -> Vec<Option<Value>> {
    let nulls = *random.pick(&[0, 0, 0, 10, 50, 100]);
    let pool: Vec<Value> = match random.below(4) {
        0 => vec![random.value(data_type)],
        1 => {
            let value = random.value(data_type);
            let next = match &value {
                Value::Integer(value) if value != &range(data_type).1 => {
                    Value::Integer(value.wrapping_add(i256::ONE))
                }
                other => other.clone(),
            };
            vec![value, next]
        }
        2 => (0..3).map(|_| random.value(data_type)).collect(),
        _ => (0..rows.max(1)).map(|_| random.value(data_type)).collect(),
    };
    (0..rows)
        .map(|_| {
            if random.chance(nulls) {
                None
            } else {
                Some(random.pick(&pool).clone())
            }
        })
        .collect()
}

/// A column and what each of its rows is.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    array: ArrayRef,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    Leaf(DataType, Vec<Option<Value>>),
    /// Rows that are there, and the fields.
    Struct(Vec<bool>, Vec<Column>),
    List(Vec<bool>),
}

impl Column {
    pub(crate) fn random(random: &mut Random, rows: usize) -> Self {
        let (before, after) = if random.chance(50) {
            (random.below(12), random.below(4))
        } else {
            (0, 0)
        };
        Self::whole(random, before + rows + after, 2).slice(before, rows)
    }

    fn whole(random: &mut Random, rows: usize, depth: usize) -> Self {
        if depth > 0 && random.chance(20) {
            let valid: Vec<bool> = (0..rows).map(|_| random.chance(75)).collect();
            let fields: Vec<Self> = (0..=random.below(2))
                .map(|_| Self::whole(random, rows, depth - 1))
                .collect();
            let types: Fields = fields
                .iter()
                .enumerate()
                .map(|(i, field)| {
                    Field::new(format!("f{i}"), field.array.data_type().clone(), true)
                })
                .collect();
            let arrays = fields
                .iter()
                .map(|field| Arc::clone(&field.array))
                .collect();
            let nulls = random.chance(80).then(|| NullBuffer::from(valid.clone()));
            let valid = if nulls.is_some() {
                valid
            } else {
                vec![true; rows]
            };
            let array = StructArray::new(types, arrays, nulls);
            return Self {
                array: Arc::new(array),
                content: Content::Struct(valid, fields),
            };
        }
        if random.chance(3) {
            let valid: Vec<bool> = (0..rows).map(|_| random.chance(50)).collect();
            let field = Arc::new(Field::new("item", DataType::Int32, true));
            let values = Arc::new(PrimitiveArray::<Int32Type>::from(vec![7; rows]));
            let offsets = OffsetBuffer::from_lengths(vec![1; rows]);
            let array = ListArray::new(
                field,
                offsets,
                values,
                Some(NullBuffer::from(valid.clone())),
            );
            return Self {
                array: Arc::new(array),
                content: Content::List(valid),
            };
        }
        let data_type = leaf_type(random);
        let mut content = rows_of(random, &data_type, rows);
        let array = match random.below(10) {
            0 | 1 => dictionary_of(random, &data_type, &content),
            2 if rows > 0 => {
                for row in 1..rows {
                    if random.chance(50) {
                        let above = content[row - 1].clone();
                        content[row] = above;
                    }
                }
                runs_of(random, &data_type, &content)
            }
            _ => array_of(&data_type, &content),
        };
        Self {
            array,
            content: Content::Leaf(data_type, content),
        }
    }

    fn slice(self, offset: usize, length: usize) -> Self {
        let cut = |valid: Vec<bool>| valid[offset..offset + length].to_vec();
        let content = match self.content {
            Content::Leaf(data_type, rows) => {
                Content::Leaf(data_type, rows[offset..offset + length].to_vec())
            }
            Content::Struct(valid, fields) => Content::Struct(
                cut(valid),
                fields
                    .into_iter()
                    .map(|field| field.slice(offset, length))
                    .collect(),
            ),
            Content::List(valid) => Content::List(cut(valid)),
        };
        Self {
            array: self.array.slice(offset, length),
            content,
        }
    }

    pub(crate) fn array(&self) -> &ArrayRef {
        &self.array
    }

    pub(crate) fn len(&self) -> usize {
        self.array.len()
    }

    /// The path to some field, or to the column itself, and the type there.
    pub(crate) fn any_leaf(&self, random: &mut Random) -> (Vec<usize>, DataType) {
        match &self.content {
            Content::Leaf(data_type, _) => (Vec::new(), data_type.clone()),
            Content::Struct(_, fields) if random.chance(90) => {
                let step = random.below(fields.len());
                let (mut path, data_type) = fields[step].any_leaf(random);
                path.insert(0, step);
                (path, data_type)
            }
            _ => (Vec::new(), self.array.data_type().clone()),
        }
    }

    /// The value at the end of the path; for a struct or list, anything.
    pub(crate) fn value(&self, path: &[usize], row: usize) -> Option<Value> {
        match &self.content {
            Content::Leaf(_, rows) => rows[row].clone(),
            Content::List(valid) => valid[row].then(|| Value::int(0)),
            Content::Struct(valid, fields) => {
                let below = |(step, rest): (&usize, &[usize])| fields[*step].value(rest, row);
                if valid[row] {
                    path.split_first().map_or(Some(Value::int(0)), below)
                } else {
                    None
                }
            }
        }
    }
}

fn runs_of(random: &mut Random, data_type: &DataType, rows: &[Option<Value>]) -> ArrayRef {
    let mut ends: Vec<i32> = Vec::new();
    let mut values: Vec<Option<Value>> = Vec::new();
    for (row, value) in rows.iter().enumerate() {
        let end = i32::try_from(row + 1).unwrap();
        // NaN differs from itself here, so it makes a run of its own.
        if values.last() == Some(value) {
            *ends.last_mut().unwrap() = end;
        } else {
            ends.push(end);
            values.push(value.clone());
        }
    }
    let values = array_of(data_type, &values);
    if random.chance(50) {
        return Arc::new(RunArray::<Int32Type>::try_new(&ends.into(), &values).unwrap());
    }
    let ends: Vec<i64> = ends.into_iter().map(i64::from).collect();
    Arc::new(RunArray::<Int64Type>::try_new(&ends.into(), &values).unwrap())
}

/// A dictionary with repetitions, a null value and values that no row uses.
fn dictionary_of(random: &mut Random, data_type: &DataType, rows: &[Option<Value>]) -> ArrayRef {
    fn build<K: ArrowDictionaryKeyType>(keys: &[Option<usize>], values: ArrayRef) -> ArrayRef
    where
        K::Native: TryFrom<usize>,
    {
        let key = |key: &Option<usize>| key.map(|key| K::Native::try_from(key).ok().unwrap());
        let keys: PrimitiveArray<K> = keys.iter().map(key).collect();
        Arc::new(DictionaryArray::try_new(keys, values).unwrap())
    }
    let mut values: Vec<Option<Value>> = vec![None, Some(random.value(data_type))];
    if random.chance(20) {
        values.extend((0..60).map(|_| Some(random.value(data_type))));
    }
    let mut keys: Vec<Option<usize>> = Vec::new();
    for row in rows {
        keys.push(match row {
            None => random.chance(50).then_some(0),
            Some(value) => match values
                .iter()
                .position(|other| other.as_ref() == Some(value))
            {
                Some(key) if random.chance(80) => Some(key),
                _ => {
                    values.push(Some(value.clone()));
                    Some(values.len() - 1)
                }
            },
        });
    }
    let values = array_of(data_type, &values);
    match random.below(8) {
        0 => build::<Int8Type>(&keys, values),
        1 => build::<Int16Type>(&keys, values),
        2 => build::<Int32Type>(&keys, values),
        3 => build::<Int64Type>(&keys, values),
        4 => build::<UInt8Type>(&keys, values),
        5 => build::<UInt16Type>(&keys, values),
        6 => build::<UInt32Type>(&keys, values),
        _ => build::<UInt64Type>(&keys, values),
    }
}

/// The values as an array of the type. Slots of nulls hold something that would be seen if it were looked at.
#[expect(clippy::too_many_lines, reason = "one line for each type")]
pub(crate) fn array_of(data_type: &DataType, values: &[Option<Value>]) -> ArrayRef {
    fn primitive<T: ArrowPrimitiveType>(
        data_type: &DataType,
        values: &[Option<Value>],
        junk: T::Native,
        native: impl Fn(&Value) -> T::Native,
    ) -> ArrayRef {
        let slots: ScalarBuffer<T::Native> = values
            .iter()
            .map(|value| value.as_ref().map_or(junk, &native))
            .collect();
        let nulls = values.iter().map(Option::is_some).collect::<NullBuffer>();
        let array =
            PrimitiveArray::<T>::new(slots, Some(nulls).filter(|nulls| nulls.null_count() > 0));
        Arc::new(array.with_data_type(data_type.clone()))
    }
    fn wide(value: &Value) -> i256 {
        if let Value::Integer(value) = value {
            *value
        } else {
            panic!("{value:?}")
        }
    }
    fn float(value: &Value) -> f64 {
        if let Value::Float(value) = value {
            *value
        } else {
            panic!("{value:?}")
        }
    }
    macro_rules! integers {
        ($t:ty, $native:ty) => {
            primitive::<$t>(data_type, values, <$native>::MAX, |value| {
                <$native>::try_from(wide(value).to_i128().unwrap()).unwrap()
            })
        };
    }
    let bytes: Vec<Option<&[u8]>> = values
        .iter()
        .map(|value| {
            value.as_ref().and_then(|value| {
                if let Value::Bytes(bytes) = value {
                    Some(&bytes[..])
                } else {
                    None
                }
            })
        })
        .collect();
    let text = || {
        bytes
            .iter()
            .map(|bytes| bytes.map(|bytes| std::str::from_utf8(bytes).unwrap()))
    };
    match data_type {
        DataType::Boolean => Arc::new(
            values
                .iter()
                .map(|value| value.as_ref().map(|value| wide(value) == i256::ONE))
                .collect::<BooleanArray>(),
        ),
        DataType::Int8 => integers!(Int8Type, i8),
        DataType::Int16 => integers!(Int16Type, i16),
        DataType::Int32 => integers!(Int32Type, i32),
        DataType::Int64 => integers!(Int64Type, i64),
        DataType::UInt8 => integers!(UInt8Type, u8),
        DataType::UInt16 => integers!(UInt16Type, u16),
        DataType::UInt32 => integers!(UInt32Type, u32),
        DataType::UInt64 => integers!(UInt64Type, u64),
        DataType::Decimal32(..) => integers!(Decimal32Type, i32),
        DataType::Decimal64(..) => integers!(Decimal64Type, i64),
        DataType::Decimal128(..) => integers!(Decimal128Type, i128),
        DataType::Decimal256(..) => primitive::<Decimal256Type>(data_type, values, i256::MAX, wide),
        DataType::Date32 => integers!(Date32Type, i32),
        DataType::Date64 => integers!(Date64Type, i64),
        DataType::Time32(TimeUnit::Second) => integers!(Time32SecondType, i32),
        DataType::Time32(_) => integers!(Time32MillisecondType, i32),
        DataType::Time64(TimeUnit::Microsecond) => integers!(Time64MicrosecondType, i64),
        DataType::Time64(_) => integers!(Time64NanosecondType, i64),
        DataType::Timestamp(TimeUnit::Second, _) => integers!(TimestampSecondType, i64),
        DataType::Timestamp(TimeUnit::Millisecond, _) => integers!(TimestampMillisecondType, i64),
        DataType::Timestamp(TimeUnit::Microsecond, _) => integers!(TimestampMicrosecondType, i64),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => integers!(TimestampNanosecondType, i64),
        DataType::Duration(TimeUnit::Second) => integers!(DurationSecondType, i64),
        DataType::Duration(TimeUnit::Millisecond) => integers!(DurationMillisecondType, i64),
        DataType::Duration(TimeUnit::Microsecond) => integers!(DurationMicrosecondType, i64),
        DataType::Duration(TimeUnit::Nanosecond) => integers!(DurationNanosecondType, i64),
        DataType::Float16 => {
            type Half = <Float16Type as ArrowPrimitiveType>::Native;
            primitive::<Float16Type>(data_type, values, Half::NAN, |value| {
                Half::from_f64(float(value))
            })
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the values are floats of that width"
        )]
        DataType::Float32 => {
            primitive::<Float32Type>(data_type, values, f32::NAN, |value| float(value) as f32)
        }
        DataType::Float64 => primitive::<Float64Type>(data_type, values, f64::NAN, float),
        DataType::Utf8 => Arc::new(text().collect::<StringArray>()),
        DataType::LargeUtf8 => Arc::new(text().collect::<LargeStringArray>()),
        DataType::Utf8View => Arc::new(text().collect::<StringViewArray>()),
        DataType::Binary => Arc::new(bytes.into_iter().collect::<BinaryArray>()),
        DataType::LargeBinary => Arc::new(bytes.into_iter().collect::<LargeBinaryArray>()),
        DataType::BinaryView => Arc::new(bytes.into_iter().collect::<BinaryViewArray>()),
        DataType::FixedSizeBinary(width) => Arc::new(
            FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.into_iter(), *width)
                .unwrap(),
        ),
        other => panic!("no values of type {other}"),
    }
}
