//! From pools to marts: revenue and other costs by key in every dimension, then the marts over them and the calls.
//!
//! One dimension after the other and some days at a time: what is kept in memory is what these need. The margin marts have a
//! row of their own for each day and are ordered by it, so that some days after others are all days.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, SessionContext};

use super::ReportError;
use crate::allocate::cost::BillWeights;
use crate::allocate::{
    self, CostPools, Dimension, KeyAmounts, MonthWeights, RevenueKey, RevenuePools, SpreadKey, Weight, WeightTable,
};
use crate::close::Held;
use crate::marts::{
    self, DaysOfKeys, FINDING_MARTS, Facts, MARGIN_MARTS, Mart, Purpose, ReportCalls, Spool, SpoolWriter, Spread, Window,
};
use crate::output::Sheet;
use crate::progress;
use crate::revenue::cash::Cash;
use crate::revenue::subscribers::Subscribers;
use crate::revenue::time::Day;

/// Rows of a mart that are made at a time; a day is never parted.
const ROWS_AT_A_TIME: i64 = 400_000;

/// What the marts are made from.
#[derive(Clone)]
pub(super) struct Sources<'a> {
    pub(super) calls: ReportCalls<'a>,
    pub(super) revenue: &'a RevenuePools,
    pub(super) costs: &'a CostPools,
    /// How each bill is spread, by its place among the bills.
    pub(super) spreads: &'a [Spread],
    pub(super) outcomes: RecordBatch,
    pub(super) cash: &'a Cash,
    pub(super) subscribers: &'a Subscribers,
    pub(super) by: RevenueKey,
    pub(super) table: &'a WeightTable,
}

/// What was made of them.
pub(super) struct Figures {
    /// One for each dimension.
    pub(super) revenue_by_key: Vec<Arc<Spool>>,
    /// One for each dimension.
    pub(super) cost_by_key: Vec<Arc<Spool>>,
    pub(super) sheets: Vec<Sheet>,
    /// What the marts were made of, for who asks about other days.
    pub(super) facts: Facts,
}

/// The marts of a report. Closed months keep the rows that they were closed with, and what is found is found in those.
pub(super) async fn figures(session: &SessionContext, sources: &Sources<'_>, held: &Held<'_>) -> Result<Figures, ReportError> {
    progress::step("adds up the calls");
    let facts = marts::register_calls(session, &sources.calls).await?;
    let (mut revenue_by_key, mut cost_by_key) = (Vec::new(), Vec::new());
    let mut made: BTreeMap<&str, Arc<Spool>> = BTreeMap::new();
    for dimension in Dimension::ALL {
        progress::step(&format!("margins by {}", dimension.name()));
        let of_dimension = by_dimension(session, sources, &facts, dimension).await?;
        revenue_by_key.push(of_dimension.revenue);
        cost_by_key.push(of_dimension.costs);
        for (name, rows) in of_dimension.marts {
            let rows = held.keep(name, rows).await?;
            marts::register(session, name, rows.table(session).await?)?;
            made.insert(name, rows);
        }
    }
    // What is found may be asked of every dimension.
    for (name, dimensions) in [("revenue_by_key", &revenue_by_key), ("cost_by_key", &cost_by_key)] {
        marts::register(session, name, together(session, dimensions).await?)?;
    }
    marts::register_outcomes(session, sources.outcomes.clone()).await?;
    let subscribers = sources.subscribers;
    marts::register_payments(session, sources.cash.daily()?, subscribers.rows()?, subscribers.any_seats()).await?;
    progress::step("findings");
    for mart in &FINDING_MARTS {
        let mut rows = SpoolWriter::new(mart.schema(), Purpose::Publish);
        marts::add_rows(session, mart, &mut rows).await?;
        let rows = held.keep(mart.name, Arc::new(rows.finish()?)).await?;
        marts::register(session, mart.name, rows.table(session).await?)?;
        made.insert(mart.name, rows);
    }
    let mut sheets = Vec::new();
    for mart in MARGIN_MARTS.iter().chain(&FINDING_MARTS) {
        let rows = made.remove(mart.name).expect("every mart is of a dimension or a finding");
        sheets.push(Sheet { name: mart.name, rows });
    }
    let estimates = marts::estimates(session, sources.calls.window).await?;
    let rows = held.keep("estimates", Arc::new(Spool::of_batch(estimates))).await?;
    marts::register(session, "estimates", rows.table(session).await?)?;
    sheets.push(Sheet { name: "estimates", rows });
    let cash = sources.cash.by_customer(sources.calls.window)?;
    let rows = held.keep("cash_and_accrual", Arc::new(Spool::of_batch(cash))).await?;
    sheets.push(Sheet {
        name: "cash_and_accrual",
        rows,
    });
    Ok(Figures {
        revenue_by_key,
        cost_by_key,
        sheets,
        facts,
    })
}

/// The rows of all dimensions as one table.
async fn together(session: &SessionContext, dimensions: &[Arc<Spool>]) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let mut all: Option<DataFrame> = None;
    for rows in dimensions {
        let rows = session.read_table(rows.table(session).await?)?;
        all = Some(match all {
            None => rows,
            Some(before) => before.union(rows)?,
        });
    }
    Ok(all.expect("there are dimensions").into_view())
}

impl Figures {
    /// The rows of a mart.
    pub(super) fn sheet(&self, name: &str) -> Option<&Spool> {
        self.sheets.iter().find(|sheet| sheet.name == name).map(|sheet| &*sheet.rows)
    }
}

/// One dimension: its rows of `revenue_by_key` and `cost_by_key`, and the marts that read them.
pub(super) struct ByDimension {
    revenue: Arc<Spool>,
    costs: Arc<Spool>,
    pub(super) marts: Vec<(&'static str, Arc<Spool>)>,
}

/// Makes the margin marts of one dimension and registers them under their names.
pub(super) async fn by_dimension(
    session: &SessionContext,
    sources: &Sources<'_>,
    facts: &Facts,
    dimension: Dimension,
) -> Result<ByDimension, DataFusionError> {
    let (revenue, costs) = by_key(session, sources, dimension).await?;
    let marts: Vec<&Mart> = MARGIN_MARTS
        .iter()
        .filter(|mart| mart.dimension() == Some(dimension))
        .collect();
    let mut rows: Vec<SpoolWriter> = marts
        .iter()
        .map(|mart| SpoolWriter::new(mart.schema(), Purpose::Publish))
        .collect();
    let all = [
        ("revenue_by_key", revenue.rows.table(session).await?),
        ("cost_by_key", costs.rows.table(session).await?),
    ];
    let days: Vec<Window> = marts::parts(
        &load(sources, facts, dimension, &[&revenue.days, &costs.days]),
        ROWS_AT_A_TIME,
    )
    .collect();
    for part in &days {
        if days.len() > 1 {
            marts::show_cells(session, &sources.calls, *part).await?;
        }
        for (name, table) in &all {
            let table = match days.len() > 1 {
                true => session.read_table(Arc::clone(table))?.filter(part.holds("date"))?.into_view(),
                false => Arc::clone(table),
            };
            marts::register(session, name, table)?;
        }
        for (mart, rows) in marts.iter().zip(&mut rows) {
            marts::add_rows(session, mart, rows).await?;
        }
    }
    if days.len() > 1 {
        marts::show_cells(session, &sources.calls, sources.calls.window).await?;
    }
    let mut made = Vec::new();
    for (mart, rows) in marts.into_iter().zip(rows) {
        let rows = rows.finish()?;
        marts::register(session, mart.name, rows.table(session).await?)?;
        made.push((mart.name, Arc::new(rows)));
    }
    Ok(ByDimension {
        revenue: Arc::new(revenue.rows),
        costs: Arc::new(costs.rows),
        marts: made,
    })
}

/// About how many rows each day makes.
fn load(sources: &Sources<'_>, facts: &Facts, dimension: Dimension, keys: &[&[(Day, i64)]; 2]) -> Vec<(Day, i64)> {
    let mut days: BTreeMap<Day, i64> = BTreeMap::new();
    for (day, calls) in facts.calls_by_day(sources.calls.window) {
        // Where keys are few, so are the rows, whatever the calls.
        days.insert(day, if dimension.has_many_keys() { calls } else { 1 });
    }
    for (day, rows) in keys.iter().copied().flatten() {
        *days.entry(*day).or_default() += rows;
    }
    days.into_iter().collect()
}

/// The rows of one dimension. Its weights are gone when it is made.
async fn by_key(
    session: &SessionContext,
    sources: &Sources<'_>,
    dimension: Dimension,
) -> Result<(DaysOfKeys, DaysOfKeys), DataFusionError> {
    let (window, currency) = (sources.calls.window, sources.calls.currency);
    // A table of weights that says nothing of a dimension leaves it to the default.
    let by = match sources.by {
        RevenueKey::Weights if !sources.table.knows(dimension) => RevenueKey::default(),
        by => by,
    };
    let mut weights = marts::customer_weights(session, dimension, by).await?;
    sources.table.weigh(dimension, &mut weights);
    let rows = allocate::revenue_by_key(dimension, sources.revenue, &weights, by, currency);
    let revenue = marts::revenue_rows(dimension, &rows, window)?;
    if sources.costs.is_empty() {
        return Ok((revenue, marts::cost_rows(dimension, &[], window)?));
    }
    let months = marts::month_weights(session, dimension, sources.spreads).await?;
    let bills = sources.spreads.iter().zip(months).map(|(spread, months)| BillWeights {
        by: spread.by,
        months: match spread.by {
            SpreadKey::Revenue => weights_of_revenue(&rows),
            _ => months,
        },
    });
    let bills: Vec<BillWeights> = bills.collect();
    drop(rows);
    let costs = allocate::cost_by_key(dimension, sources.costs, &bills, &weights, by, currency);
    Ok((revenue, marts::cost_rows(dimension, &costs, window)?))
}

/// What each key earns in each month, for bills that are spread by revenue. Rows of their own in brackets earn for nobody.
fn weights_of_revenue(rows: &[KeyAmounts]) -> MonthWeights {
    let mut earned = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.key.starts_with('(')) {
        for (month, days) in row.days.months() {
            let first = days[0].0;
            let entry = earned.entry((month, Arc::clone(&row.key))).or_insert((first, 0));
            entry.0 = first.min(entry.0);
            entry.1 += days.iter().map(|(_, amount)| amount.scaled()).sum::<i128>();
        }
    }
    let mut weights = MonthWeights::default();
    for ((month, key), (first_day, weight)) in earned.into_iter().filter(|(_, (_, weight))| *weight > 0) {
        weights.add(month, Weight { key, first_day, weight });
    }
    weights.sort();
    weights
}
