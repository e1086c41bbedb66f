//! From a batch to the bytes of IPC messages, copying only what has to be rebuilt.
//!
//! An [`Encoder`] walks the arrays of a batch and lists field nodes and buffers. Large buffers stay
//! where they are and are handed to the kernel as they are; small ones are gathered in one arena,
//! because a system call with few long parts is cheaper than one with many short ones. What a slice
//! does not show is left out by the functions of [`narrow`]; dictionaries are in [`dictionaries`].

mod body;
mod compress;
mod dictionaries;
mod message;
mod narrow;
mod part;
mod plan;
mod walk;

use arrow_array::RecordBatch;
use flatbuffers::FlatBufferBuilder;

use body::Body;
pub(crate) use compress::Compressor;
pub(crate) use dictionaries::{Dictionaries, DictionaryRecord};
pub(crate) use message::{END_OF_STREAM, MAGIC, check_nesting, footer, schema_message};
pub(crate) use plan::{Kind, Plan};

use crate::Result;

/// Turns batches into plans. Its buffers are used again from batch to batch.
pub(crate) struct Encoder {
    fbb: FlatBufferBuilder<'static>,
    has_checksums: bool,
    body: Body,
    compressor: Option<Compressor>,
    pub(crate) dictionaries: Dictionaries,
    next_dictionary: i64,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder")
            .field("compressor", &self.compressor)
            .field("dictionaries", &self.dictionaries)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder whose messages have checksums, or not.
    pub(crate) fn new(compressor: Option<Compressor>, has_checksums: bool) -> Self {
        Self {
            fbb: FlatBufferBuilder::new(),
            has_checksums,
            body: Body::new(has_checksums),
            compressor,
            dictionaries: Dictionaries::default(),
            next_dictionary: 0,
        }
    }

    /// Adds the messages of a batch to the plan: the dictionaries it needs and that the segment
    /// does not have yet, then the batch.
    pub(crate) fn batch(&mut self, batch: &RecordBatch, plan: &mut Plan) -> Result<()> {
        let mut body = std::mem::take(&mut self.body);
        body.reset();
        self.next_dictionary = 0;
        let rows = batch.num_rows() as u64;
        let mut walked = Ok(());
        body.begin(batch.num_columns(), &mut plan.gathered);
        for column in batch.columns() {
            walked = walked.and_then(|()| self.array(column.as_ref(), &mut body, plan));
            body.end_column();
        }
        if walked.is_ok() {
            body.end(&mut plan.gathered);
            message::batch(&mut self.fbb, &body, rows, self.compressor.as_ref(), None);
            plan.push_message(self.fbb.finished_data(), &mut body, rows, Kind::Batch);
        }
        // Of a walk that failed no buffer may be kept alive.
        body.reset();
        self.body = body;
        walked
    }

    /// Remembers what the plan wrote, once it is on disk.
    pub(crate) fn commit(&mut self, plan: &mut Plan) {
        self.dictionaries.commit(&mut plan.pending);
    }
}
