//! What the file system of a directory is good for.

use std::path::Path;

use crate::options::Access;
use crate::{Error, LogOptions, Result};

/// Refuses memory file systems; returns whether mapping is to be avoided here.
pub(super) fn check(directory: &Path, options: &LogOptions) -> Result<bool> {
    let metadata =
        std::fs::metadata(directory).map_err(|e| Error::io("cannot use", directory, e))?;
    if !metadata.is_dir() {
        #[cfg(unix)]
        let e = rustix::io::Errno::NOTDIR.into();
        #[cfg(not(unix))]
        let e = std::io::ErrorKind::NotADirectory.into();
        return Err(Error::io("cannot use", directory, e));
    }
    #[cfg(target_os = "linux")]
    {
        const TMPFS: u32 = 0x0102_1994;
        const RAMFS: u32 = 0x8584_58f6;
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
        Ok(options.access == Access::Read || is_remote(kind))
    }
    // Windows refuses to map a file beyond its end, where a segment grows.
    #[cfg(not(target_os = "linux"))]
    Ok(options.access == Access::Read || cfg!(not(unix)))
}

/// Whether another machine, or a program, may write or shorten the files behind our back: NFS, SMB,
/// CIFS, SMB2, 9P, AFS, Coda, Ceph, and whatever runs in user space (sshfs, s3fs).
#[cfg(target_os = "linux")]
fn is_remote(kind: u32) -> bool {
    const REMOTE: [u32; 9] = [
        0x6969,
        0x517b,
        0xff53_4d42,
        0xfe53_4d42,
        0x0102_1997,
        0x5346_414f,
        0x7375_7245,
        0x00c3_6400,
        0x6573_5546,
    ];
    REMOTE.contains(&kind)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::is_remote;

    #[test]
    fn file_systems_in_user_space_are_remote_and_disks_are_not() {
        const FUSE: u32 = 0x6573_5546;
        const EXT4: u32 = 0xef53;
        const XFS: u32 = 0x5846_5342;
        const BTRFS: u32 = 0x9123_683e;
        const OVERLAY: u32 = 0x794c_7630;
        assert!(is_remote(FUSE));
        for disk in [EXT4, XFS, BTRFS, OVERLAY] {
            assert!(!is_remote(disk), "{disk:x}");
        }
    }
}
