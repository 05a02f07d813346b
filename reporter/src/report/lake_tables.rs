//! Writing a run's tables side by side, and remembering which version each one got.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use futures::{StreamExt, TryStreamExt, stream};
use marginlake_lake::schema::DATE;
use marginlake_lake::{Lake, LakeError};

use crate::marts::Window;
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

/// New rows for one table.
#[derive(Debug)]
pub(super) struct TableRows<'a> {
    pub(super) name: &'static str,
    pub(super) schema: SchemaRef,
    pub(super) partitions: &'static [&'static str],
    pub(super) rows: &'a [RecordBatch],
    pub(super) replaces: Replaces,
}

impl<'a> TableRows<'a> {
    /// Rows of a table by day.
    pub(super) fn by_day(name: &'static str, schema: SchemaRef, rows: &'a [RecordBatch], replaces: Replaces) -> TableRows<'a> {
        TableRows {
            name,
            schema,
            partitions: &[DATE],
            rows,
            replaces,
        }
    }
}

/// Writes all tables and returns the version that each one got.
pub(super) async fn write(lake: &Lake, tables: Vec<TableRows<'_>>) -> Result<BTreeMap<String, i64>, LakeError> {
    let writes = tables.into_iter().map(|table| async move {
        let mut handle = lake.ensure_named(table.name, &table.schema, table.partitions).await?;
        match table.replaces {
            Replaces::All => handle.replace_all(table.rows, &[]).await?,
            Replaces::Days { window, from, to } => {
                let mut dates: BTreeSet<NaiveDate> = (window.from..=window.to).map(date_of).collect();
                let asked_for = |date: &NaiveDate| from.is_none_or(|from| from <= *date) && to.is_none_or(|to| *date <= to);
                dates.extend(handle.files()?.into_iter().filter_map(|file| file.date).filter(asked_for));
                handle.replace_dates(&dates, table.rows, &[]).await?;
            }
        }
        Ok((table.name.to_owned(), handle.version()))
    });
    stream::iter(writes).buffer_unordered(SIDE_BY_SIDE).try_collect().await
}
