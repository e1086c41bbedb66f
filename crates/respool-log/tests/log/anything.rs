//! The n-th call fails, for every n, and then anything is called: nothing that was stored is lost or
//! there twice, and no segment is sealed that other readers can't read whole.
//!
//! `RESPOOL_LONG=1` tries every place for a second failure too.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use respool_log::testing::{Fault, Faulty, MemoryStorage, Mode, Operation};
use respool_log::{Error, Log, LogOptions};

use crate::support::*;
use crate::whole::{assert_whole, sealed_batches};

const ENOSPC: i32 = 28;
const EINTR: i32 = 4;

/// What is called after a failure, before the failed step is tried again.
#[derive(Debug, Clone, Copy)]
enum Next {
    Nothing,
    Same,
    Smaller,
    Larger,
    Finish,
    Flush,
    Read,
    /// The failed step, with another failure of the n-th call in it.
    FailAgain(u64),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Append(usize),
    Flush,
    Finish,
}

/// Appends that share, replace and repeat dictionaries over several segments, and syncs between.
const SCRIPT: [Step; 11] = [
    Step::Append(0),
    Step::Append(0),
    Step::Flush,
    Step::Append(0),
    Step::Append(1),
    Step::Append(1),
    Step::Flush,
    Step::Append(2),
    Step::Append(2),
    Step::Append(3),
    Step::Finish,
];

struct Batches {
    sources: Vec<RecordBatch>,
    large: RecordBatch,
}

impl Batches {
    fn new() -> Self {
        let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        let batch = |rows, seed| batch_of(sample(&data_type, rows, &mut Numbers::new(seed)));
        Self {
            sources: (0..4).map(|seed| batch(120, seed)).collect(),
            large: batch(2000, 7),
        }
    }
}

struct Run<'a> {
    batches: &'a Batches,
    memory: Arc<MemoryStorage>,
    faulty: Arc<Faulty>,
    log: Log,
    named: bool,
    model: Vec<RecordBatch>,
    finished: bool,
}

const OPERATIONS: [Operation; 5] = [
    Operation::Create,
    Operation::Write,
    Operation::Truncate,
    Operation::Sync,
    Operation::SyncDirectory,
];

fn fault(call: u64, mode: Mode, errno: i32) -> Fault {
    Fault {
        call,
        mode,
        errno,
        operations: OPERATIONS.to_vec(),
    }
}

impl<'a> Run<'a> {
    fn new(batches: &'a Batches, named: bool) -> Self {
        let memory = Arc::new(if named {
            MemoryStorage::named()
        } else {
            MemoryStorage::temporary()
        });
        let faulty = Arc::new(Faulty::new(memory.clone(), None));
        let options = LogOptions::new("memory").segment_bytes(6_000);
        let schema = batches.large.schema();
        let log = Log::with_storage(schema, options, faulty.clone()).unwrap();
        Self {
            batches,
            memory,
            faulty,
            log,
            named,
            model: Vec::new(),
            finished: false,
        }
    }

    fn append(&mut self, batch: RecordBatch) -> Result<(), Error> {
        let appended = self.log.append(&batch);
        match &appended {
            Ok(()) => {
                assert!(!self.finished, "a finished log took a batch");
                self.model.push(batch);
            }
            Err(Error::Finished) => assert!(self.finished),
            Err(_) => {}
        }
        appended
    }

    fn finish(&mut self) -> Result<(), Error> {
        let finished = self.log.finish();
        self.finished |= finished.is_ok();
        finished
    }

    fn step(&mut self, step: Step) -> Result<(), Error> {
        match step {
            Step::Append(i) => self.append(self.batches.sources[i].clone()),
            Step::Flush => self.log.flush(),
            Step::Finish => self.finish(),
        }
    }

    fn next(&mut self, next: Next, failed: Step) -> Result<(), Error> {
        match next {
            Next::Nothing => Ok(()),
            Next::Same => self.step(failed),
            Next::Smaller => self.append(self.batches.sources[0].slice(0, 3)),
            Next::Larger => self.append(self.batches.large.clone()),
            Next::Finish => self.finish(),
            Next::Flush => self.log.flush(),
            Next::Read => {
                self.check();
                Ok(())
            }
            Next::FailAgain(call) => {
                self.faulty.set(Some(fault(call, Mode::ShortOnce, ENOSPC)));
                self.step(failed)
            }
        }
    }

    /// What is stored is what the model has, now and for other readers.
    fn check(&self) {
        assert_eq!(self.log.len(), self.model.len());
        for (record, batch) in self.model.iter().enumerate() {
            assert_same(&self.log.read(record, None).unwrap(), batch);
        }
        if self.named {
            let sealed = sealed_batches(&self.memory);
            for (sealed, batch) in sealed.iter().zip(&self.model) {
                assert_same(sealed, batch);
            }
        }
    }

    /// Whether an error is one that was set, and final.
    fn is_final(error: &Error, errno: i32) -> bool {
        let expected = [Some(errno), Some(ENOSPC)];
        assert!(expected.contains(&error.raw_os_error()), "{error}");
        matches!(error, Error::Unsynced { .. })
    }

    /// Goes through the script, with a fault at one call. Returns whether the fault fired.
    fn go(mut self, call: u64, mode: Mode, errno: i32, next: Next) -> bool {
        self.faulty.set(Some(fault(call, mode, errno)));
        for step in SCRIPT {
            if self.finished {
                break;
            }
            let Err(error) = self.step(step) else {
                continue;
            };
            let mut last = Self::is_final(&error, errno);
            self.check();
            let stored = self.model.len();
            match self.next(next, step) {
                Ok(()) | Err(Error::Finished) => {}
                Err(error) => last |= Self::is_final(&error, errno),
            }
            self.check();
            self.faulty.heal();
            if last {
                self.check_failed_for_ever();
                return true;
            }
            let is_done = match step {
                Step::Append(i) => self.model.get(stored) == Some(&self.batches.sources[i]),
                Step::Flush => false,
                Step::Finish => self.finished,
            };
            if !is_done && !self.finished {
                self.step(step).unwrap();
                self.check();
            }
        }
        let fired = self.faulty.fired() > 0;
        self.faulty.heal();
        self.finish().unwrap();
        self.finish().unwrap();
        self.check();
        if self.named {
            assert_whole(&self.memory, &self.model);
        }
        assert_eq!(self.log.quota().used(), self.log.bytes());
        fired
    }

    /// After a failed sync only reading goes on, and the log is called whole only if it is.
    fn check_failed_for_ever(&mut self) {
        let batch = self.batches.large.clone();
        assert!(matches!(self.append(batch), Err(Error::Unsynced { .. })));
        assert!(matches!(self.finish(), Err(Error::Unsynced { .. })));
        assert!(matches!(self.log.flush(), Err(Error::Unsynced { .. })));
        self.check();
        let index = self.memory.bytes("_index").unwrap();
        if respool_log::format::scan(&index).unwrap().closed.is_some() {
            assert_whole(&self.memory, &self.model);
        }
    }
}

#[test]
fn whatever_fails_and_whatever_is_called_next_nothing_is_lost_or_doubled() {
    let batches = Batches::new();
    let long = std::env::var_os("RESPOOL_LONG").is_some();
    let again = if long { 40 } else { 3 };
    let mut nexts = vec![
        Next::Nothing,
        Next::Same,
        Next::Smaller,
        Next::Larger,
        Next::Finish,
        Next::Flush,
        Next::Read,
    ];
    nexts.extend((0..again).map(Next::FailAgain));
    let modes = [
        (Mode::Once, ENOSPC),
        (Mode::Forever, ENOSPC),
        (Mode::ShortOnce, ENOSPC),
        (Mode::ShortForever, ENOSPC),
        (Mode::Once, EINTR),
    ];
    let mut fired = 0;
    for named in [false, true] {
        for (mode, errno) in modes {
            for next in &nexts {
                for call in 0.. {
                    let run = Run::new(&batches, named);
                    if !run.go(call, mode, errno, *next) {
                        assert!(call > 5, "{call} calls");
                        break;
                    }
                    fired += 1;
                }
            }
        }
    }
    assert!(fired > 2000, "{fired} faults fired");
}
