//! What the file system of a directory is good for.

use std::io;
use std::path::Path;

use crate::options::Access;
use crate::{Error, LogOptions, Result};

/// Refuses memory file systems; returns whether mapping is to be avoided here.
pub(super) fn check(directory: &Path, options: &LogOptions) -> Result<bool> {
    let metadata =
        std::fs::metadata(directory).map_err(|e| Error::io("cannot use", directory, e))?;
    if !metadata.is_dir() {
        let e = io::Error::from_raw_os_error(rustix::io::Errno::NOTDIR.raw_os_error());
        return Err(Error::io("cannot use", directory, e));
    }
    #[cfg(target_os = "linux")]
    {
        const TMPFS: u32 = 0x0102_1994;
        const RAMFS: u32 = 0x8584_58f6;
        // NFS, SMB, CIFS, SMB2, 9P, AFS, Coda, Ceph: another machine may write or shorten.
        const REMOTE: [u32; 8] = [
            0x6969,
            0x517b,
            0xff53_4d42,
            0xfe53_4d42,
            0x0102_1997,
            0x5346_414f,
            0x7375_7245,
            0x00c3_6400,
        ];
        let kind = rustix::fs::statfs(directory)
            .map_err(|e| Error::io("cannot use", directory, e.into()))?
            .f_type;
        // The type is a signed long here and an unsigned int there; its low 32 bits are the magic.
        let [a, b, c, d, ..] = kind.to_le_bytes();
        let kind = u32::from_le_bytes([a, b, c, d]);
        if (kind == TMPFS || kind == RAMFS) && !options.allow_tmpfs {
            return Err(Error::Tmpfs {
                path: directory.to_owned(),
            });
        }
        Ok(options.access == Access::Read || REMOTE.contains(&kind))
    }
    #[cfg(not(target_os = "linux"))]
    Ok(options.access == Access::Read)
}
