//! The two codecs of IPC bodies: each buffer by itself, its length before it.

use std::io::{self, Write};

use arrow_ipc::CompressionType;

use crate::options::Compression;

/// Says that the bytes follow as they are.
const NOT_COMPRESSED: i64 = -1;

/// A codec and its state.
pub(crate) enum Compressor {
    Lz4,
    Zstd(Box<zstd::bulk::Compressor<'static>>),
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lz4 => "Lz4",
            Self::Zstd(_) => "Zstd",
        })
    }
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::Lz4 => Self::Lz4,
            Compression::Zstd => Self::Zstd(Box::new(zstd::bulk::Compressor::new(1)?)),
        })
    }

    pub(crate) fn codec(&self) -> CompressionType {
        match self {
            Self::Lz4 => CompressionType::LZ4_FRAME,
            Self::Zstd(_) => CompressionType::ZSTD,
        }
    }

    /// The length of `bytes` and their compressed form, or the bytes themselves if that is larger.
    pub(crate) fn compress(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::with_capacity(bytes.len() / 2 + 64);
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        match self {
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(&mut out);
                encoder.write_all(bytes)?;
                encoder.finish().map_err(io::Error::other)?;
            }
            Self::Zstd(zstd) => out.extend_from_slice(&zstd.compress(bytes)?),
        }
        if out.len() > bytes.len() + 8 {
            out.clear();
            out.extend_from_slice(&NOT_COMPRESSED.to_le_bytes());
            out.extend_from_slice(bytes);
        }
        Ok(out)
    }
}
