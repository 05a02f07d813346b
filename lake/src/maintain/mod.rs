//! Keeping a lake fast and small: compact closed days, checkpoint, forget what is older than the retention, export.
//!
//! A collector that commits every ten seconds makes 8,640 files a day. Maintenance turns those of closed days (UTC days
//! before today) into one or a few, in this order for each table:
//!
//! 1. *compact*: small files of a closed day are rewritten into large ones, compared row by row and sum by sum, and swapped
//!    in one commit behind exactly the version that was looked at (`compact.rs`);
//! 2. *checkpoint*: readers start from here and not from the first commit (`log.rs`);
//! 3. *vacuum*: files that no version of the last `retain` days needs are deleted, orphans of refused commits too, and so
//!    are log entries (`vacuum.rs`, `log.rs`);
//! 4. *export*: closed days as plain Parquet for readers that know globs and no Delta (`export.rs`).
//!
//! One owner at a time holds the lease. Each commit carries the lease's number as an application transaction, so that an
//! owner that lost the lease while it slept is refused by the table itself.

mod compact;
mod export;
mod log;
mod rewrite;
mod tally;
#[cfg(test)]
mod tests;
mod vacuum;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use crate::{DataFile, Lake, LakeError, LakeTable, Lease, Table};

/// Files at least this large are left alone; what compaction writes is about this large.
const TARGET_BYTES: u64 = 256 << 20;

/// What maintenance may do.
#[derive(Debug, Clone)]
pub struct MaintainOptions {
    /// How far back the tables can still be read as they were. Shorter than a day would endanger running writers.
    pub retain: Duration,
    /// What counts as now: days before its UTC day are closed.
    pub now: DateTime<Utc>,
    /// Versions of tables that readers are told to read, however old they are: the last report's.
    pub pinned: BTreeMap<String, i64>,
}

/// What was done, table by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Every table of the lake, by name.
    pub tables: Vec<MaintainedTable>,
}

/// What was done to one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaintainedTable {
    /// Table name.
    pub name: String,
    /// Live files before.
    pub files_before: usize,
    /// Live files after.
    pub files_after: usize,
    /// Closed days (or the whole of a table without days) that were compacted.
    pub compacted: usize,
    /// Days that another writer changed meanwhile: left for the next run.
    pub skipped: usize,
    /// Rows that were rewritten.
    pub rows: u64,
    /// Data files that were deleted.
    pub deleted_files: usize,
    /// Log entries that were deleted.
    pub deleted_log_entries: usize,
    /// Days that were exported, new or again.
    pub exported_days: usize,
}

/// Maintains every table of `lake`; refuses with [`LakeError::Leased`] while somebody else does.
pub async fn maintain(lake: &Lake, options: &MaintainOptions) -> Result<Maintained, LakeError> {
    let lease = Lease::acquire(lake, "maintenance").await?;
    let mut maintained = Maintained::default();
    for name in lake.table_names().await? {
        if let Some(table) = lake.table(&name).await? {
            maintained.tables.push(maintain_table(lake, table, &lease, options).await?);
        }
    }
    lease.release().await?;
    Ok(maintained)
}

/// Whether a closed day of `spans` waits to be compacted: what makes a report run maintenance.
pub async fn is_maintenance_due(lake: &Lake, now: DateTime<Utc>) -> Result<bool, LakeError> {
    let Some(spans) = lake.table(Table::Spans.name()).await? else {
        return Ok(false);
    };
    Ok(!waiting(&spans, now.date_naive())?.is_empty())
}

async fn maintain_table(
    lake: &Lake,
    mut table: LakeTable,
    lease: &Lease,
    options: &MaintainOptions,
) -> Result<MaintainedTable, LakeError> {
    let today = options.now.date_naive();
    let mut done = MaintainedTable {
        name: table.name().to_owned(),
        files_before: table.files()?.len(),
        ..Default::default()
    };
    for (date, files) in waiting(&table, today)? {
        match compact::compact(lake, &mut table, lease, date, &files).await? {
            Some(rows) => {
                done.compacted += 1;
                done.rows += rows;
            }
            None => done.skipped += 1,
        }
    }
    lease.check().await?;
    let pinned = options.pinned.get(table.name()).copied();
    log::checkpoint(&table).await?;
    done.deleted_files = vacuum::vacuum(&table, options.retain, pinned).await?;
    done.deleted_log_entries = log::forget(&table, options.now, options.retain, pinned).await?;
    done.exported_days = export::export(lake, &table, today).await?;
    done.files_after = table.files()?.len();
    Ok(done)
}

/// The closed days with several small files, and those files. A table without days is one group that is always closed.
fn waiting(table: &LakeTable, today: NaiveDate) -> Result<BTreeMap<Option<NaiveDate>, Vec<DataFile>>, LakeError> {
    let mut groups: BTreeMap<Option<NaiveDate>, Vec<DataFile>> = BTreeMap::new();
    for file in table.files()? {
        if file.date.is_none_or(|date| date < today) && file.size < TARGET_BYTES / 2 {
            groups.entry(file.date).or_default().push(file);
        }
    }
    groups.retain(|_, files| files.len() > 1);
    Ok(groups)
}
