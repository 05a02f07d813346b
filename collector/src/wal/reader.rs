//! Reading the log from a segment's start, one record after the other, up to what is known to be durable.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::format::{Entry, HEADER_BYTES, Header, PAYLOAD_FIXED_BYTES, RECORD_HEADER_BYTES};
use super::{WalError, io};

/// A record with its place in the log.
#[derive(Debug)]
pub(crate) struct Logged {
    pub(crate) sequence: u64,
    pub(crate) entry: Entry,
}

/// What stands at the reader's position.
#[derive(Debug)]
pub(super) enum Next {
    Record(Logged),
    /// The segment ends here, cleanly or in the middle of a record.
    End {
        torn: bool,
    },
}

/// Records whose bytes are there and wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Damage {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

impl Damage {
    pub(super) fn add(&mut self, other: Damage) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// One segment, read from its first record.
#[derive(Debug)]
pub(super) struct SegmentReader {
    path: PathBuf,
    file: BufReader<File>,
    pub(super) header: Header,
    /// Bytes up to the end of the last whole record.
    pub(super) offset: u64,
    /// What was passed over so far.
    pub(super) damaged: Damage,
}

/// What stands at an offset.
enum At {
    Record(Logged, u64),
    /// A head and as many bytes as it says, which are not what was written.
    Damaged(u64),
    /// Not even that.
    Nothing {
        bytes: bool,
    },
}

impl SegmentReader {
    /// `None` where there is no header and nothing behind it: a crash or a loss of power while the segment was made. Records
    /// come only behind a header that was synced.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, WalError> {
        let file = File::open(path).map_err(io("open", path))?;
        let length = file.metadata().map_err(io("read", path))?.len();
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let mut header = [0; HEADER_BYTES];
        match file.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(io("read", path)(error)),
        }
        let header = match Header::decode(&header, path) {
            Err(WalError::Damaged { .. }) if length <= HEADER_BYTES as u64 => return Ok(None),
            header => header?,
        };
        Ok(Some(Self {
            header,
            path: path.to_owned(),
            file,
            offset: HEADER_BYTES as u64,
            damaged: Damage::default(),
        }))
    }

    /// The next whole record. A damaged one is passed over where a whole one follows at the place that its length names:
    /// a torn tail has nothing behind it. The bytes of a damaged record are never searched for others, since clients chose
    /// them.
    pub(super) fn next(&mut self) -> Result<Next, WalError> {
        let mut damaged = Damage::default();
        loop {
            match self.read()? {
                At::Record(logged, bytes) => {
                    if damaged.records > 0 {
                        let (path, offset) = (self.path.display(), self.offset);
                        tracing::error!(%path, offset, bytes = damaged.bytes, "damaged log records are passed over");
                    }
                    self.offset += damaged.bytes + bytes;
                    self.damaged.add(damaged);
                    return Ok(Next::Record(logged));
                }
                At::Damaged(bytes) => damaged.add(Damage { records: 1, bytes }),
                At::Nothing { bytes } => return self.end(bytes || damaged.records > 0),
            }
        }
    }

    fn read(&mut self) -> Result<At, WalError> {
        let mut head = [0; RECORD_HEADER_BYTES];
        let read = read_up_to(&mut self.file, &mut head).map_err(io("read", &self.path))?;
        if read < RECORD_HEADER_BYTES {
            return Ok(At::Nothing { bytes: read > 0 });
        }
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let checksum = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if length < PAYLOAD_FIXED_BYTES {
            // Shorter than any record: zeros, as a file system leaves them where it made room and lost the bytes.
            return Ok(At::Nothing { bytes: true });
        }
        // No more room than there are bytes, whatever a torn length claims; a segment that is still written may have grown
        // since it was opened.
        let size = self.file.get_ref().metadata().map_err(io("read", &self.path))?.len();
        let there = usize::try_from(size.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let mut payload = Vec::with_capacity(length.min(there));
        let read = (&mut self.file)
            .take(length as u64)
            .read_to_end(&mut payload)
            .map_err(io("read", &self.path))?;
        if read < length {
            return Ok(At::Nothing { bytes: true });
        }
        let bytes = (RECORD_HEADER_BYTES + length) as u64;
        if crc32fast::hash(&payload) != checksum {
            return Ok(At::Damaged(bytes));
        }
        match Entry::decode(Bytes::from(payload)) {
            Some((sequence, entry)) => Ok(At::Record(Logged { sequence, entry }, bytes)),
            None => Err(WalError::Format { path: self.path.clone() }),
        }
    }

    /// Goes back to the end of the last whole record, from where a later read may go on.
    fn end(&mut self, torn: bool) -> Result<Next, WalError> {
        self.file.seek(SeekFrom::Start(self.offset)).map_err(io("seek", &self.path))?;
        Ok(Next::End { torn })
    }
}

fn read_up_to(file: &mut impl Read, into: &mut [u8]) -> std::io::Result<usize> {
    let mut read = 0;
    while read < into.len() {
        match file.read(&mut into[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// The path of the segment that starts at `first_sequence`; names sort as sequences do.
pub(super) fn segment_path(folder: &Path, first_sequence: u64) -> PathBuf {
    folder.join(format!("{first_sequence:020}.log"))
}

/// The segments of `folder` by first sequence.
pub(super) fn segments(folder: &Path) -> Result<Vec<(u64, PathBuf)>, WalError> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io("read", folder))? {
        let path = entry.map_err(io("read", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "log")
            && let Some(first) = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .and_then(|stem| stem.parse().ok())
        {
            segments.push((first, path));
        }
    }
    segments.sort_unstable();
    Ok(segments)
}

/// Follows the log over its segments.
#[derive(Debug)]
pub(crate) struct Reader {
    folder: PathBuf,
    current: Option<SegmentReader>,
    /// The sequence of the next record that is wanted.
    next: u64,
}

impl Reader {
    /// Reads from `next` on; records before it in the same segment are skipped.
    pub(crate) fn new(folder: &Path, next: u64) -> Self {
        Self {
            folder: folder.to_owned(),
            current: None,
            next,
        }
    }

    /// The next record, if its sequence is at most `durable`.
    pub(crate) fn next(&mut self, durable: u64) -> Result<Option<Logged>, WalError> {
        while self.next <= durable {
            let Some(segment) = &mut self.current else {
                if !self.open(None)? {
                    return Ok(None);
                }
                continue;
            };
            match segment.next()? {
                Next::Record(logged) if logged.sequence < self.next => {}
                Next::Record(logged) => {
                    self.next = logged.sequence + 1;
                    return Ok(Some(logged));
                }
                Next::End { .. } => {
                    // A durable record is missing at the end of this segment only because it stands in the next one, or
                    // because a write failed, and what it left may not even have been cut.
                    let ended = segment.header.first_sequence;
                    if !self.open(Some(ended))? {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Opens the segment after the one that starts at `ended`, or the one where `next` should stand. A segment that a
    /// full disk kept from being made, and that could not be removed, has no header and is passed over.
    fn open(&mut self, ended: Option<u64>) -> Result<bool, WalError> {
        let segments = segments(&self.folder)?;
        // Segments before the first uncommitted record are gone: what is wanted starts in the last one not after it, or,
        // where the log starts later, in the first.
        let from = match ended {
            Some(ended) => segments.partition_point(|(first, _)| *first <= ended),
            None => segments.partition_point(|(first, _)| *first <= self.next).saturating_sub(1),
        };
        for (first, path) in &segments[from..] {
            if let Some(segment) = SegmentReader::open(path)? {
                self.next = self.next.max(*first);
                self.current = Some(segment);
                return Ok(true);
            }
        }
        Ok(false)
    }
}
