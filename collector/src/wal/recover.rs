//! Opening the log after a stop or a crash: every whole record is kept, a torn tail is cut and reported.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::disk::{Disk, Files};
use super::reader::{Damage, Next, SegmentReader, segments};
use super::{WalError, io};

/// The log as it was found.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) folder: PathBuf,
    /// The random id of this log, lower-case hex.
    pub(crate) epoch: String,
    pub(super) epoch_bytes: [u8; 16],
    /// The sequence that the next record gets.
    pub(crate) next_sequence: u64,
    /// Whole records found.
    pub(crate) records: u64,
    /// Bytes of all segments.
    pub(crate) bytes: u64,
    /// Bytes after the last whole record of a segment, which were never acknowledged.
    pub(crate) torn_bytes: u64,
    /// Records and bytes that were on the disk and are damaged there: lost, unless a copy of the disk has them.
    pub(crate) damaged: Damage,
    pub(super) disk: Box<dyn Disk>,
    /// Keeps others out of the state folder.
    pub(super) lock: File,
}

/// Takes the state folder, reads the log in it and cuts torn tails; makes an empty log where there is none.
pub(crate) fn recover(state: &Path) -> Result<Recovered, WalError> {
    recover_on(state, Box::new(Files))
}

pub(super) fn recover_on(state: &Path, disk: Box<dyn Disk>) -> Result<Recovered, WalError> {
    let folder = state.join("wal");
    std::fs::create_dir_all(&folder).map_err(io("create", &folder))?;
    restrict(state)?;
    let lock = lock(state)?;
    let mut recovered = Recovered {
        folder: folder.clone(),
        epoch: String::new(),
        epoch_bytes: *uuid::Uuid::new_v4().as_bytes(),
        next_sequence: 1,
        records: 0,
        bytes: 0,
        torn_bytes: 0,
        damaged: Damage::default(),
        disk,
        lock,
    };
    for (first, path) in segments(&folder)? {
        recovered.read(first, &path)?;
    }
    recovered.epoch = uuid::Uuid::from_bytes(recovered.epoch_bytes).simple().to_string();
    for path in [&folder, state] {
        recovered.disk.sync_folder(path).map_err(io("sync", path))?;
    }
    // The names of folders that were made just now, or by a collector that was killed before it waited for them. Those above
    // that may not be looked at have been there for long.
    for path in state.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()) {
        let _ = recovered.disk.sync_folder(path);
    }
    Ok(recovered)
}

impl Recovered {
    /// Never gives out a sequence that the lake has committed: what a damaged disk took from the end of the log may be
    /// committed already, and a record under its sequence would look committed too.
    pub(crate) fn continue_after(mut self, committed: u64) -> Self {
        self.next_sequence = self.next_sequence.max(committed.saturating_add(1));
        self
    }

    fn read(&mut self, first: u64, path: &Path) -> Result<(), WalError> {
        let size = std::fs::metadata(path).map_err(io("read", path))?.len();
        let Some(mut segment) = SegmentReader::open(path)? else {
            // A crash while the segment was made: nothing in it was acknowledged.
            self.torn_bytes += size;
            return self.disk.remove(path).map_err(io("remove", path));
        };
        self.epoch_bytes = segment.header.epoch;
        self.next_sequence = self.next_sequence.max(first);
        let before = self.records;
        loop {
            match segment.next()? {
                Next::Record(logged) => {
                    self.records += 1;
                    self.next_sequence = self.next_sequence.max(logged.sequence + 1);
                }
                Next::End { torn } => {
                    self.damaged.add(segment.damaged);
                    if torn {
                        self.torn_bytes += size - segment.offset;
                    }
                    if self.records == before {
                        // The next segment may get this one's name.
                        return self.disk.remove(path).map_err(io("remove", path));
                    }
                    if torn {
                        cut(path, segment.offset)?;
                    }
                    self.bytes += segment.offset;
                    return Ok(());
                }
            }
        }
    }
}

fn cut(path: &Path, length: u64) -> Result<(), WalError> {
    let file = OpenOptions::new().write(true).open(path).map_err(io("open", path))?;
    file.set_len(length).and_then(|()| file.sync_all()).map_err(io("cut", path))
}

fn lock(state: &Path) -> Result<File, WalError> {
    let path = state.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(WalError::InUse { path: state.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

/// Requests may hold prompts: nobody but the owner reads the state folder.
#[cfg(unix)]
fn restrict(state: &Path) -> Result<(), WalError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(state, std::fs::Permissions::from_mode(0o700)).map_err(io("restrict", state))
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> Result<(), WalError> {
    Ok(())
}
