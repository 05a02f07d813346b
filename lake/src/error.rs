//! What can go wrong with a lake, by what a caller can do about it.

/// An operation on the lake failed.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// The `--lake` value is neither a usable directory nor a supported URL.
    #[error("cannot use {uri} as a lake: {reason}")]
    Location {
        /// What was given.
        uri: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A table that the operation needs does not exist yet.
    #[error("table {table} does not exist in {lake}")]
    Missing {
        /// Table name.
        table: String,
        /// Root of the lake.
        lake: String,
    },
    /// Rows do not have the table's columns.
    #[error("rows do not fit table {table}: {reason}")]
    Schema {
        /// Table name.
        table: String,
        /// Which column, and how.
        reason: String,
    },
    /// A local file operation failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried (`write`, `sync`...).
        action: &'static str,
        /// The file or folder.
        path: String,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// Another writer committed first and its change contradicts ours: load the table anew and try again.
    #[error("table {table} was changed by another writer")]
    Conflict {
        /// Table name.
        table: String,
        /// The log's answer.
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },
    /// The Delta log refused or could not be reached.
    #[error("cannot {action} table {table}")]
    Delta {
        /// What was tried.
        action: &'static str,
        /// Table name.
        table: String,
        /// The library's answer.
        #[source]
        source: Box<deltalake::DeltaTableError>,
    },
    /// Parquet could not be written.
    #[error("cannot write a data file of table {table}")]
    Parquet {
        /// Table name.
        table: String,
        /// The library's answer.
        #[source]
        source: parquet::errors::ParquetError,
    },
    /// The object store refused or could not be reached.
    #[error("cannot {action} {path}")]
    Store {
        /// What was tried.
        action: &'static str,
        /// Object path.
        path: String,
        /// The store's answer.
        #[source]
        source: object_store::Error,
    },
    /// Somebody else does what only one may do at a time.
    #[error("{task} of this lake is being done by {owner}; its lease ends at {until} unless it is renewed: try again then")]
    Leased {
        /// What the lease is for.
        task: String,
        /// Who holds it.
        owner: String,
        /// When it ends unless renewed (RFC 3339).
        until: String,
    },
    /// A name that only one process may have at a time has one already.
    #[error("{name} is in use on this lake by {owner}")]
    Claimed {
        /// The name.
        name: String,
        /// Who has it.
        owner: String,
    },
    /// The lease that this work was done under is no longer ours: nothing more may be changed under it.
    #[error("the lease for {task} of this lake was lost to another owner: nothing more was changed; run it again")]
    LeaseLost {
        /// What the lease is for.
        task: String,
    },
    /// A rewritten file does not hold what it replaces; nothing was lost, the old files stay.
    #[error("compacting table {table} ({what}) gave other rows than before: {before} became {after}; the old files stay")]
    Compaction {
        /// Table name.
        table: String,
        /// Which day.
        what: String,
        /// Rows and sums before.
        before: String,
        /// Rows and sums after.
        after: String,
    },
    /// A query over the lake's own tables failed.
    #[error("cannot read table {table}")]
    Query {
        /// Table name.
        table: String,
        /// DataFusion's answer.
        #[source]
        source: Box<datafusion::error::DataFusionError>,
    },
}

impl LakeError {
    /// Whether the same operation may succeed later without anybody changing the input.
    pub fn is_retryable(&self) -> bool {
        match self {
            LakeError::Io { .. } | LakeError::Conflict { .. } | LakeError::Delta { .. } | LakeError::Store { .. } => true,
            LakeError::Leased { .. } | LakeError::LeaseLost { .. } | LakeError::Claimed { .. } => true,
            LakeError::Compaction { .. } => false,
            LakeError::Parquet { .. } | LakeError::Query { .. } => false,
            LakeError::Location { .. } | LakeError::Missing { .. } | LakeError::Schema { .. } => false,
        }
    }

    pub(crate) fn delta(action: &'static str, table: &str, source: deltalake::DeltaTableError) -> Self {
        let table = table.to_owned();
        match source {
            deltalake::DeltaTableError::Transaction {
                source:
                    deltalake::kernel::transaction::TransactionError::CommitConflict(_)
                    | deltalake::kernel::transaction::TransactionError::MaxCommitAttempts(_)
                    | deltalake::kernel::transaction::TransactionError::VersionAlreadyExists(_),
            } => LakeError::Conflict {
                table,
                source: Box::new(source),
            },
            _ => LakeError::Delta {
                action,
                table,
                source: Box::new(source),
            },
        }
    }
}
