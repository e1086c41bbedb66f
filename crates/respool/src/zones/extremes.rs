//! The one pass over the values that finds their bounds.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayAccessor, downcast_run_array};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, NullBuffer, RunEndBuffer};
use arrow_schema::DataType;

use super::bounds::Bounds;
use crate::values::{Half, IntoBytes, Leaf, Native, match_bytes, match_integers, physical_indices};

/// Looks through one layer of encoding; only values that some valid row shows count.
pub(super) fn encoded_bounds(array: &dyn Array, valid: Option<&NullBuffer>) -> (Bounds, bool) {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        let values = dictionary.values();
        if values.is_empty() {
            return (Bounds::Empty, false);
        }
        let keys = dictionary.normalized_keys();
        let mut used = vec![false; values.len()];
        let mut mark = |key: Option<&usize>| {
            if let Some(slot) = key.and_then(|&key| used.get_mut(key)) {
                *slot = true;
            }
        };
        match valid {
            None => keys.iter().for_each(|key| mark(Some(key))),
            Some(valid) => valid.valid_indices().for_each(|row| mark(keys.get(row))),
        }
        let used = NullBuffer::new(BooleanBuffer::from(used));
        return flat_bounds(values.as_ref(), Some(&used));
    }
    if matches!(array.data_type(), DataType::RunEndEncoded(..)) {
        return downcast_run_array!(
            array => run_bounds(array.run_ends(), array.values().as_ref(), valid),
            _ => (Bounds::Unknown, false)
        );
    }
    flat_bounds(array, valid)
}

fn run_bounds<R: ArrowNativeType>(
    run_ends: &RunEndBuffer<R>,
    values: &dyn Array,
    valid: Option<&NullBuffer>,
) -> (Bounds, bool) {
    let mut used = vec![false; values.len()];
    for (row, run) in physical_indices(run_ends).enumerate() {
        if valid.is_none_or(|valid| valid.is_valid(row))
            && let Some(slot) = used.get_mut(run)
        {
            *slot = true;
        }
    }
    flat_bounds(values, Some(&NullBuffer::new(BooleanBuffer::from(used))))
}

fn flat_bounds(array: &dyn Array, valid: Option<&NullBuffer>) -> (Bounds, bool) {
    let Some(leaf) = Leaf::of(array) else {
        return (Bounds::Unknown, false);
    };
    let bounds = match_bytes!(leaf,
        array => byte_bounds(array, valid),
        Leaf::Boolean(values) => boolean_bounds(values, valid),
        Leaf::Float16(values) => return float_bounds(values, valid, Half::to_f64),
        Leaf::Float32(values) => return float_bounds(values, valid, f64::from),
        Leaf::Float64(values) => return float_bounds(values, valid, |value| value),
        other => match_integers!(other, values => integer_bounds(values, valid), _ => Bounds::Unknown)
    );
    (bounds, false)
}

fn boolean_bounds(values: &BooleanBuffer, valid: Option<&NullBuffer>) -> Bounds {
    let (some_true, some_false) = match valid {
        None => (values.has_true(), values.has_false()),
        Some(valid) => (
            (values & valid.inner()).has_true(),
            (&!values & valid.inner()).has_true(),
        ),
    };
    match (some_false, some_true) {
        (false, false) => Bounds::Empty,
        (some_false, some_true) => Bounds::Integer(i64::from(!some_false), i64::from(some_true)),
    }
}

/// Calls `chunk` with every stretch of valid values.
fn for_each_valid_run<T>(values: &[T], valid: Option<&NullBuffer>, mut chunk: impl FnMut(&[T])) {
    match valid {
        None => chunk(values),
        Some(valid) => {
            for (start, end) in valid.valid_slices() {
                if let Some(run) = values.get(start..end) {
                    chunk(run);
                }
            }
        }
    }
}

/// Independent lanes, so that one comparison need not wait for the one before.
const LANES: usize = 8;

fn integer_bounds<T: Native>(values: &[T], valid: Option<&NullBuffer>) -> Bounds {
    let mut found: Option<(T, T)> = None;
    for_each_valid_run(values, valid, |run| {
        if let Some(&first) = run.first() {
            let (min, max) = found.unwrap_or((first, first));
            found = Some(extremes(run, min, max));
        }
    });
    found.map_or(Bounds::Empty, |(min, max)| {
        Bounds::integers(min.widen(), max.widen())
    })
}

/// The least and greatest of `run`, `min` and `max`.
fn extremes<T: Native>(run: &[T], min: T, max: T) -> (T, T) {
    // Wide integers do not fit lanes of registers: comparing them one by one is faster.
    let (chunks, rest) = if size_of::<T>() > 8 {
        (&[][..], run)
    } else {
        run.as_chunks::<LANES>()
    };
    let (mut least, mut greatest) = (min, max);
    if !chunks.is_empty() {
        let (mut mins, mut maxs) = ([min; LANES], [max; LANES]);
        for chunk in chunks {
            // Not zipped iterators: those are not always unrolled, and four times slower then.
            mins = std::array::from_fn(|lane| mins[lane].min(chunk[lane]));
            maxs = std::array::from_fn(|lane| maxs[lane].max(chunk[lane]));
        }
        least = mins.into_iter().fold(least, T::min);
        greatest = maxs.into_iter().fold(greatest, T::max);
    }
    for &value in rest {
        if value < least {
            least = value;
        } else if value > greatest {
            greatest = value;
        }
    }
    (least, greatest)
}

fn float_bounds<T: Copy>(
    values: &[T],
    valid: Option<&NullBuffer>,
    widen: impl Fn(T) -> f64,
) -> (Bounds, bool) {
    // A comparison with NaN is false, so NaN leaves the lanes alone; no value at all leaves them crossed.
    let (mut mins, mut maxs) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
    let mut nans = [false; LANES];
    let smaller = |a: f64, b: f64| if a < b { a } else { b };
    let greater = |a: f64, b: f64| if a > b { a } else { b };
    for_each_valid_run(values, valid, |run| {
        let (chunks, rest) = run.as_chunks::<LANES>();
        for chunk in chunks {
            let chunk = chunk.map(&widen);
            mins = std::array::from_fn(|lane| smaller(chunk[lane], mins[lane]));
            maxs = std::array::from_fn(|lane| greater(chunk[lane], maxs[lane]));
            nans = std::array::from_fn(|lane| nans[lane] | chunk[lane].is_nan());
        }
        for value in rest {
            let value = widen(*value);
            mins[0] = smaller(value, mins[0]);
            maxs[0] = greater(value, maxs[0]);
            nans[0] |= value.is_nan();
        }
    });
    let min = mins.into_iter().fold(f64::INFINITY, f64::min);
    let max = maxs.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let bounds = if min > max {
        Bounds::Empty
    } else {
        Bounds::Float(min, max)
    };
    (bounds, nans.contains(&true))
}

/// A value and its first eight bytes as a number: most comparisons end there.
#[derive(Clone, Copy)]
struct Prefixed<'a> {
    prefix: u64,
    bytes: &'a [u8],
}

impl<'a> Prefixed<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let prefix = if let Some(head) = bytes.first_chunk() {
            u64::from_be_bytes(*head)
        } else {
            // Padding with zeros keeps the order: where the prefixes differ, the bytes differ the same way.
            let mut head = [0; 8];
            head.iter_mut()
                .zip(bytes)
                .for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(head)
        };
        Self { prefix, bytes }
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.prefix
            .cmp(&other.prefix)
            .then_with(|| self.bytes.cmp(other.bytes))
    }
}

fn byte_bounds<'a, A>(array: &'a A, valid: Option<&NullBuffer>) -> Bounds
where
    A: Array,
    &'a A: ArrayAccessor,
    <&'a A as ArrayAccessor>::Item: IntoBytes<'a>,
{
    let mut found: Option<(Prefixed<'a>, Prefixed<'a>)> = None;
    let mut take = |row: usize| {
        let value = Prefixed::new(array.value(row).into_bytes());
        match &mut found {
            None => found = Some((value, value)),
            Some((min, max)) => {
                if value.compare(max).is_gt() {
                    *max = value;
                } else if value.compare(min).is_lt() {
                    *min = value;
                }
            }
        }
    };
    match valid {
        None => (0..array.len()).for_each(&mut take),
        Some(valid) => valid.valid_indices().for_each(&mut take),
    }
    found.map_or(Bounds::Empty, |(min, max)| {
        Bounds::bytes(min.bytes, max.bytes)
    })
}
