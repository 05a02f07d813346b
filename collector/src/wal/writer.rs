//! Appending: one thread owns the file and syncs once for all requests that wait (group commit).

use std::collections::VecDeque;
use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use super::disk::{self, Disk};
use super::format::{Entry, HEADER_BYTES, Header};
use super::reader::{segment_path, segments};
use super::{Recovered, WalError, io};

/// Sizes of the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriterOptions {
    /// A segment that has grown beyond this is closed.
    pub(crate) segment_bytes: u64,
    /// The log takes no more records beyond this.
    pub(crate) limit_bytes: u64,
    /// A second reader, if there is one.
    pub(crate) hold: Option<Hold>,
    /// When a record is answered.
    pub(crate) durability: Durability,
}

/// When a request is acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// When its bytes are on the disk.
    #[default]
    Sync,
    /// When the operating system has its bytes; they are put on the disk this often. A killed process loses nothing, a
    /// power cut what came since.
    Interval(Duration),
}

/// Keeps what the lake already has for a second reader with a cursor of its own, within a bound: it never makes the log
/// look full, and what does not fit is forgotten, oldest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hold {
    /// The last sequence that the second reader is done with.
    pub(crate) done: u64,
    /// Bytes that are kept for it beyond what the lake needs.
    pub(crate) limit_bytes: u64,
}

/// How far the log is known to be on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Durable {
    /// The last synced sequence; 0 before the first.
    pub(crate) sequence: u64,
    /// Bytes in the log that the lake does not have yet.
    pub(crate) bytes: u64,
    /// Bytes kept for the second reader only.
    pub(crate) held_bytes: u64,
}

enum Command {
    Append(Entry, oneshot::Sender<Result<u64, WalError>>),
    Release(u64),
    ReleaseHold(u64),
    Sync(Option<oneshot::Sender<()>>),
}

/// Hands requests to the log. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    commands: mpsc::Sender<Command>,
    durable: watch::Receiver<Durable>,
    limit_bytes: u64,
}

impl Appender {
    /// Why the log would take nothing, where it would not: then nobody needs to read a body first.
    pub(crate) fn full(&self) -> Option<WalError> {
        let (bytes, limit) = (self.durable.borrow().bytes, self.limit_bytes);
        (bytes >= limit).then_some(WalError::Full { bytes, limit })
    }

    /// Returns the record's sequence when the record is as durable as was asked for.
    pub(crate) async fn append(&self, entry: Entry) -> Result<u64, WalError> {
        let (answer, synced) = oneshot::channel();
        self.commands
            .send(Command::Append(entry, answer))
            .await
            .map_err(|_| WalError::Closed)?;
        synced.await.map_err(|_| WalError::Closed)?
    }

    /// Lets the log forget everything up to `sequence`.
    pub(crate) async fn release(&self, sequence: u64) {
        // A closed log has nothing to release.
        let _ = self.commands.send(Command::Release(sequence)).await;
    }

    /// Puts on the disk what was appended so far.
    pub(crate) async fn sync(&self) {
        let (answer, synced) = oneshot::channel();
        // A closed log has nothing left to sync.
        if self.commands.send(Command::Sync(Some(answer))).await.is_ok() {
            let _ = synced.await;
        }
    }

    /// The second reader is done with everything up to `sequence`.
    pub(crate) async fn release_hold(&self, sequence: u64) {
        let _ = self.commands.send(Command::ReleaseHold(sequence)).await;
    }
}

/// Starts the writer's thread on a recovered log. It ends when all [`Appender`]s are gone.
pub(crate) fn start(
    recovered: Recovered,
    options: WriterOptions,
) -> Result<(Appender, watch::Receiver<Durable>, std::thread::JoinHandle<()>), WalError> {
    let folder = recovered.folder.clone();
    let (mut writer, watched) = Writer::open(recovered, options)?;
    let (commands, receive) = mpsc::channel(1024);
    if let Durability::Interval(interval) = options.durability {
        sync_every(interval, commands.downgrade()).map_err(io("start a thread for", &folder))?;
    }
    let thread = std::thread::Builder::new()
        .name("wal".into())
        .spawn(move || writer.run(receive));
    let appender = Appender {
        commands,
        durable: watched.clone(),
        limit_bytes: options.limit_bytes,
    };
    Ok((appender, watched, thread.map_err(io("start a thread for", folder))?))
}

/// Asks for a sync again and again, for as long as somebody appends.
fn sync_every(interval: Duration, commands: mpsc::WeakSender<Command>) -> std::io::Result<()> {
    let thread = std::thread::Builder::new().name("wal-sync".into());
    let ask = move || {
        loop {
            std::thread::sleep(interval);
            let Some(commands) = commands.upgrade() else { return };
            if commands.blocking_send(Command::Sync(None)).is_err() {
                return;
            }
        }
    };
    thread.spawn(ask).map(drop)
}

#[derive(Debug)]
struct Segment {
    first: u64,
    path: PathBuf,
    bytes: u64,
}

pub(super) struct Writer {
    disk: Box<dyn Disk>,
    folder: PathBuf,
    epoch: [u8; 16],
    next_sequence: u64,
    /// The last sequence that is on the disk. Readers see nothing behind it: what the lake has and a power cut took from
    /// the log would make the next records look committed.
    synced: u64,
    /// The last sequence that was written: those of a write that failed never are.
    written: u64,
    open: Option<(Segment, Box<dyn disk::Segment>)>,
    /// Not yet in the lake.
    closed: VecDeque<Segment>,
    /// In the lake, kept for the second reader; all older than `closed`.
    held: VecDeque<Segment>,
    options: WriterOptions,
    publish: watch::Sender<Durable>,
    _lock: File,
}

/// Bodies from this size on are written from where they are; smaller ones are copied, so that many make one write.
const LARGE_BODY: usize = 16 << 10;

/// Records that share one sync.
#[derive(Default)]
struct Records {
    heads: Vec<u8>,
    /// Where each head ends, and the body behind it.
    bodies: Vec<(usize, Bytes)>,
    bytes: u64,
}

impl Records {
    fn push(&mut self, sequence: u64, entry: &Entry) {
        entry.encode_head(sequence, &mut self.heads);
        self.bodies.push((self.heads.len(), entry.body.clone()));
        self.bytes += entry.encoded_len() as u64;
    }

    fn write(&self, file: &mut dyn disk::Segment) -> std::io::Result<()> {
        let mut start = 0;
        let mut gathered = Vec::new();
        for (end, body) in &self.bodies {
            gathered.extend_from_slice(&self.heads[start..*end]);
            start = *end;
            if body.len() < LARGE_BODY {
                gathered.extend_from_slice(body);
            } else {
                file.write(&gathered)?;
                file.write(body)?;
                gathered.clear();
            }
        }
        match gathered.is_empty() {
            true => Ok(()),
            false => file.write(&gathered),
        }
    }
}

pub(super) type Waiting = (Entry, oneshot::Sender<Result<u64, WalError>>);

impl Writer {
    /// Takes over a recovered log. Old segments are never written again: appending behind a cut tail would hide a damaged
    /// disk.
    pub(super) fn open(recovered: Recovered, options: WriterOptions) -> Result<(Self, watch::Receiver<Durable>), WalError> {
        let (publish, watched) = watch::channel(Durable {
            sequence: recovered.next_sequence - 1,
            bytes: recovered.bytes,
            held_bytes: 0,
        });
        let mut closed = VecDeque::new();
        for (first, path) in segments(&recovered.folder)? {
            let bytes = std::fs::metadata(&path).map_err(io("read", &path))?.len();
            closed.push_back(Segment { first, path, bytes });
        }
        let writer = Self {
            disk: recovered.disk,
            folder: recovered.folder,
            epoch: recovered.epoch_bytes,
            next_sequence: recovered.next_sequence,
            synced: recovered.next_sequence - 1,
            written: recovered.next_sequence - 1,
            open: None,
            closed,
            held: VecDeque::new(),
            options,
            publish,
            _lock: recovered.lock,
        };
        Ok((writer, watched))
    }

    fn run(&mut self, mut commands: mpsc::Receiver<Command>) {
        let mut waiting: Vec<Waiting> = Vec::new();
        while let Some(first) = commands.blocking_recv() {
            self.take(first, &mut waiting);
            while let Ok(command) = commands.try_recv() {
                self.take(command, &mut waiting);
            }
            if !waiting.is_empty() {
                self.append(std::mem::take(&mut waiting));
            }
        }
        self.sync();
    }

    fn take(&mut self, command: Command, waiting: &mut Vec<Waiting>) {
        match command {
            Command::Append(entry, answer) => waiting.push((entry, answer)),
            Command::Release(sequence) => self.release(sequence),
            Command::ReleaseHold(sequence) => {
                if let Some(hold) = &mut self.options.hold {
                    hold.done = hold.done.max(sequence);
                }
                self.forget();
                self.publish();
            }
            Command::Sync(answer) => {
                // What arrived before the request to sync is synced with it.
                if !waiting.is_empty() {
                    self.append(std::mem::take(waiting));
                }
                self.sync();
                if let Some(answer) = answer {
                    let _ = answer.send(());
                }
            }
        }
    }

    fn sync(&mut self) {
        // Otherwise nothing waits for it but sequences of writes that failed.
        let is_lazy = matches!(self.options.durability, Durability::Interval(_));
        if !is_lazy || self.synced == self.written {
            return;
        }
        let synced = self.open.as_mut().map_or(Ok(()), |(_, file)| file.sync());
        if let Err(error) = synced {
            // What the system could not write it may have dropped: the next records go to a new file, and of this one
            // readers take what is whole.
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "log sync failed: acknowledged requests may be lost"
            );
            self.closed.extend(self.open.take().map(|(segment, _)| segment));
        }
        self.synced = self.written;
        self.publish();
    }

    fn bytes(&self) -> u64 {
        self.closed.iter().map(|segment| segment.bytes).sum::<u64>() + self.open.as_ref().map_or(0, |(segment, _)| segment.bytes)
    }

    pub(super) fn append(&mut self, waiting: Vec<Waiting>) {
        let mut taken = Vec::with_capacity(waiting.len());
        let mut records = Records::default();
        let mut sequence = self.next_sequence;
        let before = self.bytes();
        for (entry, answer) in waiting {
            if before + records.bytes + entry.encoded_len() as u64 > self.options.limit_bytes {
                let full = WalError::Full {
                    bytes: before,
                    limit: self.options.limit_bytes,
                };
                let _ = answer.send(Err(full));
                continue;
            }
            records.push(sequence, &entry);
            taken.push((sequence, answer));
            sequence += 1;
        }
        if taken.is_empty() {
            return;
        }
        let written = self.write(&records);
        // Whoever gets the answer may want the body's memory back.
        drop(records);
        match written {
            Ok(()) => {
                self.next_sequence = sequence;
                self.written = sequence - 1;
                if self.options.durability == Durability::Sync {
                    self.synced = sequence - 1;
                }
                self.publish();
                for (sequence, answer) in taken {
                    // A client that hung up does not need the answer; its data stays.
                    let _ = answer.send(Ok(sequence));
                }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "log write failed");
                // What the failed write left behind cannot be trusted: a new segment takes over, and the sequences of
                // the lost records are skipped so that none is ever used twice.
                self.next_sequence = sequence;
                self.abandon();
                // Cutting synced what stood before them. They themselves are never durable: a reader would look for them.
                self.synced = self.written;
                self.publish();
                for (_, answer) in taken {
                    let _ = answer.send(Err(WalError::Closed));
                }
            }
        }
    }

    fn write(&mut self, records: &Records) -> Result<(), WalError> {
        if self
            .open
            .as_ref()
            .is_some_and(|(segment, _)| segment.bytes >= self.options.segment_bytes)
        {
            self.sync();
            self.closed.extend(self.open.take().map(|(segment, _)| segment));
        }
        let (segment, file) = match self.open.take() {
            Some(open) => self.open.insert(open),
            None => {
                let created = self.create()?;
                self.open.insert(created)
            }
        };
        records.write(file.as_mut()).map_err(io("write", &segment.path))?;
        if self.options.durability == Durability::Sync {
            file.sync().map_err(io("sync", &segment.path))?;
        }
        segment.bytes += records.bytes;
        Ok(())
    }

    /// A new segment, its header and its name on the disk.
    fn create(&self) -> Result<(Segment, Box<dyn disk::Segment>), WalError> {
        let first = self.next_sequence;
        let path = segment_path(&self.folder, first);
        let header = Header {
            epoch: self.epoch,
            first_sequence: first,
        };
        let mut file = self.disk.create(&path).map_err(io("create", &path))?;
        let made = file
            .write(&header.encode())
            .and_then(|()| file.sync())
            .map_err(io("write", &path))
            .and_then(|()| self.disk.sync_folder(&self.folder).map_err(io("sync", &self.folder)));
        if let Err(error) = made {
            // What is left of it holds nothing; if it cannot be removed either, readers pass over it.
            let _ = self.disk.remove(&path);
            return Err(error);
        }
        let bytes = HEADER_BYTES as u64;
        Ok((Segment { first, path, bytes }, file))
    }

    /// Cuts the open segment back to its last synced record and closes it.
    fn abandon(&mut self) {
        if let Some((segment, mut file)) = self.open.take() {
            if let Err(error) = file.cut(segment.bytes) {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot cut the log after a failed write"
                );
            }
            self.closed.push_back(segment);
        }
    }

    pub(super) fn release(&mut self, sequence: u64) {
        if self
            .open
            .as_ref()
            .is_some_and(|(segment, _)| segment.first <= sequence && self.next_sequence == sequence + 1)
            && let Some((segment, _)) = self.open.take()
        {
            self.closed.push_back(segment);
        }
        while let Some(segment) = self.closed.front() {
            if self.end_of(segment) > sequence + 1 {
                break;
            }
            self.held.extend(self.closed.pop_front());
        }
        self.forget();
        self.publish();
    }

    /// The sequence after a segment's last: where the one after it starts.
    fn end_of(&self, segment: &Segment) -> u64 {
        let open = self.open.as_ref().map(|(open, _)| open);
        let mut later = self.held.iter().chain(&self.closed).chain(open);
        later
            .find(|other| other.first > segment.first)
            .map_or(self.next_sequence, |other| other.first)
    }

    /// Removes what nobody reads any more, and what is beyond the second reader's bound.
    fn forget(&mut self) {
        let mut held = self.held_bytes();
        while let Some(segment) = self.held.front() {
            let wanted = self
                .options
                .hold
                .is_some_and(|hold| hold.done + 1 < self.end_of(segment) && held <= hold.limit_bytes);
            if wanted {
                break;
            }
            if self.options.hold.is_some_and(|hold| hold.done + 1 < self.end_of(segment)) {
                tracing::warn!(
                    bytes = segment.bytes,
                    "forwarding is too far behind: the oldest requests are not forwarded"
                );
            }
            if let Err(error) = self.disk.remove(&segment.path)
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot remove a committed log segment"
                );
                break;
            }
            held -= segment.bytes;
            self.held.pop_front();
        }
    }

    fn held_bytes(&self) -> u64 {
        self.held.iter().map(|segment| segment.bytes).sum()
    }

    fn publish(&self) {
        let durable = Durable {
            sequence: self.synced,
            bytes: self.bytes(),
            held_bytes: self.held_bytes(),
        };
        self.publish.send_replace(durable);
    }
}
