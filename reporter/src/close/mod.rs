//! Closing a month: its calls and marts become immutable files with a hash, and stay what they are.
//!
//! `closed_periods` has a row for each closing and reopening. While a month is closed, settle, report and reprice leave
//! its days alone: what settle finds for them later is a row of `calls_late`, what another catalogue would change is
//! told by reprice. Reopening lets all three move the month again, with their restatements; closing it again writes
//! the next revision beside the first and shows what changed between the two. No file is ever changed or removed here.

mod closed;
mod driver;
mod export;
mod held;
mod late;
mod month;
mod revision;

#[cfg(test)]
mod tests;

pub use closed::{Closed, Standing, State};
pub use driver::{CloseOptions, CloseOutcome, close, reopen, verify};
pub(crate) use held::Held;
pub(crate) use late::late_note;
pub use month::Month;
pub use revision::{ExportedFile, Manifest, Totals};

use crate::session::SessionError;
use marginlake_lake::LakeError;

/// A month could not be closed, reopened or read. Nothing is half closed: the row of `closed_periods` is written last.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// A table or file could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// A query over the lake failed.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Rows do not have the shape of the table.
    #[error("rows of the month cannot be understood")]
    Rows(#[from] arrow::error::ArrowError),
    /// A Parquet file could not be made.
    #[error("cannot make a Parquet file of the month")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// There is nothing to close.
    #[error("there are no calls in {0}; run `marginlake settle` first, or check the month")]
    Empty(Month),
    /// Spans have arrived that settle has not seen.
    #[error("spans have arrived that are not settled; run `marginlake report` (or `settle`), then close {0}")]
    Unsettled(Month),
    /// The marts were made from other calls.
    #[error("the marts were made from other calls than those of now; run `marginlake report`, then close {0}")]
    StaleMarts(Month),
    /// The month is not closed.
    #[error("{0} is not closed")]
    NotClosed(Month),
    /// Files are missing or are not what was exported.
    #[error("{folder} is not what was closed: {problems}")]
    Damaged {
        /// The folder of the revision.
        folder: String,
        /// Each file, and what is wrong with it.
        problems: String,
    },
    /// Another run closed the month at the same time, or files of an earlier try differ.
    #[error("{path} exists with other content; another close may be running, or the lake was changed by hand")]
    Taken {
        /// The file.
        path: String,
    },
}
