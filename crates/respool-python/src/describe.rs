//! What a cache, a view says of itself.

use std::path::Path;

use arrow_array::RecordBatch;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use respool::{End, Error, Extent, Metrics, Place, Unfinished, View, counted};

use crate::pyarrow::{batch_to_pyarrow, schema_to_pyarrow};

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let mut shown = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if shown < 1024.0 {
            return if unit == "B" {
                format!("{bytes} B")
            } else {
                format!("{shown:.1} {unit}")
            };
        }
        shown /= 1024.0;
    }
    format!("{shown:.1} TiB")
}

/// What a view says of itself, by one look.
struct About {
    extent: Extent,
    metrics: Metrics,
    state: &'static str,
}

impl About {
    /// In place of what can't be asked, in a forked child or where a log can't be read, what to say of it.
    fn of(view: &View) -> Result<Self, &'static str> {
        let unknown = |error| match error {
            Error::Forked => "of the parent process",
            _ => "unreadable",
        };
        let extent = view.extent().map_err(unknown)?;
        let metrics = view.cache().metrics().map_err(unknown)?;
        let state = if extent.cache.is_closed {
            "closed"
        } else if let End::Failed(failure) = &extent.cache.end {
            let unfinished = failure.error().downcast_ref::<Unfinished>();
            if unfinished.is_some_and(Unfinished::is_abandoned) {
                "abandoned"
            } else {
                "failed"
            }
        } else if extent.cache.is_ended() {
            "complete"
        } else if extent.is_complete {
            // All that the view shows of a stream that goes on.
            "stored"
        } else {
            "filling"
        };
        Ok(Self {
            extent,
            metrics,
            state,
        })
    }

    /// Bytes a second, while it fills: of the time that the source was asked and batches were stored.
    fn rate(&self) -> Option<f64> {
        let time = self.metrics.source_time + self.metrics.store_time;
        #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
        let bytes = self.metrics.bytes as f64;
        let is_known = self.state == "filling" && self.metrics.bytes > 0 && !time.is_zero();
        is_known.then(|| bytes / time.as_secs_f64())
    }
}

/// A whole number of bytes, at most as many as there can be.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; a rate is never less than 0"
)]
fn whole(bytes: f64) -> u64 {
    bytes as u64
}

/// State and sizes in one line. Waits for nobody.
pub(crate) fn describe(view: &View) -> String {
    let about = match About::of(view) {
        Ok(about) => about,
        Err(unknown) => return unknown.to_owned(),
    };
    let rate = about
        .rate()
        .map_or_else(String::new, |rate| format!(" at {}/s", size(whole(rate))));
    let About {
        extent,
        metrics,
        state,
    } = &about;
    let path = view.cache().place().map_or_else(String::new, |(path, _)| {
        format!(", in {}", spelled_path(path))
    });
    let columns = counted(view.schema().fields().len(), "column", "columns");
    // Of what was let go nothing is counted.
    if extent.cache.is_closed {
        return format!("{state}, {columns}{path}");
    }
    // How many rows pass is known only when they are read.
    let most = if view.is_filtered() { "at most " } else { "" };
    format!(
        "{state}{rate}, {most}{}, {most}{}, {columns}, {} in memory, {} in the log{path}",
        counted(extent.batches, "batch", "batches"),
        counted(extent.rows, "row", "rows"),
        size(metrics.memory_bytes),
        size(metrics.log_bytes),
    )
}

/// A path in one line, whatever is in it; with codes where something in it is not seen, or turns around what is.
fn spelled_path(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |letter| matches!(letter, '"' | '\'' | '\\');
    // Accents behind their letters are seen, which `char::escape_debug` would not tell.
    let unseen = text.replace(is_plain, "");
    if unseen.escape_debug().eq(unseen.chars()) {
        text.into_owned()
    } else {
        format!("{text:?}")
    }
}

/// Parts of the stream that a picture of it has at most.
const PARTS: usize = 60;

/// What a picture of a view is made of; for `respool._html`, which names the keys. Reads nothing of the source, and
/// of what is stored only the first rows.
pub(crate) struct Portrait {
    about: Result<(About, Vec<Place>), &'static str>,
    path: Option<String>,
    is_filtered: bool,
    readers: usize,
    failure: Option<String>,
    first: Option<RecordBatch>,
    /// Why there are no rows, where that is an error.
    unread: Option<String>,
}

impl Portrait {
    pub(crate) fn of(view: &View, rows: usize, columns: usize) -> Self {
        let cache = view.cache();
        let about = About::of(view).map(|about| (about, cache.places(PARTS).unwrap_or_default()));
        let (first, unread) = match &about {
            Err(_) => (None, None),
            Ok(_) => match view.peek(rows, columns) {
                Ok(first) => (first, None),
                Err(error) => (None, Some(error.to_string())),
            },
        };
        let failure = about
            .as_ref()
            .ok()
            .and_then(|(about, _)| match &about.extent.cache.end {
                End::Failed(failure) => Some(failure.error().to_string()),
                End::Open | End::Complete => None,
            });
        Self {
            path: cache.place().map(|(path, _)| spelled_path(path)),
            is_filtered: view.is_filtered(),
            readers: about.as_ref().map_or(0, |(about, _)| about.metrics.readers),
            about,
            failure,
            first,
            unread,
        }
    }

    pub(crate) fn into_dict<'py>(
        self,
        py: Python<'py>,
        schema: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        dict.set_item("schema", schema)?;
        dict.set_item("path", self.path)?;
        let (about, places) = match self.about {
            Ok(told) => told,
            Err(unknown) => {
                dict.set_item("state", unknown)?;
                return Ok(dict);
            }
        };
        let metrics = &about.metrics;
        dict.set_item("state", about.state)?;
        dict.set_item("failure", self.failure)?;
        dict.set_item("rate", about.rate())?;
        dict.set_item("is_filtered", self.is_filtered)?;
        dict.set_item("batches", about.extent.batches)?;
        dict.set_item("rows", about.extent.rows)?;
        dict.set_item("is_ended", about.extent.cache.is_ended())?;
        dict.set_item("stored", about.extent.cache.batches)?;
        dict.set_item("bytes", metrics.bytes)?;
        dict.set_item("memory_bytes", metrics.memory_bytes)?;
        dict.set_item("memory_capacity", metrics.memory_capacity)?;
        dict.set_item("log_bytes", metrics.log_bytes)?;
        dict.set_item("log_capacity", metrics.log_capacity)?;
        dict.set_item("batches_in_log", metrics.batches_in_log)?;
        dict.set_item("pulls", metrics.pulls)?;
        dict.set_item("source_seconds", metrics.source_time.as_secs_f64())?;
        dict.set_item("memory_hits", metrics.memory_hits)?;
        dict.set_item("log_reads", metrics.log_reads)?;
        dict.set_item("readers", self.readers)?;
        let parts: Vec<_> = places
            .iter()
            .map(|place| (place.batches, place.in_memory, place.in_log))
            .collect();
        dict.set_item("places", parts)?;
        dict.set_item("unread", self.unread)?;
        if let Some(first) = self.first {
            let shown = schema_to_pyarrow(py, &first.schema())?;
            dict.set_item("first", batch_to_pyarrow(first, &shown)?)?;
        }
        Ok(dict)
    }
}
