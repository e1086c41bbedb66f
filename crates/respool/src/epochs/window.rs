//! The batches whose rows are shuffled together, read and ready to be gathered from.

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use respool_log::Wish;

use super::columns::{Column, Kind, contradiction};
use super::order::Pick;
use crate::error::{Error, Result};
use crate::store::lookup::{Found, Stored};
use crate::view::View;

/// Some batches, by columns, and the order of their rows.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) columns: Vec<Column>,
    /// `None`: the rows of the one batch, in order.
    picks: Option<Vec<Pick>>,
}

/// Rows of a window.
#[derive(Clone, Debug)]
pub(super) enum Picked<'a> {
    Mixed(&'a [Pick]),
    /// Of its one batch.
    Run(Range<usize>),
}

impl Picked<'_> {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Mixed(picks) => picks.len(),
            Self::Run(rows) => rows.len(),
        }
    }

    pub(super) fn each(&self) -> impl Iterator<Item = Pick> {
        let (picks, rows) = match self {
            Self::Mixed(picks) => (*picks, 0..0),
            Self::Run(rows) => (&[][..], rows.clone()),
        };
        let run = rows.map(|row| Pick {
            batch: 0,
            // A batch of more rows is not there: an order of them would have been refused.
            row: u32::try_from(row).unwrap_or(u32::MAX),
        });
        picks.iter().copied().chain(run)
    }
}

impl Window {
    pub(super) fn new(
        batches: &[RecordBatch],
        schema: &Schema,
        kinds: &[Kind],
        picks: Option<Vec<Pick>>,
    ) -> Result<Self> {
        let fields = schema.fields().iter().zip(kinds).enumerate();
        let columns = fields.map(|(at, (field, kind))| {
            let arrays = batches.iter().map(|batch| batch.column(at).clone());
            Column::of(field.name(), arrays.collect(), *kind)
        });
        Ok(Self {
            columns: columns.collect::<Result<_>>()?,
            picks,
        })
    }

    /// Some of its rows.
    pub(super) fn picked(&self, rows: Range<usize>) -> Picked<'_> {
        match &self.picks {
            None => Picked::Run(rows),
            Some(picks) => Picked::Mixed(&picks[rows]),
        }
    }
}

/// What a view shows of a batch of its cache, of which it is known how many rows it shows.
pub(super) fn read(view: &View, batch: usize, rows: u64) -> Result<RecordBatch> {
    let stored = found(view, batch)?;
    let filters: Vec<_> = view.filters().iter().map(AsRef::as_ref).collect();
    let read = if filters.is_empty() {
        view.read(&stored)?
    } else {
        view.read_passing(&stored, &filters)?
    };
    if read.num_rows() as u64 == rows {
        Ok(read)
    } else {
        Err(contradiction())
    }
}

/// Has the system bring in what is missing of batches that lie in a mapped log; says whether something was.
/// Nobody waits for it, and nothing is an error.
pub(super) fn bring(view: &View, batches: &[usize]) -> bool {
    let filters: Vec<_> = view.filters().iter().map(AsRef::as_ref).collect();
    let columns = view.needed(&filters);
    let mut was_missing = false;
    for batch in batches {
        let Ok(stored) = found(view, *batch) else {
            continue;
        };
        let Some(log) = stored.log() else { continue };
        let seen = log.look(*batch, columns.as_deref(), Wish::Look);
        if seen.is_some_and(|seen| !seen.was_there) {
            was_missing = true;
            log.bring_head(*batch);
            log.look(*batch, columns.as_deref(), Wish::Bring);
        }
    }
    was_missing
}

fn found(view: &View, batch: usize) -> Result<Stored> {
    match view.store().find(batch)? {
        Found::Stored(stored) => Ok(stored),
        Found::End | Found::Pending => Err(Error::Closed),
    }
}
