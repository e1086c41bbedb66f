//! Which rows a view shows: those that pass predicates. Zone maps are asked first.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ops::Range;

use arrow_array::{ArrayRef, RecordBatch};

use super::columns::Columns;
use crate::error::{Error, Result};
use crate::interrupt::Watch;
use crate::predicate::{Predicate, Verdict, filter};
use crate::store::Store;
use crate::store::lookahead::{Coming, Lookahead, Scan};
use crate::store::lookup::Found;
use crate::sync::now;

/// A predicate over columns that the view had when it was filtered.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Columns by their numbers in `columns`.
    predicate: Predicate,
    columns: Columns,
    /// Columns by their numbers in the cache; of those that are cast nothing is known.
    based: Predicate,
}

impl Filter {
    /// # Errors
    /// [`Error::InvalidArgument`] for a predicate that can't be applied exactly.
    pub(crate) fn new(predicate: &Predicate, columns: &Columns) -> Result<Self> {
        let schema = columns.schema();
        if !predicate.supports(schema) {
            return Err(Error::invalid(format!(
                "cannot apply this predicate exactly: {predicate}; filter what is read instead"
            )));
        }
        let needed = predicate.columns();
        let position = |column: usize| needed.iter().position(|other| *other == column);
        Ok(Self {
            predicate: predicate.renumbered(&position),
            based: predicate.renumbered(&|column| columns.base_column(column)),
            columns: columns.select(&needed)?,
        })
    }

    /// The predicate over [`Filter::columns`].
    pub(super) fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    pub(super) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Columns of the cache that it reads, ascending.
    pub(crate) fn base(&self) -> &[usize] {
        self.columns.base()
    }

    /// What zone maps say of each batch of a range.
    ///
    /// # Errors
    /// Where a column can't be read from the log; [`Error::Interrupted`].
    pub(crate) fn prove(
        &self,
        store: &Store,
        batches: Range<usize>,
        watch: &mut Watch<'_>,
    ) -> Result<Vec<Verdict>> {
        prove(store, &self.based, batches, watch)
    }

    /// The rows that pass of a batch of the store's columns `read`.
    pub(crate) fn passing(
        &self,
        batch: &RecordBatch,
        read: &[usize],
        store: &Store,
    ) -> Result<RecordBatch> {
        let doing = "cannot filter a batch";
        let asked = self.columns.show(batch, read, store)?;
        let mask = self.predicate.apply(&asked).map_err(Error::arrow(doing))?;
        filter(batch, &mask).map_err(Error::arrow(doing))
    }
}

/// A scan of one column, of which zones are computed.
struct Proof<'a> {
    store: &'a Store,
    column: usize,
    end: usize,
}

impl Scan for Proof<'_> {
    fn at_or_after(&self, batch: usize) -> Option<usize> {
        (batch < self.end).then_some(batch)
    }

    fn coming(&self, batch: usize) -> Coming<'_> {
        match self.store.find(batch) {
            Ok(Found::Stored(stored)) => Coming::Read(
                stored,
                Some(Cow::Borrowed(std::slice::from_ref(&self.column))),
            ),
            _ => Coming::End,
        }
    }
}

/// What zone maps say of each batch of a range; columns of the predicate are numbered as in the cache.
///
/// # Errors
/// As [`Filter::prove`].
pub(crate) fn prove(
    store: &Store,
    predicate: &Predicate,
    batches: Range<usize>,
    watch: &mut Watch<'_>,
) -> Result<Vec<Verdict>> {
    let watch = RefCell::new(watch);
    let going = RefCell::new((usize::MAX, Lookahead::New));
    let end = batches.end;
    let load = |batch: usize, column: usize| -> Result<ArrayRef> {
        watch.borrow_mut().look(now())?;
        match store.find(batch)? {
            Found::Stored(stored) => {
                let (of, ahead) = &mut *going.borrow_mut();
                if *of != column {
                    (*of, *ahead) = (column, Lookahead::New);
                }
                if stored.log().is_some() && ahead.is_due() {
                    ahead.look(batch, &Proof { store, column, end });
                }
                let batch = store.read(&stored, Some(&[column]))?;
                store.provable_column(batch.column(0), column)
            }
            Found::End | Found::Pending => Err(Error::Closed),
        }
    };
    store.recall(&predicate.columns());
    let verdicts = predicate.prove_stored(&store.zones, batches, &load)?;
    store.remember_whole();
    Ok(verdicts)
}
