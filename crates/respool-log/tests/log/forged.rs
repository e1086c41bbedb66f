//! A log that was made to deceive, with every checksum right: whatever its messages say, what is read
//! of it is data that is valid, or an error. Nobody's process ends of it.
//!
//! `RESPOOL_LONG=1` changes every byte; else some.

use std::path::Path;

use arrow_array::Array;
use arrow_schema::DataType;
use respool_log::format::{Chain, ENTRY_LEN, Entry, EntryKind, Extent, crc32c, scan};
use respool_log::{Log, LogOptions};

use crate::child;
use crate::reopened::CODECS;
use crate::support::*;

fn types() -> Vec<DataType> {
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    vec![
        DataType::Int32,
        DataType::Utf8,
        DataType::Boolean,
        DataType::Null,
        dictionary.clone(),
        wrap(0, DataType::Utf8View),
        wrap(2, DataType::Binary),
        wrap(4, DataType::Int16),
        wrap(5, dictionary),
        wrap(6, DataType::Int64),
        wrap(7, DataType::Boolean),
        wrap(8, DataType::Utf8),
        wrap(9, DataType::Utf8),
    ]
}

/// Puts all checksums right again after a message was changed: that of its column, of its entry, and of
/// all entries behind.
fn put_right(index: &[u8], entries: &[Entry], which: usize, message: &mut [u8]) -> Vec<u8> {
    let (EntryKind::Batch { extent, .. } | EntryKind::Dictionary { extent, .. }) =
        entries[which].kind
    else {
        panic!("no message")
    };
    let body = extent.metadata_len as usize;
    let column = crc32c(&message[body + 64..]);
    message[body..body + 4].copy_from_slice(&column.to_le_bytes());
    let right = Extent {
        crc: crc32c(&message[..body + 64]),
        ..extent
    };
    let mut bytes = index[..ENTRY_LEN].to_vec();
    let mut chain = Chain::behind(&bytes).unwrap();
    for (number, entry) in entries.iter().enumerate() {
        let mut entry = *entry;
        if number == which
            && let EntryKind::Batch { extent, .. } | EntryKind::Dictionary { extent, .. } =
                &mut entry.kind
        {
            *extent = right;
        }
        bytes.extend_from_slice(&entry.encode(&mut chain));
    }
    bytes
}

fn forge(path: &Path, data_type: &DataType, codec: usize) -> (usize, usize) {
    let options = LogOptions::new(path)
        .allow_tmpfs(true)
        .compression(CODECS[codec]);
    let batch = batch_of(sample(data_type, 20, &mut Numbers::new(3)));
    let log = Log::create(batch.schema(), options).unwrap();
    log.append(&batch).unwrap();
    log.finish().unwrap();
    drop(log);
    let (index_file, data_file) = (path.join("_index"), path.join("00000000.arrow"));
    let index = std::fs::read(&index_file).unwrap();
    let data = std::fs::read(&data_file).unwrap();
    let entries = scan(&index).unwrap().entries;
    let step = if std::env::var_os("RESPOOL_LONG").is_some() {
        1
    } else {
        29
    };
    let (mut read, mut refused) = (0, 0);
    for (which, entry) in entries.iter().enumerate() {
        let (EntryKind::Batch { extent, .. } | EntryKind::Dictionary { extent, .. }) = entry.kind
        else {
            continue;
        };
        let range = extent.offset as usize..extent.end() as usize;
        for at in (0..range.len()).step_by(step) {
            for byte in [
                data[range.start + at] ^ (1 << (at % 8)),
                0,
                0x7f,
                0x80,
                0xff,
            ] {
                let mut forged = data.clone();
                forged[range.start + at] = byte;
                let index = put_right(&index, &entries, which, &mut forged[range.clone()]);
                std::fs::write(&index_file, index).unwrap();
                std::fs::write(&data_file, &forged).unwrap();
                let what = format!("{data_type}, codec {codec}, entry {which}, {at}: {byte}");
                match Log::open(path).and_then(|reader| reader.read(0, None)) {
                    Ok(batch) => {
                        for column in batch.columns() {
                            let valid = column.to_data().validate_full();
                            assert!(valid.is_ok(), "{what}: {valid:?}");
                            assert_eq!(column.len(), batch.num_rows(), "{what}");
                        }
                        // Every value can be looked at.
                        let text = format!("{:?}", batch.columns());
                        assert!(!text.is_empty());
                        read += 1;
                    }
                    Err(e) => {
                        assert!(!e.to_string().is_empty());
                        refused += 1;
                    }
                }
            }
        }
    }
    (read, refused)
}

#[test]
fn a_log_that_was_made_to_deceive_is_valid_or_refused() {
    if let Some(argument) = child::argument() {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let limit = Some(4 << 30);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        setrlimit(Resource::As, limit).unwrap();
        let number: usize = argument.parse().unwrap();
        let (mut read, mut refused) = (0, 0);
        for codec in 0..3 {
            let parent = directory().unwrap();
            let path = parent.path().join("log");
            let (valid, not) = forge(&path, &types()[number], codec);
            read += valid;
            refused += not;
        }
        child::say(&format!("read {read} refused {refused}"));
        return;
    }
    let (mut read, mut refused, mut panics) = (0, 0, 0);
    let this = "forged::a_log_that_was_made_to_deceive_is_valid_or_refused";
    for (number, data_type) in types().iter().enumerate() {
        let output = child::run(this, &number.to_string());
        let text = String::from_utf8_lossy(&output.stderr);
        let last: Vec<_> = text.lines().rev().take(8).collect();
        assert!(output.status.success(), "{data_type}: {last:#?}");
        read += child::told(&output, "read").unwrap();
        refused += child::told(&output, "refused").unwrap();
        panics += text.matches("panicked at").count();
    }
    child::say(&format!(
        "{read} forged logs read as valid data, {refused} refused, of them {panics} for a panic"
    ));
    assert!(read > 100 && refused > 100, "{read} {refused}");
}
