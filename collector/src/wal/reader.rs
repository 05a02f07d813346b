//! Reading the log from a segment's start, one record after the other, up to what is known to be durable.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::format::{Entry, HEADER_BYTES, Header, RECORD_HEADER_BYTES};
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

/// One segment, read from its first record.
#[derive(Debug)]
pub(super) struct SegmentReader {
    path: PathBuf,
    file: BufReader<File>,
    pub(super) header: Header,
    /// Bytes up to the end of the last whole record.
    pub(super) offset: u64,
}

impl SegmentReader {
    /// `None` where the header was not written whole: a crash while the segment was made.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, WalError> {
        let file = File::open(path).map_err(io("open", path))?;
        let mut file = BufReader::with_capacity(256 * 1024, file);
        let mut header = [0; HEADER_BYTES];
        match file.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(io("read", path)(error)),
        }
        let header = Header::decode(&header).ok_or_else(|| WalError::Format { path: path.to_owned() })?;
        Ok(Some(Self {
            path: path.to_owned(),
            file,
            header,
            offset: HEADER_BYTES as u64,
        }))
    }

    pub(super) fn next(&mut self) -> Result<Next, WalError> {
        let mut head = [0; RECORD_HEADER_BYTES];
        let read = read_up_to(&mut self.file, &mut head).map_err(io("read", &self.path))?;
        if read < RECORD_HEADER_BYTES {
            return self.end(read > 0);
        }
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let checksum = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        let mut payload = Vec::new();
        // `take` bounds the allocation by what is really there, whatever a torn length claims.
        let read = (&mut self.file)
            .take(length as u64)
            .read_to_end(&mut payload)
            .map_err(io("read", &self.path))?;
        if read < length || crc32fast::hash(&payload) != checksum {
            return self.end(true);
        }
        match Entry::decode(Bytes::from(payload)) {
            Some((sequence, entry)) => {
                self.offset += (RECORD_HEADER_BYTES + length) as u64;
                Ok(Next::Record(Logged { sequence, entry }))
            }
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
            if self.current.is_none() {
                let segments = segments(&self.folder)?;
                // Segments before the first uncommitted record are gone: what is wanted starts in the last one not after it,
                // or, where the log starts later, in the first.
                let at = segments.partition_point(|(first, _)| *first <= self.next).saturating_sub(1);
                let Some((first, path)) = segments.get(at) else {
                    return Ok(None);
                };
                self.next = self.next.max(*first);
                self.current = SegmentReader::open(path)?;
            }
            let Some(segment) = &mut self.current else { return Ok(None) };
            match segment.next()? {
                Next::Record(logged) if logged.sequence < self.next => {}
                Next::Record(logged) => {
                    self.next = logged.sequence + 1;
                    return Ok(Some(logged));
                }
                Next::End { .. } => {
                    // A durable record is missing at the end of this segment only because it stands in the next one.
                    let following = segments(&self.folder)?
                        .into_iter()
                        .find(|(first, _)| *first > segment.header.first_sequence);
                    let Some((first, path)) = following else { return Ok(None) };
                    self.next = self.next.max(first);
                    self.current = SegmentReader::open(&path)?;
                    if self.current.is_none() {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(None)
    }
}
