//! The same rows in other encodings: those that a query engine reads without converting them.
//!
//! DuckDB keeps a decimal of up to 18 digits in 8 bytes and one of up to 9 in 4, a string as a view,
//! and a column of few distinct strings as a dictionary. A view in these encodings is read as it is;
//! in others every query converts it again.

mod encoder;
mod kept;

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringViewArray};
use arrow_schema::DataType;

use self::encoder::{Dictionary, Encoding, encoder, views};
use self::kept::Draft;
use crate::error::{Error, Result};
use crate::ingest::Goal;
use crate::interrupt::{Interrupt, Uninterrupted, Watch};
use crate::options::{Options, WritePolicy};
use crate::pack::Encodings;
use crate::replay::Polled;
use crate::store::{End, Store};
use crate::sync::now;
use crate::view::{Extent, View};

/// A dictionary is worth it where it is this many times shorter than a batch: each batch converts it.
const SHORTER: usize = 8;

/// The most values that the numbers of a dictionary tell apart.
const NUMBERED: usize = 1 << 16;

/// See [`View::encoded`].
///
/// # Errors
/// As there.
pub(crate) fn recoded(view: &View, interrupt: &dyn Interrupt) -> Result<Option<Arc<Store>>> {
    let extent = view.extent()?;
    if extent.cache.is_closed {
        return Err(Error::Closed);
    }
    if !extent.is_complete {
        return Err(Error::invalid("what is not complete can't be encoded yet"));
    }
    if !extent.cache.is_ended() {
        // What comes yet needs the room.
        return Ok(None);
    }
    let store = view.store();
    if store.encodings() == Some(Encodings::DuckDb) {
        return Ok(None);
    }
    let is_whole = view.is_whole();
    if is_whole && let Some(damaged) = store.take_damaged() {
        damaged.close()?;
        kept::discard(store);
    }
    if is_whole && let Some(known) = store.derived_whole() {
        return Ok(Some(known));
    }
    if is_whole && let Some(kept) = kept::kept(view, &extent.cache) {
        store.derive(&kept)?;
        return store.keep_derived(&kept).map(Some);
    }
    let mut watch = Watch::new(interrupt);
    let encodings = encodings(view, &extent, &mut watch)?;
    if encodings.iter().all(|e| matches!(e, Encoding::Kept)) {
        return Ok(None);
    }
    if is_whole
        && let Some(draft) = Draft::of(store)
        && let Some(kept) = drafted(view, &encodings, draft, &extent, &mut watch)?
    {
        return Ok(Some(kept));
    }
    let mut options = Options::new()
        .with_write_policy(WritePolicy::OnEviction)
        .with_budget(&store.budget);
    if store.location().is_none()
        && let Some(quota) = store.log_quota()?
        && let Some(log) = store.log_options()
    {
        options = options.with_log_within(log.clone(), &quota);
    }
    let encoded = Store::new(encoder(view, encodings)?, &options)?;
    // Known from now on: what it takes is in the metrics, and it goes with the cache.
    store.derive(&encoded)?;
    fill(&encoded, &mut watch)?;
    if !is_whole {
        return Ok(Some(encoded));
    }
    store.keep_derived(&encoded).map(Some)
}

/// The copy beside a log with a name; `None` where none can be made there.
fn drafted(
    view: &View,
    encodings: &[Encoding],
    mut draft: Draft,
    extent: &Extent,
    watch: &mut Watch<'_>,
) -> Result<Option<Arc<Store>>> {
    let store = view.store();
    let options = draft.options(store)?;
    // A directory that can't be written.
    let Ok(encoded) = Store::new(encoder(view, encodings.to_vec())?, &options) else {
        return Ok(None);
    };
    draft.begun();
    store.derive(&encoded)?;
    match fill(&encoded, watch) {
        Ok(()) => {}
        // No room there.
        Err(Error::Log(_)) => return Ok(None),
        Err(error) => return Err(error),
    }
    if encoded.close().is_err() {
        return Ok(None);
    }
    drop(encoded);
    let Some(kept) = draft.publish(view, &extent.cache) else {
        return Ok(None);
    };
    store.derive(&kept)?;
    store.keep_derived(&kept).map(Some)
}

fn fill(encoded: &Arc<Store>, watch: &mut Watch<'_>) -> Result<()> {
    encoded.advance(Goal::End, watch)?;
    match encoded.snapshot()?.end {
        End::Failed(failure) => Err(Error::Source(failure)),
        End::Open | End::Complete => Ok(()),
    }
}

fn encodings(view: &View, extent: &Extent, watch: &mut Watch<'_>) -> Result<Vec<Encoding>> {
    let schema = view.schema();
    let columns = schema.fields().iter().enumerate();
    columns
        .map(|(column, field)| {
            Ok(match field.data_type() {
                DataType::Decimal128(precision @ 1..=9, scale) => {
                    Encoding::Decimal(DataType::Decimal32(*precision, *scale))
                }
                DataType::Decimal128(precision @ 10..=18, scale) => {
                    Encoding::Decimal(DataType::Decimal64(*precision, *scale))
                }
                DataType::Binary | DataType::LargeBinary => Encoding::View(DataType::BinaryView),
                kind if is_string(kind) => {
                    // An extension may be known for text, and not for numbers of texts.
                    let found = if field.extension_type_name().is_none() {
                        distinct(view, extent, column, watch)?
                    } else {
                        None
                    };
                    match found {
                        Some(dictionary) => Encoding::Dictionary(dictionary),
                        None if kind == &DataType::Utf8View => Encoding::Kept,
                        None => Encoding::View(DataType::Utf8View),
                    }
                }
                _ => Encoding::Kept,
            })
        })
        .collect()
}

/// The distinct strings of a column, if they are few.
fn distinct(
    view: &View,
    extent: &Extent,
    column: usize,
    watch: &mut Watch<'_>,
) -> Result<Option<Dictionary>> {
    let rows = usize::try_from(extent.rows).unwrap_or(usize::MAX);
    let most = (rows / extent.batches.max(1) / SHORTER).clamp(1, NUMBERED);
    let shown = view.select_indexes(&[column])?;
    let mut reader = shown.passing_by(&Uninterrupted)?;
    let mut numbers: HashMap<Box<str>, u16> = HashMap::new();
    let mut values: Vec<Box<str>> = Vec::new();
    while let Polled::Batch(batch) = reader.poll()? {
        watch.look(now())?;
        let strings = views(batch.column(0)).map_err(Error::arrow("cannot read strings"))?;
        let mut last = None;
        for string in strings.as_string_view().iter().flatten() {
            if last == Some(string) || numbers.contains_key(string) {
                last = Some(string);
                continue;
            }
            let Ok(number) = u16::try_from(values.len()) else {
                return Ok(None);
            };
            if values.len() == most {
                return Ok(None);
            }
            values.push(string.into());
            numbers.insert(string.into(), number);
        }
    }
    let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(&values));
    Ok(Some(Dictionary {
        values,
        numbers: Arc::new(numbers),
    }))
}

fn is_string(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Dictionary(_, values) => is_string(values),
        _ => false,
    }
}
