//! The weights of allocations, asked of the calls of whole calendar months: shares are those of a month, however few days
//! are reported.

use arrow::array::{Array, AsArray, Decimal128Array, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use super::texts;
use crate::allocate::{CustomerWeights, Dimension, MonthWeights, RevenueKey, SpreadKey, Weight};

/// What a bill is spread by, over which calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spread {
    /// By what.
    pub by: SpreadKey,
    /// Over the calls of which this SQL holds; over all model calls where there is none.
    pub over: Option<String>,
}

/// What each customer used of each key in each calendar month. Classes outside of COGS weigh nothing, as do unknown costs.
pub async fn customer_weights(
    session: &SessionContext,
    dimension: Dimension,
    by: RevenueKey,
) -> Result<CustomerWeights, DataFusionError> {
    let mut weights = CustomerWeights::default();
    // A customer is never allocated to.
    if dimension == Dimension::Customer {
        return Ok(weights);
    }
    let weight = match by {
        RevenueKey::Cost => "sum(cogs_usd)",
        RevenueKey::Usage => "sum(every_token)",
        // A table of weights is laid over these.
        RevenueKey::Equal | RevenueKey::Weights => "1",
    };
    let sql = format!(
        "SELECT customer_id, CAST(date_trunc('month', date) AS DATE) AS month, {key} AS key, min(date) AS first, {weight} AS weight \
         FROM month_cells WHERE (cogs_usd IS NOT NULL OR calls > 0) AND customer_id <> '(unattributed)' GROUP BY 1, 2, 3",
        key = dimension.key_column(),
    );
    for batch in session.sql(&sql).await?.collect().await? {
        let (customers, keys) = (texts(&batch, 0)?, texts(&batch, 2)?);
        let (months, firsts) = (dates(&batch, 1), dates(&batch, 3));
        let amounts = whole_numbers(&batch, 4)?;
        for row in 0..batch.num_rows() {
            let weight = Weight {
                key: keys.value(row).into(),
                first_day: firsts.value(row),
                weight: if amounts.is_valid(row) { amounts.value(row) } else { 0 },
            };
            weights.add(customers.value(row), months.value(row), weight);
        }
    }
    weights.sort();
    Ok(weights)
}

/// What each key used in each calendar month, once for each of `spreads`; those by revenue stay empty.
pub async fn month_weights(
    session: &SessionContext,
    dimension: Dimension,
    spreads: &[Spread],
) -> Result<Vec<MonthWeights>, DataFusionError> {
    let mut weights = vec![MonthWeights::default(); spreads.len()];
    if spreads.is_empty() {
        return Ok(weights);
    }
    let columns = spreads.iter().map(|spread| {
        let over = spread.over.as_deref().unwrap_or("calls > 0");
        let measure = match spread.by {
            SpreadKey::Cost => "cogs_usd",
            SpreadKey::Tokens => "every_token",
            SpreadKey::Calls => "every_call",
            SpreadKey::Seconds => "duration_us",
            SpreadKey::Evenly | SpreadKey::Revenue => return format!("max(CASE WHEN {over} THEN 1 END)"),
        };
        format!("sum(CASE WHEN {over} THEN {measure} END)")
    });
    let columns: Vec<String> = columns.collect();
    let sql = format!(
        "SELECT CAST(date_trunc('month', date) AS DATE) AS month, {key} AS key, min(date) AS first, {columns} FROM month_cells GROUP BY 1, 2",
        key = dimension.key_column(),
        columns = columns.join(", "),
    );
    for batch in session.sql(&sql).await?.collect().await? {
        let (months, keys, firsts) = (dates(&batch, 0), texts(&batch, 1)?, dates(&batch, 2));
        for (at, spread) in spreads
            .iter()
            .enumerate()
            .filter(|(_, spread)| spread.by != SpreadKey::Revenue)
        {
            let amounts = whole_numbers(&batch, 3 + at)?;
            for row in (0..batch.num_rows()).filter(|row| amounts.is_valid(*row) && amounts.value(*row) > 0) {
                let weight = if spread.by == SpreadKey::Evenly {
                    1
                } else {
                    amounts.value(row)
                };
                let weight = Weight {
                    key: keys.value(row).into(),
                    first_day: firsts.value(row),
                    weight,
                };
                weights[at].add(months.value(row), weight);
            }
        }
    }
    weights.iter_mut().for_each(MonthWeights::sort);
    Ok(weights)
}

fn dates(batch: &RecordBatch, column: usize) -> &arrow::array::Date32Array {
    batch.column(column).as_primitive::<Date32Type>()
}

/// Counts and amounts alike as integers; amounts in the lake's scale.
fn whole_numbers(batch: &RecordBatch, column: usize) -> Result<Decimal128Array, DataFusionError> {
    let column = batch.column(column);
    let scale = match column.data_type() {
        DataType::Decimal128(_, _) => MONEY_SCALE,
        _ => 0,
    };
    let cast = arrow::compute::cast(column, &DataType::Decimal128(MONEY_PRECISION, scale))?;
    Ok(cast.as_primitive::<Decimal128Type>().clone())
}
