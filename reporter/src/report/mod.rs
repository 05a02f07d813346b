//! One report run: read revenue, accrue, convert, join, allocate, build the marts, publish.
//!
//! Nothing is written before every file was read and found good. Files of marts are begun as soon as their rows are made, in
//! a folder that nobody reads yet. Tables come first, the row of `run_manifest` that names their versions last, and `--out`
//! is swapped by one rename: a reader sees the run before or this one, never half.
//! Settling comes before all of it and is the caller's: see `settle`.

mod changed;
mod error;
mod figures;
mod lake_tables;
mod manifest;
mod options;
mod restated;
#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema;
use marginlake_lake::{Lake, Lease, Table, failpoint};

pub use error::ReportError;
pub use options::{OutputFormat, ReportOptions, ReportPolicy};

use crate::allocate::cost::CostSource;
use crate::allocate::{CostClass, CostPools, Earner, RevenuePools, WeightTable};
use crate::bills::{Bills, bill_batch};
use crate::close::{Held, late_note};
use crate::insight::Periods;
use crate::marts::{self, ReportCalls, Spool, Window};
use crate::outcomes::{Outcomes, of_attribute};
use crate::output::{Publication, ReportModel, Sheet};
use crate::progress::step;
use crate::revenue::cash::Cash;
use crate::revenue::customer_map::{CustomerLadder, CustomerMap};
use crate::revenue::daily::RevenuePolicy;
use crate::revenue::fx::Rates;
use crate::revenue::recognise::{DailyUsage, Schedules};
use crate::revenue::subscribers::Subscribers;
use crate::revenue::tables::{DailyRows, lines_batches};
use crate::revenue::time::{Day, day_number};
use crate::revenue::{Kind, Loaded, RevenueInputs, load};
use crate::session::{bounded_session, empty_session};
use crate::settle::driver::settled_version;
use crate::settle::unrecognised::unrecognised_between;
use changed::{Earned, changed};
use figures::{Figures, Made, Sources};
use lake_tables::{Part, Replaces, TableRows, kept};
use manifest::Manifest;
use restated::Restated;

/// What queries of a run may hold in memory; sorting and adding up go on in files beyond it.
const MEMORY: usize = 640 << 20;

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
    bills: Bills,
    outcomes: Outcomes,
    weights: WeightTable,
}

/// Reads and checks every file of a run. Writes nothing.
pub fn read_inputs(options: &ReportOptions) -> Result<ReportInputs, ReportError> {
    options.check()?;
    options.revenue.policies.email_key()?;
    step("reads revenue and costs");
    let mut loaded = load(&options.revenue)?;
    if let Some(path) = &options.config {
        loaded.note_input("config", path)?;
    }
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
    let weights = match &options.policy.allocation_weights {
        Some(path) => {
            loaded.note_input("allocation_weights", path)?;
            WeightTable::read(path)?
        }
        None => WeightTable::default(),
    };
    let bills = Bills::read(&options.bills, &options.bill_files, &mut loaded)?;
    let outcomes = Outcomes::read(&options.outcomes, &options.outcome_labels, &mut loaded)?;
    Ok(ReportInputs {
        loaded,
        rates,
        map,
        bills,
        outcomes,
        weights,
    })
}

/// Reports on the settled calls of `lake`. `lease` says that nobody else does: it is asked again before anything is written.
pub async fn report(
    lake: &Lake,
    lease: Option<&Lease>,
    options: &ReportOptions,
    inputs: ReportInputs,
) -> Result<ReportOutcome, ReportError> {
    let calls = lake.ensure(Table::Calls).await?;
    let session = bounded_session(MEMORY)?;
    session.register_table("calls", calls.provider().await?)?;
    if options.outcome_labels.attribute.is_some()
        && let Some(spans) = lake.table(Table::Spans.name()).await?
    {
        session.register_table("spans", spans.provider().await?)?;
    }
    let held = Held::read(lake, options.from, options.to).await?;
    let publication = options.out.as_deref().map(|out| Publication::begin(out, &options.formats));
    let mut publication = publication.transpose()?;
    let mut made = |sheet: &Sheet| publication.iter_mut().for_each(|files| files.made(sheet));
    let mut computed = compute(&session, options, inputs, &held, &mut made).await?;
    let figures = &mut computed.figures;
    figures.revenue_by_key = held
        .keep_all("revenue_by_key", std::mem::take(&mut figures.revenue_by_key))
        .await?;
    figures.cost_by_key = held.keep_all("cost_by_key", std::mem::take(&mut figures.cost_by_key)).await?;
    let manifest = Manifest::new(options, computed.window, &computed.loaded, &computed.model, &BTreeMap::new());
    computed.model.made = manifest.made();
    computed.model.unrecognised = unrecognised_between(lake, &computed.model.from, &computed.model.to).await?;
    computed
        .model
        .warnings
        .extend(late_note(lake, &computed.model.from, &computed.model.to).await?);
    let run_id = manifest.run_id;
    let days = computed.figures.sheet("margin_daily").expect("it is a mart of every report");
    let restated = Restated::by(lake, &days.whole()?, computed.window, &run_id).await?;
    (computed.model.moved, computed.model.moved_days) = restated.days(options.currency.code());
    computed.model.warnings.extend(restated.warning(options.currency.code()));
    computed.figures.sheets.push(Sheet::of(restated::NAME, restated.own.clone()));
    let Computed {
        loaded,
        revenue_daily,
        revenue_lines,
        window,
        figures,
        model,
    } = &computed;

    // From here on others see what is written.
    still_ours(lease).await?;
    let of_days = Replaces::Days {
        window: *window,
        from: options.from,
        to: options.to,
    };
    step("writes the tables");
    let mut tables = vec![
        TableRows::all(Table::RevenueDaily, kept(std::slice::from_ref(revenue_daily))),
        TableRows::all(Table::RevenueLines, kept(std::slice::from_ref(revenue_lines))),
    ];
    let mut by_day = |name, schema, rows| tables.push(TableRows::by_day(name, schema, kept(rows), of_days));
    by_day("revenue_by_key", schema::revenue_by_key(), &figures.revenue_by_key);
    by_day("cost_by_key", schema::cost_by_key(), &figures.cost_by_key);
    tables.push(TableRows {
        name: restated::NAME,
        schema: schema::restated_days(),
        partitions: &[],
        rows: vec![Part::Rows(vec![restated.earlier, restated.own])],
        replaces: Replaces::All,
    });
    for sheet in figures.sheets.iter().filter(|sheet| sheet.name != restated::NAME) {
        tables.push(TableRows::by_day(
            sheet.name,
            sheet.rows.schema(),
            kept(std::slice::from_ref(&sheet.rows)),
            of_days,
        ));
    }
    let mut versions = lake_tables::write(lake, tables).await?;
    versions.insert(Table::Calls.name().to_owned(), calls.version());
    if let Some(settled) = settled_version(&calls).await? {
        versions.insert(Table::Spans.name().to_owned(), settled);
    }
    failpoint::at("report.tables");
    still_ours(lease).await?;
    let row = Manifest::new(options, *window, loaded, model, &versions);
    if let Some(publication) = publication {
        step("writes the files");
        publication.finish(model, &figures.sheets)?;
    }
    failpoint::at("report.files");
    manifest::write(lake, &row).await?;
    Ok(ReportOutcome {
        model: computed.model,
        out: options.out.clone(),
        run_id: row.run_id,
    })
}

/// A run that was asleep for long may have been taken for dead: it must not write over the one that took over.
async fn still_ours(lease: Option<&Lease>) -> Result<(), ReportError> {
    match lease {
        Some(lease) => Ok(lease.check().await?),
        None => Ok(()),
    }
}

/// A run before anything is written.
struct Computed {
    /// Without its lines.
    loaded: Arc<Loaded>,
    revenue_daily: Arc<Spool>,
    revenue_lines: Arc<Spool>,
    window: Window,
    figures: Figures,
    model: ReportModel,
}

/// Everything but the writing, over a session that has `calls`.
async fn compute(
    session: &SessionContext,
    options: &ReportOptions,
    inputs: ReportInputs,
    held: &Held<'_>,
    made: Made<'_>,
) -> Result<Computed, ReportError> {
    let ReportInputs {
        loaded,
        rates,
        map,
        bills,
        outcomes,
        weights,
    } = inputs;
    step("spreads revenue over days");
    let with_usage = marts::customers_with_usage(session).await?;
    let customers = CustomerLadder::new(map, with_usage, loaded.policies.email_key()?);
    let usage = match loaded.lines.iter().any(|line| line.meaning() == Kind::Usage) {
        true => marts::daily_usage(session).await?,
        false => DailyUsage::new(),
    };
    let policy = Arc::new(RevenuePolicy {
        rates,
        schedules: Schedules::new(&loaded.lines, &loaded.policies, &usage, &customers),
        customers,
        report_currency: options.currency,
        fx: loaded.policies.fx,
    });
    // Revenue is spread, and its days are written, while calls are added up.
    let mut loaded = Arc::new(loaded);
    let revenue_daily = beside(&loaded, &policy, daily_rows);
    let revenue_lines = beside(&loaded, &policy, line_rows);
    let pools = beside(&loaded, &policy, earn);
    let usage = marts::usage_days(session).await?;
    step("adds up the calls");
    let facts = marts::add_up(session, months_of_calls(options, usage), options.currency, &policy.rates).await?;
    let pools = pools.await;
    let variable = variable_costs(&loaded, &policy);
    let Some(window) = window(options, [usage, pools.days(), variable.days(), bills.days()]) else {
        return Err(ReportError::Nothing);
    };
    let bill_days = bills.in_days(window, &policy.rates, options.currency);
    let mut costs = variable.clone();
    bills.pool(&bill_days, &mut costs);
    let outcomes = match session.table_exist("spans")? {
        true => outcomes.over(of_attribute(session, &options.outcome_labels, window.from).await?),
        false => outcomes,
    };
    let cash = Cash::of(&loaded.lines, &policy, window);
    let subscribers = Subscribers::of(&loaded.lines, &policy, window);
    let sources = Sources {
        cash: &cash,
        subscribers: &subscribers,
        calls: ReportCalls {
            window,
            currency: options.currency,
            rates: &policy.rates,
            customer_plans: pools.customer_plans(),
            target_margin_pct: options.policy.target_margin_pct,
        },
        revenue: &pools,
        costs: &costs,
        spreads: &bills.spreads(),
        outcomes: outcomes.rows(window.to)?,
        table: &weights,
        by: options.policy.allocation,
    };
    let mut figures = figures::figures(session, facts, &sources, held, made).await?;
    step("compares with the period before");
    let periods = usage.and_then(|usage| Periods::of(window, usage));
    let change = match periods.zip(figures.sheet("margin_by_customer")) {
        Some((periods, by_customer)) => {
            let earned = Earned {
                lines: &loaded.lines,
                policy: &policy,
                facts: &figures.facts,
                by_customer,
                bills: &bills,
                variable: &variable,
            };
            Some(changed(session, &sources, periods, &earned).await?)
        }
        None => None,
    };
    let (revenue_daily, revenue_lines) = (Arc::new(revenue_daily.await?), Arc::new(revenue_lines.await?));
    if let Some(loaded) = Arc::get_mut(&mut loaded) {
        // They may be millions, and nobody asks for them any more.
        loaded.lines = Vec::new();
    }
    step("looks for losses and levers");
    let mut model = ReportModel::build(session, &loaded.report, options, window, change).await?;
    model.warnings.extend(held.notes());
    model.bill_files = bills.report.lines();
    model.cash_received = cash.total(options.currency);
    model.warnings.extend(bills.report.warnings());
    let rows = model.coverage.rows(window)?;
    for (name, rows) in [
        ("outcomes", outcomes.rows(window.to)?),
        ("bill_lines", bill_batch(&bills, &bill_days, options.currency)?),
        ("data_quality", rows),
    ] {
        let rows = held.keep(name, Arc::new(Spool::of_batch(rows))).await?;
        figures.sheets.push(Sheet { name, rows });
    }
    Ok(Computed {
        loaded,
        revenue_daily,
        revenue_lines,
        window,
        figures,
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
    let nobody = CustomerLadder::new(map, Default::default(), email_key);
    Ok(crate::revenue::matching::Matches::new(&lines, &nobody, &DailyUsage::new()))
}

/// Reads revenue files and says what is in them; writes nothing.
pub fn revenue_check(inputs: &RevenueInputs) -> Result<crate::revenue::LoadReport, ReportError> {
    Ok(load(inputs)?.report)
}

/// Lines to days: what every dimension is made from.
fn earn(loaded: &Loaded, policy: &RevenuePolicy) -> RevenuePools {
    let mut pools = RevenuePools::default();
    loaded.lines.iter().for_each(|line| pools.add_line(policy.days(line)));
    pools
}

/// Costs of selling and of being paid that revenue files tell: of their customers, outside of cost of goods.
fn variable_costs(loaded: &Loaded, policy: &RevenuePolicy) -> CostPools {
    let mut costs = CostPools::default();
    for line in &loaded.costs {
        let source = CostSource {
            name: line.kind.as_deref().unwrap_or("variable").to_owned(),
            class: CostClass::Variable,
        };
        for day in policy.days(line) {
            match day.report_amount {
                Some(amount) => costs.add_known(source.clone(), Earner::of(&day), day.day, amount),
                None => costs.add_without_rate(source.clone(), line.currency, day.day, day.amount),
            }
        }
    }
    costs
}

/// Runs on a thread of its own, from now on.
fn beside<T: Send + 'static>(
    loaded: &Arc<Loaded>,
    policy: &Arc<RevenuePolicy>,
    run: impl FnOnce(&Loaded, &RevenuePolicy) -> T + Send + 'static,
) -> impl Future<Output = T> {
    let (loaded, policy) = (Arc::clone(loaded), Arc::clone(policy));
    let running = tokio::task::spawn_blocking(move || run(&loaded, &policy));
    async {
        running
            .await
            .unwrap_or_else(|stopped| std::panic::resume_unwind(stopped.into_panic()))
    }
}

/// The rows of `revenue_daily`.
fn daily_rows(loaded: &Loaded, policy: &RevenuePolicy) -> Result<Spool, DataFusionError> {
    let batches = DailyRows::new(&loaded.lines, policy).flat_map(|of_day| match of_day {
        Ok(batches) => batches.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error)],
    });
    Spool::published(schema::revenue_daily(), batches)
}

/// The rows of `revenue_lines`.
fn line_rows(loaded: &Loaded, policy: &RevenuePolicy) -> Result<Spool, DataFusionError> {
    Spool::published(schema::revenue_lines(), lines_batches(&loaded.lines, policy))
}

/// The whole months of the report that may have calls: [`window`] without what revenue would add, which has none.
fn months_of_calls(options: &ReportOptions, usage: Option<(Day, Day)>) -> Window {
    let (first, last) = usage.unwrap_or_default();
    let days = Window {
        from: options.from.map_or(first, day_number),
        to: options.to.map_or(last, day_number),
    };
    days.months()
}

/// The days asked for; where none are asked for, every day that has calls, revenue or costs.
fn window(options: &ReportOptions, known: [Option<(Day, Day)>; 4]) -> Option<Window> {
    let known = || known.into_iter().flatten();
    let from = options.from.map(day_number).or_else(|| known().map(|(first, _)| first).min());
    let to = options.to.map(day_number).or_else(|| known().map(|(_, last)| last).max());
    let (from, to) = (from.or(to)?, to.or(from)?);
    (from <= to).then_some(Window { from, to })
}
