//! Where zones are kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, RecordBatch};

use super::saved::{decoded, encoded};
use super::zone::Zone;
use crate::sync::{RwLock, RwLockReadGuard};
use crate::values::{Term, descend};

/// Where a proof finds zones.
pub trait Zones {
    /// The zones of a column, or of a field of it, by batch number. A batch without a zone (or past the end) is one of
    /// which nothing is known.
    fn zones(&self, column: usize, path: &[usize]) -> &[Option<Zone>];
}

/// The zones of one column, or of a field of it, by batch number.
type Column = Vec<Option<Zone>>;

/// Zones by column and path.
#[derive(Debug, Default)]
pub(crate) struct Columns(HashMap<usize, HashMap<Vec<usize>, Column>>);

impl Columns {
    fn column(&self, column: usize, path: &[usize]) -> &[Option<Zone>] {
        self.0
            .get(&column)
            .and_then(|paths| paths.get(path))
            .map_or(&[], Vec::as_slice)
    }

    pub(crate) fn zone(&self, column: usize, path: &[usize], batch: usize) -> Option<&Zone> {
        self.column(column, path).get(batch)?.as_ref()
    }

    /// How many zones there are of each column.
    fn counts(&self) -> Vec<(usize, usize)> {
        let count = |paths: &HashMap<Vec<usize>, Column>| {
            let zones = paths.values().flatten();
            zones.filter(|zone| zone.is_some()).count()
        };
        let columns = self.0.iter();
        columns
            .map(|(column, paths)| (*column, count(paths)))
            .collect()
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

/// The zones of one batch.
#[derive(Debug, Default)]
pub struct BatchZones(Columns);

impl BatchZones {
    /// Computes the zones of what the terms speak about. Columns that the batch lacks have no zone.
    pub fn of<'a>(batch: &RecordBatch, terms: impl IntoIterator<Item = &'a Term>) -> Self {
        let mut columns = Columns::default();
        for term in terms {
            if columns.zone(term.column(), term.path(), 0).is_none()
                && let Some(zone) = batch
                    .columns()
                    .get(term.column())
                    .and_then(|array| zone_below(array, term.path()))
            {
                columns.insert(term.column(), term.path(), 0, zone);
            }
        }
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
#[derive(Debug, Default)]
pub struct ZoneMaps {
    columns: RwLock<Columns>,
    /// How many were computed.
    computed: AtomicU64,
}

impl ZoneMaps {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The zone of a column or field of a batch, where it is known.
    pub fn zone(&self, column: usize, path: &[usize], batch: usize) -> Option<Zone> {
        self.columns.read().zone(column, path, batch).cloned()
    }

    /// What is known now; nothing is added while this is held.
    pub(crate) fn known(&self) -> RwLockReadGuard<'_, Columns> {
        self.columns.read()
    }

    /// Computes the zone of a term and keeps it; `array` is its column in that batch.
    pub(crate) fn learn(&self, term: &Term, batch: usize, array: &ArrayRef) {
        if let Some(zone) = zone_below(array, term.path()) {
            self.computed.fetch_add(1, Ordering::Relaxed);
            self.insert(term.column(), term.path(), batch, zone);
        }
    }

    /// How many zones were computed, rather than taken from elsewhere.
    pub(crate) fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    /// How many zones are known of each column that something is known of.
    pub(crate) fn counts(&self) -> Vec<(usize, usize)> {
        self.columns.read().counts()
    }

    /// Everything that is known of a column, in bytes.
    pub(crate) fn to_bytes(&self, column: usize) -> Vec<u8> {
        let columns = self.columns.read();
        encoded(column, columns.0.get(&column).into_iter().flatten())
    }

    /// Adds what [`ZoneMaps::to_bytes`] gave of a column of the same `batches`; says whether it did.
    pub(crate) fn add_bytes(&self, column: usize, bytes: &[u8], batches: usize) -> bool {
        let Some(groups) = decoded(bytes, column, batches) else {
            return false;
        };
        let mut columns = self.columns.write();
        for (path, zones) in groups {
            for (batch, zone) in zones.into_iter().enumerate() {
                if let Some(zone) = zone
                    && columns.zone(column, &path, batch).is_none()
                {
                    columns.insert(column, &path, batch, zone);
                }
            }
        }
        true
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
