//! What the finding marts have to say on the page: a few rows of each, and sums.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use serde::Serialize;

use super::listing::{Column, Kind, Listing, Value};
use super::margin::{MarginLine, exact};
use crate::revenue::Amount;

/// Rows that are shown of most marts, and of those that name single things.
const SHOWN: usize = 15;
const FEW: usize = 10;

/// Rows of each.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Rows {
    /// What a plan earns and costs.
    pub plans: Listing,
    /// What a resolved conversation and a successful task cost.
    pub outcomes: Listing,
    /// Quality, speed and cost of each model in each feature.
    pub tradeoffs: Listing,
    /// Calls and conversations to look at.
    pub outliers: Listing,
    /// How sure ratios are.
    pub estimates: Listing,
    /// What units must earn.
    pub prices: Listing,
    /// Models that have no price.
    pub without_price: Listing,
    /// How calls got their cost.
    pub priced_by: Listing,
    /// Which price catalogues calls were priced by.
    pub catalogues: Listing,
    /// What came to nothing.
    pub waste: Waste,
    /// Lowest and highest that the gross margin can be.
    pub margin_bounds: Option<Interval>,
    /// The 95 % interval of the gross margin in percent.
    pub margin_pct: Option<Interval>,
}

/// From and to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// The low end.
    #[serde(serialize_with = "exact")]
    pub low: Amount,
    /// The high end.
    #[serde(serialize_with = "exact")]
    pub high: Amount,
}

/// Money spent on what came to nothing, and how well the cache is used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Waste {
    /// Model calls that ended in an error.
    pub error_calls: i64,
    /// What they cost.
    #[serde(serialize_with = "exact")]
    pub error_cost: Amount,
    /// The part of it that was asked again with success.
    #[serde(serialize_with = "exact")]
    pub retried_cost: Amount,
    /// Conversations and tasks that failed.
    pub failures: i64,
    /// What they cost.
    #[serde(serialize_with = "exact")]
    pub failed_cost: Amount,
    /// Conversations and tasks that were left.
    pub abandoned: i64,
    /// What they cost.
    #[serde(serialize_with = "exact")]
    pub abandoned_cost: Amount,
    /// Input tokens read from a cache, in percent of all input.
    pub cache_hit_pct: Option<String>,
}

const PLANS: [Column; 9] = [
    ("Plan", Kind::Text, "plan"),
    ("Customers", Kind::Count, "customers"),
    ("Earns each", Kind::UnitMoney, "revenue_per_customer"),
    ("Costs each", Kind::UnitMoney, "cost_per_customer"),
    ("Costs at p95", Kind::UnitMoney, "p95_cost"),
    ("Gross margin", Kind::Percent, "gross_margin_pct"),
    ("Calls each", Kind::Whole, "calls_per_customer"),
    ("Breaks even at", Kind::Whole, "break_even_calls"),
    ("Under water", Kind::Count, "under_water"),
];
const OUTCOMES: [Column; 10] = [
    ("Feature", Kind::Text, "feature"),
    ("Model", Kind::Text, "model"),
    ("Unit", Kind::Text, "unit"),
    ("Units", Kind::Count, "units"),
    ("Resolved", Kind::Percent, "success_pct"),
    ("At least", Kind::Percent, "success_low_pct"),
    ("At most", Kind::Percent, "success_high_pct"),
    ("Cost a resolution", Kind::UnitMoney, "cost_per_success"),
    ("Margin a resolution", Kind::UnitMoney, "margin_per_success"),
    ("Outcome unknown", Kind::Count, "unknown"),
];
const TRADEOFFS: [Column; 11] = [
    ("Feature", Kind::Text, "feature"),
    ("Model", Kind::Text, "model"),
    ("Calls", Kind::Count, "calls"),
    ("Cost", Kind::Money, "model_cost"),
    ("Cost a call", Kind::UnitMoney, "cost_per_call"),
    ("Takes, p50", Kind::Milliseconds, "p50_duration_ms"),
    ("p95", Kind::Milliseconds, "p95_duration_ms"),
    ("First token, p50", Kind::Milliseconds, "p50_time_to_first_token_ms"),
    ("p95", Kind::Milliseconds, "p95_time_to_first_token_ms"),
    ("From cache", Kind::Percent, "cache_hit_pct"),
    ("Errors", Kind::Percent, "error_pct"),
];
const OUTLIERS: [Column; 7] = [
    ("Trace", Kind::Text, "trace_id"),
    ("What", Kind::Text, "kind"),
    ("Day", Kind::Text, "date"),
    ("Customer", Kind::Text, "customer_id"),
    ("Feature", Kind::Text, "feature"),
    ("Cost", Kind::Money, "cost"),
    ("Of its like", Kind::Times, "times_typical"),
];
const COST_PER_CALL: [Column; 6] = [
    ("Feature", Kind::Text, "segment"),
    ("Cost a call", Kind::UnitMoney, "estimate_amount"),
    ("Low", Kind::UnitMoney, "low_amount"),
    ("High", Kind::UnitMoney, "high_amount"),
    ("Customers", Kind::Count, "customers"),
    ("Note", Kind::Text, "note"),
];
const PRICES: [Column; 7] = [
    ("Unit", Kind::Text, "unit"),
    ("Earns, mean", Kind::UnitMoney, "mean_revenue"),
    ("Breaks even at", Kind::UnitMoney, "break_even_price"),
    ("Target margin", Kind::Percent, "target_margin_pct"),
    ("Needs for it", Kind::UnitMoney, "price_at_target"),
    ("At p90", Kind::UnitMoney, "price_at_target_p90"),
    ("Units short of it", Kind::Count, "below_target"),
];
const WITHOUT_PRICE: [Column; 3] = [
    ("Model", Kind::Text, "model"),
    ("Calls without a price", Kind::Count, "unpriced_calls"),
    ("Of", Kind::Count, "calls"),
];
const PRICED_BY: [Column; 3] = [
    ("Cost is", Kind::Text, "status"),
    ("Calls", Kind::Count, "calls"),
    ("Cost", Kind::Money, "cost"),
];
const CATALOGUES: [Column; 2] = [("Catalogue", Kind::Text, "hash"), ("Calls", Kind::Count, "calls")];
const ERRORS: [Column; 3] = [
    ("Calls", Kind::Count, "error_calls"),
    ("Cost", Kind::Money, "error_cost"),
    ("Retried", Kind::Money, "retried_cost"),
];
const ENDED: [Column; 4] = [
    ("Failures", Kind::Count, "failures"),
    ("Cost", Kind::Money, "cost_of_failures"),
    ("Abandoned", Kind::Count, "abandoned"),
    ("Cost", Kind::Money, "cost_of_abandoned"),
];
const CACHED: [Column; 2] = [
    ("From cache", Kind::Count, "cache_read_tokens"),
    ("Input", Kind::Count, "input_tokens"),
];
const INTERVAL: [Column; 2] = [("Low", Kind::Money, "low_amount"), ("High", Kind::Money, "high_amount")];

/// How calls got their cost, and by which catalogue: one pass over them.
const PRICED: &str = "SELECT coalesce(price_status, 'unknown') AS status, catalogue_hash AS hash, count(*) AS calls, sum(cost) AS cost \
                      FROM report_calls WHERE cost_class = 'model' GROUP BY 1, 2";

impl Rows {
    /// Reads them from the marts of a session; `models` are the margins by model.
    pub(super) async fn read(session: &SessionContext, currency: &str, models: &[MarginLine]) -> Result<Rows, DataFusionError> {
        let mart = |name: &'static str| async move { session.table(name).await?.collect().await };
        let text = |rows: &RecordBatch, column: &str, row: usize| -> Option<String> {
            let column = rows.column_by_name(column)?.as_string_opt::<i32>()?;
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        let is = |rows: &RecordBatch, row, column, wanted: &str| text(rows, column, row).as_deref() == Some(wanted);
        let is_known =
            |rows: &RecordBatch, column: &str, row: usize| rows.column_by_name(column).is_some_and(|column| column.is_valid(row));
        let ours = |rows: &RecordBatch, row| is(rows, row, "currency", currency);
        let (plans, units, estimates) = (
            mart("plan_economics").await?,
            mart("unit_costs").await?,
            mart("estimates").await?,
        );
        let (outcomes, tradeoffs) = (mart("outcome_costs").await?, mart("tradeoffs").await?);
        let (outliers, days) = (mart("outliers").await?, mart("margin_daily").await?);
        let interval = |metric: &str| -> Result<Option<Interval>, DataFusionError> {
            let is_it =
                |rows: &RecordBatch, row| ours(rows, row) && is(rows, row, "metric", metric) && is(rows, row, "dimension", "all");
            let found = Listing::of(&estimates, &INTERVAL, is_it)?;
            let end = |at: usize| Amount::parse_major(found.rows.first()?[at].as_deref()?).ok();
            Ok(end(0).zip(end(1)).map(|(low, high)| Interval { low, high }))
        };
        let of_features = |rows: &RecordBatch, row| {
            ours(rows, row) && is(rows, row, "metric", "cost_per_call") && is(rows, row, "dimension", "feature")
        };
        let (priced_by, catalogues) = priced(session).await?;
        let mut without_price = Listing::new(&WITHOUT_PRICE);
        without_price.rows = models
            .iter()
            .filter(|line| line.figures.unpriced_calls > 0)
            .map(|line| {
                let counts = [line.figures.unpriced_calls, line.figures.calls].map(|count| Some(count.to_string()));
                [vec![Some(line.key.clone())], counts.to_vec()].concat()
            })
            .collect();
        Ok(Rows {
            plans: Listing::of(&plans, &PLANS, ours)?.first(SHOWN),
            outcomes: Listing::of(&outcomes, &OUTCOMES, |rows, row| {
                ours(rows, row) && is_known(rows, "success_pct", row)
            })?
            .first(SHOWN),
            tradeoffs: Listing::of(&tradeoffs, &TRADEOFFS, ours)?.largest(3, SHOWN),
            outliers: Listing::of(&outliers, &OUTLIERS, ours)?.largest(5, FEW),
            estimates: Listing::of(&estimates, &COST_PER_CALL, of_features)?.largest(4, FEW),
            prices: Listing::of(&units, &PRICES, ours)?,
            without_price: without_price.largest(1, FEW),
            priced_by,
            catalogues,
            waste: Waste::of(
                &Listing::of(&tradeoffs, &ERRORS, ours)?,
                &Listing::of(&outcomes, &ENDED, ours)?,
                &Listing::of(&days, &CACHED, ours)?,
            ),
            margin_bounds: interval("gross_margin")?,
            margin_pct: interval("gross_margin_pct")?,
        })
    }
}

async fn priced(session: &SessionContext) -> Result<(Listing, Listing), DataFusionError> {
    let mut rows = session.sql(PRICED).await?.collect().await?;
    let mut statuses: BTreeMap<String, (i64, Amount)> = BTreeMap::new();
    let mut hashes: BTreeMap<String, i64> = BTreeMap::new();
    let columns: [Column; 4] = [
        ("", Kind::Text, "status"),
        ("", Kind::Text, "hash"),
        ("", Kind::Count, "calls"),
        ("", Kind::Money, "cost"),
    ];
    for row in Listing::of(&std::mem::take(&mut rows), &columns, |_, _| true)?.rows {
        let [status, hash, calls, cost] = <[Value; 4]>::try_from(row).unwrap_or_default();
        let calls = calls.and_then(|calls| calls.parse().ok()).unwrap_or(0);
        let sums = statuses.entry(status.unwrap_or_default()).or_default();
        sums.0 += calls;
        sums.1 += cost.and_then(|cost| Amount::parse_major(&cost).ok()).unwrap_or_default();
        if let Some(hash) = hash {
            *hashes.entry(hash).or_default() += calls;
        }
    }
    let (mut priced_by, mut catalogues) = (Listing::new(&PRICED_BY), Listing::new(&CATALOGUES));
    priced_by.rows = statuses
        .into_iter()
        .map(|(status, (calls, cost))| vec![Some(status), Some(calls.to_string()), Some(cost.to_string())])
        .collect();
    catalogues.rows = hashes
        .into_iter()
        .map(|(hash, calls)| vec![Some(hash), Some(calls.to_string())])
        .collect();
    Ok((priced_by.largest(1, FEW), catalogues.largest(1, FEW)))
}

impl Waste {
    fn of(errors: &Listing, ended: &Listing, cached: &Listing) -> Waste {
        let count = |amount: Amount| i64::try_from(amount.scaled() / 10_i128.pow(12)).unwrap_or(i64::MAX);
        let hits = super::percent(cached.sum(0), cached.sum(1));
        Waste {
            error_calls: count(errors.sum(0)),
            error_cost: errors.sum(1),
            retried_cost: errors.sum(2),
            failures: count(ended.sum(0)),
            failed_cost: ended.sum(1),
            abandoned: count(ended.sum(2)),
            abandoned_cost: ended.sum(3),
            cache_hit_pct: hits.map(|hits| hits.to_string()),
        }
    }
}
