//! What a view shows, in bytes and back.
//!
//! Not saved: the cache, and how far somebody counted the rows of a slice.

mod columns;
mod selection;

use std::sync::Arc;

use super::View;
use super::columns::Columns;
use super::counted::Counted;
use super::filter::Filter;
use super::selection::Selection;
use crate::error::{Error, Result};
use crate::predicate::Predicate;
use crate::saved::{Decoder, Encoder, damaged};

impl View {
    /// What the view shows, in bytes: for [`View::from_bytes`], here or elsewhere, over the same cache.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where it casts to a type that Arrow IPC does not have (a dictionary of
    /// dictionaries), or a filter is nested hundreds of predicates deep.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchIterator};
    /// use respool::{Cache, Options, View};
    /// # let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    /// # let batch = RecordBatch::try_from_iter([("x", Arc::clone(&column)), ("y", column)])?;
    /// # let source = RecordBatchIterator::new([Ok(batch.clone())], batch.schema());
    /// let cache = Cache::new(source, &Options::new())?;
    /// let bytes = cache.view().select(&["y"])?.slice(1, Some(1)).to_bytes()?;
    /// let view = View::from_bytes(&cache.view(), &bytes)?;
    /// let rows: usize = view.reader()?.map(|batch| batch.map_or(0, |b| b.num_rows())).sum();
    /// assert_eq!((rows, view.schema().field(0).name().as_str()), (1, "y"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut out = Encoder::default();
        let columns = self.columns.iter();
        out.list(columns, |out, columns| {
            columns.save(out, &self.store.schema)
        })?;
        out.list(self.filters.iter(), |out, filter| {
            filter.columns().save(out, &self.store.schema)?;
            filter.predicate().save(out)
        })?;
        self.selection.save(&mut out)?;
        out.range(&self.passing);
        out.finish()
    }

    /// The view of a cache that was saved of it, or of another cache of the same batches; `whole` is the view
    /// that shows everything.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] where the bytes were not saved of a view of such a cache, or by a version of
    /// respool that this one does not know, and where `whole` does not show everything.
    pub fn from_bytes(whole: &Self, bytes: &[u8]) -> Result<Self> {
        if !whole.is_whole() {
            return Err(Error::invalid(
                "a view is restored from the one that shows everything of its cache",
            ));
        }
        let schema = &whole.store.schema;
        let mut from = Decoder::new(bytes)?;
        let mut shapes = from.list(|from| Columns::restored(from, schema))?;
        let shape = shapes.pop();
        if !shapes.is_empty() {
            return Err(damaged("they list columns twice"));
        }
        let filters = from.list(|from| {
            let columns = Columns::restored(from, schema)?;
            let predicate = Predicate::restored(from, columns.schema())?;
            Filter::new(&predicate, &columns).map(Arc::new)
        })?;
        let selection = Selection::restored(&mut from)?;
        let passing = from.range()?;
        from.end()?;
        let shown = shape.map_or_else(|| whole.clone(), |columns| whole.shaped(columns));
        let view = Self {
            filters,
            selection,
            passing,
            counted: Counted::default(),
            ..shown
        };
        // Otherwise a slice is part of the selection.
        if view.can_leave_out() || view.is_filtered() || view.selection.leaves_out() {
            Ok(view)
        } else {
            Err(damaged("they count rows of which none are left out"))
        }
    }
}
