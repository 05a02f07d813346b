//! Why a report was not made.

use std::path::PathBuf;

use chrono::NaiveDate;
use datafusion::error::DataFusionError;
use marginlake_lake::LakeError;

use crate::bills::BillError;
use crate::revenue::RevenueError;

/// Making a report failed.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file of the user is missing or refused.
    #[error(transparent)]
    Revenue(#[from] RevenueError),
    /// A table of the lake could not be read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Which months are closed, or what they hold, could not be read.
    #[error(transparent)]
    Closed(#[from] crate::close::CloseError),
    /// What the run before published could not be read.
    #[error(transparent)]
    Session(#[from] crate::session::SessionError),
    /// What no rule takes could not be read.
    #[error(transparent)]
    Settle(#[from] crate::settle::driver::SettleError),
    /// A mart's query failed.
    #[error("a query of the report failed: {0}")]
    Query(#[from] DataFusionError),
    /// Rows could not be built.
    #[error("cannot build rows of the report")]
    Rows(#[from] arrow::error::ArrowError),
    /// A `[[bill]]` that cannot be followed.
    #[error(transparent)]
    Bill(#[from] BillError),
    /// A decision of the user that cannot be followed.
    #[error("[report] {key}: {reason}")]
    Policy {
        /// The key of the configuration.
        key: &'static str,
        /// What is wrong and what to write.
        reason: String,
    },
    /// `--to` before `--from`.
    #[error("--to {to} is before --from {from}")]
    ReversedDays {
        /// First day asked for.
        from: NaiveDate,
        /// Last day asked for.
        to: NaiveDate,
    },
    /// There is neither a call nor a revenue line.
    #[error(
        "there is nothing to report: the lake has no calls and the revenue files have no lines; send traffic to `marginlake collect`, then settle"
    )]
    Nothing,
    /// A file of the outputs could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// From the file system.
        #[source]
        source: std::io::Error,
    },
    /// `--out` holds files that are not ours.
    #[error("{} is not empty and was not written by marginlake: name a new folder for --out, its content is replaced by each run", path.display())]
    ForeignOut {
        /// The folder.
        path: PathBuf,
    },
}

impl ReportError {
    /// True if what the user passed is wrong (exit code 2), not what went wrong while running (exit code 1).
    pub fn is_usage(&self) -> bool {
        match self {
            ReportError::Revenue(error) => error.is_usage(),
            ReportError::Bill(_)
            | ReportError::Policy { .. }
            | ReportError::ReversedDays { .. }
            | ReportError::ForeignOut { .. } => true,
            _ => false,
        }
    }
}
