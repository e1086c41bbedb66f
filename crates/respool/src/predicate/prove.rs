//! What zones say about a predicate, without a look at the rows.
//!
//! A proof keeps, for every node and batch, the set of answers that some row may give: true, false, null. The leaves
//! read that set from the zone, the connectives combine sets, and NOT exchanges two of the three. Sets may be too
//! large, never too small.

use std::cmp::Ordering;
use std::ops::Range;

use arrow_buffer::i256;
use arrow_schema::DataType;

use super::answers::{Answers, Verdict};
use super::language::Predicate;
use crate::values::{Key, Kind, Native, Operator, ScalarList, Term, compare_floats};
use crate::zones::{Bounds, Zone, Zones, successor};

impl Predicate {
    /// What the zones of one batch, number 0, say about its rows.
    pub fn prove(&self, zones: &dyn Zones) -> Verdict {
        self.prove_all(zones, 0..1)
            .first()
            .copied()
            .unwrap_or(Verdict::Some)
    }

    /// What the zones of each batch in the range say about its rows.
    pub fn prove_all(&self, zones: &dyn Zones, batches: Range<usize>) -> Vec<Verdict> {
        self.answers(zones, &batches)
            .into_iter()
            .map(Answers::verdict)
            .collect()
    }

    fn answers(&self, zones: &dyn Zones, batches: &Range<usize>) -> Vec<Answers> {
        let all = |term: &Term, answer: &dyn Fn(&Zone) -> Answers| {
            let stored = zones.zones(term.column(), term.path());
            let known = stored
                .get(batches.start.min(stored.len())..batches.end.min(stored.len()))
                .unwrap_or_default();
            let mut answers = Vec::with_capacity(batches.len());
            answers.extend(
                known
                    .iter()
                    .map(|zone| zone.as_ref().map_or(Answers::ANYTHING, answer)),
            );
            answers.resize(batches.len(), Answers::ANYTHING);
            answers
        };
        let same = |answer: Answers| vec![answer; batches.len()];
        match self {
            Self::And(inner) => fold(inner, same(Answers::TRUE), zones, batches, Answers::and),
            Self::Or(inner) => fold(inner, same(Answers::FALSE), zones, batches, Answers::or),
            Self::Not(inner) => {
                let mut answers = inner.answers(zones, batches);
                for answer in &mut answers {
                    *answer = answer.negated();
                }
                answers
            }
            Self::Compare {
                term,
                operator,
                value,
            } if term.data_type() == value.data_type() => {
                let point = Point::new(value.key());
                let nan = Answers::certain(operator.holds(point.compare_nan()));
                all(term, &|zone| {
                    value_answers(term, zone, nan, |bounds| compare(*operator, bounds, &point))
                })
            }
            Self::Bool(term) if term.data_type() == &DataType::Boolean => {
                let point = Point::Integer(Some(1), i256::ONE);
                all(term, &|zone| {
                    value_answers(term, zone, Answers::ANYTHING, |bounds| {
                        compare(Operator::Eq, bounds, &point)
                    })
                })
            }
            Self::In { term, values } if term.data_type() == values.data_type() => {
                all(term, &|zone| list_answers(term, zone, values))
            }
            Self::StartsWith { term, prefix }
                if Kind::of(term.data_type()) == Some(Kind::Bytes) =>
            {
                let end = successor(prefix);
                all(term, &|zone| {
                    value_answers(term, zone, Answers::ANYTHING, |bounds| {
                        starts_with(bounds, prefix, end.as_deref())
                    })
                })
            }
            Self::IsNan(term) => all(term, &|zone| {
                value_answers(term, zone, Answers::TRUE, |_| Answers::FALSE)
            }),
            Self::IsNull(term) => all(term, &null_answers),
            Self::IsNotNull(term) => all(term, &|zone| null_answers(zone).negated()),
            Self::Const(Some(answer)) => same(Answers::certain(*answer)),
            Self::Const(None) => same(Answers::NULL),
            // Besides the unknown: constants of another type than their term's, which have no place among its values.
            Self::Unknown
            | Self::Compare { .. }
            | Self::In { .. }
            | Self::StartsWith { .. }
            | Self::Bool(_) => same(Answers::ANYTHING),
        }
    }
}

fn fold(
    inner: &[Predicate],
    mut answers: Vec<Answers>,
    zones: &dyn Zones,
    batches: &Range<usize>,
    combine: impl Fn(Answers, Answers) -> Answers,
) -> Vec<Answers> {
    for predicate in inner {
        for (answer, other) in answers.iter_mut().zip(predicate.answers(zones, batches)) {
            *answer = combine(*answer, other);
        }
    }
    answers
}

fn null_answers(zone: &Zone) -> Answers {
    Answers::of(zone.null_count() > 0, zone.null_count() < zone.rows())
}

/// The answers of nulls, of NaN and of everything else, together.
fn value_answers(
    term: &Term,
    zone: &Zone,
    nan: Answers,
    others: impl Fn(&Bounds) -> Answers,
) -> Answers {
    let nulls = Answers::NULL.when(zone.null_count() > 0);
    if zone.null_count() == zone.rows() {
        return nulls;
    }
    let values = if term.steps().is_empty() {
        known(zone.bounds(), &others)
    } else {
        let mut from = term.stored_type();
        let mut bounds = zone.bounds().clone();
        for (transform, to) in term.steps() {
            bounds = bounds.through(transform, from);
            from = to;
        }
        known(&bounds, &others)
    };
    nulls.or_else(nan.when(zone.has_nan())).or_else(values)
}

fn known(bounds: &Bounds, others: impl Fn(&Bounds) -> Answers) -> Answers {
    match bounds {
        Bounds::Unknown => Answers::ANYTHING,
        Bounds::Empty => Answers::NOTHING,
        bounds => others(bounds),
    }
}

/// A constant, made ready to be placed among the bounds of many zones.
enum Point<'a> {
    /// The value in 64 bits where it fits, and in full.
    Integer(Option<i64>, i256),
    Float(f64),
    Bytes(&'a [u8]),
}

impl<'a> Point<'a> {
    fn new(key: &'a Key) -> Self {
        match key {
            Key::Integer(value) => Self::Integer(i64::narrow(*value), *value),
            Key::Float(value) => Self::Float(*value),
            Key::Bytes(bytes) => Self::Bytes(bytes),
        }
    }

    /// How NaN compares with it.
    fn compare_nan(&self) -> Ordering {
        match self {
            Self::Float(value) => compare_floats(f64::NAN, *value),
            _ => Ordering::Greater,
        }
    }

    /// How the smallest and the largest value compare with it; `None` when they are of another kind.
    fn place(&self, bounds: &Bounds) -> Option<(Ordering, Ordering)> {
        match (self, bounds) {
            (Self::Integer(Some(value), _), Bounds::Integer(min, max)) => {
                Some((min.cmp(value), max.cmp(value)))
            }
            (Self::Integer(None, value), Bounds::Integer(min, max)) => {
                Some((min.widen().cmp(value), max.widen().cmp(value)))
            }
            (Self::Integer(_, value), Bounds::Wide(range)) => {
                Some((range.0.cmp(value), range.1.cmp(value)))
            }
            (Self::Float(value), Bounds::Float(min, max)) => {
                Some((compare_floats(*min, *value), compare_floats(*max, *value)))
            }
            (Self::Bytes(value), Bounds::Bytes(range)) => {
                let max = range
                    .max
                    .as_deref()
                    .map_or(Ordering::Greater, |max| max.cmp(value));
                Some((range.min.as_ref().cmp(value), max))
            }
            _ => None,
        }
    }
}

fn compare(operator: Operator, bounds: &Bounds, point: &Point<'_>) -> Answers {
    let Some((min, max)) = point.place(bounds) else {
        return Answers::ANYTHING;
    };
    // Where both ends of the range agree on a side of the constant, everything between them does.
    match operator {
        Operator::Lt | Operator::Le => Answers::of(operator.holds(min), !operator.holds(max)),
        Operator::Gt | Operator::Ge => Answers::of(operator.holds(max), !operator.holds(min)),
        Operator::Eq => Answers::of(min.is_le() && max.is_ge(), min.is_ne() || max.is_ne()),
        Operator::Ne => Answers::of(min.is_ne() || max.is_ne(), min.is_le() && max.is_ge()),
    }
}

fn list_answers(term: &Term, zone: &Zone, values: &ScalarList) -> Answers {
    let outside = if values.has_null() {
        Answers::NULL
    } else {
        Answers::FALSE
    };
    let nan = if values.has_nan() {
        Answers::TRUE
    } else {
        outside
    };
    value_answers(term, zone, nan, |bounds| {
        let keys = values.keys();
        let below = |side: fn((Ordering, Ordering)) -> bool| {
            keys.partition_point(|key| Point::new(key).place(bounds).is_some_and(side))
        };
        if keys
            .first()
            .is_some_and(|key| Point::new(key).place(bounds).is_none())
        {
            return Answers::ANYTHING;
        }
        // Keys before `from` lie under the smallest value, keys from `to` on above the largest.
        let from = below(|(min, _)| min.is_gt());
        let to = below(|(_, max)| max.is_ge());
        let one_value = keys
            .get(from)
            .and_then(|key| Point::new(key).place(bounds))
            .is_some_and(|(min, max)| min.is_eq() && max.is_eq());
        Answers::TRUE
            .when(from < to)
            .or_else(outside.when(!one_value))
    })
}

fn starts_with(bounds: &Bounds, prefix: &[u8], end: Option<&[u8]>) -> Answers {
    let Bounds::Bytes(range) = bounds else {
        return Answers::ANYTHING;
    };
    let (min, max) = (range.min.as_ref(), range.max.as_deref());
    let may_be_true = max.is_none_or(|max| max >= prefix) && end.is_none_or(|end| min < end);
    // Between two texts that start with the prefix there is none that does not.
    let all = prefix.is_empty()
        || (min.starts_with(prefix) && max.is_some_and(|max| max.starts_with(prefix)));
    Answers::of(may_be_true, !all)
}
