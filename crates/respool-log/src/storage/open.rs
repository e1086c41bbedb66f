//! How the files of a log are opened: by their owner alone, and never through a link.

use std::fs::OpenOptions;

/// For reading and writing, with mode 0600.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NOFOLLOW.bits();
        options
            .mode(0o600)
            .custom_flags(i32::try_from(flags).unwrap_or(0));
    }
    options
}
