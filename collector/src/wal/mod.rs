//! The write-ahead log: a request is acknowledged when its bytes are here and synced.
//!
//! ```text
//! <state>/lock                     held while a collector runs: two with one state folder are refused
//! <state>/wal/<first sequence>.log segments, oldest first, each
//!
//!   header   8 magic "MLWAL" 0 0 1 | 16 epoch | 8 first sequence | 4 crc32 of the 32 bytes before
//!   record   4 length of payload   | 4 crc32 of payload | payload
//!   payload  8 sequence | 8 received_at (unix ns) | 1 signal | 1 encoding | 1 compression
//!            | 2 length of tenant | tenant | body as received (still compressed)
//! ```
//! All integers are little endian. Sequences grow by one per record and never repeat within an epoch. The epoch is a
//! random id made with each new log, so that a wiped disk never makes new data look old: the lake remembers
//! `(collector id, epoch) -> last committed sequence`. A segment is deleted when all its records are committed and, where a
//! second reader is named, when that one is done with it or its bound is reached.
//!
//! A record whose checksum is wrong is passed over and reported where a whole record follows it; at the end of a segment it
//! is a torn tail, was never acknowledged, and is cut. A release reads the format of its own version only: a graceful stop
//! leaves nothing in the log to read.
//!
//! The log knows file positions, checksums and syncs; it does not know what the bytes mean.

mod disk;
mod format;
mod reader;
mod recover;
mod writer;

use std::path::PathBuf;

pub(crate) use format::{Compression, Encoding, Entry, Signal};
pub(crate) use reader::{Damage, Reader};
pub(crate) use recover::{Recovered, recover};
pub use writer::Durability;
pub(crate) use writer::{Appender, Durable, Hold, WriterOptions, start};

/// Why the log did not take a record.
#[derive(Debug, thiserror::Error)]
pub enum WalError {
    /// The log has reached its size limit: the lake is not taking what was logged.
    #[error("the write-ahead log is full ({bytes} bytes, limit {limit})")]
    Full {
        /// Bytes in the log.
        bytes: u64,
        /// Configured limit.
        limit: u64,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Which file or folder.
        path: PathBuf,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A segment was written by another version, in a format that this one does not read.
    #[error(
        "{path} has version {version} of the log's format and this release reads version {}: start the release that wrote it \
         once and stop it with SIGTERM, which empties the log, or use this release's successor",
        format::VERSION
    )]
    Version {
        /// The segment.
        path: PathBuf,
        /// What it says of itself.
        version: u8,
    },
    /// The first bytes of a segment are not what was written.
    #[error(
        "{path} has a damaged header: restore it from a copy of the disk, or move it away, which loses the requests in it that \
         are not in the lake yet"
    )]
    Damaged {
        /// The segment.
        path: PathBuf,
    },
    /// A whole record says something that this version does not know.
    #[error("{path} holds a record that this release does not know: a newer one wrote it")]
    Format {
        /// The segment.
        path: PathBuf,
    },
    /// The state folder belongs to a running collector.
    #[error("{path} is in use by another collector: give each its own --collector-id or --state-dir")]
    InUse {
        /// The state folder.
        path: PathBuf,
    },
    /// The writer has stopped.
    #[error("the write-ahead log is closed")]
    Closed,
}

pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> WalError {
    let path = path.into();
    move |source| WalError::Io { action, path, source }
}

#[cfg(test)]
mod faults;
#[cfg(test)]
mod tests;
