//! What a run must settle: the components with new rows, found by reading only the columns that link records.
//!
//! One pass over the narrow columns of all of `spans` finds the components; the rows of the touched ones are then
//! read in full by `driver.rs`. Memory grows with traces and ids, not with rows.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use chrono::NaiveDate;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{Stream, StreamExt, TryStreamExt};
use marginlake_lake::schema::BUCKETS;
use marginlake_lake::{DataFile, LakeTable};

use super::component::{Linker, NodeId, node};
use super::decode::Decoder;
use super::driver::SettleError;
use super::record::Record;

/// The columns that [`Linker::observe`] and [`node`] look at.
const LINKS: [&str; 22] = [
    "date",
    "signal",
    "trace_id",
    "span_id",
    "event_key",
    "tenant",
    "service_name",
    "scope_name",
    "role",
    "convention",
    "response_id",
    "run_id",
    "conversation_id",
    "usage",
    "start_time_unix_nano",
    "end_time_unix_nano",
    "flags",
    "name",
    "start_time",
    "end_time",
    "start_nano",
    "end_nano",
];
/// The columns of a node.
const NODES: [&str; 6] = ["signal", "trace_id", "span_id", "event_key", "tenant", "start_time"];

/// Which rows of `spans` a run reads again.
#[derive(Debug, Clone)]
pub(super) enum Touched {
    /// All of them.
    Everything,
    /// Whatever hangs together with the rows of these files.
    Files(Vec<DataFile>),
}

/// The components of `spans` and what is to be done about them.
pub(super) struct Plan {
    linker: Linker,
    components: HashMap<u32, Component>,
}

#[derive(Debug, Clone, Copy)]
struct Component {
    rows: usize,
    touched: bool,
    /// Days of its rows, inclusive.
    days: (i32, i32),
}

impl Plan {
    /// Reads the links of `spans` and marks what is `touched`.
    pub(super) async fn read(spans: &LakeTable, touched: &Touched) -> Result<Plan, SettleError> {
        let mut linker = Linker::default();
        // Per node: its rows and days.
        let mut nodes: HashMap<NodeId, (usize, (i32, i32))> = HashMap::new();
        let columns: Vec<&str> = LINKS.into_iter().chain(BUCKETS).collect();
        for_each(spans.provider().await?, &columns, |record| {
            linker.observe(&record);
            let (rows, days) = nodes.entry(node(&record)).or_insert((0, (record.date, record.date)));
            *rows += 1;
            *days = (days.0.min(record.date), days.1.max(record.date));
            Ok(())
        })
        .await?;
        linker.finish();

        let mut new: HashSet<NodeId> = HashSet::new();
        if let Touched::Files(files) = touched
            && !files.is_empty()
        {
            for_each(spans.provider_of(files).await?, &NODES, |record| {
                new.insert(node(&record));
                Ok(())
            })
            .await?;
        }
        let mut components: HashMap<u32, Component> = HashMap::new();
        for (node, (rows, days)) in nodes {
            let Some(component) = linker.component(node) else { continue };
            let is_new = matches!(touched, Touched::Everything) || new.contains(&node);
            let entry = components.entry(component).or_insert(Component {
                rows: 0,
                touched: false,
                days,
            });
            entry.rows += rows;
            entry.touched |= is_new;
            entry.days = (entry.days.0.min(days.0), entry.days.1.max(days.1));
        }
        Ok(Plan { linker, components })
    }

    /// The component of a record of `spans`, `calls` or `calls_excluded`, when it is to be settled.
    pub(super) fn touched(&mut self, record: &Record) -> Option<u32> {
        let component = self.linker.component(node(record))?;
        self.components
            .get(&component)
            .is_some_and(|found| found.touched)
            .then_some(component)
    }

    /// The component of a record whether touched or not.
    pub(super) fn component(&mut self, record: &Record) -> Option<u32> {
        self.linker.component(node(record))
    }

    /// How many rows of `spans` a component has.
    pub(super) fn rows(&self, component: u32) -> usize {
        self.components.get(&component).map_or(0, |found| found.rows)
    }

    /// How many components are to be settled.
    pub(super) fn touched_components(&self) -> usize {
        self.components.values().filter(|component| component.touched).count()
    }

    /// Every day that a touched component has rows on.
    pub(super) fn days(&self) -> BTreeSet<i32> {
        let touched = self.components.values().filter(|component| component.touched);
        touched.flat_map(|component| component.days.0..=component.days.1).collect()
    }
}

/// Decodes the `columns` of every row, all of them where none is named; the order is the reader's.
pub(super) async fn for_each(
    provider: Arc<dyn TableProvider>,
    columns: &[&str],
    mut each: impl FnMut(Record) -> Result<(), SettleError>,
) -> Result<(), SettleError> {
    let mut batches = std::pin::pin!(records(provider, columns).await?);
    while let Some(batch) = batches.try_next().await? {
        batch.into_iter().try_for_each(&mut each)?;
    }
    Ok(())
}

/// Batches that are decoded at the same time: one for each of two cores, and one that is ready.
const DECODED_AHEAD: usize = 3;

/// The rows of [`for_each`], batch by batch. Decoding is the larger half of a run, so it has threads of its own.
pub(super) async fn records(
    provider: Arc<dyn TableProvider>,
    columns: &[&str],
) -> Result<impl Stream<Item = Result<Vec<Record>, SettleError>>, SettleError> {
    let config = SessionConfig::new()
        .set_bool("datafusion.execution.parquet.schema_force_view_types", false)
        .set_bool("datafusion.execution.parquet.pushdown_filters", true);
    // A table that an older release wrote lacks younger columns: to the decoder they are NULL.
    let schema = provider.schema();
    let known: Vec<&str> = columns.iter().copied().filter(|name| schema.index_of(name).is_ok()).collect();
    let frame = SessionContext::new_with_config(config).read_table(provider)?;
    let frame = if columns.is_empty() {
        frame
    } else {
        frame.select_columns(&known)?
    };
    // A decoder knows the strings that repeat: it is handed on rather than made anew.
    let idle: Arc<Mutex<Vec<Decoder>>> = Arc::default();
    let decode = move |batch: Result<RecordBatch, DataFusionError>| {
        let idle = Arc::clone(&idle);
        async move {
            let batch = batch?;
            let decoding = tokio::task::spawn_blocking(move || {
                let taken = idle.lock().ok().and_then(|mut idle| idle.pop());
                let mut decoder = taken.unwrap_or_default();
                let records = decoder.decode(&batch);
                if let Ok(mut idle) = idle.lock() {
                    idle.push(decoder);
                }
                records
            });
            match decoding.await {
                Ok(records) => Ok(records?),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        }
    };
    Ok(frame.execute_stream().await?.map(decode).buffered(DECODED_AHEAD))
}

/// The files of `table` whose day is one of `days`.
pub(crate) fn files_of(table: &LakeTable, days: &BTreeSet<i32>) -> Result<Vec<DataFile>, SettleError> {
    let day = |date: NaiveDate| marginlake_lake::days_since_epoch(date);
    let files = table.files()?;
    Ok(files
        .into_iter()
        .filter(|file| file.date.is_none_or(|date| days.contains(&day(date))))
        .collect())
}
