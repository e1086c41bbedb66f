//! Rows by their numbers: random access, for who has an order of his own.

use std::collections::{HashMap, VecDeque};

use arrow_array::RecordBatch;

use super::order::Pick;
use super::plan::Plan;
use super::shape::{Form, Made, Shape};
use super::window::read;
use crate::error::{Error, Result};
use crate::sync::Mutex;

/// How many batches are kept for those who take rows one by one.
const KEPT: usize = 16;

/// Batches that rows were taken of, the last ones first.
#[derive(Debug, Default)]
pub(super) struct Taken(Mutex<VecDeque<(usize, RecordBatch)>>);

impl Taken {
    /// These rows, as one batch.
    pub(super) fn take(&self, plan: &Plan, rows: &[u64]) -> Result<RecordBatch> {
        let (places, picks) = picks_of(plan, rows)?;
        let schema = plan.view.schema();
        if picks.is_empty() {
            return Ok(RecordBatch::new_empty(schema));
        }
        let batches = places.iter().map(|place| self.batch(plan, *place));
        let batches = batches.collect::<Result<Vec<_>>>()?;
        let shape = Shape::new(schema, Form::Batch)?;
        let len = picks.len();
        shape.check_memory(len, 0)?;
        let window = shape.window(&batches, Some(picks))?;
        match shape.made(&[(&window, window.picked(0..len))])? {
            Made::Batch(batch) => Ok(batch),
            Made::Arrays(..) => unreachable!("a batch was asked for"),
        }
    }

    /// A batch by its place in the index, read outside of the lock.
    fn batch(&self, plan: &Plan, place: usize) -> Result<RecordBatch> {
        {
            let mut kept = self.0.lock();
            if let Some(at) = kept.iter().position(|(kept, _)| *kept == place)
                && let Some(found) = kept.remove(at)
            {
                let batch = found.1.clone();
                kept.push_front(found);
                return Ok(batch);
            }
        }
        let (number, rows) = {
            let index = plan.index.read();
            let number = index.batch(place).ok_or(Error::Closed)?;
            (number, index.rows_of(place))
        };
        let batch = read(&plan.view, number, rows)?;
        let mut kept = self.0.lock();
        kept.push_front((place, batch.clone()));
        // Let go outside of the lock: it may be the last handle of a map.
        let oldest = (kept.len() > KEPT).then(|| kept.pop_back());
        drop(kept);
        drop(oldest);
        Ok(batch)
    }
}

/// The batches that rows are in, by their places in the index, and which rows of which.
fn picks_of(plan: &Plan, rows: &[u64]) -> Result<(Vec<usize>, Vec<Pick>)> {
    let index = plan.index.read();
    let all = index.rows();
    let (mut places, mut known) = (Vec::new(), HashMap::new());
    let mut picks = Vec::with_capacity(rows.len());
    for row in rows {
        if *row >= all {
            return Err(Error::invalid(format!(
                "no row {row}: there are {all} rows"
            )));
        }
        let place = index.of_row(*row);
        let batch = *known.entry(place).or_insert_with(|| {
            places.push(place);
            places.len() - 1
        });
        let row = row - index.start(place);
        let (Ok(batch), Ok(row)) = (u32::try_from(batch), u32::try_from(row)) else {
            return Err(Error::invalid("a batch has more than 4,294,967,295 rows"));
        };
        picks.push(Pick { batch, row });
    }
    Ok((places, picks))
}
