//! From pools to marts: revenue and other costs by key in every dimension, then the marts over them and the calls.
//!
//! One dimension after the other: what is kept in memory is what one of them needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::prelude::{DataFrame, SessionContext};

use super::ReportError;
use crate::allocate::cost::BillWeights;
use crate::allocate::{
    self, CostPools, Dimension, KeyAmounts, KeyCost, MonthWeights, RevenueKey, RevenuePools, SpreadKey, Weight, WeightTable,
};
use crate::close::Held;
use crate::marts::{
    self, FINDING_MARTS, Facts, KeySums, MARGIN_MARTS, MarginWriters, Mart, Purpose, ReportCalls, Spool, SpoolWriter, Spread,
};
use crate::output::Sheet;
use crate::progress;
use crate::revenue::cash::Cash;
use crate::revenue::subscribers::Subscribers;

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
    /// The session's margin marts read these.
    _key_sums: Vec<(&'static str, Spool)>,
}

/// Hears of each mart whose rows are final, while others are still being made.
pub(super) type Made<'a> = &'a mut (dyn FnMut(&Sheet) + Send);

/// The marts of a report. Closed months keep the rows that they were closed with, and what is found is found in those.
pub(super) async fn figures(
    session: &SessionContext,
    facts: Facts,
    sources: &Sources<'_>,
    held: &Held<'_>,
    heard: Made<'_>,
) -> Result<Figures, ReportError> {
    marts::register_again(session, &sources.calls, &facts).await?;
    let (mut revenue_by_key, mut cost_by_key, mut key_sums) = (Vec::new(), Vec::new(), Vec::new());
    let mut made: BTreeMap<&str, Arc<Spool>> = BTreeMap::new();
    for dimension in Dimension::ALL {
        progress::step(&format!("margins by {}", dimension.name()));
        let of_dimension = by_dimension(session, &facts, sources, dimension).await?;
        revenue_by_key.push(of_dimension.revenue);
        cost_by_key.push(of_dimension.costs);
        let (name, fresh) = of_dimension.mart;
        let rows = held.keep(name, Arc::clone(&fresh)).await?;
        key_sums.push(match Arc::ptr_eq(&rows, &fresh) {
            true => (name, of_dimension.sums),
            // Closed months have other rows than those that were added up.
            false => (name, marts::key_sums(dimension.key_column(), &rows)?),
        });
        let mut of_days = None;
        if let Some((name, rows)) = of_dimension.days {
            of_days = Some((name, held.keep(name, rows).await?));
        }
        for (name, rows) in [(name, rows)].into_iter().chain(of_days) {
            marts::register(session, name, rows.table(session).await?)?;
            heard(&Sheet {
                name,
                rows: Arc::clone(&rows),
            });
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
    let (of_days, of_sums): (Vec<&Mart>, Vec<&Mart>) = FINDING_MARTS.iter().partition(|mart| mart.asks_for_days());
    for mart in of_days {
        made.insert(mart.name, finding(session, mart, held).await?);
    }
    progress::step("estimates");
    let estimates = marts::estimates(session, sources.calls.window).await?;
    let estimates = held.keep("estimates", Arc::new(Spool::of_batch(estimates))).await?;
    marts::register(session, "estimates", estimates.table(session).await?)?;
    for (name, sums) in &key_sums {
        marts::register(session, name, sums.table(session).await?)?;
    }
    for mart in of_sums {
        made.insert(mart.name, finding(session, mart, held).await?);
    }
    let mut sheets = Vec::new();
    for mart in MARGIN_MARTS.iter().chain(&FINDING_MARTS) {
        let rows = made.remove(mart.name).expect("every mart is of a dimension or a finding");
        sheets.push(Sheet { name: mart.name, rows });
    }
    sheets.push(Sheet {
        name: "estimates",
        rows: estimates,
    });
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
        _key_sums: key_sums,
    })
}

/// Makes a mart of what is found and registers it under its name.
async fn finding(session: &SessionContext, mart: &Mart, held: &Held<'_>) -> Result<Arc<Spool>, ReportError> {
    progress::step(&format!("finds {}", mart.name));
    let mut rows = SpoolWriter::new(mart.schema(), Purpose::Publish);
    marts::add_rows(session, mart, &mut rows).await?;
    let rows = held.keep(mart.name, Arc::new(rows.finish()?)).await?;
    marts::register(session, mart.name, rows.table(session).await?)?;
    Ok(rows)
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
    pub(super) mart: (&'static str, Arc<Spool>),
    /// The rows of the mart added up by key.
    sums: Spool,
    /// The mart of days: of the customers' dimension.
    days: Option<(&'static str, Arc<Spool>)>,
}

/// Makes the margin marts of one dimension. The session must have the calls added up.
pub(super) async fn by_dimension(
    session: &SessionContext,
    facts: &Facts,
    sources: &Sources<'_>,
    dimension: Dimension,
) -> Result<ByDimension, DataFusionError> {
    let window = sources.calls.window;
    let (revenue, costs) = by_key(session, sources, dimension).await?;
    let of_dimension = MARGIN_MARTS.iter().filter(|mart| mart.dimension() == Some(dimension));
    // Days have no keys of their own: they are added up along with those of customers.
    let (by_key, by_day): (Vec<&Mart>, Vec<&Mart>) = of_dimension.partition(|mart| !mart.keys.is_empty());
    let rows_of = |mart: &Mart| (mart.name, SpoolWriter::new(mart.schema(), Purpose::Publish));
    let mut days = by_day.first().map(|mart| rows_of(mart));
    let (name, mut rows) = by_key.first().map(|mart| rows_of(mart)).expect("each dimension has a mart");
    let mut sums = KeySums::new(dimension.key_column(), &rows.schema())?;
    let writers = MarginWriters {
        rows: &mut rows,
        sums: &mut sums,
        days: days.as_mut().map(|(_, rows)| rows),
    };
    marts::margins(session, (facts, &sources.calls), dimension, (&revenue, &costs), writers).await?;
    let days = days.map(|(name, rows)| rows.finish().map(|rows| (name, Arc::new(rows))));
    Ok(ByDimension {
        revenue: Arc::new(marts::revenue_rows(dimension, &revenue, window)?),
        costs: Arc::new(marts::cost_rows(dimension, &costs, window)?),
        mart: (name, Arc::new(rows.finish()?)),
        sums: sums.finish()?,
        days: days.transpose()?,
    })
}

/// What the keys of one dimension earn, and what they cost beside calls.
async fn by_key(
    session: &SessionContext,
    sources: &Sources<'_>,
    dimension: Dimension,
) -> Result<(Vec<KeyAmounts>, Vec<KeyCost>), DataFusionError> {
    let currency = sources.calls.currency;
    // A table of weights that says nothing of a dimension leaves it to the default.
    let by = match sources.by {
        RevenueKey::Weights if !sources.table.knows(dimension) => RevenueKey::default(),
        by => by,
    };
    let mut weights = marts::customer_weights(session, dimension, by).await?;
    sources.table.weigh(dimension, &mut weights);
    let revenue = allocate::revenue_by_key(dimension, sources.revenue, &weights, by, currency);
    if sources.costs.is_empty() {
        return Ok((revenue, Vec::new()));
    }
    let months = marts::month_weights(session, dimension, sources.spreads).await?;
    let bills = sources.spreads.iter().zip(months).map(|(spread, months)| BillWeights {
        by: spread.by,
        months: match spread.by {
            SpreadKey::Revenue => weights_of_revenue(&revenue),
            _ => months,
        },
    });
    let bills: Vec<BillWeights> = bills.collect();
    let costs = allocate::cost_by_key(dimension, sources.costs, &bills, &weights, by, currency);
    Ok((revenue, costs))
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
