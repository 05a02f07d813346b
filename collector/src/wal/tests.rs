//! What the log promises: whole records survive, torn tails are cut, sequences never repeat.

use std::io::Write;
use std::path::Path;

use bytes::Bytes;

use super::reader::segments;
use super::*;

fn entry(body: &str) -> Entry {
    Entry {
        received_at_unix_nano: 1,
        signal: Signal::Traces,
        encoding: Encoding::Protobuf,
        compression: Compression::Identity,
        tenant: Some("tenant".into()),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

const SMALL: WriterOptions = WriterOptions {
    segment_bytes: 200,
    limit_bytes: 1 << 20,
    hold: None,
    durability: Durability::Sync,
};

async fn write(state: &Path, bodies: &[&str], options: WriterOptions) -> (String, Vec<u64>) {
    let recovered = recover(state).expect("recovered");
    let epoch = recovered.epoch.clone();
    let (log, _, thread) = start(recovered, options).expect("started");
    let mut sequences = Vec::new();
    for body in bodies {
        sequences.push(log.append(entry(body)).await.expect("appended"));
    }
    drop(log);
    thread.join().expect("the writer ends when nobody appends");
    (epoch, sequences)
}

fn read(state: &Path, from: u64) -> Vec<(u64, String)> {
    let mut reader = Reader::new(&state.join("wal"), from);
    let mut found = Vec::new();
    while let Some(logged) = reader.next(u64::MAX - 1).expect("readable") {
        assert_eq!(logged.entry, entry(std::str::from_utf8(&logged.entry.body).expect("text")));
        found.push((logged.sequence, String::from_utf8_lossy(&logged.entry.body).into_owned()));
    }
    found
}

fn last_segment(state: &Path) -> PathBuf {
    segments(&state.join("wal")).expect("listed").pop().expect("a segment").1
}

#[tokio::test]
async fn records_come_back_in_order_over_segments_and_restarts() {
    let state = tempfile::tempdir().expect("folder");
    let long = "x".repeat(150);
    let (epoch, first) = write(state.path(), &["a", &long, &long, "b"], SMALL).await;
    let (again, second) = write(state.path(), &["c"], SMALL).await;
    assert_eq!(epoch, again, "a log that is there keeps its epoch");
    assert_eq!([first, second].concat(), [1, 2, 3, 4, 5]);
    assert!(segments(&state.path().join("wal")).expect("listed").len() > 2);
    let found: Vec<_> = read(state.path(), 1)
        .into_iter()
        .map(|(sequence, body)| (sequence, body.len()))
        .collect();
    assert_eq!(found, [(1, 1), (2, 150), (3, 150), (4, 1), (5, 1)]);
    assert_eq!(read(state.path(), 4), [(4, "b".to_owned()), (5, "c".to_owned())]);
}

#[tokio::test]
async fn a_torn_tail_is_cut_and_every_whole_record_before_it_kept() {
    let state = tempfile::tempdir().expect("folder");
    write(state.path(), &["a", "b", "c"], SMALL).await;
    let path = last_segment(state.path());
    let whole = std::fs::read(&path).expect("read");
    for length in 0..whole.len() {
        std::fs::write(&path, &whole[..length]).expect("torn");
        let recovered = recover(state.path()).expect("recovered");
        let kept = recovered.records;
        drop(recovered);
        let found = if kept == 0 { vec![] } else { read(state.path(), 1) };
        assert_eq!(found.len() as u64, kept, "cut at {length}");
        assert!(
            found
                .iter()
                .zip(["a", "b", "c"])
                .all(|((_, body), expected)| body == expected),
            "cut at {length}"
        );
        std::fs::write(&path, &whole).expect("restored");
    }
}

#[tokio::test]
async fn a_flipped_bit_ends_its_segment_and_is_reported() {
    let state = tempfile::tempdir().expect("folder");
    write(state.path(), &["a", "b"], SMALL).await;
    let path = last_segment(state.path());
    let mut bytes = std::fs::read(&path).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, &bytes).expect("flipped");
    let recovered = recover(state.path()).expect("recovered");
    assert_eq!(recovered.records, 1);
    assert!(recovered.torn_bytes > 0);
}

#[tokio::test]
async fn records_after_a_cut_tail_go_to_a_new_segment() {
    let state = tempfile::tempdir().expect("folder");
    write(state.path(), &["a", "b"], SMALL).await;
    let path = last_segment(state.path());
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("opened");
    file.write_all(&[9, 0, 0, 0, 1]).expect("garbage");
    write(state.path(), &["c"], SMALL).await;
    assert_eq!(read(state.path(), 1).len(), 3);
}

#[tokio::test]
async fn a_wiped_log_gets_a_new_epoch() {
    let state = tempfile::tempdir().expect("folder");
    let (before, _) = write(state.path(), &["a"], SMALL).await;
    std::fs::remove_dir_all(state.path().join("wal")).expect("wiped");
    let (after, sequences) = write(state.path(), &["b"], SMALL).await;
    assert_ne!(before, after);
    assert_eq!(sequences, [1]);
}

#[tokio::test]
async fn a_full_log_refuses_and_takes_again_after_a_release() {
    let state = tempfile::tempdir().expect("folder");
    let recovered = recover(state.path()).expect("recovered");
    let options = WriterOptions {
        segment_bytes: 100,
        limit_bytes: 400,
        hold: None,
        durability: Durability::Sync,
    };
    let (log, durable, thread) = start(recovered, options).expect("started");
    let body = "y".repeat(100);
    let mut taken = 0;
    let refused = loop {
        match log.append(entry(&body)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, WalError::Full { .. }), "{refused}");
    assert_eq!(durable.borrow().sequence, taken);
    log.release(taken).await;
    assert_eq!(log.append(entry(&body)).await.expect("taken again"), taken + 1);
    drop(log);
    thread.join().expect("ended");
}

#[tokio::test]
async fn a_second_reader_keeps_committed_segments_within_its_bound_and_never_fills_the_log() {
    let state = tempfile::tempdir().expect("folder");
    let recovered = recover(state.path()).expect("recovered");
    let options = WriterOptions {
        segment_bytes: 100,
        limit_bytes: 400,
        hold: Some(Hold {
            done: 0,
            limit_bytes: 500,
        }),
        durability: Durability::Sync,
    };
    let (log, durable, thread) = start(recovered, options).expect("started");
    let body = "z".repeat(100);
    for sequence in 1..=20 {
        assert_eq!(log.append(entry(&body)).await.expect("never full"), sequence);
        log.release(sequence).await;
    }
    // An append waits behind the releases before it.
    log.append(entry(&body)).await.expect("appended");
    assert!(durable.borrow().held_bytes <= 500 && durable.borrow().held_bytes > 0);
    let kept: Vec<u64> = read(state.path(), 1).into_iter().map(|(sequence, _)| sequence).collect();
    assert_eq!(kept, [19, 20, 21], "the newest are kept, what the lake needs always");
    log.release_hold(19).await;
    log.append(entry(&body)).await.expect("appended");
    assert_eq!(read(state.path(), 1).first().map(|(sequence, _)| *sequence), Some(20));
    log.release(22).await;
    log.release_hold(22).await;
    drop(log);
    thread.join().expect("ended");
    assert_eq!(read(state.path(), 1), [], "both are done with it");
}

#[tokio::test]
async fn with_an_interval_a_record_is_answered_at_once_and_read_when_it_is_synced() {
    let state = tempfile::tempdir().expect("folder");
    let options = WriterOptions {
        durability: Durability::Interval(std::time::Duration::from_secs(3600)),
        ..SMALL
    };
    let (log, durable, thread) = start(recover(state.path()).expect("recovered"), options).expect("started");
    assert_eq!(log.append(entry("one")).await.expect("answered"), 1);
    assert_eq!(
        durable.borrow().sequence,
        0,
        "the lake must not get what a power cut may take from the log"
    );
    log.sync().await;
    assert_eq!(durable.borrow().sequence, 1);
    // Segments that are full are synced on the way.
    for sequence in 2..=9 {
        assert_eq!(log.append(entry(&"x".repeat(100))).await.expect("answered"), sequence);
    }
    assert!(durable.borrow().sequence > 1);
    drop(log);
    thread.join().expect("ended");
    assert_eq!(durable.borrow().sequence, 9, "the end syncs");
    assert_eq!(read(state.path(), 1).len(), 9);
}

#[tokio::test]
async fn two_collectors_cannot_share_a_state_folder() {
    let state = tempfile::tempdir().expect("folder");
    let held = recover(state.path()).expect("recovered");
    let refused = recover(state.path());
    assert!(matches!(refused, Err(WalError::InUse { .. })), "{refused:?}");
    drop(held);
    recover(state.path()).expect("free again");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_reads_the_log() {
    use std::os::unix::fs::PermissionsExt;
    let state = tempfile::tempdir().expect("folder");
    write(state.path(), &["a"], SMALL).await;
    let mode = std::fs::metadata(last_segment(state.path()))
        .expect("read")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_log_of_every_released_version_is_read() {
    let state = tempfile::tempdir().expect("folder");
    let segment = state.path().join("wal").join("00000000000000000001.log");
    std::fs::create_dir(state.path().join("wal")).expect("made");
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/logs/v1.log");
    std::fs::copy(fixture, &segment).expect("copied");
    let recovered = recover(state.path()).expect("recovered");
    assert_eq!(
        (recovered.records, recovered.torn_bytes, recovered.damaged.records),
        (3, 0, 0)
    );
    assert_eq!(recovered.epoch, "000102030405060708090a0b0c0d0e0f");
    let mut reader = Reader::new(&state.path().join("wal"), 1);
    let mut found = Vec::new();
    while let Some(logged) = reader.next(3).expect("readable") {
        let entry = logged.entry;
        found.push((
            logged.sequence,
            entry.received_at_unix_nano,
            entry.signal,
            entry.encoding,
            entry.compression,
            entry.tenant,
        ));
    }
    let at = |nanos: u64| 1_790_000_000_000_000_000 + nanos;
    let expected = [
        (
            1,
            at(1),
            Signal::Traces,
            Encoding::Protobuf,
            Compression::Identity,
            Some("tenant".to_owned()),
        ),
        (2, at(2), Signal::Logs, Encoding::Json, Compression::Gzip, None),
        (3, at(3), Signal::Metrics, Encoding::Protobuf, Compression::Zstd, None),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn large_and_small_bodies_stand_in_the_log_in_their_order() {
    let state = tempfile::tempdir().expect("folder");
    let large = "x".repeat(40_000);
    let options = WriterOptions {
        segment_bytes: 1 << 20,
        ..SMALL
    };
    let recovered = recover(state.path()).expect("recovered");
    let (log, _, thread) = start(recovered, options).expect("started");
    let bodies = ["a", &large, "b", "c", &large];
    let appended = futures::future::join_all(bodies.map(|body| log.append(entry(body)))).await;
    assert!(appended.iter().all(Result::is_ok));
    assert!(log.full().is_none());
    drop(log);
    thread.join().expect("the writer ends when nobody appends");
    let found: Vec<_> = read(state.path(), 1).into_iter().map(|(_, body)| body).collect();
    assert_eq!(found, bodies);
}
