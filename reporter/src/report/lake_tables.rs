//! Writing a run's tables side by side, and remembering which version each one got.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};
use marginlake_lake::schema::DATE;
use marginlake_lake::{Lake, LakeTable, Staged, Table};

use super::ReportError;
use crate::marts::{Spool, Window};
use crate::revenue::time::date_of;

/// Tables written at the same time: mostly they wait for the disk.
const SIDE_BY_SIDE: usize = 4;

/// What of a table a run replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replaces {
    /// Everything: the table holds what the last run was given.
    All,
    /// The days asked for: each day is as the last run that reported it saw it. Where no first or last day was asked
    /// for, days on that side that an earlier run knew and this one does not are emptied.
    Days {
        /// Days that were reported.
        window: Window,
        /// First day asked for.
        from: Option<NaiveDate>,
        /// Last day asked for.
        to: Option<NaiveDate>,
    },
}

/// Some rows of a table.
pub(super) enum Part<'a> {
    /// Of whole days.
    Rows(Vec<RecordBatch>),
    /// A file whose row groups are of one day each.
    File(&'a Path),
}

/// Rows that are kept: those in memory together, so that a day is one file, and the others as they are encoded.
pub(super) fn kept(spools: &[Arc<Spool>]) -> Vec<Part<'_>> {
    let in_memory = spools.iter().filter_map(|spool| spool.in_memory());
    let few: Vec<RecordBatch> = in_memory.flatten().cloned().collect();
    let files = spools.iter().filter_map(|spool| spool.file());
    std::iter::once(Part::Rows(few)).chain(files.map(Part::File)).collect()
}

/// New rows for one table.
pub(super) struct TableRows<'a> {
    pub(super) name: &'static str,
    pub(super) schema: SchemaRef,
    pub(super) partitions: &'static [&'static str],
    pub(super) rows: Vec<Part<'a>>,
    pub(super) replaces: Replaces,
}

impl<'a> TableRows<'a> {
    /// All rows of a table.
    pub(super) fn all(table: Table, rows: Vec<Part<'a>>) -> TableRows<'a> {
        TableRows {
            name: table.name(),
            schema: table.schema(),
            partitions: table.partition_columns(),
            rows,
            replaces: Replaces::All,
        }
    }

    /// Rows of a table by day.
    pub(super) fn by_day(name: &'static str, schema: SchemaRef, rows: Vec<Part<'a>>, replaces: Replaces) -> TableRows<'a> {
        TableRows {
            name,
            schema,
            partitions: &[DATE],
            rows,
            replaces,
        }
    }
}

/// Writes the files of a table, two of its parts at a time.
async fn stage(table: &LakeTable, rows: Vec<Part<'_>>) -> Result<Staged, ReportError> {
    let parts = stream::iter(rows).map(|part| async {
        Ok::<_, ReportError>(match part {
            Part::Rows(rows) => table.stage(&rows).await?,
            Part::File(path) => table.stage_file(path).await?,
        })
    });
    let mut parts = std::pin::pin!(parts.buffered(2));
    let mut staged = Staged::default();
    while let Some(part) = parts.try_next().await? {
        staged.extend(part);
    }
    Ok(staged)
}

/// Writes all tables and returns the version that each one got.
pub(super) async fn write(lake: &Lake, tables: Vec<TableRows<'_>>) -> Result<BTreeMap<String, i64>, ReportError> {
    let writes = tables.into_iter().map(|table| async move {
        let mut handle = lake.ensure_named(table.name, &table.schema, table.partitions).await?;
        let staged = stage(&handle, table.rows).await?;
        match table.replaces {
            Replaces::All => handle.replace_all_by_staged(staged, &[]).await?,
            Replaces::Days { window, from, to } => {
                let mut dates: BTreeSet<NaiveDate> = (window.from..=window.to).map(date_of).collect();
                let asked_for = |date: &NaiveDate| from.is_none_or(|from| from <= *date) && to.is_none_or(|to| *date <= to);
                dates.extend(handle.files()?.into_iter().filter_map(|file| file.date).filter(asked_for));
                handle.replace_dates_by_staged(&dates, staged, &[]).await?;
            }
        }
        Ok((table.name.to_owned(), handle.version()))
    });
    stream::iter(writes).buffer_unordered(SIDE_BY_SIDE).try_collect().await
}
