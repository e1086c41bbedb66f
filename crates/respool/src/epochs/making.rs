//! Making a step: finding its rows, and reading the batches that they are in.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;

use super::columns::contradiction;
use super::order::Order;
use super::plan::Plan;
use super::shape::{Made, Shape};
use super::window::{Picked, Window, bring, read};
use crate::error::Result;

/// Makes the steps of one epoch. It keeps the window that it gathers from.
#[derive(Debug)]
pub(super) struct Maker {
    plan: Arc<Plan>,
    order: Order,
    shape: Shape,
    current: Option<(usize, Arc<Window>)>,
    /// The first window that nobody had brought in, and whether the last one was missing.
    brought: (usize, bool),
}

/// Some rows of a step: of one window, and where they go.
struct Part {
    window: Arc<Window>,
    rows: Range<usize>,
}

impl Part {
    fn picked(&self) -> Picked<'_> {
        self.window.picked(self.rows.clone())
    }
}

impl Maker {
    pub(super) fn new(plan: Arc<Plan>, order: Order, shape: Shape) -> Self {
        Self {
            plan,
            order,
            shape,
            current: None,
            brought: (0, true),
        }
    }

    /// Makes this rank's rows of a step.
    pub(super) fn make(&mut self, step: u64) -> Result<Made> {
        let options = &self.plan.options;
        let part = options.part() as u64;
        let first = step * options.batch_size as u64 + options.rank as u64 * part;
        self.shape
            .check_memory(options.part(), self.parts_of(part))?;
        let mut parts = Vec::new();
        let mut next = first;
        while next < first + part {
            let found = self.part(next, first + part - next)?;
            next += found.rows.len() as u64;
            parts.push(found);
        }
        let parts: Vec<_> = parts
            .iter()
            .map(|part| (&*part.window, part.picked()))
            .collect();
        self.shape.made(&parts)
    }

    /// How many parts so many rows have at most; 0 where they are fewer than all.
    fn parts_of(&self, rows: u64) -> u64 {
        let index = self.plan.index.read();
        match rows / index.rows().max(1) {
            0 => 0,
            times => (times + 2).saturating_mul(self.order.windows(&index) as u64),
        }
    }

    /// Rows from this one of the epoch on, as many as lie together, and so many at most.
    fn part(&mut self, row: u64, most: u64) -> Result<Part> {
        let (number, rows, row) = {
            let index = self.plan.index.read();
            let all = index.rows().max(1);
            // What fills the last step up begins again.
            let row = row % all;
            let number = self.order.window_of(row, &index);
            (number, self.order.rows(number, &index), row)
        };
        if !rows.contains(&row) {
            return Err(contradiction());
        }
        let window = self.window(number)?;
        let start = usize::try_from(row - rows.start).map_err(|_| contradiction())?;
        let len = usize::try_from(most.min(rows.end - row)).map_err(|_| contradiction())?;
        Ok(Part {
            window,
            rows: start..start + len,
        })
    }

    fn window(&mut self, number: usize) -> Result<Arc<Window>> {
        if let Some((current, window)) = &self.current
            && *current == number
        {
            return Ok(Arc::clone(window));
        }
        // Before the next one is read: what was decoded for this one is not needed any more.
        self.current = None;
        let batches = self.batches(number);
        let numbers: Vec<usize> = batches.iter().map(|(batch, _)| *batch).collect();
        self.bring(number, &numbers);
        let view = &self.plan.view;
        let read = batches
            .iter()
            .map(|(batch, rows)| read(view, *batch, *rows));
        let read = read.collect::<Result<Vec<_>>>()?;
        let rows: Vec<usize> = read.iter().map(RecordBatch::num_rows).collect();
        let picks = self.order.picks(number, &rows)?;
        let window = Arc::new(self.shape.window(&read, picks)?);
        self.current = Some((number, Arc::clone(&window)));
        Ok(window)
    }

    /// The batches of a window: their numbers in the cache, and their rows.
    fn batches(&self, window: usize) -> Vec<(usize, u64)> {
        let index = self.plan.index.read();
        let batches = self.order.batches(window, &index).into_iter();
        let batches = batches.filter_map(|at| Some((index.batch(at)?, index.rows_of(at))));
        batches.collect()
    }

    /// Has the system bring in this window, if nobody did, and, where pages are missing, the next one.
    fn bring(&mut self, window: usize, batches: &[usize]) {
        let (next, mut was_missing) = self.brought;
        if window >= next {
            was_missing = bring(&self.plan.view, batches);
        }
        if was_missing {
            let after: Vec<usize> = self
                .batches(window + 1)
                .iter()
                .map(|(batch, _)| *batch)
                .collect();
            was_missing = bring(&self.plan.view, &after);
            self.brought = (window + 2, was_missing);
        } else {
            self.brought = (window + 1, false);
        }
    }
}
