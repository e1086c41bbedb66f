//! What the files of a persistent log are called, segments apart.

/// The name of the index of a persistent log.
pub(crate) const INDEX: &str = "_index";
/// The name of the manifest.
pub(crate) const MANIFEST: &str = "_manifest";
/// Its name until it is whole.
pub(crate) const MANIFEST_PART: &str = "_manifest.part";
/// The name of the file that says why a log failed.
pub(crate) const FAILURE: &str = "_failure";
/// Its name until it is whole.
pub(crate) const FAILURE_PART: &str = "_failure.part";

/// Whether a file of a log may have this name: those of segments are numbers, and all others begin with
/// a mark that dataset readers pass over.
#[cfg(all(unix, not(respool_portable)))]
pub(crate) fn is_name(name: &str) -> bool {
    let is_segment = |(number, kind): (&str, &str)| {
        let is_number = number.len() >= 8 && number.bytes().all(|b| b.is_ascii_digit());
        is_number && matches!(kind, "arrow" | "arrows")
    };
    name.starts_with('_') || name.split_once('.').is_some_and(is_segment)
}
