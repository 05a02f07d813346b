//! Re-pricing a lake: reads day by day, writes `restatements`, then replaces the days of `calls` in one commit.
//!
//! A run that dies between the two commits is done again: the restatements carry an application transaction made of
//! the version of `calls` and their own content, so that they are not written twice.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use datafusion::prelude::{SessionConfig, SessionContext};
use marginlake_lake::{AppTransaction, Lake, LakeError, LakeTable, Table};
use marginlake_pricing::Catalogue;
use sha2::{Digest, Sha256};

use super::statement::{Restated, Statement};
use super::{replace, verdict};
use crate::close::{CloseError, Closed};
use crate::settle::decode::Decoder;
use crate::settle::driver::SettleError;
use crate::settle::plan::files_of;
use crate::settle::rows::Rows;
use crate::settle::{CataloguePricer, encode};

/// The application transaction of re-pricing on `calls`; its version is the version of `calls` that was read.
const TRANSACTION: &str = "marginlake-reprice-1";

/// Pricing again failed. `calls` is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum RepriceError {
    /// A table could not be opened, read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Which months are closed could not be read.
    #[error(transparent)]
    Closed(#[from] CloseError),
    /// The files of the days could not be found.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// Rows could not be read.
    #[error("cannot read calls")]
    Read(#[from] datafusion::error::DataFusionError),
    /// Rows do not have the shape of the table.
    #[error("rows of calls cannot be understood")]
    Rows(#[from] ArrowError),
    /// The days make no range.
    #[error("{from} is after {to}")]
    Range {
        /// First day asked for.
        from: NaiveDate,
        /// Last day asked for.
        to: NaiveDate,
    },
}

/// Whether to write what moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Replace the days and write the restatements.
    Write,
    /// Only say what would move.
    DryRun,
}

/// Which days to price again, and how.
#[derive(Debug, Clone, Copy)]
pub struct RepriceOptions {
    /// First day, inclusive.
    pub from: NaiveDate,
    /// Last day, inclusive.
    pub to: NaiveDate,
    /// Prices as they were known at this moment, in nanoseconds since the epoch; everything known when `None`.
    pub prices_as_of_unix_nano: Option<i64>,
    /// Whether to write.
    pub mode: Mode,
}

/// What a run found, and whether it wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepriceOutcome {
    /// The costs that moved.
    pub statement: Statement,
    /// The costs that would move in closed months, which keep theirs.
    pub closed: Statement,
    /// Calls behind them.
    pub held: usize,
    /// Calls whose price, list price or status moved.
    pub moved: usize,
    /// Calls that keep what they have.
    pub unchanged: usize,
    /// Days with a call that moved.
    pub days: BTreeSet<i32>,
    /// Whether anything was committed.
    pub committed: bool,
}

/// Prices the calls of some days again. Where nothing moves, nothing is committed.
pub async fn run(lake: &Lake, catalogue: &Catalogue, options: RepriceOptions) -> Result<RepriceOutcome, RepriceError> {
    let RepriceOptions { from, to, .. } = options;
    if from > to {
        return Err(RepriceError::Range { from, to });
    }
    let mut outcome = RepriceOutcome::default();
    let Some(mut calls) = lake.table(Table::Calls.name()).await? else {
        return Ok(outcome);
    };
    let pricer = CataloguePricer::new(catalogue).as_known_at(options.prices_as_of_unix_nano);
    let closed = Closed::read(lake).await?;
    let held: BTreeSet<NaiveDate> = calls.files()?.into_iter().filter_map(|file| file.date).collect();
    let mut rows = Vec::new();
    for day in held.range(from..=to) {
        let day = marginlake_lake::days_since_epoch(*day);
        if closed.holds(day) {
            let mut shown = RepriceOutcome::default();
            price_day(&calls, day, &pricer, &mut shown).await?;
            outcome.closed.extend(shown.statement);
            outcome.held += shown.moved;
            outcome.unchanged += shown.unchanged;
            continue;
        }
        let moved = outcome.moved;
        let priced = price_day(&calls, day, &pricer, &mut outcome).await?;
        // A day on which nothing moved keeps its files.
        if outcome.moved > moved {
            outcome.days.insert(day);
            rows.extend(priced);
        }
    }
    if outcome.days.is_empty() || options.mode == Mode::DryRun {
        return Ok(outcome);
    }
    let version = calls.version();
    write_statement(lake, &outcome.statement, version).await?;
    let dates: BTreeSet<NaiveDate> = outcome
        .days
        .iter()
        .filter_map(|day| NaiveDate::from_epoch_days(*day))
        .collect();
    let transaction = AppTransaction {
        app_id: TRANSACTION.to_owned(),
        version,
    };
    let rows = Rows::new(Table::Calls, encode::calls).finish(rows)?;
    calls.replace_dates(&dates, &rows, std::slice::from_ref(&transaction)).await?;
    outcome.committed = true;
    Ok(outcome)
}

/// The rows of a day with the prices of now where they moved.
async fn price_day(
    calls: &LakeTable,
    day: i32,
    pricer: &CataloguePricer<'_>,
    outcome: &mut RepriceOutcome,
) -> Result<Vec<RecordBatch>, RepriceError> {
    let files = files_of(calls, &BTreeSet::from([day]))?;
    let config = SessionConfig::new().set_bool("datafusion.execution.parquet.schema_force_view_types", false);
    let frame = SessionContext::new_with_config(config).read_table(calls.provider_of(&files).await?)?;
    let mut decoder = Decoder::default();
    let mut rows = Vec::new();
    for batch in frame.collect().await? {
        let mut prices = Vec::with_capacity(batch.num_rows());
        for record in decoder.decode(&batch)? {
            match verdict::moved(&record, pricer) {
                Some(price) => {
                    outcome.moved += 1;
                    outcome.statement.add(&record, &price, || pricer.because(&record));
                    prices.push(price);
                }
                None => {
                    outcome.unchanged += 1;
                    prices.push(record.price);
                }
            }
        }
        rows.push(replace::prices(&batch, &prices)?);
    }
    Ok(rows)
}

async fn write_statement(lake: &Lake, statement: &Statement, calls_version: i64) -> Result<(), RepriceError> {
    if statement.is_empty() {
        return Ok(());
    }
    let lines = statement.lines();
    let digest = hex::encode(Sha256::digest(format!("{lines:?}")));
    let run_id = format!("reprice-{calls_version}-{}", &digest[..12]);
    let transaction = AppTransaction {
        app_id: format!("marginlake-{run_id}"),
        version: calls_version,
    };
    let mut table = lake.ensure(Table::Restatements).await?;
    table.append_once(&[statement_rows(&lines, &run_id)?], &transaction).await?;
    Ok(())
}

fn statement_rows(lines: &[Restated], run_id: &str) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<ArrayRef> = vec![
        encode::strings(lines.iter().map(|_| Some(run_id))),
        Arc::new(Date32Array::from_iter_values(lines.iter().map(|line| line.date))),
        encode::strings(lines.iter().map(|line| line.customer_id.as_deref())),
        encode::strings(lines.iter().map(|line| line.model.as_deref())),
        encode::money(lines.iter().map(|line| line.before))?,
        encode::money(lines.iter().map(|line| line.after))?,
        Arc::new(StringArray::from_iter_values(lines.iter().map(|line| line.reason.as_str()))),
    ];
    RecordBatch::try_new(Table::Restatements.schema(), columns)
}
