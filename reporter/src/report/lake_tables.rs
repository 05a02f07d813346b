//! Writing a run's tables, and remembering which version each one got.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::NaiveDate;
use marginlake_lake::schema::DATE;
use marginlake_lake::{Lake, LakeError, Table};

use crate::marts::Window;
use crate::revenue::time::date_of;

/// The tables of one run.
#[derive(Debug)]
pub(super) struct Published<'a> {
    lake: &'a Lake,
    /// True if the run is about every day, so that a day it does not name has nothing.
    whole: bool,
    window: Window,
    versions: BTreeMap<String, i64>,
}

impl<'a> Published<'a> {
    pub(super) fn new(lake: &'a Lake, whole: bool, window: Window) -> Published<'a> {
        Published {
            lake,
            whole,
            window,
            versions: BTreeMap::new(),
        }
    }

    pub(super) fn versions(&self) -> &BTreeMap<String, i64> {
        &self.versions
    }

    pub(super) fn read_version(&mut self, table: &str, version: i64) {
        self.versions.insert(table.to_owned(), version);
    }

    /// Revenue tables hold what the last run was given.
    pub(super) async fn replace_all(&mut self, table: Table, batches: &[RecordBatch]) -> Result<(), LakeError> {
        let mut handle = self.lake.ensure(table).await?;
        handle.replace_all(batches, &[]).await?;
        self.read_version(table.name(), handle.version());
        Ok(())
    }

    /// Marts hold each day as the last run that reported it saw it.
    pub(super) async fn replace_days(
        &mut self,
        name: &str,
        schema: &SchemaRef,
        batches: &[RecordBatch],
    ) -> Result<(), LakeError> {
        let mut handle = self.lake.ensure_named(name, schema, &[DATE]).await?;
        if self.whole {
            handle.replace_all(batches, &[]).await?;
        } else {
            let dates: BTreeSet<NaiveDate> = (self.window.from..=self.window.to).map(date_of).collect();
            handle.replace_dates(&dates, batches, &[]).await?;
        }
        self.read_version(name, handle.version());
        Ok(())
    }
}
