//! How the files of a log are opened: by their owner alone, and never through a link.

use std::fs::{File, OpenOptions};
use std::io;

/// For reading and writing, with mode 0600.
pub(super) fn private() -> OpenOptions {
    let mut options = for_reading();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// For reading alone.
pub(super) fn for_reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        let flags = i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0);
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    options
}

/// What tells a file from every other that exists at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    file: u64,
}

impl Identity {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::new(&metadata))
    }

    #[cfg(unix)]
    pub(super) fn new(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            file: metadata.ino(),
        }
    }

    #[cfg(not(unix))]
    pub(super) fn new(_: &std::fs::Metadata) -> Self {
        Self { device: 0, file: 0 }
    }
}
