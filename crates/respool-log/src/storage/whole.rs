//! Reads and writes that are whole or fail.

use std::io::{self, IoSlice};

use super::StorageFile;

/// Writes all of `parts` at `offset`: goes on after a partial write, tries again after a signal.
pub(crate) fn write_all(
    file: &dyn StorageFile,
    mut parts: &mut [IoSlice<'_>],
    mut offset: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_at(parts, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                IoSlice::advance_slices(&mut parts, n);
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Fills `bytes` from `offset`.
pub(crate) fn read_all(file: &dyn StorageFile, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    fill(bytes, offset, |bytes, offset| file.read_at(bytes, offset))
}

/// Fills `bytes` from `offset`, and has the system bring in none behind them.
pub(crate) fn read_part(file: &dyn StorageFile, bytes: &mut [u8], offset: u64) -> io::Result<()> {
    fill(bytes, offset, |bytes, offset| {
        file.read_part_at(bytes, offset)
    })
}

fn fill(
    mut bytes: &mut [u8],
    mut offset: u64,
    read: impl Fn(&mut [u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match read(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => {
                bytes = bytes.get_mut(n..).unwrap_or_default();
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
