//! Settling a lake: which rows to read again, and how the result gets into the tables.
//!
//! Incremental by component: rows in files added to `spans` since the last run, and everything that hangs together
//! with them. `calls` carries the settled version of `spans` as an application transaction in the same commit as its
//! rows, and is committed last: a run that dies in between is done again from the start and writes the same rows.
//! Days without touched components keep their files.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use futures::stream::LocalBoxStream;
use futures::{StreamExt, TryStreamExt};
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};
use marginlake_lake::{AppTransaction, DataFile, Lake, LakeError, LakeTable, Staged, Table};

use super::cumulative::Reprice;
use super::plan::{Plan, Touched, files_of, for_each, records};
use super::previous::{Previous, Restatement};
use super::record::Record;
use super::rows::Rows;
use super::rules::Rules;
use super::{Settled, encode, settle_component};
use crate::close::{CloseError, Closed};

/// The application transaction of settle on `calls`: its version is the settled version of `spans`. The number grows
/// with every change of a rule that moves a verdict, so that a new release settles everything again.
const TRANSACTION: &str = "marginlake-settle-2";

/// The version of `spans` that the rows of `calls` were settled from.
pub async fn settled_version(calls: &LakeTable) -> Result<Option<i64>, LakeError> {
    calls.transaction_version(TRANSACTION).await
}

/// Beside it, the rules that the rows were made with: other rules settle everything again.
const RULES_TRANSACTION: &str = "marginlake-settle-rules";

/// Settling failed. Nothing is half visible: `calls` has the rows of the last run that finished.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// A table could not be opened, read or written.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Rows could not be read.
    #[error("cannot read spans")]
    Read(#[from] datafusion::error::DataFusionError),
    /// Rows do not have the shape of the table.
    #[error("rows of spans or calls cannot be understood")]
    Rows(#[from] ArrowError),
    /// Which months are closed could not be read.
    #[error(transparent)]
    Closed(#[from] Box<CloseError>),
    /// Settle was asked for a day that is not on the calendar.
    #[error("{from} is after {to}")]
    Range {
        /// First day asked for.
        from: NaiveDate,
        /// Last day asked for.
        to: NaiveDate,
    },
}

/// Which days to settle again whether or not they have new rows; both ends inclusive.
#[derive(Debug, Clone, Default)]
pub struct SettleOptions {
    /// First day.
    pub from: Option<NaiveDate>,
    /// Last day.
    pub to: Option<NaiveDate>,
    /// The user's rules. A change of them settles everything again.
    pub rules: Arc<Rules>,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SettleOutcome {
    /// The version of `spans` that is settled now; `None` without `spans`.
    pub spans_version: Option<i64>,
    /// Components that were settled again.
    pub components: usize,
    /// Rows of `calls` written for them.
    pub calls: usize,
    /// Rows of `calls_excluded` written for them.
    pub excluded: usize,
    /// Rows of `restatements` written.
    pub restatements: usize,
    /// Days whose files were replaced.
    pub days: usize,
    /// Rows of closed days that wait in `calls_late`, found by this run.
    pub late: usize,
    /// Whether anything was committed.
    pub committed: bool,
}

/// Settles what is new in `lake`. With nothing new, nothing is committed.
pub async fn run(lake: &Lake, options: SettleOptions, pricer: &dyn Reprice) -> Result<SettleOutcome, SettleError> {
    let calls = lake.ensure(Table::Calls).await?;
    let excluded = lake.ensure(Table::CallsExcluded).await?;
    let restatements = lake.ensure(Table::Restatements).await?;
    let Some(spans) = lake.table(Table::Spans.name()).await? else {
        return Ok(SettleOutcome::default());
    };
    let unchanged = SettleOutcome {
        spans_version: Some(spans.version()),
        ..Default::default()
    };
    let closed = Closed::read(lake).await.map_err(Box::new)?;
    let late = lake.table(Table::CallsLate.name()).await?;
    let Some(touched) = touched(&spans, &calls, &options, &reopened(late.as_ref(), &closed)?).await? else {
        return Ok(unchanged);
    };
    let mut plan = Plan::read(&spans, &touched).await?;
    let days = plan.days();
    let mut old_days = days.clone();
    if matches!(touched, Touched::Everything) {
        // Rows that nothing stands for any more go with their days.
        old_days.extend(all_days(&calls)?.into_iter().chain(all_days(&excluded)?));
    }
    let (frozen, open): (BTreeSet<i32>, BTreeSet<i32>) = old_days.iter().copied().partition(|day| closed.holds(*day));
    let mut previous = Previous::read(&calls, &open, &mut plan).await?;
    previous.read_frozen(&calls, &frozen, &mut plan).await?;
    let previous_excluded = Previous::read(&excluded, &open, &mut plan).await?;
    let previous_late = match &late {
        Some(late) => Previous::read(late, &old_days, &mut plan).await?,
        None => Previous::default(),
    };
    let mut out = Out::new();
    let mut staged = (Staged::default(), Staged::default());
    let mut reading = Reading::start(&spans, &days).await?;
    while let Some(components) = reading.next(&mut plan).await? {
        for (component, records) in components {
            let mut settled = Settled::default();
            settle_component(records, pricer, &options.rules, &mut settled);
            if !frozen.is_empty() {
                let late = previous.hold(component, &mut settled.calls, |day| closed.holds(day));
                settled.excluded.retain(|row| !closed.holds(row.record.date));
                out.add_late(late)?;
            }
            let moved = previous.reconcile(component, &mut settled.calls).into_iter();
            out.restatements.extend(moved.filter(|moved| !closed.holds(moved.date)));
            out.add(settled)?;
        }
        if let Some(rows) = out.calls.overflow()? {
            staged.0.extend(calls.stage(&[rows]).await?);
        }
        if let Some(rows) = out.excluded.overflow()? {
            staged.1.extend(excluded.stage(&[rows]).await?);
        }
    }
    drop(reading);
    let outcome = SettleOutcome {
        components: plan.touched_components(),
        calls: out.calls.count(),
        excluded: out.excluded.count(),
        restatements: out.restatements.len(),
        days: open.len(),
        late: out.late.count(),
        committed: true,
        ..unchanged
    };
    drop(plan);
    let late = match late {
        None if outcome.late > 0 => Some(lake.ensure(Table::CallsLate).await?),
        late => late,
    };
    if let Some(late) = late {
        let rows = std::mem::replace(&mut out.late, Rows::new(Table::CallsLate, encode::calls));
        write_late(late, rows.finish(previous_late.kept)?, &old_days).await?;
    }
    let kept = (previous.kept, previous_excluded.kept);
    write(
        Tables {
            calls,
            excluded,
            restatements,
        },
        out,
        kept,
        staged,
        &open,
        spans.version(),
        &options.rules,
    )
    .await?;
    Ok(outcome)
}

/// The rows of the component that holds a trace, and the verdict over them. Empty where no record has the trace.
pub async fn component_of_trace(
    lake: &Lake,
    trace_id: [u8; 16],
    pricer: &dyn Reprice,
    rules: &Rules,
) -> Result<(Vec<Record>, Settled), SettleError> {
    let Some(spans) = lake.table(Table::Spans.name()).await? else {
        return Ok(Default::default());
    };
    let mut plan = Plan::read(&spans, &Touched::Files(Vec::new())).await?;
    let mut wanted: BTreeSet<u32> = BTreeSet::new();
    for_each(spans.provider().await?, &["signal", "trace_id", "tenant"], |record| {
        if record.trace_id == Some(trace_id) {
            wanted.extend(plan.component(&record));
        }
        Ok(())
    })
    .await?;
    if wanted.is_empty() {
        return Ok(Default::default());
    }
    let mut records = Vec::new();
    for_each(spans.provider().await?, &[], |record| {
        if plan.component(&record).is_some_and(|component| wanted.contains(&component)) {
            records.push(record);
        }
        Ok(())
    })
    .await?;
    let settled = super::settle_by_rules(records.clone(), pricer, rules);
    Ok((records, settled))
}

/// What has to be read again; `None` when nothing has.
async fn touched(
    spans: &LakeTable,
    calls: &LakeTable,
    options: &SettleOptions,
    reopened: &BTreeSet<NaiveDate>,
) -> Result<Option<Touched>, SettleError> {
    if let (Some(from), Some(to)) = (options.from, options.to)
        && from > to
    {
        return Err(SettleError::Range { from, to });
    }
    let Some(settled) = calls.transaction_version(TRANSACTION).await? else {
        return Ok(Some(Touched::Everything));
    };
    if has_other_rules(calls, &options.rules).await? {
        return Ok(Some(Touched::Everything));
    }
    let Some(mut files) = spans.files_added_since(settled).await? else {
        return Ok(Some(Touched::Everything));
    };
    if options.from.is_some() || options.to.is_some() || !reopened.is_empty() {
        let has_range = options.from.is_some() || options.to.is_some();
        let in_range = |date| options.from.is_none_or(|from| from <= date) && options.to.is_none_or(|to| date <= to);
        let asked = |file: &DataFile| {
            let is_asked = |date| (has_range && in_range(date)) || reopened.contains(&date);
            file.date.is_some_and(is_asked)
        };
        files.extend(spans.files()?.into_iter().filter(asked));
        files.sort_by(|a, b| a.path.cmp(&b.path));
        files.dedup();
    }
    Ok((!files.is_empty()).then_some(Touched::Files(files)))
}

/// Days whose rows have waited for their month to be reopened, and now it is.
fn reopened(late: Option<&LakeTable>, closed: &Closed) -> Result<BTreeSet<NaiveDate>, LakeError> {
    let Some(late) = late else { return Ok(BTreeSet::new()) };
    let days = late.files()?.into_iter().filter_map(|file| file.date);
    Ok(days.filter(|day| !closed.holds_date(*day)).collect())
}

/// Whether settle has seen every row of `spans`, and nothing waits for a month that was reopened.
pub async fn is_settled(lake: &Lake) -> Result<bool, LakeError> {
    let (Some(spans), Some(calls)) = (lake.table(Table::Spans.name()).await?, lake.table(Table::Calls.name()).await?) else {
        return Ok(true);
    };
    let Some(settled) = calls.transaction_version(TRANSACTION).await? else {
        return Ok(false);
    };
    if let Some(late) = lake.table(Table::CallsLate.name()).await? {
        let closed = Closed::read(lake).await;
        let waiting = closed.map(|closed| reopened(Some(&late), &closed));
        if !waiting.is_ok_and(|waiting| waiting.is_ok_and(|days| days.is_empty())) {
            return Ok(false);
        }
    }
    Ok(spans.files_added_since(settled).await?.is_some_and(|files| files.is_empty()))
}

async fn has_other_rules(calls: &LakeTable, rules: &Rules) -> Result<bool, SettleError> {
    let settled = calls.transaction_version(RULES_TRANSACTION).await?;
    Ok(settled.unwrap_or(0) != rules.version())
}

/// Reads the rows of touched components and hands each out as soon as its last row is there.
struct Reading {
    records: Option<LocalBoxStream<'static, Result<Vec<Record>, SettleError>>>,
    waiting: HashMap<u32, Vec<Record>>,
}

impl Reading {
    async fn start(spans: &LakeTable, days: &BTreeSet<i32>) -> Result<Reading, SettleError> {
        let files = files_of(spans, days)?;
        let records = match files.is_empty() {
            true => None,
            false => Some(records(spans.provider_of(&files).await?, &[]).await?.boxed_local()),
        };
        Ok(Reading {
            records,
            waiting: HashMap::new(),
        })
    }

    /// The components that one more batch completes; `None` at the end.
    async fn next(&mut self, plan: &mut Plan) -> Result<Option<Vec<(u32, Vec<Record>)>>, SettleError> {
        let Some(records) = &mut self.records else { return Ok(None) };
        let Some(batch) = records.try_next().await? else {
            return Ok(None);
        };
        let mut complete = Vec::new();
        for record in batch {
            let Some(component) = plan.touched(&record) else { continue };
            let rows = self.waiting.entry(component).or_default();
            rows.push(record);
            if rows.len() == plan.rows(component) {
                complete.extend(self.waiting.remove_entry(&component));
            }
        }
        Ok(Some(complete))
    }
}

fn all_days(table: &LakeTable) -> Result<BTreeSet<i32>, SettleError> {
    Ok(table
        .files()?
        .into_iter()
        .filter_map(|file| file.date)
        .map(marginlake_lake::days_since_epoch)
        .collect())
}

/// The rows that a run has found.
struct Out {
    calls: Rows<super::Call>,
    excluded: Rows<super::Excluded>,
    late: Rows<super::Call>,
    restatements: Vec<Restatement>,
}

impl Out {
    fn new() -> Out {
        Out {
            calls: Rows::new(Table::Calls, encode::calls),
            excluded: Rows::new(Table::CallsExcluded, encode::excluded),
            late: Rows::new(Table::CallsLate, encode::calls),
            restatements: Vec::new(),
        }
    }

    fn add_late(&mut self, calls: Vec<super::Call>) -> Result<(), SettleError> {
        for call in calls {
            self.late.push(call.record.date, call)?;
        }
        Ok(())
    }

    fn add(&mut self, settled: Settled) -> Result<(), SettleError> {
        for call in settled.calls {
            self.calls.push(call.record.date, call)?;
        }
        for row in settled.excluded {
            self.excluded.push(row.record.date, row)?;
        }
        Ok(())
    }
}

/// Replaces what waits of the days that were looked at. Done again after a crash, it writes the same.
async fn write_late(mut late: LakeTable, rows: Vec<RecordBatch>, days: &BTreeSet<i32>) -> Result<(), SettleError> {
    let dates: BTreeSet<NaiveDate> = days.iter().filter_map(|day| date_of(*day)).collect();
    Ok(late.replace_dates(&dates, &rows, &[]).await?)
}

struct Tables {
    calls: LakeTable,
    excluded: LakeTable,
    restatements: LakeTable,
}

/// Commits, `calls` last: its transaction says that all of it is done.
async fn write(
    mut tables: Tables,
    mut out: Out,
    kept: (Vec<RecordBatch>, Vec<RecordBatch>),
    mut staged: (Staged, Staged),
    days: &BTreeSet<i32>,
    spans_version: i64,
    rules: &Rules,
) -> Result<(), SettleError> {
    let by_rules = AppTransaction {
        app_id: RULES_TRANSACTION.to_owned(),
        version: rules.version(),
    };
    let transaction = AppTransaction {
        app_id: TRANSACTION.to_owned(),
        version: spans_version,
    };
    let dates: BTreeSet<NaiveDate> = days.iter().filter_map(|day| date_of(*day)).collect();
    if !out.restatements.is_empty() {
        out.restatements.sort_unstable();
        let batch = restatement_rows(&out.restatements, spans_version)?;
        // Other rules move costs without new spans: then the version of `calls` tells one run from another.
        let once = match has_other_rules(&tables.calls, rules).await? {
            true => AppTransaction {
                app_id: RULES_TRANSACTION.to_owned(),
                version: tables.calls.version(),
            },
            false => transaction.clone(),
        };
        tables.restatements.append_once(&[batch], &once).await?;
    }
    let excluded = out.excluded.finish(kept.1)?;
    staged.1.extend(tables.excluded.stage(&excluded).await?);
    drop(excluded);
    tables
        .excluded
        .replace_dates_by_staged(&dates, staged.1, std::slice::from_ref(&transaction))
        .await?;
    let calls = out.calls.finish(kept.0)?;
    staged.0.extend(tables.calls.stage(&calls).await?);
    tables
        .calls
        .replace_dates_by_staged(&dates, staged.0, &[transaction, by_rules])
        .await?;
    Ok(())
}

fn date_of(day: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(day)
}

fn restatement_rows(rows: &[Restatement], spans_version: i64) -> Result<RecordBatch, ArrowError> {
    let money = |value: fn(&Restatement) -> Option<i128>| {
        let array: Decimal128Array = rows.iter().map(value).collect();
        array.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)
    };
    let run_id = format!("settle-{spans_version}");
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|_| run_id.as_str()))),
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.date))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.customer_id.as_deref()))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.model.as_deref()))),
        Arc::new(money(|row| row.before)?),
        Arc::new(money(|row| row.after)?),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.reason))),
    ];
    RecordBatch::try_new(Table::Restatements.schema(), columns)
}
