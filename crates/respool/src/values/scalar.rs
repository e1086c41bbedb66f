//! Constants: a typed value for the kernels and a key for the zones.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter, Write};
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray,
};
use arrow_cast::display::array_value_to_string;
use arrow_schema::DataType;

use super::encoding::decode;
use super::key::Key;
use super::leaf::{Kind, Native, decoded};

/// List constants shown before the rest is counted.
const SHOWN: usize = 20;

/// A constant that is not null, with its type.
///
/// ```
/// use arrow_schema::DataType;
/// use respool::predicate::Scalar;
///
/// let five = Scalar::from(5_i64);
/// assert_eq!(five.cast(&DataType::Decimal128(10, 2)).unwrap().to_string(), "5.00");
/// // A constant is never rounded: what the type cannot hold is no constant of that type.
/// assert!(five.cast(&DataType::Utf8).is_none());
/// assert!(Scalar::from(0.1_f64).cast(&DataType::Float32).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Scalar {
    array: ArrayRef,
    key: Key,
}

impl Scalar {
    /// The value of `array` at `index`, decoded. `None` when it is null, out of range or of a type without an order.
    pub fn new(array: &dyn Array, index: usize) -> Option<Self> {
        if index >= array.len() {
            return None;
        }
        let mut array = array.slice(index, 1);
        while decoded(array.data_type()) != array.data_type() {
            array = decode(&array).ok()?;
        }
        let key = Key::of(array.as_ref(), 0)?;
        Some(Self { array, key })
    }

    /// The same value in another type, or `None` when that type cannot hold it exactly.
    ///
    /// `to` may be a dictionary or run-end type: the constant gets the type of its values.
    #[must_use]
    pub fn cast(&self, to: &DataType) -> Option<Self> {
        let to = decoded(to);
        if to == self.data_type() {
            return Some(self.clone());
        }
        Self::of_key(self.key.convert(self.data_type(), to)?, to)
    }

    /// The constant of that type with this key; `None` where there is none.
    pub(crate) fn of_key(key: Key, data_type: &DataType) -> Option<Self> {
        let array = key.to_array(data_type)?;
        Some(Self { array, key })
    }

    /// The type of the constant.
    pub fn data_type(&self) -> &DataType {
        self.array.data_type()
    }

    /// The constant as an array of one value.
    pub fn array(&self) -> &ArrayRef {
        &self.array
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Self) -> bool {
        self.data_type() == other.data_type()
            && self.key.compare(&other.key) == Some(Ordering::Equal)
    }
}

impl From<bool> for Scalar {
    fn from(value: bool) -> Self {
        Self {
            array: Arc::new(BooleanArray::from(vec![value])),
            key: Key::Integer(i64::from(value).widen()),
        }
    }
}

impl From<i64> for Scalar {
    fn from(value: i64) -> Self {
        Self {
            array: Arc::new(Int64Array::from(vec![value])),
            key: Key::Integer(value.widen()),
        }
    }
}

impl From<f64> for Scalar {
    fn from(value: f64) -> Self {
        Self {
            array: Arc::new(Float64Array::from(vec![value])),
            key: Key::Float(value),
        }
    }
}

impl From<&str> for Scalar {
    fn from(value: &str) -> Self {
        Self {
            array: Arc::new(StringArray::from(vec![value])),
            key: Key::Bytes(value.as_bytes().into()),
        }
    }
}

impl From<&[u8]> for Scalar {
    fn from(value: &[u8]) -> Self {
        Self {
            array: Arc::new(BinaryArray::from(vec![value])),
            key: Key::Bytes(value.into()),
        }
    }
}

/// The constants of an `IN`: distinct keys in order, and whether NULL is among them.
#[derive(Clone, Debug)]
pub struct ScalarList {
    data_type: DataType,
    /// Sorted and distinct, all of one kind, NaN (when it is there) last.
    keys: Vec<Key>,
    has_null: bool,
}

impl ScalarList {
    /// The values of `values`, nulls included. `None` when its type has no order.
    pub fn new(values: &dyn Array) -> Option<Self> {
        Self::cast_from(values, values.data_type())
    }

    /// The values of `values` as values of type `to`; `None` when one of them is no exact value of that type.
    ///
    /// ```
    /// use arrow_array::Int64Array;
    /// use arrow_schema::DataType;
    /// use respool::predicate::ScalarList;
    ///
    /// let values = Int64Array::from(vec![3, 1, 300]);
    /// assert_eq!(ScalarList::cast_from(&values, &DataType::Int16).unwrap().to_string(), "(1, 3, 300)");
    /// assert!(ScalarList::cast_from(&values, &DataType::Int8).is_none());
    /// ```
    pub fn cast_from(values: &dyn Array, to: &DataType) -> Option<Self> {
        let to = decoded(to);
        Kind::of(to)?;
        let mut flat = values.slice(0, values.len());
        while decoded(flat.data_type()) != flat.data_type() {
            flat = decode(&flat).ok()?;
        }
        let from = flat.data_type();
        let mut keys = Vec::with_capacity(flat.len());
        let mut has_null = false;
        for index in 0..flat.len() {
            if from == &DataType::Null || flat.is_null(index) {
                has_null = true;
                continue;
            }
            let key = Key::of(flat.as_ref(), index)?;
            keys.push(if from == to {
                key
            } else {
                key.convert(from, to)?
            });
        }
        Some(Self::of_keys(to, keys, has_null))
    }

    /// The values with these keys, which are of that type.
    pub(crate) fn of_keys(data_type: &DataType, mut keys: Vec<Key>, has_null: bool) -> Self {
        keys.sort_by(|a, b| a.compare(b).unwrap_or(Ordering::Equal));
        keys.dedup_by(|a, b| a.compare(b) == Some(Ordering::Equal));
        Self {
            data_type: data_type.clone(),
            keys,
            has_null,
        }
    }

    /// The type of the constants.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// How many distinct values there are, NULL not counted.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no value, NULL not counted.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether NULL is among the values: then nothing is certainly outside the list.
    pub fn has_null(&self) -> bool {
        self.has_null
    }

    pub(crate) fn has_nan(&self) -> bool {
        self.keys.last().is_some_and(Key::is_nan)
    }

    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

impl PartialEq for ScalarList {
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Key, &Key)| a.compare(b) == Some(Ordering::Equal);
        self.data_type == other.data_type
            && self.has_null == other.has_null
            && self.len() == other.len()
            && self.keys.iter().zip(&other.keys).all(same)
    }
}

impl Display for Scalar {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Key::Bytes(value) = self.key() {
            return write_bytes(f, value);
        }
        let data_type = self.data_type();
        // Zones have no names here: an instant is shown in UTC.
        let instant = match data_type {
            DataType::Timestamp(unit, Some(_)) => self
                .key
                .to_array(&DataType::Timestamp(*unit, Some("+00:00".into()))),
            _ => None,
        };
        let Ok(text) = array_value_to_string(instant.as_ref().unwrap_or(&self.array), 0) else {
            // Beyond the calendar.
            return write!(f, "{:?}", self.key);
        };
        let bare = data_type.is_numeric() || Kind::of(data_type) == Some(Kind::Boolean);
        if bare {
            f.write_str(&text)
        } else {
            write!(f, "'{text}'")
        }
    }
}

impl Display for ScalarList {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('(')?;
        for (position, key) in self.keys().iter().take(SHOWN).enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            match key
                .to_array(self.data_type())
                .and_then(|array| Scalar::new(array.as_ref(), 0))
            {
                Some(value) => write!(f, "{value}")?,
                None => write!(f, "{key:?}")?,
            }
        }
        if self.len() > SHOWN {
            write!(f, ", and {} more", self.len() - SHOWN)?;
        }
        if self.has_null() {
            f.write_str(if self.is_empty() { "NULL" } else { ", NULL" })?;
        }
        f.write_char(')')
    }
}

/// Text in quotes when it is text, hexadecimal digits when not.
pub(crate) fn write_bytes(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    if let Ok(text) = std::str::from_utf8(value) {
        return write!(f, "'{}'", text.replace('\'', "''"));
    }
    f.write_str("X'")?;
    for byte in value {
        write!(f, "{byte:02X}")?;
    }
    f.write_char('\'')
}
