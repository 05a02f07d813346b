//! Closing, reopening and verifying a month. The row of `closed_periods` is written last and says that all is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use datafusion::datasource::MemTable;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};
use marginlake_lake::{AppTransaction, Lake, Table, days_since_epoch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::export::{export, folder, put, totals};
use super::revision::{Manifest, sha256};
use super::{CloseError, Closed, Month, Standing, State};
use crate::reprice::Restated;
use crate::session::{empty_session, open_session, published_versions, query};
use crate::settle::driver::is_settled;

/// What is recorded with a closing or reopening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseOptions {
    /// The month.
    pub month: Month,
    /// Why, for whoever reads `closed_periods`.
    pub reason: Option<String>,
    /// When, in microseconds since the epoch: the only clock here, and the caller's.
    pub recorded_at: i64,
}

/// What a closing made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseOutcome {
    /// What the month consists of.
    pub manifest: Manifest,
    /// How the month stands now.
    pub standing: Standing,
    /// Whether this run closed it; it was closed already otherwise.
    pub committed: bool,
    /// What changed since the revision before, by day, customer and model; empty for the first.
    pub restated: Vec<Restated>,
}

/// Closes a month: exports its calls and marts and records their hash. A month that is closed stays as it is.
pub async fn close(lake: &Lake, options: &CloseOptions) -> Result<CloseOutcome, CloseError> {
    let month = options.month;
    let closed = Closed::read(lake).await?;
    let before = closed.standing(month);
    if let Some(standing) = before.filter(|standing| standing.state == State::Closed) {
        return Ok(CloseOutcome {
            manifest: manifest_of(lake, standing).await?,
            standing: standing.clone(),
            committed: false,
            restated: Vec::new(),
        });
    }
    check_is_finished(lake, month).await?;
    let session = open_session(lake).await?;
    let (totals, catalogues) = totals(&session, month).await?;
    if totals.calls == 0 {
        return Err(CloseError::Empty(month));
    }
    let earlier = match before {
        Some(standing) => Some((standing, manifest_of(lake, standing).await?)),
        None => None,
    };
    let revision = earlier.as_ref().map_or(1, |(standing, _)| standing.revision + 1);
    let place = folder(month, revision);
    let manifest = Manifest {
        format: 1,
        period: month.to_string(),
        revision,
        restates: earlier.as_ref().map(|(standing, _)| standing.sha256.clone()),
        catalogues,
        totals,
        files: export(lake, &session, month, &place).await?,
    };
    let mut restated = Vec::new();
    if let Some((standing, earlier)) = &earlier {
        let reason = options
            .reason
            .clone()
            .unwrap_or_else(|| format!("restates revision {}", standing.revision));
        restated = changes(lake, (standing, earlier), (&place, &manifest), &reason).await?;
    }
    let bytes = manifest.to_bytes();
    let standing = Standing {
        sequence: before.map_or(1, |standing| standing.sequence + 1),
        state: State::Closed,
        revision,
        sha256: sha256(&bytes),
        folder: place.clone(),
    };
    put(lake, &format!("{place}/manifest.json"), bytes).await?;
    record(lake, options, &standing, Some(&manifest)).await?;
    Ok(CloseOutcome {
        manifest,
        standing,
        committed: true,
        restated,
    })
}

/// Lets a closed month move again. Its files stay where they are.
pub async fn reopen(lake: &Lake, options: &CloseOptions) -> Result<Standing, CloseError> {
    let closed = Closed::read(lake).await?;
    let standing = closed
        .standing(options.month)
        .filter(|standing| standing.state == State::Closed);
    let standing = standing.ok_or(CloseError::NotClosed(options.month))?;
    let reopened = Standing {
        sequence: standing.sequence + 1,
        state: State::Reopened,
        ..standing.clone()
    };
    record(lake, options, &reopened, None).await?;
    Ok(reopened)
}

/// Reads every file of the month's last revision and compares its hash.
pub async fn verify(lake: &Lake, month: Month) -> Result<Manifest, CloseError> {
    let closed = Closed::read(lake).await?;
    let standing = closed.standing(month).ok_or(CloseError::NotClosed(month))?;
    let manifest = manifest_of(lake, standing).await?;
    let mut problems = Vec::new();
    for file in &manifest.files {
        match lake.read_file(&format!("{}/{}", standing.folder, file.path)).await? {
            None => problems.push(format!("{} is missing", file.path)),
            Some(bytes) if sha256(&bytes) != file.sha256 => problems.push(format!("{} was changed", file.path)),
            Some(_) => {}
        }
    }
    match problems.is_empty() {
        true => Ok(manifest),
        false => Err(damaged(standing, &problems.join(", "))),
    }
}

fn damaged(standing: &Standing, problems: &str) -> CloseError {
    CloseError::Damaged {
        folder: standing.folder.clone(),
        problems: problems.to_owned(),
    }
}

async fn manifest_of(lake: &Lake, standing: &Standing) -> Result<Manifest, CloseError> {
    let bytes = lake.read_file(&format!("{}/manifest.json", standing.folder)).await?;
    let bytes = bytes.ok_or_else(|| damaged(standing, "manifest.json is missing"))?;
    if sha256(&bytes) != standing.sha256 {
        return Err(damaged(standing, "manifest.json was changed"));
    }
    serde_json::from_slice(&bytes).map_err(|error| damaged(standing, &format!("manifest.json: {error}")))
}

/// Nothing that has arrived may still be on its way into the month.
async fn check_is_finished(lake: &Lake, month: Month) -> Result<(), CloseError> {
    if !is_settled(lake).await? {
        return Err(CloseError::Unsettled(month));
    }
    let calls = lake.table(Table::Calls.name()).await?.ok_or(CloseError::Empty(month))?;
    let published = published_versions(lake).await?;
    match published.get(Table::Calls.name()) {
        Some(version) if *version != calls.version() => Err(CloseError::StaleMarts(month)),
        _ => Ok(()),
    }
}

/// Adds the row that makes it so. One closing or reopening of a month has one sequence number: the second of two runs
/// at the same time finds it taken.
async fn record(lake: &Lake, options: &CloseOptions, standing: &Standing, manifest: Option<&Manifest>) -> Result<(), CloseError> {
    let month = options.month;
    let mut table = lake.ensure(Table::ClosedPeriods).await?;
    let transaction = AppTransaction {
        app_id: format!("marginlake-close-{month}"),
        version: standing.sequence,
    };
    let count = |value: Option<usize>| -> ArrayRef {
        Arc::new(Int64Array::from(vec![value.and_then(|value| i64::try_from(value).ok())]))
    };
    let text = |value: Option<&str>| -> ArrayRef { Arc::new(StringArray::from(vec![value])) };
    let date = |day| -> ArrayRef { Arc::new(Date32Array::from(vec![days_since_epoch(day)])) };
    let cost = manifest.and_then(|manifest| {
        let costs = manifest.totals.cost_usd.values().map(|cost| {
            let cost: marginlake_pricing::Amount = cost.parse().ok()?;
            Some(cost.to_scale_12())
        });
        costs.sum::<Option<i128>>()
    });
    let cost = Decimal128Array::from(vec![cost]).with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
    let columns: Vec<ArrayRef> = vec![
        text(Some(&month.to_string())),
        date(month.first()),
        date(month.last()),
        Arc::new(Int64Array::from(vec![standing.sequence])),
        text(Some(standing.state.as_str())),
        Arc::new(Int64Array::from(vec![standing.revision])),
        text(Some(&standing.folder)),
        text(Some(&standing.sha256)),
        count(manifest.map(|manifest| manifest.totals.calls)),
        count(manifest.map(|manifest| manifest.totals.calls_without_cost)),
        Arc::new(cost),
        text(options.reason.as_deref()),
        Arc::new(TimestampMicrosecondArray::from(vec![options.recorded_at]).with_timezone("UTC")),
    ];
    let row = RecordBatch::try_new(Table::ClosedPeriods.schema(), columns)?;
    match table.append_once(&[row], &transaction).await? {
        true => Ok(()),
        false => Err(CloseError::Taken {
            path: format!("{month} in closed_periods"),
        }),
    }
}

type Cell = (i32, Option<String>, Option<String>);

/// The cost of a cell, where any of it is known, and its calls.
type Sums = (Option<i128>, usize);

/// What changed between two revisions, by day, customer and model.
async fn changes(
    lake: &Lake,
    (standing, earlier): (&Standing, &Manifest),
    (folder, now): (&str, &Manifest),
    reason: &str,
) -> Result<Vec<Restated>, CloseError> {
    if earlier.has_same_files(now) {
        return Ok(Vec::new());
    }
    let before = cells(lake, &standing.folder, earlier).await?;
    let after = cells(lake, folder, now).await?;
    let mut keys: Vec<&Cell> = before.keys().chain(after.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let moved = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    Ok(moved
        .map(|key| {
            // A cell that was not there, or is not any more, costs nothing on that side: that is known.
            let side = |cells: &BTreeMap<Cell, Sums>| cells.get(key).copied().unwrap_or((Some(0), 0));
            let ((before, calls_before), (after, calls_after)) = (side(&before), side(&after));
            Restated {
                date: key.0,
                customer_id: key.1.as_deref().map(Into::into),
                model: key.2.as_deref().map(Into::into),
                before,
                after,
                reason: match calls_before == calls_after {
                    true => reason.to_owned(),
                    false => format!("{reason}; {calls_before} -> {calls_after} calls"),
                },
                calls: calls_before.max(calls_after),
            }
        })
        .collect())
}

async fn cells(lake: &Lake, folder: &str, manifest: &Manifest) -> Result<BTreeMap<Cell, Sums>, CloseError> {
    let mut cells: BTreeMap<Cell, Sums> = BTreeMap::new();
    for file in manifest.files.iter().filter(|file| file.path.starts_with("calls/")) {
        let path = format!("{folder}/{}", file.path);
        let Some(bytes) = lake.read_file(&path).await? else {
            return Err(CloseError::Damaged {
                folder: folder.to_owned(),
                problems: format!("{} is missing", file.path),
            });
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))?.build()?;
        let batches = reader.collect::<Result<Vec<_>, _>>()?;
        for batch in grouped(batches).await? {
            let texts = |index: usize| Ok::<_, CloseError>(arrow::compute::cast(batch.column(index), &DataType::Utf8)?);
            let (customers, models) = (texts(1)?, texts(2)?);
            let text = |array: &ArrayRef, row: usize| array.is_valid(row).then(|| array.as_string::<i32>().value(row).to_owned());
            let dates = batch.column(0).as_primitive::<Date32Type>();
            let costs = batch.column(3).as_primitive::<Decimal128Type>();
            let counts = batch.column(4).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                let key = (dates.value(row), text(&customers, row), text(&models, row));
                let cost = costs.is_valid(row).then(|| costs.value(row));
                cells.insert(key, (cost, usize::try_from(counts.value(row)).unwrap_or(0)));
            }
        }
    }
    Ok(cells)
}

/// One day's calls by day, customer and model.
async fn grouped(batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, CloseError> {
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let session: SessionContext = empty_session();
    let table = MemTable::try_new(first.schema(), vec![batches]).map_err(crate::session::SessionError::from)?;
    session
        .register_table("exported", Arc::new(table))
        .map_err(crate::session::SessionError::from)?;
    let sql = "SELECT date, customer_id, coalesce(response_model, request_model), CAST(sum(cost_usd) AS DECIMAL(38, 12)), count(*) \
               FROM exported GROUP BY 1, 2, 3";
    Ok(query(&session, sql).await?)
}
