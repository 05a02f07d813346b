//! One report run: read revenue, accrue, convert, join, allocate, build the marts, publish.
//!
//! Nothing is written before every file was read and found good. Tables come first, the row of `run_manifest` that names
//! their versions last, and `--out` is swapped by one rename: a reader sees the run before or this one, never half.
//! Settling comes before all of it and is the caller's: see `settle`.

mod changed;
mod error;
mod lake_tables;
mod manifest;
mod options;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::revenue_by_key;
use marginlake_lake::{Lake, Table};

pub use error::ReportError;
pub use options::{OutputFormat, ReportOptions};

use crate::allocate::{self, Dimension, KeyRevenue, RevenuePools};
use crate::close::Held;
use crate::insight::Periods;
use crate::marts::{self, MARGIN_MARTS, ReportCalls, Window};
use crate::output::{self, ReportModel, Sheet};
use crate::revenue::customer_map::{CustomerLadder, CustomerMap};
use crate::revenue::daily::RevenuePolicy;
use crate::revenue::fx::Rates;
use crate::revenue::recognise::{DailyUsage, Schedules};
use crate::revenue::tables::{DailyBatches, lines_batches};
use crate::revenue::time::{Day, day_number};
use crate::revenue::{Kind, Loaded, RevenueInputs, load};
use crate::session::empty_session;
use changed::{Earned, changed};
use lake_tables::{Replaces, TableRows};

/// What a run made.
#[derive(Debug, Clone)]
pub struct ReportOutcome {
    /// Everything the outputs show.
    pub model: ReportModel,
    /// The folder of files, where one was asked for.
    pub out: Option<PathBuf>,
    /// Id of the run in `run_manifest`.
    pub run_id: String,
}

/// Files that were read and found good: the part of a run that can fail for what the user passed.
#[derive(Debug)]
pub struct ReportInputs {
    loaded: Loaded,
    rates: Rates,
    map: CustomerMap,
}

/// Reads and checks every file of a run. Writes nothing.
pub fn read_inputs(options: &ReportOptions) -> Result<ReportInputs, ReportError> {
    options.check()?;
    options.revenue.policies.email_key()?;
    let mut loaded = load(&options.revenue)?;
    let rates = match &options.fx {
        Some(path) => {
            loaded.note_input("fx", path)?;
            Rates::read(path)?
        }
        None => Rates::default(),
    };
    let map = match &options.customer_map {
        Some(path) => {
            loaded.note_input("customer_map", path)?;
            CustomerMap::read(path)?
        }
        None => CustomerMap::default(),
    };
    Ok(ReportInputs { loaded, rates, map })
}

/// Reports on the settled calls of `lake`.
pub async fn report(lake: &Lake, options: &ReportOptions, inputs: ReportInputs) -> Result<ReportOutcome, ReportError> {
    let calls = lake.ensure(Table::Calls).await?;
    let session = empty_session();
    session.register_table("calls", calls.provider().await?)?;
    let mut computed = compute(&session, options, inputs).await?;
    // Closed months keep the rows that they were closed with.
    let held = Held::read(lake).await?;
    for sheet in &mut computed.sheets {
        sheet.rows = held.keep(sheet.name, sheet.rows.clone()).await?;
    }
    computed.by_key = held.keep_all("revenue_by_key", computed.by_key).await?;
    let Computed {
        loaded,
        policy,
        daily,
        window,
        by_key,
        sheets,
        model,
    } = &computed;

    // From here on things are written.
    let of_days = Replaces::Days {
        window: *window,
        from: options.from,
        to: options.to,
    };
    let lines = lines_batches(&loaded.lines, policy)?;
    let fixed = |table: Table, rows| TableRows {
        name: table.name(),
        schema: table.schema(),
        partitions: table.partition_columns(),
        rows,
        replaces: Replaces::All,
    };
    let mut tables = vec![fixed(Table::RevenueLines, &lines), fixed(Table::RevenueDaily, daily)];
    tables.push(TableRows::by_day("revenue_by_key", revenue_by_key(), by_key, of_days));
    for sheet in sheets {
        tables.push(TableRows::by_day(
            sheet.name,
            sheet.rows.schema(),
            std::slice::from_ref(&sheet.rows),
            of_days,
        ));
    }
    let mut versions = lake_tables::write(lake, tables).await?;
    versions.insert(Table::Calls.name().to_owned(), calls.version());
    let row = manifest::Manifest::new(options, *window, loaded, model, &versions);
    if let Some(out) = &options.out {
        output::publish(out, &options.formats, model, sheets)?;
    }
    manifest::write(lake, &row).await?;
    Ok(ReportOutcome {
        model: computed.model,
        out: options.out.clone(),
        run_id: row.run_id,
    })
}

/// A run before anything is written.
struct Computed {
    loaded: Loaded,
    policy: RevenuePolicy,
    daily: Vec<RecordBatch>,
    window: Window,
    by_key: Vec<RecordBatch>,
    sheets: Vec<Sheet>,
    model: ReportModel,
}

/// Everything but the writing, over a session that has `calls`.
async fn compute(session: &SessionContext, options: &ReportOptions, inputs: ReportInputs) -> Result<Computed, ReportError> {
    let ReportInputs { loaded, rates, map } = inputs;
    let with_usage = marts::customers_with_usage(session).await?;
    let customers = CustomerLadder::new(map, with_usage, loaded.policies.email_key()?);
    let usage = match loaded.lines.iter().any(|line| line.meaning() == Kind::Usage) {
        true => marts::daily_usage(session).await?,
        false => DailyUsage::new(),
    };
    let policy = RevenuePolicy {
        rates,
        schedules: Schedules::new(&loaded.lines, &loaded.policies, &usage, &customers),
        customers,
        report_currency: options.currency,
        fx: loaded.policies.fx,
    };
    let (pools, daily) = earn(&loaded, &policy)?;
    let usage = marts::usage_days(session).await?;
    let Some(window) = window(options, usage, pools.days()) else {
        return Err(ReportError::Nothing);
    };
    let calls = ReportCalls {
        window,
        currency: options.currency,
        rates: &policy.rates,
    };
    marts::register_calls(session, &calls).await?;
    let revenue = allocate_all(session, &pools, window, options).await?;
    let by_key = marts::register_revenue(session, &revenue, window)?;
    let mut sheets = Vec::new();
    for mart in &MARGIN_MARTS {
        let rows = marts::build(session, mart).await?;
        sheets.push(Sheet { name: mart.name, rows });
    }
    let by_customer = sheets.iter().find(|sheet| sheet.name == "margin_by_customer");
    let periods = usage.and_then(|usage| Periods::of(window, usage));
    let change = match periods.zip(by_customer) {
        Some((periods, sheet)) => {
            let earned = Earned {
                pools: &pools,
                daily: &daily,
                by_customer: &sheet.rows,
            };
            Some(changed(session, &calls, periods, &earned).await?)
        }
        None => None,
    };
    let model = ReportModel::build(session, &sheets, &loaded.report, options, window, change).await?;
    let rows = model.coverage.rows(window)?;
    sheets.push(Sheet {
        name: "data_quality",
        rows,
    });
    let rows = output::unit_cost_rows(&model.units, &model.currency, window)?;
    sheets.push(Sheet {
        name: "unit_costs",
        rows,
    });
    Ok(Computed {
        loaded,
        policy,
        daily,
        window,
        by_key,
        sheets,
        model,
    })
}

/// How well revenue files and the settled calls of `lake` meet; writes nothing.
pub async fn revenue_matches(
    lake: &Lake,
    inputs: &RevenueInputs,
    customer_map: Option<&std::path::Path>,
) -> Result<crate::revenue::matching::Matches, ReportError> {
    let email_key = inputs.policies.email_key()?;
    let lines = load(inputs)?.lines;
    let map = customer_map.map(CustomerMap::read).transpose()?.unwrap_or_default();
    let session = empty_session();
    if let Some(calls) = lake.table(Table::Calls.name()).await? {
        session.register_table("calls", calls.provider().await?)?;
        let customers = CustomerLadder::new(map, marts::customers_with_usage(&session).await?, email_key);
        let usage = marts::daily_usage(&session).await?;
        return Ok(crate::revenue::matching::Matches::new(&lines, &customers, &usage));
    }
    let nobody = CustomerLadder::new(map, std::collections::HashSet::new(), email_key);
    Ok(crate::revenue::matching::Matches::new(&lines, &nobody, &DailyUsage::new()))
}

/// Reads revenue files and says what is in them; writes nothing.
pub fn revenue_check(inputs: &RevenueInputs) -> Result<crate::revenue::LoadReport, ReportError> {
    Ok(load(inputs)?.report)
}

/// Lines to days: the rows of `revenue_daily` and what every dimension is made from.
fn earn(loaded: &Loaded, policy: &RevenuePolicy) -> Result<(RevenuePools, Vec<RecordBatch>), ReportError> {
    let mut pools = RevenuePools::default();
    let mut daily = DailyBatches::new(policy.report_currency.code());
    for line in &loaded.lines {
        for day in policy.days(line) {
            pools.add(&day);
            daily.push(&day)?;
        }
    }
    Ok((pools, daily.finish()?))
}

async fn allocate_all(
    session: &SessionContext,
    pools: &RevenuePools,
    window: Window,
    options: &ReportOptions,
) -> Result<Vec<(Dimension, Vec<KeyRevenue>)>, ReportError> {
    let mut all = Vec::new();
    for dimension in Dimension::ALL {
        let shares = marts::cost_shares(session, dimension, window).await?;
        all.push((
            dimension,
            allocate::revenue_by_key(dimension, pools, &shares, options.currency),
        ));
    }
    Ok(all)
}

/// The days asked for; where none are asked for, every day that has calls or revenue.
fn window(options: &ReportOptions, usage: Option<(Day, Day)>, revenue: Option<(Day, Day)>) -> Option<Window> {
    let known = || usage.into_iter().chain(revenue);
    let from = options.from.map(day_number).or_else(|| known().map(|(first, _)| first).min());
    let to = options.to.map(day_number).or_else(|| known().map(|(_, last)| last).max());
    let (from, to) = (from.or(to)?, to.or(from)?);
    (from <= to).then_some(Window { from, to })
}
