//! What a cache, a view says of itself.

use std::fmt::Write as _;

use respool::{End, Unfinished, View, spelled};

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

/// State and sizes in one line.
pub(crate) fn describe(view: &View) -> String {
    let (Ok(extent), Ok(metrics)) = (view.extent(), view.cache().metrics()) else {
        return "of the parent process".to_owned();
    };
    let state = if extent.cache.is_closed {
        "closed"
    } else if let End::Failed(failure) = &extent.cache.end {
        let unfinished = failure.error().downcast_ref::<Unfinished>();
        if unfinished.is_some_and(Unfinished::is_abandoned) {
            "abandoned"
        } else {
            "failed"
        }
    } else if extent.is_complete {
        "complete"
    } else {
        "filling"
    };
    // How many rows pass is known only when they are read.
    let most = if view.is_filtered() { "at most " } else { "" };
    format!(
        "{state}, {most}{} batches, {most}{} rows, {} columns, {} in memory, {} in the log",
        extent.batches,
        extent.rows,
        view.schema().fields().len(),
        size(metrics.memory_bytes),
        size(metrics.log_bytes),
    )
}

/// The same, and the columns, for notebooks.
pub(crate) fn describe_in_html(view: &View) -> String {
    let escape = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    let mut rows = String::new();
    for field in view.schema().fields() {
        let (name, kind) = (escape(field.name()), escape(&spelled(field.data_type())));
        let _ = write!(rows, "<tr><td>{name}</td><td>{kind}</td></tr>");
    }
    format!(
        "<div><p><b>respool</b> {}</p><table><tr><th>column</th><th>type</th></tr>{rows}</table></div>",
        escape(&describe(view))
    )
}
