//! From pools to marts: revenue and other costs by key in every dimension, then the marts over them and the calls.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema;

use super::ReportError;
use crate::allocate::cost::BillWeights;
use crate::allocate::{
    self, CostPools, Dimension, KeyAmount, MonthWeights, RevenueKey, RevenuePools, SpreadKey, Weight, WeightTable,
};
use crate::close::Held;
use crate::marts::{self, FINDING_MARTS, Facts, MARGIN_MARTS, ReportCalls, Spread};
use crate::output::Sheet;
use crate::revenue::cash::Cash;
use crate::revenue::subscribers::Subscribers;
use crate::revenue::time::month_of;

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
    pub(super) revenue_by_key: Vec<RecordBatch>,
    pub(super) cost_by_key: Vec<RecordBatch>,
    pub(super) sheets: Vec<Sheet>,
    _facts: Facts,
}

/// The marts of a report. Closed months keep the rows that they were closed with, and what is found is found in those.
pub(super) async fn figures(session: &SessionContext, sources: &Sources<'_>, held: &Held<'_>) -> Result<Figures, ReportError> {
    let facts = marts::register_calls(session, &sources.calls).await?;
    let (revenue_by_key, cost_by_key) = by_key(session, sources, &Dimension::ALL).await?;
    marts::register_outcomes(session, sources.outcomes.clone()).await?;
    let subscribers = sources.subscribers;
    marts::register_payments(session, sources.cash.daily()?, subscribers.rows()?, subscribers.any_seats()).await?;
    let mut sheets = Vec::new();
    for mart in MARGIN_MARTS.iter().chain(&FINDING_MARTS) {
        let rows = held.keep(mart.name, marts::build(session, mart).await?).await?;
        marts::replace_table(session, mart.name, vec![rows.clone()], mart.schema())?;
        sheets.push(Sheet { name: mart.name, rows });
    }
    let estimates = marts::estimates(session, sources.calls.window).await?;
    let rows = held.keep("estimates", estimates).await?;
    marts::replace_table(session, "estimates", vec![rows.clone()], rows.schema())?;
    sheets.push(Sheet { name: "estimates", rows });
    let rows = held
        .keep("cash_and_accrual", sources.cash.by_customer(sources.calls.window)?)
        .await?;
    sheets.push(Sheet {
        name: "cash_and_accrual",
        rows,
    });
    Ok(Figures {
        revenue_by_key,
        cost_by_key,
        sheets,
        _facts: facts,
    })
}

impl Figures {
    /// The rows of a mart.
    pub(super) fn sheet(&self, name: &str) -> Option<&RecordBatch> {
        self.sheets.iter().find(|sheet| sheet.name == name).map(|sheet| &sheet.rows)
    }
}

/// Registers and returns `revenue_by_key` and `cost_by_key` of some dimensions. One dimension after the other, so that the
/// weights of one are all that is kept.
pub(super) async fn by_key(
    session: &SessionContext,
    sources: &Sources<'_>,
    dimensions: &[Dimension],
) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>), DataFusionError> {
    let (window, currency) = (sources.calls.window, sources.calls.currency);
    let (mut revenue, mut costs) = (Vec::new(), Vec::new());
    for dimension in dimensions.iter().copied() {
        // A table of weights that says nothing of a dimension leaves it to the default.
        let by = match sources.by {
            RevenueKey::Weights if !sources.table.knows(dimension) => RevenueKey::default(),
            by => by,
        };
        let mut weights = marts::customer_weights(session, dimension, by).await?;
        sources.table.weigh(dimension, &mut weights);
        let rows = allocate::revenue_by_key(dimension, sources.revenue, &weights, by, currency);
        revenue.extend(marts::revenue_batches(dimension, &rows, window)?);
        if sources.costs.is_empty() {
            continue;
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
        let rows = allocate::cost_by_key(dimension, sources.costs, &bills, &weights, by, currency);
        costs.extend(marts::cost_batches(dimension, &rows, window)?);
    }
    marts::replace_table(session, "revenue_by_key", revenue.clone(), schema::revenue_by_key())?;
    marts::replace_table(session, "cost_by_key", costs.clone(), schema::cost_by_key())?;
    Ok((revenue, costs))
}

/// What each key earns in each month, for bills that are spread by revenue. Rows of their own in brackets earn for nobody.
fn weights_of_revenue(rows: &[KeyAmount]) -> MonthWeights {
    let mut earned = std::collections::BTreeMap::new();
    for row in rows.iter().filter(|row| !row.key.starts_with('(')) {
        let entry = earned
            .entry((month_of(row.day), Arc::clone(&row.key)))
            .or_insert((row.day, 0));
        entry.1 += row.amount.scaled();
    }
    let mut weights = MonthWeights::default();
    for ((month, key), (first_day, weight)) in earned.into_iter().filter(|(_, (_, weight))| *weight > 0) {
        weights.add(month, Weight { key, first_day, weight });
    }
    weights.sort();
    weights
}
