//! Where zones are kept.

use std::collections::HashMap;
use std::ops::Range;

use arrow_array::{ArrayRef, RecordBatch};
use parking_lot::RwLock;

use super::Zone;
use crate::predicate::{Predicate, Term, Verdict, Zones, descend};

/// The zones of one column, or of a field of it, by batch number.
type Column = Vec<Option<Zone>>;

/// Zones by column and path.
#[derive(Debug, Default)]
struct Columns(HashMap<usize, HashMap<Vec<usize>, Column>>);

impl Columns {
    fn column(&self, column: usize, path: &[usize]) -> &[Option<Zone>] {
        self.0
            .get(&column)
            .and_then(|paths| paths.get(path))
            .map_or(&[], Vec::as_slice)
    }

    fn zone(&self, column: usize, path: &[usize], batch: usize) -> Option<&Zone> {
        self.column(column, path).get(batch)?.as_ref()
    }

    fn insert(&mut self, column: usize, path: &[usize], batch: usize, zone: Zone) {
        let zones = self
            .0
            .entry(column)
            .or_default()
            .entry(path.to_vec())
            .or_default();
        if zones.len() <= batch {
            zones.resize(batch + 1, None);
        }
        if let Some(slot) = zones.get_mut(batch) {
            *slot = Some(zone);
        }
    }
}

impl Zones for Columns {
    fn zones(&self, column: usize, path: &[usize]) -> &[Option<Zone>] {
        self.column(column, path)
    }
}

/// The zones of one batch, for one predicate.
#[derive(Debug, Default)]
pub struct BatchZones(Columns);

impl BatchZones {
    /// Computes what `predicate` needs from `batch`. Columns that the batch lacks have no zone.
    pub fn of(batch: &RecordBatch, predicate: &Predicate) -> Self {
        let mut columns = Columns::default();
        predicate.for_each_term(&mut |term| {
            if columns.zone(term.column(), term.path(), 0).is_none()
                && let Some(zone) = batch
                    .columns()
                    .get(term.column())
                    .and_then(|array| zone_below(array, term.path()))
            {
                columns.insert(term.column(), term.path(), 0, zone);
            }
        });
        Self(columns)
    }
}

impl Zones for BatchZones {
    fn zones(&self, column: usize, path: &[usize]) -> &[Option<Zone>] {
        self.0.column(column, path)
    }
}

/// The zones of many batches, computed when first asked for and kept.
///
/// Threads may prove at the same time. Zones are computed outside the lock, so two threads may compute the same one;
/// they compute the same value.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow_array::{ArrayRef, Int32Array};
/// use arrow_schema::{DataType, Field, Schema};
/// use respool::predicate::{Operator, Predicate, Scalar, Term, Verdict};
/// use respool::zone_map::ZoneMaps;
///
/// let schema = Schema::new(vec![Field::new("id", DataType::Int32, false)]);
/// let id = Term::new(&schema, 0, &[]).unwrap();
/// let predicate = Predicate::compare(id, Operator::Ge, &Scalar::from(150));
///
/// let zones = ZoneMaps::new();
/// let load = |batch: usize, _column: usize| {
///     let start = i32::try_from(batch).unwrap() * 100;
///     Ok::<_, arrow_schema::ArrowError>(Arc::new(Int32Array::from_iter_values(start..start + 100)) as ArrayRef)
/// };
/// let verdicts = zones.prove(&predicate, 0..3, &load)?;
/// assert_eq!(verdicts, [Verdict::None, Verdict::Some, Verdict::All]);
/// # Ok::<_, arrow_schema::ArrowError>(())
/// ```
#[derive(Debug, Default)]
pub struct ZoneMaps {
    columns: RwLock<Columns>,
}

impl ZoneMaps {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One verdict for each batch of the range.
    ///
    /// `load` fetches one top-level column of one batch. It is called without a lock held, and only for batches that
    /// the zones at hand leave undecided, column after column in the order the predicate names them.
    ///
    /// # Errors
    /// Those of `load`; zones computed before stay.
    pub fn prove<E>(
        &self,
        predicate: &Predicate,
        batches: Range<usize>,
        load: &dyn Fn(usize, usize) -> Result<ArrayRef, E>,
    ) -> Result<Vec<Verdict>, E> {
        let mut terms: Vec<&Term> = Vec::new();
        predicate.for_each_term(&mut |term| {
            if !terms
                .iter()
                .any(|other| other.column() == term.column() && other.path() == term.path())
            {
                terms.push(term);
            }
        });
        let mut columns: Vec<usize> = Vec::new();
        for term in &terms {
            if !columns.contains(&term.column()) {
                columns.push(term.column());
            }
        }
        let mut verdicts = Vec::new();
        if columns.is_empty() {
            verdicts = predicate.prove_all(&*self.columns.read(), batches.clone());
        }
        for column in columns {
            let terms = || terms.iter().filter(move |term| term.column() == column);
            let missing: Vec<usize> = {
                // Verdicts and missing zones from one look: another thread may add zones between two.
                let known = self.columns.read();
                verdicts = predicate.prove_all(&*known, batches.clone());
                let undecided = batches
                    .clone()
                    .zip(&verdicts)
                    .filter(|(_, verdict)| **verdict == Verdict::Some);
                undecided
                    .map(|(batch, _)| batch)
                    .filter(|&batch| {
                        terms().any(|term| known.zone(column, term.path(), batch).is_none())
                    })
                    .collect()
            };
            if missing.is_empty() {
                continue;
            }
            for batch in missing {
                let array = load(batch, column)?;
                for term in terms() {
                    if let Some(zone) = zone_below(&array, term.path()) {
                        self.insert(column, term.path(), batch, zone);
                    }
                }
            }
            verdicts = predicate.prove_all(&*self.columns.read(), batches.clone());
        }
        Ok(verdicts)
    }

    /// The zone of a column or field of a batch, where it is known.
    pub fn zone(&self, column: usize, path: &[usize], batch: usize) -> Option<Zone> {
        self.columns.read().zone(column, path, batch).cloned()
    }

    /// Keeps a zone that was computed elsewhere. `zone` must hold every value of that column of that batch.
    pub fn insert(&self, column: usize, path: &[usize], batch: usize, zone: Zone) {
        self.columns.write().insert(column, path, batch, zone);
    }
}

fn zone_below(array: &ArrayRef, path: &[usize]) -> Option<Zone> {
    let (array, parents) = descend(array, path)?;
    Some(Zone::of_masked(array.as_ref(), parents.as_ref()))
}
