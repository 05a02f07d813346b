//! What the marts read beside calls: revenue and other costs by key.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Decimal128Builder, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::prelude::{Expr, SessionContext, col, lit};
use datafusion::scalar::ScalarValue;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE, cost_by_key, revenue_by_key};
use rustc_hash::FxHashSet;

use super::spool::{Purpose, Spool, SpoolWriter};
use super::texts;
use crate::allocate::{Dimension, KeyAmounts, KeyCost};
use crate::revenue::Amount;
use crate::revenue::recognise::DailyUsage;
use crate::revenue::time::{Day, month_of, next_month};

/// Rows in one batch.
const BATCH_ROWS: usize = 32_768;

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

    /// That a column of dates is one of them.
    pub(crate) fn holds(self, column: &str) -> Expr {
        let date = |day: Day| lit(ScalarValue::Date32(Some(day)));
        col(column).between(date(self.from), date(self.to))
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
pub(crate) fn revenue_rows(dimension: Dimension, keys: &[KeyAmounts], window: Window) -> Result<Spool, DataFusionError> {
    let columns = |day: Day, part: &[(&KeyAmounts, Amount)]| {
        let mut columns = key_columns(dimension, day, part.iter().map(|(keys, _)| *keys));
        columns.extend(amount_columns(part.iter().copied())?);
        Ok(RecordBatch::try_new(revenue_by_key(), columns)?)
    };
    days_of_keys(keys, |keys| keys, window, revenue_by_key(), columns)
}

/// One dimension's rows of `cost_by_key`, of the report's days.
pub(crate) fn cost_rows(dimension: Dimension, costs: &[KeyCost], window: Window) -> Result<Spool, DataFusionError> {
    let columns = |day: Day, part: &[(&KeyCost, Amount)]| {
        let mut columns = key_columns(dimension, day, part.iter().map(|(cost, _)| &cost.amounts));
        columns.extend([
            texts_of(part.iter().map(|(cost, _)| cost.source.class.name())),
            texts_of(part.iter().map(|(cost, _)| cost.source.name.as_str())),
        ]);
        columns.extend(amount_columns(part.iter().map(|(cost, amount)| (&cost.amounts, *amount)))?);
        Ok(RecordBatch::try_new(cost_by_key(), columns)?)
    };
    days_of_keys(costs, |cost| &cost.amounts, window, cost_by_key(), columns)
}

/// Walks all keys at once, one day after the other.
fn days_of_keys<T>(
    keys: &[T],
    amounts: fn(&T) -> &KeyAmounts,
    window: Window,
    schema: SchemaRef,
    batch: impl Fn(Day, &[(&T, Amount)]) -> Result<RecordBatch, DataFusionError>,
) -> Result<Spool, DataFusionError> {
    let mut places: Vec<usize> = keys.iter().map(|key| amounts(key).days.place_of(window.from)).collect();
    let mut rows = SpoolWriter::new(schema, Purpose::Publish);
    for day in window.from..=window.to {
        let mut of_day: Vec<(&T, Amount)> = Vec::new();
        for (key, place) in keys.iter().zip(&mut places) {
            if let Some(amount) = amounts(key).days.at(*place, day) {
                *place += 1;
                of_day.push((key, amount));
            }
        }
        for part in of_day.chunks(BATCH_ROWS) {
            rows.push(batch(day, part)?)?;
        }
    }
    rows.finish()
}

fn key_columns<'a>(dimension: Dimension, day: Day, keys: impl ExactSizeIterator<Item = &'a KeyAmounts> + Clone) -> Vec<ArrayRef> {
    vec![
        Arc::new(Date32Array::from_value(day, keys.len())),
        texts_of(std::iter::repeat_n(dimension.name(), keys.len())),
        texts_of(keys.clone().map(|keys| &*keys.key)),
        texts_of(keys.map(|keys| keys.currency.code())),
    ]
}

/// Amount, the part of it that is an allocation, and how it came to the key.
fn amount_columns<'a>(
    rows: impl ExactSizeIterator<Item = (&'a KeyAmounts, Amount)> + Clone,
) -> Result<[ArrayRef; 3], DataFusionError> {
    let allocated = |(keys, amount): (&KeyAmounts, Amount)| match keys.method.is_allocation() {
        true => amount,
        false => Amount::ZERO,
    };
    Ok([
        money(rows.clone().map(|(_, amount)| amount))?,
        money(rows.clone().map(allocated))?,
        texts_of(rows.map(|(keys, _)| keys.method.name())),
    ])
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
pub async fn customers_with_usage(session: &SessionContext) -> Result<FxHashSet<String>, DataFusionError> {
    let mut customers = FxHashSet::default();
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
