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
