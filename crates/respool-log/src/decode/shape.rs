//! Whether a message is what its entry and its schema say, before anybody decodes it.
//!
//! The decoder of the arrow crates trusts counts, offsets and sizes of a message that is not one, and
//! panics, or asks for memory that nobody has. What is checked here is what it trusts.

use std::ops::Range;

use arrow_ipc as ipc;
use arrow_schema::{DataType, Fields};

use super::damaged;
use super::plain::Column;
use crate::Result;
use crate::format::{Sum, crc32c, table_len};
use crate::types::{buffer_count, node_count, view_count};

/// One byte of a compressed buffer stands for no more than so many: a block of zstd takes three bytes
/// to repeat one byte 128 KiB long, one of LZ4 one for every 255.
const MOST_OF_ZSTD: u64 = 1 << 16;
const MOST_OF_LZ4: u64 = 256;

/// Where the columns of a message lie.
#[derive(Debug)]
pub(crate) struct Shape {
    /// The body of each column, padding included.
    columns: Vec<Range<usize>>,
    /// The buffers of each column, within the body.
    buffers: Vec<Vec<Range<usize>>>,
    /// How many values and how many nulls each column has.
    counts: Vec<(usize, usize)>,
    table: Range<usize>,
    codec: Option<ipc::CompressionType>,
}

/// What a message is expected to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) body_len: usize,
    pub(crate) codec: Option<ipc::CompressionType>,
    pub(crate) has_table: bool,
}

impl Shape {
    /// Finds the columns, given the metadata.
    pub(super) fn of(
        message: &ipc::Message<'_>,
        batch: &ipc::RecordBatch<'_>,
        expected: Expected<'_>,
    ) -> Result<Self> {
        let fields = expected.fields;
        if message.version() != ipc::MetadataVersion::V5 {
            return Err(damaged("its version is not V5"));
        }
        if usize::try_from(message.bodyLength()) != Ok(expected.body_len) {
            return Err(damaged("its body is not as long as its entry says"));
        }
        let codec = batch.compression().map(|compression| compression.codec());
        if codec != expected.codec {
            return Err(damaged("its codec is not that of the log"));
        }
        let types = || fields.iter().map(|field| field.data_type());
        let nodes = batch.nodes().unwrap_or_default();
        if nodes.len() != types().map(node_count).sum::<usize>() {
            return Err(damaged("it has not as many nodes as the schema"));
        }
        let is_node = |node: &ipc::FieldNode| (0..=node.length()).contains(&node.null_count());
        if batch.length() < 0 || !nodes.iter().all(is_node) {
            return Err(damaged("a node counts wrong"));
        }
        let counts = {
            let mut next = 0;
            let first = types().map(|data_type| {
                let node = nodes.iter().nth(next)?;
                next += node_count(data_type);
                let len = usize::try_from(node.length()).ok()?;
                Some((len, usize::try_from(node.null_count()).ok()?))
            });
            let counts: Option<Vec<_>> = first.collect();
            counts.ok_or_else(|| damaged("a node counts wrong"))?
        };
        let variadic = batch.variadicBufferCounts().unwrap_or_default();
        let all = batch.buffers().unwrap_or_default();
        if variadic.len() != types().map(view_count).sum::<usize>()
            || variadic
                .iter()
                .any(|n| usize::try_from(n).map_or(true, |n| n > all.len()))
        {
            return Err(damaged("it counts the buffers of views wrong"));
        }
        let table_len = if expected.has_table {
            table_len(fields.len())
        } else {
            0
        };
        if table_len > expected.body_len {
            return Err(damaged("it has no room for its checksums"));
        }
        let mut variadic = variadic.iter();
        let mut left = all.iter();
        let (mut columns, mut buffers) = (Vec::new(), Vec::new());
        for data_type in types() {
            let count = buffer_count(data_type, &mut variadic);
            let mut found = Vec::new();
            for _ in 0..count {
                let buffer = left.next();
                let buffer = buffer.ok_or_else(|| damaged("a buffer is missing"))?;
                found.push(place(buffer, table_len..expected.body_len)?);
            }
            buffers.push(found);
        }
        if left.next().is_some() {
            return Err(damaged("it has more buffers than the schema"));
        }
        // Each column reaches up to the next one that has buffers.
        let mut end = expected.body_len;
        for found in buffers.iter().rev() {
            let start = found.first().map_or(end, |first| first.start);
            let inside = found.iter().all(|b| start <= b.start && b.end <= end);
            if start > end || !inside {
                return Err(damaged("its columns overlap"));
            }
            columns.push(start..end);
            end = start;
        }
        columns.reverse();
        Ok(Self {
            columns,
            buffers,
            counts,
            table: 0..table_len,
            codec,
        })
    }

    /// The parts of the body that some columns lie in, the table included if it is wanted.
    pub(crate) fn wanted(&self, columns: &[usize], with_table: bool) -> Vec<Range<usize>> {
        let mut wanted: Vec<_> = columns
            .iter()
            .filter_map(|&column| self.columns.get(column).cloned())
            .filter(|range| !range.is_empty())
            .collect();
        if with_table {
            wanted.push(self.table.clone());
        }
        wanted.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in wanted {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        joined
    }

    /// The checksum of an entry: over the metadata and the table.
    pub(super) fn sum(&self, metadata: &[u8], body: &[u8]) -> Result<u32> {
        let table = body.get(self.table.clone());
        let mut sum = Sum::new();
        sum.add(metadata);
        sum.add(table.ok_or_else(|| damaged("its checksums are missing"))?);
        Ok(sum.get())
    }

    /// Whether a column of so many rows was found to be valid. `false` says nothing.
    pub(super) fn is_valid(
        &self,
        column: usize,
        rows: u64,
        data_type: &DataType,
        body: &[u8],
    ) -> bool {
        let found = self.counts.get(column).zip(self.buffers.get(column));
        found.is_some_and(|(&(len, nulls), buffers)| {
            let column = Column {
                len,
                nulls,
                buffers,
            };
            self.codec.is_none() && len as u64 == rows && column.is_valid(data_type, body)
        })
    }

    /// Checks the bytes of a column.
    pub(super) fn check_column(&self, column: usize, body: &[u8]) -> Result<()> {
        let missing = || damaged("a column is missing");
        let range = self.columns.get(column).ok_or_else(missing)?;
        let bytes = body.get(range.clone()).ok_or_else(missing)?;
        let at = column * 4;
        let says = body.get(at..at + 4).ok_or_else(missing)?;
        if crc32c(bytes).to_le_bytes() != says {
            return Err(damaged(&format!(
                "the checksum of column {column} does not fit"
            )));
        }
        let most = match self.codec {
            None => return Ok(()),
            Some(ipc::CompressionType::LZ4_FRAME) => MOST_OF_LZ4,
            Some(_) => MOST_OF_ZSTD,
        };
        for buffer in self.buffers.get(column).ok_or_else(missing)? {
            let bytes = body.get(buffer.clone()).ok_or_else(missing)?;
            if bytes.is_empty() {
                continue;
            }
            let len = bytes.first_chunk().ok_or_else(missing)?;
            let len = i64::from_le_bytes(*len);
            let justified = (bytes.len() as u64).saturating_mul(most);
            if len < -1 || (len > 0 && len.cast_unsigned() > justified) {
                return Err(damaged(
                    "a compressed buffer says that it is larger than it can be",
                ));
            }
        }
        Ok(())
    }
}

fn place(buffer: &ipc::Buffer, within: Range<usize>) -> Result<Range<usize>> {
    let outside = || damaged("a buffer lies outside its record");
    let start = usize::try_from(buffer.offset()).map_err(|_| outside())?;
    let len = usize::try_from(buffer.length()).map_err(|_| outside())?;
    let stop = start.checked_add(len).filter(|&stop| stop <= within.end);
    let stop = stop.ok_or_else(outside)?;
    if start < within.start {
        Err(outside())
    } else if start.is_multiple_of(64) {
        Ok(start..stop)
    } else {
        Err(damaged("a buffer is not aligned"))
    }
}
