//! What the marts read beside calls: revenue and other costs by key.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Builder, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, cost_by_key, revenue_by_key};

use super::texts;
use crate::allocate::{Dimension, KeyAmount, KeyCost};
use crate::revenue::Amount;
use crate::revenue::recognise::DailyUsage;
use crate::revenue::time::{Day, month_of, next_month};

/// Rows in one batch.
const BATCH_ROWS: usize = 65_536;

/// The days of a report, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// First day.
    pub from: Day,
    /// Last day.
    pub to: Day,
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

/// One dimension's rows of `revenue_by_key`, of the report's days.
pub fn revenue_batches(dimension: Dimension, rows: &[KeyAmount], window: Window) -> Result<Vec<RecordBatch>, DataFusionError> {
    let rows: Vec<&KeyAmount> = rows.iter().filter(|row| window.contains(row.day)).collect();
    let batch = |rows: &[&KeyAmount]| {
        let mut columns = key_columns(dimension, rows);
        columns.extend([
            money(rows.iter().map(|row| row.amount))?,
            money(rows.iter().map(|row| row.allocated()))?,
            texts_of(rows.iter().map(|row| row.method.name())),
        ]);
        Ok(RecordBatch::try_new(revenue_by_key(), columns)?)
    };
    rows.chunks(BATCH_ROWS).map(batch).collect()
}

/// One dimension's rows of `cost_by_key`, of the report's days.
pub fn cost_batches(dimension: Dimension, costs: &[KeyCost], window: Window) -> Result<Vec<RecordBatch>, DataFusionError> {
    let costs: Vec<&KeyCost> = costs.iter().filter(|cost| window.contains(cost.row.day)).collect();
    let batch = |costs: &[&KeyCost]| {
        let rows: Vec<&KeyAmount> = costs.iter().map(|cost| &cost.row).collect();
        let mut columns = key_columns(dimension, &rows);
        columns.extend([
            texts_of(costs.iter().map(|cost| cost.source.class.name())),
            texts_of(costs.iter().map(|cost| cost.source.name.as_str())),
            money(rows.iter().map(|row| row.amount))?,
            money(rows.iter().map(|row| row.allocated()))?,
            texts_of(rows.iter().map(|row| row.method.name())),
        ]);
        Ok(RecordBatch::try_new(cost_by_key(), columns)?)
    };
    costs.chunks(BATCH_ROWS).map(batch).collect()
}

fn key_columns(dimension: Dimension, rows: &[&KeyAmount]) -> Vec<ArrayRef> {
    let currencies: Vec<String> = rows.iter().map(|row| row.currency.to_string()).collect();
    vec![
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.day))),
        texts_of(rows.iter().map(|_| dimension.name())),
        texts_of(rows.iter().map(|row| &*row.key)),
        texts_of(currencies.iter().map(String::as_str)),
    ]
}

fn texts_of<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn money(values: impl Iterator<Item = Amount>) -> Result<ArrayRef, DataFusionError> {
    let mut builder = Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
    values.for_each(|value| builder.append_value(value.scaled()));
    Ok(Arc::new(builder.finish()))
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
