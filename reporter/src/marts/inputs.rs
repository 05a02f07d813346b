//! What the marts read: the calls of the report's days in the report's currency, and revenue by key.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Builder, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::{SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, revenue_by_key};

use super::{percent_of_udf, replace_table};
use crate::allocate::{CostShares, Dimension, KeyRevenue, UNATTRIBUTED};
use crate::revenue::fx::Rates;
use crate::revenue::recognise::DailyUsage;
use crate::revenue::time::{Day, day_text, month_of, next_month};
use crate::revenue::{Amount, Currency};

const CALL_FACTS: &str = include_str!("call_facts.sql");
/// Rows of `revenue_by_key` in one batch.
const BATCH_ROWS: usize = 65_536;

/// The days of a report, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
}

/// How calls are shown in a report.
#[derive(Debug, Clone)]
pub struct ReportCalls<'a> {
    /// Which days.
    pub window: Window,
    /// In which currency.
    pub currency: Currency,
    /// Costs are in USD; other currencies go by these.
    pub rates: &'a Rates,
}

impl Window {
    /// True if `day` is reported.
    pub fn contains(self, day: Day) -> bool {
        self.from <= day && day <= self.to
    }

    /// The whole calendar months that the window touches: shares are those of a month, however few days are reported.
    pub fn months(self) -> Window {
        Window {
            from: month_of(self.from),
            to: next_month(self.to) - 1,
        }
    }
}

/// Registers `report_calls`, `call_facts` and `percent_of`. The session must have `calls`.
pub async fn register_calls(session: &SessionContext, calls: &ReportCalls<'_>) -> Result<(), DataFusionError> {
    session.register_udf(percent_of_udf());
    session.register_udf(in_report_currency(calls.rates.clone(), calls.currency));
    let date = |day: Day| lit(ScalarValue::Date32(Some(day)));
    let frame = session.table("calls").await?;
    let frame = frame.filter(col("date").between(date(calls.window.from), date(calls.window.to)))?;
    session.deregister_table("calls_of_days")?;
    session.register_table("calls_of_days", frame.into_view())?;
    let view = if calls.currency == Currency::USD {
        "SELECT *, cost_usd AS cost, 'USD' AS currency, false AS no_rate FROM calls_of_days".to_owned()
    } else {
        format!(
            "SELECT *, coalesce(converted, cost_usd) AS cost, \
             CASE WHEN converted IS NULL AND cost_usd IS NOT NULL THEN 'USD' ELSE '{}' END AS currency, \
             converted IS NULL AND cost_usd IS NOT NULL AS no_rate \
             FROM (SELECT *, in_report_currency(cost_usd, date) AS converted FROM calls_of_days)",
            calls.currency
        )
    };
    register_view(session, "report_calls", &view).await?;
    register_view(session, "call_facts", CALL_FACTS).await
}

/// Registers the allocated revenue of all dimensions for the report's days.
pub fn register_revenue(
    session: &SessionContext,
    rows: &[(Dimension, Vec<KeyRevenue>)],
    window: Window,
) -> Result<Vec<RecordBatch>, DataFusionError> {
    let mut batches = Vec::new();
    for (dimension, rows) in rows {
        let rows: Vec<&KeyRevenue> = rows.iter().filter(|row| window.contains(row.day)).collect();
        for rows in rows.chunks(BATCH_ROWS) {
            batches.push(revenue_batch(*dimension, rows)?);
        }
    }
    replace_table(session, "revenue_by_key", batches.clone(), revenue_by_key())?;
    Ok(batches)
}

fn revenue_batch(dimension: Dimension, rows: &[&KeyRevenue]) -> Result<RecordBatch, DataFusionError> {
    let money = |of: fn(&KeyRevenue) -> Amount| -> Result<ArrayRef, DataFusionError> {
        let mut builder = Decimal128Builder::with_capacity(rows.len()).with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
        rows.iter().for_each(|row| builder.append_value(of(row).scaled()));
        Ok(Arc::new(builder.finish()))
    };
    let texts = |of: &dyn Fn(&KeyRevenue) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let columns = vec![
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.day))),
        texts(&|_| dimension.name().to_owned()),
        texts(&|row| row.key.clone()),
        texts(&|row| row.currency.to_string()),
        money(|row| row.revenue)?,
        money(KeyRevenue::allocated)?,
        texts(&|row| row.method.name().to_owned()),
    ];
    Ok(RecordBatch::try_new(revenue_by_key(), columns)?)
}

/// Each customer's cost by key and calendar month, over the months of `window`. Classes outside of COGS weigh nothing.
pub async fn cost_shares(session: &SessionContext, dimension: Dimension, window: Window) -> Result<CostShares, DataFusionError> {
    let key = match dimension {
        // A customer is never allocated to.
        Dimension::Customer => return Ok(CostShares::default()),
        Dimension::Model => "coalesce(nullif(response_model, ''), nullif(request_model, ''))".to_owned(),
        _ => format!("nullif({}, '')", dimension.key_column()),
    };
    let months = window.months();
    let sql = format!(
        "SELECT customer_id, CAST(date_trunc('month', date) AS DATE) AS month, coalesce({key}, '{UNATTRIBUTED}') AS key, sum(cost_usd) AS cost \
         FROM calls WHERE cost_class IN ('model', 'other_cogs') AND cost_usd IS NOT NULL AND nullif(customer_id, '') IS NOT NULL \
         AND date BETWEEN DATE '{}' AND DATE '{}' GROUP BY 1, 2, 3",
        day_text(months.from),
        day_text(months.to)
    );
    let mut shares = CostShares::default();
    for batch in session.sql(&sql).await?.collect().await? {
        let (customers, keys) = (texts(&batch, 0)?, texts(&batch, 2)?);
        let months = batch.column(1).as_primitive::<Date32Type>();
        let costs = batch.column(3).as_primitive::<Decimal128Type>();
        for row in 0..batch.num_rows() {
            shares.add(customers.value(row), months.value(row), keys.value(row), costs.value(row));
        }
    }
    shares.sort();
    Ok(shares)
}

/// Every customer that has a call in the lake.
pub async fn customers_with_usage(session: &SessionContext) -> Result<HashSet<String>, DataFusionError> {
    let mut customers = HashSet::new();
    let sql = "SELECT DISTINCT customer_id FROM calls WHERE nullif(customer_id, '') IS NOT NULL";
    for batch in session.sql(sql).await?.collect().await? {
        let column = texts(&batch, 0)?;
        customers.extend((0..column.len()).map(|row| column.value(row).to_owned()));
    }
    Ok(customers)
}

/// What each customer cost us on each day, in USD at the lake's scale.
pub async fn daily_usage(session: &SessionContext) -> Result<DailyUsage, DataFusionError> {
    let mut usage = DailyUsage::new();
    let sql = "SELECT customer_id, date, sum(cost_usd) AS cost FROM calls WHERE cost_class IN ('model', 'other_cogs') \
               AND cost_usd IS NOT NULL AND nullif(customer_id, '') IS NOT NULL GROUP BY 1, 2";
    for batch in session.sql(sql).await?.collect().await? {
        let customers = texts(&batch, 0)?;
        let days = batch.column(1).as_primitive::<Date32Type>();
        let costs = batch.column(2).as_primitive::<Decimal128Type>();
        for row in 0..batch.num_rows() {
            let of_customer = usage.entry(customers.value(row).to_owned()).or_default();
            of_customer.insert(days.value(row), costs.value(row));
        }
    }
    Ok(usage)
}

/// First and last day that has calls.
pub async fn usage_days(session: &SessionContext) -> Result<Option<(Day, Day)>, DataFusionError> {
    let batches = session.sql("SELECT min(date), max(date) FROM calls").await?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(None);
    };
    let day = |column: usize| {
        let days = batch.column(column).as_primitive::<Date32Type>();
        days.is_valid(0).then(|| days.value(0))
    };
    Ok(day(0).zip(day(1)))
}

/// The numbers of a query that answers with one row of counts; NULL is 0.
pub(crate) async fn counts(session: &SessionContext, sql: &str) -> Result<Vec<i64>, DataFusionError> {
    let batches = session.sql(sql).await?.collect().await?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Ok(Vec::new());
    };
    let columns = batch
        .columns()
        .iter()
        .map(|column| arrow::compute::cast(column, &DataType::Int64));
    let numbers =
        columns.map(|column| column.map(|column| column.as_primitive::<Int64Type>().iter().next().flatten().unwrap_or(0)));
    Ok(numbers.collect::<Result<_, _>>()?)
}

fn texts(batch: &RecordBatch, column: usize) -> Result<StringArray, DataFusionError> {
    let plain = arrow::compute::cast(batch.column(column), &DataType::Utf8)?;
    Ok(plain.as_string::<i32>().clone())
}

async fn register_view(session: &SessionContext, name: &str, sql: &str) -> Result<(), DataFusionError> {
    let view = session.sql(sql).await?.into_view();
    session.deregister_table(name)?;
    session.register_table(name, view)?;
    Ok(())
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
