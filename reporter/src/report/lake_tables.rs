//! Writing a run's tables side by side, and remembering which version each one got.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
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

/// Where the rows of a table come from: part after part, each of whole days.
pub(super) type Rows<'a> = Box<dyn Iterator<Item = Result<Vec<RecordBatch>, ArrowError>> + Send + 'a>;

/// Rows that are in memory.
pub(super) fn few<'a>(rows: Vec<RecordBatch>) -> Rows<'a> {
    Box::new(std::iter::once(Ok(rows)))
}

/// Rows that are kept: those in memory together, so that a day is one file, and the days of the others one by one.
pub(super) fn kept(spools: &[Arc<Spool>]) -> Rows<'_> {
    let (few, many): (Vec<&Arc<Spool>>, Vec<_>) = spools.iter().partition(|spool| spool.in_memory().is_some());
    let few: Vec<RecordBatch> = few
        .into_iter()
        .filter_map(|spool| spool.in_memory())
        .flatten()
        .cloned()
        .collect();
    let many = many.into_iter().flat_map(|spool| match spool.days() {
        Ok(days) => Box::new(days) as Rows<'_>,
        Err(error) => Box::new(std::iter::once(Err(error))),
    });
    Box::new(std::iter::once(Ok(few)).chain(many))
}

/// New rows for one table.
pub(super) struct TableRows<'a> {
    pub(super) name: &'static str,
    pub(super) schema: SchemaRef,
    pub(super) partitions: &'static [&'static str],
    pub(super) rows: Rows<'a>,
    pub(super) replaces: Replaces,
}

impl<'a> TableRows<'a> {
    /// All rows of a table.
    pub(super) fn all(table: Table, rows: Rows<'a>) -> TableRows<'a> {
        TableRows {
            name: table.name(),
            schema: table.schema(),
            partitions: table.partition_columns(),
            rows,
            replaces: Replaces::All,
        }
    }

    /// Rows of a table by day.
    pub(super) fn by_day(name: &'static str, schema: SchemaRef, rows: Rows<'a>, replaces: Replaces) -> TableRows<'a> {
        TableRows {
            name,
            schema,
            partitions: &[DATE],
            rows,
            replaces,
        }
    }
}

/// Writes the files of a table. A part is made while the one before it is written.
async fn stage(table: &LakeTable, rows: Rows<'_>) -> Result<Staged, ReportError> {
    let parts = stream::iter(rows).map(|part| async { Ok::<_, ReportError>(table.stage(&part?).await?) });
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
