//! What the marts read of calls: the report's months in the report's currency, read once and added up, and views over them.
//!
//! `call_rows.sql` spells a call's keys and costs out, `month_cells.sql` adds them up, and `receipt_cells.sql` adds up what they
//! used; of which plan a call is, is looked up (`plans.rs`). Both are made of some days at a time, so that memory is that of
//! these days. `call_cells` and `receipts` are the report's days of them, `call_facts` those days of the calls themselves,
//! `model_calls` the model calls among those, and `report_calls` the calls as they are.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, Decimal128Array, Decimal128Builder, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Int64Type, Schema};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use super::cells::Cells;
use super::functions::register_functions;
use super::plans::Plans;
use super::spool::Spool;
use super::{Window, replace_table};
use crate::revenue::fx::Rates;
use crate::revenue::time::{Day, day_text};
use crate::revenue::{Amount, Currency};

/// Of which plan a customer is.
const LAST_PLANS: &str = include_str!("last_plans.sql");
const CALL_ROWS: &str = include_str!("call_rows.sql");
/// Calls that are added up at a time; a day is never parted.
const CALLS_AT_A_TIME: i64 = 500_000;
const DEAREST_RATE: &str = include_str!("dearest_rate.sql");
/// Keys of a call; amounts without an exchange rate stand under `(no rate)` in each of them.
const KEYS: [&str; 9] = [
    "customer_id",
    "feature",
    "model",
    "user_id",
    "conversation_id",
    "task_id",
    "agent_name",
    "prompt",
    "plan",
];

/// How calls are shown in a report.
#[derive(Debug, Clone)]
pub struct ReportCalls<'a> {
    /// Which days.
    pub window: Window,
    /// In which currency.
    pub currency: Currency,
    /// Costs are in USD; other currencies go by these.
    pub rates: &'a Rates,
    /// The plan of a customer in a month: customer, the month's first day, plan.
    pub customer_plans: Vec<(&'a str, Day, &'a str)>,
    /// The gross margin that the user aims at, in percent.
    pub target_margin_pct: Amount,
}

/// The calls of some months, added up. They are kept as long as anybody asks.
#[derive(Debug, Clone)]
pub struct Facts {
    months: Window,
    /// The days of each part of the cells.
    pub(super) parts: Arc<[Window]>,
    pub(super) cells: Arc<Spool>,
    receipts: Arc<Spool>,
}

impl Facts {
    /// True if every day of `window` is added up.
    pub(crate) fn reach(&self, window: Window) -> bool {
        self.months.from <= window.from && window.to <= self.months.to
    }
}

/// Adds the calls up and registers all of it, and the functions of the marts. The session must have `calls`.
pub async fn register_calls(session: &SessionContext, calls: &ReportCalls<'_>) -> Result<Facts, DataFusionError> {
    let facts = add_up(session, calls.window.months(), calls.currency, calls.rates).await?;
    register_again(session, calls, &facts).await?;
    Ok(facts)
}

/// Adds up the calls of whole calendar months. The session must have `calls`.
pub(crate) async fn add_up(
    session: &SessionContext,
    months: Window,
    currency: Currency,
    rates: &Rates,
) -> Result<Facts, DataFusionError> {
    session.register_udf(in_report_currency(rates.clone(), currency));
    register_months(session, months, currency).await?;
    let mut cells = Cells::new();
    let days_with_calls = calls_by_day(session).await?;
    let parts = parts(&days_with_calls, CALLS_AT_A_TIME);
    for days in &parts {
        register_months(session, *days, currency).await?;
        cells.add(session).await?;
    }
    Ok(Facts {
        months,
        parts: parts.into(),
        cells: Arc::new(cells.calls.finish()?),
        receipts: Arc::new(cells.receipts.finish()?),
    })
}

/// Registers what was added up before under the days of `calls`. The session must have `calls` too.
pub(crate) async fn register_again(
    session: &SessionContext,
    calls: &ReportCalls<'_>,
    facts: &Facts,
) -> Result<(), DataFusionError> {
    register_scope(session, calls).await?;
    register_facts(session, calls, facts).await
}

/// What a report is about, and its months of calls.
async fn register_scope(session: &SessionContext, calls: &ReportCalls<'_>) -> Result<(), DataFusionError> {
    register_functions(session);
    session.register_udf(in_report_currency(calls.rates.clone(), calls.currency));
    session.register_udf(Plans::new(&calls.customer_plans).udf());
    replace_table(
        session,
        "customer_plans",
        vec![plans(&calls.customer_plans)?],
        plans(&[])?.schema(),
    )?;
    register_view(session, "last_plans", LAST_PLANS).await?;
    let scope = scope(calls)?;
    replace_table(session, "report_scope", vec![scope.clone()], scope.schema())?;
    register_months(session, calls.window.months(), calls.currency).await
}

/// The calls of some days, as they are and with their keys spelled out.
async fn register_months(session: &SessionContext, days: Window, currency: Currency) -> Result<(), DataFusionError> {
    let frame = session.table("calls").await?.filter(days.holds("date"))?;
    register(session, "months", frame.into_view())?;
    register_view(session, "calls_of_months", &in_currency(currency)).await?;
    register_view(session, "call_rows", CALL_ROWS).await
}

async fn register_facts(session: &SessionContext, calls: &ReportCalls<'_>, facts: &Facts) -> Result<(), DataFusionError> {
    register(session, "cells", facts.cells.table(session).await?)?;
    register_view(
        session,
        "month_cells",
        "SELECT *, plan_of(customer_id, date) AS plan FROM cells",
    )
    .await?;
    register(session, "month_receipts", facts.receipts.table(session).await?)?;
    for (view, table) in [
        ("call_cells", "month_cells"),
        ("receipts", "month_receipts"),
        ("call_facts", "call_rows"),
    ] {
        register_view(session, view, &days_of(session, table, calls).await?).await?;
    }
    let model_calls = "SELECT *, model_cost AS cost, error_calls = 1 AS is_error FROM call_facts WHERE calls = 1";
    register_view(session, "model_calls", model_calls).await?;
    let days = format!("SELECT * FROM calls_of_months WHERE {}", in_days(calls.window));
    register_view(session, "report_calls", &days).await?;
    let dearest = session.sql(DEAREST_RATE).await?;
    let schema = Arc::clone(dearest.schema().inner());
    replace_table(session, "dearest_rate", dearest.collect().await?, schema)
}

async fn calls_by_day(session: &SessionContext) -> Result<Vec<(Day, i64)>, DataFusionError> {
    let sql = "SELECT date, count(*) FROM months GROUP BY date ORDER BY date";
    let mut days = Vec::new();
    for batch in session.sql(sql).await?.collect().await? {
        let dates = batch.column(0).as_primitive::<Date32Type>();
        days.extend(
            dates
                .values()
                .iter()
                .copied()
                .zip(batch.column(1).as_primitive::<Int64Type>().values().iter().copied()),
        );
    }
    Ok(days)
}

/// Days in order, as many together as have about `most` rows.
fn parts(days: &[(Day, i64)], most: i64) -> Vec<Window> {
    let mut parts: Vec<Window> = Vec::new();
    let mut rows = most;
    for (day, count) in days {
        match parts.last_mut() {
            Some(part) if rows + count <= most => (part.to, rows) = (*day, rows + count),
            _ => {
                parts.push(Window { from: *day, to: *day });
                rows = *count;
            }
        }
    }
    parts
}

/// Registers `outcomes`, and the calls that they are about: none where nobody told an outcome, since asking what became of
/// everything costs much and would answer that nothing is known.
pub async fn register_outcomes(session: &SessionContext, outcomes: RecordBatch) -> Result<(), DataFusionError> {
    let any = outcomes.num_rows() > 0;
    replace_table(session, "outcomes", vec![outcomes], marginlake_lake::schema::outcomes())?;
    register_view(
        session,
        "outcome_facts",
        &format!("SELECT * FROM call_facts WHERE calls = 1 AND {any}"),
    )
    .await
}

/// Registers `cash_daily` and `subscribers`, and the calls that seats are about: none where nobody pays by the seat.
pub async fn register_payments(
    session: &SessionContext,
    cash: RecordBatch,
    subscribers: RecordBatch,
    any_seats: bool,
) -> Result<(), DataFusionError> {
    let schema = marginlake_lake::schema::cash_daily();
    replace_table(session, "cash_daily", vec![cash], schema)?;
    replace_table(
        session,
        "subscribers",
        vec![subscribers],
        marginlake_lake::schema::subscribers(),
    )?;
    let sql = format!("SELECT customer_id, user_id, date FROM call_facts WHERE calls = 1 AND {any_seats}");
    register_view(session, "seat_facts", &sql).await
}

/// Puts a table under a name, whatever stood there before.
pub(crate) fn register(
    session: &SessionContext,
    name: &str,
    table: Arc<dyn datafusion::catalog::TableProvider>,
) -> Result<(), DataFusionError> {
    session.deregister_table(name)?;
    session.register_table(name, table)?;
    Ok(())
}

/// Puts a query under a name, whatever stood there before.
pub(crate) async fn register_view(session: &SessionContext, name: &str, sql: &str) -> Result<(), DataFusionError> {
    register(session, name, session.sql(sql).await?.into_view())
}

fn in_currency(currency: Currency) -> String {
    if currency == Currency::USD {
        return "SELECT *, cost_usd AS cost, 'USD' AS currency, false AS no_rate FROM months".to_owned();
    }
    format!(
        "SELECT *, coalesce(converted, cost_usd) AS cost, \
         CASE WHEN converted IS NULL AND cost_usd IS NOT NULL THEN 'USD' ELSE '{currency}' END AS currency, \
         converted IS NULL AND cost_usd IS NOT NULL AS no_rate \
         FROM (SELECT *, in_report_currency(cost_usd, date) AS converted FROM months)"
    )
}

/// The report's days of a table of calls.
async fn days_of(session: &SessionContext, table: &str, calls: &ReportCalls<'_>) -> Result<String, DataFusionError> {
    let schema = session.table(table).await?.schema().inner().clone();
    let columns = schema.fields().iter().map(|field| {
        let name = field.name();
        // In USD every cost has its rate.
        match calls.currency != Currency::USD && KEYS.contains(&name.as_str()) {
            true => format!("CASE WHEN no_rate THEN '(no rate)' ELSE {name} END AS {name}"),
            false => name.clone(),
        }
    });
    let columns: Vec<String> = columns.collect();
    Ok(format!(
        "SELECT {} FROM {table} WHERE {}",
        columns.join(", "),
        in_days(calls.window)
    ))
}

fn in_days(window: Window) -> String {
    format!(
        "date BETWEEN DATE '{}' AND DATE '{}'",
        day_text(window.from),
        day_text(window.to)
    )
}

fn plans(rows: &[(&str, Day, &str)]) -> Result<RecordBatch, DataFusionError> {
    let schema = Schema::new(vec![
        Field::new("customer_id", DataType::Utf8, false),
        Field::new("month", DataType::Date32, false),
        Field::new("plan", DataType::Utf8, false),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.1))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.2))),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// One row: the report's days and the margin that it is measured by. `margin_left` is 100 % less the target, in millionths of
/// a percent.
fn scope(calls: &ReportCalls<'_>) -> Result<RecordBatch, DataFusionError> {
    let millionths = calls.target_margin_pct.scaled() / 10_i128.pow(6);
    let schema = Schema::new(vec![
        Field::new("from_date", DataType::Date32, false),
        Field::new("date", DataType::Date32, false),
        Field::new("target_margin_pct", DataType::Decimal128(MONEY_PRECISION, 6), false),
        Field::new("margin_left", DataType::Int64, false),
    ]);
    let target = Decimal128Array::from(vec![millionths]).with_precision_and_scale(MONEY_PRECISION, 6)?;
    let left = 100_000_000 - i64::try_from(millionths).unwrap_or(0);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(vec![calls.window.from])),
        Arc::new(Date32Array::from(vec![calls.window.to])),
        Arc::new(target),
        Arc::new(Int64Array::from(vec![left])),
    ];
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// `in_report_currency(cost_usd, date)`: NULL where no rate is known.
fn in_report_currency(rates: Rates, currency: Currency) -> ScalarUDF {
    let money = DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE);
    let convert = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let (costs, days) = (
            columns[0].as_primitive::<Decimal128Type>(),
            columns[1].as_primitive::<Date32Type>(),
        );
        let mut converted =
            Decimal128Builder::with_capacity(costs.len()).with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
        for (cost, day) in costs.iter().zip(days) {
            let amount = cost
                .zip(day)
                .and_then(|(cost, day)| rates.convert(Amount::from_scaled(cost), Currency::USD, currency, day));
            converted.append_option(amount.map(Amount::scaled));
        }
        Ok(ColumnarValue::Array(Arc::new(converted.finish())))
    };
    create_udf(
        "in_report_currency",
        vec![money.clone(), DataType::Date32],
        money,
        Volatility::Immutable,
        Arc::new(convert),
    )
}
