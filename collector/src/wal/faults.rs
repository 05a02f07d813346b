//! The log against a disk that fails: short writes, full disks, failed syncs, names and bytes that a loss of power takes
//! back, flipped bits. Whatever happens, what was acknowledged is read back, and nothing is read that was never sent.
//!
//! The disk is a real folder with a shadow that knows what of it is durable. `power_loss` makes the folder what a disk may
//! show afterwards: of bytes that were not synced any part, in any state, of names and removals that were not synced either.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use proptest::prelude::*;
use tokio::sync::oneshot;

use super::disk::{Disk, Files, Segment};
use super::format::HEADER_BYTES;
use super::recover::recover_on;
use super::writer::{Waiting, Writer};
use super::*;
use crate::dice::Dice;

/// What of a file is durable.
#[derive(Debug, Default, Clone)]
struct Shadow {
    bytes: Vec<u8>,
    /// The folder was synced since the name was made.
    named: bool,
    /// Removed, and the folder not synced since.
    removed: bool,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, Shadow>,
    /// Operations until the next one fails; 0 is never.
    fails_in: u32,
    /// From then on all fail, as on a full disk, until this is reset.
    stays: bool,
}

impl State {
    fn step(&mut self) -> Result<()> {
        match self.fails_in {
            0 => return Ok(()),
            1 if self.stays => {}
            1 => self.fails_in = 0,
            _ => {
                self.fails_in -= 1;
                return Ok(());
            }
        }
        Err(Error::from(ErrorKind::StorageFull))
    }
}

#[derive(Debug, Clone)]
struct FaultyDisk(Arc<Mutex<State>>);

impl FaultyDisk {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no test panics in here")
    }

    fn power_loss(&self, dice: &mut Dice) {
        let mut state = self.state();
        for (path, shadow) in std::mem::take(&mut state.files) {
            let there = if shadow.removed {
                dice.one_in(2)
            } else {
                shadow.named || dice.one_in(2)
            };
            if !there {
                let _ = std::fs::remove_file(&path);
                continue;
            }
            let written = std::fs::read(&path).unwrap_or_default();
            let mut bytes = shadow.bytes.clone();
            let unsynced = written.get(bytes.len()..).unwrap_or_default();
            let kept = dice.below(unsynced.len() + 1);
            match dice.below(3) {
                // Any beginning of it,
                0 => bytes.extend(&unsynced[..kept]),
                // room that was made and never filled,
                1 => bytes.resize(bytes.len() + kept, 0),
                // or a hole where a page did not make it.
                _ => {
                    let hole = bytes.len() + dice.below(unsynced.len() + 1);
                    bytes.extend(unsynced);
                    let end = (hole + 64).min(bytes.len());
                    bytes[hole.min(end)..end].fill(0);
                }
            }
            std::fs::write(&path, &bytes).expect("written");
            let named = true;
            state.files.insert(
                path,
                Shadow {
                    bytes,
                    named,
                    removed: false,
                },
            );
        }
        state.fails_in = 0;
    }
}

impl Disk for FaultyDisk {
    fn create(&self, path: &Path) -> Result<Box<dyn Segment>> {
        self.state().step()?;
        let file = Files.create(path)?;
        self.state().files.insert(path.to_owned(), Shadow::default());
        Ok(Box::new(FaultyFile {
            disk: self.clone(),
            path: path.to_owned(),
            file,
        }))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.state().step()?;
        Files.remove(path)?;
        if let Some(shadow) = self.state().files.get_mut(path) {
            shadow.removed = true;
        }
        Ok(())
    }

    fn sync_folder(&self, _: &Path) -> Result<()> {
        let mut state = self.state();
        state.step()?;
        state.files.retain(|_, shadow| !shadow.removed);
        state.files.values_mut().for_each(|shadow| shadow.named = true);
        Ok(())
    }
}

#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    path: PathBuf,
    file: Box<dyn Segment>,
}

impl Segment for FaultyFile {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let short = self.disk.state().step();
        let written = if short.is_err() { &bytes[..bytes.len() / 2] } else { bytes };
        self.file.write(written).and(short)
    }

    fn sync(&mut self) -> Result<()> {
        self.disk.state().step()?;
        let bytes = std::fs::read(&self.path)?;
        if let Some(shadow) = self.disk.state().files.get_mut(&self.path) {
            shadow.bytes = bytes;
        }
        Ok(())
    }

    fn cut(&mut self, length: u64) -> Result<()> {
        self.disk.state().step()?;
        self.file.cut(length)?;
        self.sync()
    }
}

/// What happens to a log.
#[derive(Debug, Clone)]
enum Event {
    /// So many requests wait together.
    Append {
        requests: usize,
        bytes: usize,
    },
    /// The lake commits what is read so far.
    Commit,
    /// After so many operations one fails, or all of them until the disk is mended.
    Fail {
        after: u32,
        stays: bool,
    },
    Mend,
    /// SIGKILL: the operating system still has everything.
    Kill,
    PowerLoss,
    /// A bit in the middle of a log that nobody has open.
    Flip,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1..6usize, 1..120usize).prop_map(|(requests, bytes)| Event::Append { requests, bytes }),
        3 => Just(Event::Commit),
        2 => (1..8u32, any::<bool>()).prop_map(|(after, stays)| Event::Fail { after, stays }),
        1 => Just(Event::Mend),
        1 => Just(Event::Kill),
        2 => Just(Event::PowerLoss),
        1 => Just(Event::Flip),
    ]
}

/// A log, its disk, and everything that is known about both from outside.
struct World {
    folder: tempfile::TempDir,
    disk: FaultyDisk,
    dice: Dice,
    log: Option<(Writer, tokio::sync::watch::Receiver<Durable>, Reader)>,
    /// What was sent, by body.
    sent: u64,
    /// What was acknowledged, by sequence.
    acknowledged: BTreeMap<u64, Bytes>,
    /// Records that a flipped bit may have hit are no longer promised.
    flipped: bool,
    epoch: Option<String>,
    committed: u64,
    /// What the lake has been given, by body.
    read: BTreeMap<Bytes, u64>,
}

const OPTIONS: WriterOptions = WriterOptions {
    segment_bytes: 400,
    limit_bytes: 1 << 20,
    hold: None,
    durability: Durability::Sync,
};

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            folder: tempfile::tempdir().expect("a folder"),
            disk: FaultyDisk(Arc::default()),
            dice: Dice(seed),
            log: None,
            sent: 0,
            acknowledged: BTreeMap::new(),
            flipped: false,
            epoch: None,
            committed: 0,
            read: BTreeMap::new(),
        };
        world.start();
        world
    }

    fn start(&mut self) {
        self.disk.state().fails_in = 0;
        let recovered = recover_on(self.folder.path(), Box::new(self.disk.clone())).expect("a log can always be recovered");
        if self.epoch.as_ref() != Some(&recovered.epoch) {
            let lost: Vec<_> = self.acknowledged.range(self.committed + 1..).collect();
            assert!(
                self.flipped || lost.is_empty(),
                "a new log although the old one held {lost:?}"
            );
            // The lake knows nothing of this log.
            (self.epoch, self.committed) = (Some(recovered.epoch.clone()), 0);
            self.acknowledged.clear();
        }
        let folder = recovered.folder.clone();
        let recovered = recovered.continue_after(self.committed);
        let reader = Reader::new(&folder, self.committed + 1);
        let (mut writer, durable) = Writer::open(recovered, OPTIONS).expect("opened");
        writer.release(self.committed);
        self.log = Some((writer, durable, reader));
    }

    fn append(&mut self, requests: usize, bytes: usize) {
        let Some((writer, _, _)) = &mut self.log else { return };
        let mut answers = Vec::new();
        let waiting: Vec<Waiting> = (0..requests)
            .map(|_| {
                self.sent += 1;
                let body = Bytes::from(format!("{:0bytes$}", self.sent));
                let (answer, answered) = oneshot::channel();
                answers.push((body.clone(), answered));
                (entry(body), answer)
            })
            .collect();
        writer.append(waiting);
        for (body, mut answered) in answers {
            if let Ok(sequence) = answered.try_recv().expect("answered before append returns") {
                assert!(sequence > self.committed, "a new record has the sequence of an old one");
                let before = self.acknowledged.insert(sequence, body);
                assert!(self.flipped || before.is_none(), "a sequence was given twice");
            }
        }
    }

    /// Reads what is durable, as the pipeline does, and lets the lake commit it.
    fn commit(&mut self) {
        let Some((writer, durable, reader)) = &mut self.log else {
            return;
        };
        let durable = durable.borrow().sequence;
        let mut last = self.committed;
        while let Some(logged) = reader.next(durable).expect("a log can always be read") {
            assert!(logged.sequence > last, "records come in order");
            last = logged.sequence;
            let number: u64 = std::str::from_utf8(&logged.entry.body)
                .ok()
                .and_then(|text| text.parse().ok())
                .expect("a number");
            assert!((1..=self.sent).contains(&number), "never sent");
            assert_eq!(logged.entry, entry(logged.entry.body.clone()), "not as it was sent");
            let body = logged.entry.body;
            if let Some(sent) = self.acknowledged.get(&logged.sequence) {
                assert_eq!(*sent, body);
            }
            assert_eq!(self.read.insert(body, logged.sequence), None, "given to the lake twice");
        }
        for (sequence, body) in self.acknowledged.range(..=durable) {
            assert!(
                self.flipped || self.read.contains_key(body),
                "record {sequence} was acknowledged and is lost"
            );
        }
        self.acknowledged.clear();
        self.committed = last.max(self.committed);
        writer.release(self.committed);
    }

    /// One bit of one record; none in a header, where a collector must refuse to guess.
    fn flip(&mut self) {
        self.log = None;
        let segments = super::reader::segments(&self.folder.path().join("wal")).expect("listed");
        if let Some((_, path)) = segments.get(self.dice.below(segments.len())) {
            let mut bytes = std::fs::read(path).expect("read");
            if bytes.len() > HEADER_BYTES {
                let at = HEADER_BYTES + self.dice.below(bytes.len() - HEADER_BYTES);
                bytes[at] ^= 1 << self.dice.below(8);
                std::fs::write(path, &bytes).expect("written");
                if let Some(shadow) = self.disk.state().files.get_mut(path) {
                    shadow.bytes.truncate(bytes.len());
                    let durable = shadow.bytes.len();
                    shadow.bytes.copy_from_slice(&bytes[..durable]);
                }
                self.flipped = true;
            }
        }
        self.start();
        self.forget_what_was_hit();
    }

    /// Records that cannot be read any more: a later one may get the sequence of one that stood last.
    fn forget_what_was_hit(&mut self) {
        let mut reader = Reader::new(&self.folder.path().join("wal"), self.committed + 1);
        let mut there = std::collections::BTreeSet::new();
        while let Some(logged) = reader.next(u64::MAX).expect("a log can always be read") {
            there.insert(logged.sequence);
        }
        self.acknowledged.retain(|sequence, _| there.contains(sequence));
    }

    fn happen(&mut self, event: &Event) {
        match *event {
            Event::Append { requests, bytes } => self.append(requests, bytes),
            Event::Commit => self.commit(),
            Event::Fail { after, stays } => {
                let mut state = self.disk.state();
                (state.fails_in, state.stays) = (after, stays);
            }
            Event::Mend => self.disk.state().fails_in = 0,
            Event::Kill => {
                self.log = None;
                self.start();
            }
            Event::PowerLoss => {
                self.log = None;
                self.disk.power_loss(&mut self.dice);
                self.start();
            }
            Event::Flip => self.flip(),
        }
    }
}

fn entry(body: Bytes) -> Entry {
    Entry {
        received_at_unix_nano: 7,
        signal: Signal::Traces,
        encoding: Encoding::Protobuf,
        compression: Compression::Gzip,
        tenant: Some("tenant".into()),
        body,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_acknowledged_outlives_a_disk_that_fails(seed: u64, events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::new(seed);
        for event in &events {
            world.happen(event);
        }
        // The disk is mended and the collector goes on: everything comes out, and the log empties.
        world.happen(&Event::Mend);
        world.happen(&Event::Append { requests: 1, bytes: 1 });
        world.happen(&Event::Kill);
        world.commit();
    }
}

#[test]
fn a_segment_that_a_full_disk_left_unmade_holds_nobody_up() {
    let mut world = World::new(1);
    // The header is written short, and the leftover cannot be removed either.
    world.happen(&Event::Fail { after: 2, stays: true });
    world.append(1, 10);
    world.happen(&Event::Mend);
    world.append(1, 10);
    assert_eq!(world.acknowledged.len(), 1);
    world.commit();
    assert_eq!(world.read.len(), 1);
}

#[test]
fn a_refused_record_may_take_the_sequence_of_one_that_a_flipped_bit_destroyed() {
    let mut world = World::new(13_330_466_158_696_616_041);
    world.append(1, 1);
    world.happen(&Event::Flip);
    assert!(world.acknowledged.is_empty(), "the bit hit the only record");
    // Written whole, and neither synced nor cut.
    world.happen(&Event::Fail { after: 6, stays: true });
    world.append(2, 3);
    assert!(world.acknowledged.is_empty(), "nobody was told that it is there");
    world.happen(&Event::Mend);
    world.append(1, 1);
    world.happen(&Event::Kill);
    world.commit();
    assert!(
        world.read.values().any(|sequence| *sequence == 1),
        "the refused record came out, once"
    );
}

#[test]
fn sequences_go_on_behind_what_the_lake_has_even_where_the_log_has_lost_it() {
    let mut world = World::new(1);
    world.append(3, 10);
    let Some((_, _, reader)) = &mut world.log else {
        panic!("no log")
    };
    while reader.next(3).expect("readable").is_some() {}
    // Committed, killed before the release, and the tail is gone from the disk.
    world.committed = 3;
    world.acknowledged.clear();
    world.log = None;
    let path = super::reader::segments(&world.folder.path().join("wal"))
        .expect("listed")
        .remove(0)
        .1;
    let bytes = std::fs::read(&path).expect("read");
    std::fs::write(&path, &bytes[..bytes.len() - 5]).expect("torn");
    world.start();
    world.append(2, 10);
    assert_eq!(world.acknowledged.keys().copied().collect::<Vec<_>>(), [4, 5]);
    world.commit();
    assert_eq!(world.read.len(), 2);
}

#[test]
fn a_segment_without_records_leaves_the_log_when_it_is_found() {
    let mut world = World::new(1);
    world.append(1, 10);
    world.commit();
    // A crash between the making of a segment and its first record.
    world.happen(&Event::Fail { after: 4, stays: true });
    world.append(1, 10);
    world.happen(&Event::Kill);
    world.append(1, 10);
    world.commit();
    let left = super::reader::segments(&world.folder.path().join("wal")).expect("listed");
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn other_versions_and_damaged_headers_are_refused_with_what_to_do() {
    for (at, byte, expected) in [
        (7, 2, "has version 2 of the log's format"),
        (12, 0xff, "has a damaged header"),
        (0, b'X', "has a damaged header"),
    ] {
        let mut world = World::new(1);
        world.append(1, 10);
        world.log = None;
        let path = super::reader::segments(&world.folder.path().join("wal"))
            .expect("listed")
            .remove(0)
            .1;
        let mut bytes = std::fs::read(&path).expect("read");
        bytes[at] ^= byte ^ if at == 7 { 1 } else { 0 };
        if at == 7 {
            let checksum = crc32fast::hash(&bytes[..32]);
            bytes[32..36].copy_from_slice(&checksum.to_le_bytes());
        }
        std::fs::write(&path, &bytes).expect("written");
        let refused = recover(world.folder.path()).expect_err("refused").to_string();
        assert!(refused.contains(expected), "{refused}");
        assert_eq!(std::fs::read(&path).expect("still there"), bytes, "nothing was changed");
    }
}

#[test]
fn a_damaged_record_costs_itself_and_not_its_neighbours() {
    let mut world = World::new(1);
    world.append(5, 10);
    world.log = None;
    let path = super::reader::segments(&world.folder.path().join("wal"))
        .expect("listed")
        .remove(0)
        .1;
    let mut bytes = std::fs::read(&path).expect("read");
    let record = (bytes.len() - HEADER_BYTES) / 5;
    bytes[HEADER_BYTES + 2 * record - 1] ^= 4;
    std::fs::write(&path, &bytes).expect("written");
    let recovered = recover(world.folder.path()).expect("recovered");
    assert_eq!(
        (recovered.records, recovered.torn_bytes, recovered.damaged.records),
        (4, 0, 1)
    );
    drop(recovered);
    world.flipped = true;
    world.start();
    world.commit();
    assert_eq!(world.read.values().copied().collect::<Vec<_>>(), [1, 3, 4, 5]);
}

#[test]
fn writes_that_fail_one_after_the_other_never_count_as_durable() {
    let mut world = World::new(1);
    world.append(1, 10);
    world.happen(&Event::Fail { after: 1, stays: true });
    world.append(1, 10);
    world.append(1, 10);
    let Some((_, durable, _)) = &world.log else { panic!("no log") };
    assert_eq!(durable.borrow().sequence, 1);
    world.commit();
    assert_eq!(world.read.len(), 1);
}
