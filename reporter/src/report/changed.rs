//! Gathers what the bridge is built from, in a session of its own: the period before may lie outside of the report's days.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;

use super::figures::{Sources, by_dimension};
use crate::allocate::{CostPools, Dimension, UNMATCHED};
use crate::bills::Bills;
use crate::insight::{Change, Compared, Growth, Periods, came_and_went, compare, usage_by};
use crate::marts::{self, Facts, ReportCalls, Spool};
use crate::output::{MarginFigures, measured, visit};
use crate::revenue::daily::RevenuePolicy;
use crate::revenue::time::day_text;
use crate::revenue::{Amount, Currency, RevenueLine};
use crate::session::empty_session;

/// Features whose growth is named.
const GROWN: usize = 3;

/// What a comparison reads beside `calls`.
pub(super) struct Earned<'a> {
    pub(super) lines: &'a [RevenueLine],
    pub(super) policy: &'a RevenuePolicy,
    /// The calls of the report's months, added up.
    pub(super) facts: &'a Facts,
    /// `margin_by_customer` of the report's days.
    pub(super) by_customer: &'a Spool,
    /// Whose days before the report's may be asked for.
    pub(super) bills: &'a Bills,
    /// Costs that revenue files tell, on all days.
    pub(super) variable: &'a CostPools,
}

/// Compares two periods; the calls are those of `session`, shown as `sources` say but for their days.
pub(super) async fn changed(
    session: &SessionContext,
    sources: &Sources<'_>,
    periods: Periods,
    earned: &Earned<'_>,
) -> Result<Change, DataFusionError> {
    let calls = &sources.calls;
    let own = empty_session();
    own.register_table("calls", session.table_provider("calls").await?)?;
    let both = ReportCalls {
        window: periods.both(),
        ..calls.clone()
    };
    // The session reads what these keep.
    let facts = match earned.facts.reach(both.window) {
        true => {
            marts::register_again(&own, &both, earned.facts).await?;
            earned.facts.clone()
        }
        false => marts::register_calls(&own, &both).await?,
    };
    let customers = match calls.window.contains(periods.before.from) {
        true => by_period(earned.by_customer, periods, calls)?,
        false => {
            let mut costs = earned.variable.clone();
            let days = earned.bills.in_days(both.window, calls.rates, calls.currency);
            earned.bills.pool(&days, &mut costs);
            let sources = Sources {
                calls: both.clone(),
                costs: &costs,
                ..sources.clone()
            };
            let made = by_dimension(&own, &facts, &sources, Dimension::Customer).await?;
            by_period(&made.mart.1, periods, calls)?
        }
    };
    let (came, went) = came_and_went(&customers);
    own.register_udf(has_stayed(came.union(&went).cloned().collect()));
    let since = day_text(periods.after.from);
    let stayed = "NOT no_rate AND has_stayed(customer_id)";
    let period = format!("CASE WHEN date < DATE '{since}' THEN 'before' ELSE 'after' END");
    let mut used = usage_by(&own, &period, stayed).await?;
    let mut of = |period: &str| used.remove(period).unwrap_or_default();
    let compared = Compared {
        customers,
        stayed: (of("before"), of("after")),
        fx: revenue_fx(earned, periods, &came.union(&went).map(String::as_str).collect()),
    };
    Ok(compare(periods, &compared, grown(&own, &since).await?))
}

/// Figures of each customer before and after.
fn by_period(
    rows: &Spool,
    periods: Periods,
    calls: &ReportCalls<'_>,
) -> Result<BTreeMap<String, (MarginFigures, MarginFigures)>, DataFusionError> {
    // Looked up on every day: hashing finds a customer much sooner than comparing does.
    let mut customers: HashMap<String, (MarginFigures, MarginFigures)> = HashMap::new();
    let currency = calls.currency.to_string();
    let columns = ["date", Dimension::Customer.key_column(), "currency"];
    let columns: Vec<&str> = columns.into_iter().chain(measured()).collect();
    for batch in rows.columns(&columns)? {
        visit(
            &batch?,
            Some(Dimension::Customer.key_column()),
            |day, customer, row_currency, figures| {
                if row_currency != currency || !periods.both().contains(day) {
                    return;
                }
                let periods_of = match customers.get_mut(customer) {
                    Some(known) => known,
                    None => customers.entry(customer.to_owned()).or_default(),
                };
                match periods.after.contains(day) {
                    true => periods_of.1.add(&figures),
                    false => periods_of.0.add(&figures),
                }
            },
        );
    }
    Ok(customers.into_iter().collect())
}

/// `has_stayed(customer_id)`: a set is asked sooner than a join, and needs no memory for the calls.
fn has_stayed(left_out: HashSet<String>) -> ScalarUDF {
    let has_stayed = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let customers = cast(&columns[0], &DataType::Utf8View)?;
        let customers = customers.as_string_view().iter();
        let stayed: BooleanArray = customers
            .map(|customer| Some(customer.is_none_or(|customer| !left_out.contains(customer))))
            .collect();
        Ok(ColumnarValue::Array(Arc::new(stayed)))
    };
    create_udf(
        "has_stayed",
        vec![DataType::Utf8],
        DataType::Boolean,
        Volatility::Immutable,
        Arc::new(has_stayed),
    )
}

/// How exchange rates moved the revenue of customers that stayed: what each currency earned after, at the rate of before,
/// against what it was at its own.
fn revenue_fx(earned: &Earned<'_>, periods: Periods, left_out: &HashSet<&str>) -> Amount {
    let (lines, policy) = (earned.lines, earned.policy);
    // Before and after: in the line's currency, and in the report's.
    let mut currencies: BTreeMap<Currency, [Option<(Amount, Amount)>; 2]> = BTreeMap::new();
    for line in lines.iter().filter(|line| line.currency != policy.report_currency) {
        let days = policy.line(line);
        let (first, last) = days.span();
        for day in (first.max(periods.both().from)..=last.min(periods.both().to)).filter_map(|day| days.on(day)) {
            let Some(reported) = day.report_amount else { continue };
            if left_out.contains(day.customer_id.unwrap_or(UNMATCHED)) {
                continue;
            }
            let sums = currencies.entry(line.currency).or_default();
            let sum = sums[usize::from(day.day >= periods.after.from)].get_or_insert_default();
            *sum = (sum.0 + day.amount, sum.1 + reported);
        }
    }
    let moved = currencies.values().filter_map(|sums| {
        let ((before, reported_before), (after, reported_after)) = sums[0].zip(sums[1])?;
        let at_old_rate = reported_before.ratio(after.scaled(), before.scaled())?;
        Some(reported_after - at_old_rate)
    });
    moved.sum()
}

/// Features whose calls grew by more than a tenth, the dearest first.
async fn grown(session: &SessionContext, since: &str) -> Result<Vec<Growth>, DataFusionError> {
    let sql = format!(
        "SELECT CAST(feature AS VARCHAR), \
         sum(CASE WHEN date < DATE '{since}' THEN coalesce(input_tokens, 0) + coalesce(output_tokens, 0) ELSE 0 END), \
         sum(CASE WHEN date < DATE '{since}' THEN calls ELSE 0 END), \
         sum(CASE WHEN date >= DATE '{since}' THEN coalesce(input_tokens, 0) + coalesce(output_tokens, 0) ELSE 0 END), \
         sum(CASE WHEN date >= DATE '{since}' THEN calls ELSE 0 END), \
         coalesce(sum(CASE WHEN date >= DATE '{since}' THEN model_cost END), CAST(0 AS DECIMAL(38, 12))) \
         FROM call_cells GROUP BY feature"
    );
    let mut grown = Vec::new();
    for batch in session.sql(&sql).await?.collect().await? {
        let features = cast(batch.column(0), &DataType::Utf8)?;
        let features = features.as_string::<i32>();
        let counts: Vec<_> = batch.columns()[1..5]
            .iter()
            .map(|column| cast(column, &DataType::Int64))
            .collect::<Result<_, _>>()?;
        let costs = cast(batch.column(5), &DataType::Decimal128(38, 12))?;
        for row in 0..batch.num_rows() {
            let count = |column: usize| i128::from(counts[column].as_primitive::<Int64Type>().value(row));
            let per_call = |tokens: i128, calls: i128| if calls > 0 { tokens / calls } else { 0 };
            let (before, after) = (per_call(count(0), count(1)), per_call(count(2), count(3)));
            if before > 0 && after * 10 > before * 11 {
                let cost = Amount::from_scaled(costs.as_primitive::<Decimal128Type>().value(row));
                grown.push(Growth {
                    feature: features.value(row).to_owned(),
                    before,
                    after,
                    cost: cost.ratio(after - before, after).unwrap_or_default(),
                });
            }
        }
    }
    grown.retain(|growth| growth.cost > Amount::ZERO);
    grown.sort_by(|left, right| (right.cost, &left.feature).cmp(&(left.cost, &right.feature)));
    grown.truncate(GROWN);
    Ok(grown)
}
