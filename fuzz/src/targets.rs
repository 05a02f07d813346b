//! One function a target. Each takes any bytes; what it asserts must hold for all of them.

use bytes::Bytes;

use crate::receive::{self, inflate};
use crate::wal::{Compression, Encoding, Entry, Reader, Signal, recover};
use crate::oracle;

/// The walk over a body against prost: accepted and shown alike.
pub fn wire(bytes: &[u8]) {
    oracle::compare_traces(bytes).expect("spans as prost reads them");
    oracle::compare_logs(bytes).expect("log records as prost reads them");
}

/// JSON: whatever is accepted becomes protobuf that is accepted, and says the same again.
pub fn json(bytes: &[u8]) {
    for signal in [Signal::Traces, Signal::Logs, Signal::Metrics] {
        receive::json_says_the_same(signal, bytes);
    }
}

/// gzip and zstd: never more than the limit, whatever the body promises.
pub fn inflate(bytes: &[u8]) {
    const LIMIT: usize = 1 << 20;
    let body = Bytes::copy_from_slice(bytes);
    for compression in [Compression::Gzip, Compression::Zstd] {
        if let Ok(inflated) = inflate::inflate(&body, compression, LIMIT) {
            assert!(inflated.len() <= LIMIT);
        }
    }
}

/// A log with any bytes behind its header: recovery ends, a second one changes nothing more, and both show the same records.
pub fn log(bytes: &[u8]) {
    let state = tempfile::tempdir().expect("a folder");
    let folder = state.path().join("wal");
    std::fs::create_dir(&folder).expect("made");
    let segment = folder.join("00000000000000000001.log");
    // The first byte says how much of a good segment stands before the rest.
    let (kept, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let mut written = good_segment(rest);
    written.truncate(usize::from(*kept) * written.len() / 255);
    written.extend(rest);
    std::fs::write(&segment, &written).expect("written");
    let Ok(first) = recover(state.path()) else {
        assert_eq!(std::fs::read(&segment).expect("still there"), written, "what is refused is not touched");
        return;
    };
    let (records, bytes) = (first.records, first.bytes);
    assert!(bytes <= written.len() as u64);
    drop(first);
    let second = recover(state.path()).expect("recovered once");
    assert_eq!((second.records, second.bytes, second.torn_bytes), (records, bytes, 0));
    drop(second);
    let mut reader = Reader::new(&folder, 1);
    let mut read = 0;
    while let Ok(Some(_)) = reader.next(u64::MAX - 1) {
        read += 1;
    }
    assert!(read <= records);
}

/// A header and three records, as the product writes them.
fn good_segment(body: &[u8]) -> Vec<u8> {
    let state = tempfile::tempdir().expect("a folder");
    let recovered = recover(state.path()).expect("an empty log");
    let options = crate::wal::WriterOptions {
        durability: crate::wal::Durability::Sync,
        segment_bytes: 1 << 20,
        limit_bytes: 1 << 30,
        hold: None,
    };
    let (log, _, thread) = crate::wal::start(recovered, options).expect("started");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    for length in [0, 1, body.len()] {
        let entry = Entry {
            received_at_unix_nano: 7,
            signal: Signal::Traces,
            encoding: Encoding::Protobuf,
            compression: Compression::Identity,
            tenant: Some("tenant".into()),
            body: Bytes::copy_from_slice(&body[..length.min(body.len())]),
        };
        runtime.block_on(log.append(entry)).expect("appended");
    }
    drop(log);
    thread.join().expect("ended");
    std::fs::read(state.path().join("wal/00000000000000000001.log")).expect("written")
}
