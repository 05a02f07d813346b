//! What one customer, user, conversation or task costs: the average hides the whale, so here is the distribution.
//!
//! Read from the mart `unit_costs`, whose SQL says what each figure means.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use marginlake_lake::schema::MONEY_SCALE;
use serde::Serialize;

use super::margin::exact;
use crate::revenue::Amount;

/// The distribution of cost over the units of one kind, over the report's days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnitCost {
    /// customer, user, conversation, task.
    pub unit: String,
    /// Units with a known cost.
    pub units: u64,
    /// Units with calls that have no price: in the figures with the rest of their cost, or not at all if there is none.
    pub units_with_unpriced_calls: u64,
    /// Average.
    #[serde(serialize_with = "exact")]
    pub mean: Amount,
    /// Half of the units cost at most this.
    #[serde(serialize_with = "exact")]
    pub p50: Amount,
    /// Nine of ten cost at most this.
    #[serde(serialize_with = "exact")]
    pub p90: Amount,
    /// 95 of a hundred cost at most this.
    #[serde(serialize_with = "exact")]
    pub p95: Amount,
    /// 99 of a hundred cost at most this.
    #[serde(serialize_with = "exact")]
    pub p99: Amount,
    /// Cost of the most expensive 1 % of units, in percent of all.
    #[serde(serialize_with = "exact")]
    pub top_1_pct: Amount,
    /// The same of 5 %.
    #[serde(serialize_with = "exact")]
    pub top_5_pct: Amount,
    /// The same of 10 %.
    #[serde(serialize_with = "exact")]
    pub top_10_pct: Amount,
    /// Units that cost more than they earn.
    pub below_zero: u64,
    /// What those lose together.
    #[serde(serialize_with = "exact")]
    pub lost: Amount,
}

impl UnitCost {
    /// The distributions of a mart's rows in one currency.
    pub(super) fn read(rows: &RecordBatch, currency: &str) -> Vec<UnitCost> {
        let text = |name: &str| rows.column_by_name(name).map(|column| column.as_string::<i32>());
        let (Some(units), Some(currencies)) = (text("unit"), text("currency")) else {
            return Vec::new();
        };
        (0..rows.num_rows())
            .filter(|row| currencies.value(*row) == currency)
            .map(|row| UnitCost {
                unit: units.value(row).to_owned(),
                units: count(rows, "units", row),
                units_with_unpriced_calls: count(rows, "units_with_unpriced_calls", row),
                mean: amount(rows, "mean_cost", row),
                p50: amount(rows, "p50_cost", row),
                p90: amount(rows, "p90_cost", row),
                p95: amount(rows, "p95_cost", row),
                p99: amount(rows, "p99_cost", row),
                top_1_pct: amount(rows, "top_1_pct", row),
                top_5_pct: amount(rows, "top_5_pct", row),
                top_10_pct: amount(rows, "top_10_pct", row),
                below_zero: count(rows, "below_zero", row),
                lost: amount(rows, "lost_amount", row),
            })
            .collect()
    }
}

fn count(rows: &RecordBatch, name: &str, row: usize) -> u64 {
    let column = rows.column_by_name(name).map(|column| column.as_primitive::<Int64Type>());
    column.map_or(0, |column| column.value(row).unsigned_abs())
}

/// An amount, or a percentage at the scale of amounts.
fn amount(rows: &RecordBatch, name: &str, row: usize) -> Amount {
    let Some(column) = rows
        .column_by_name(name)
        .map(|column| column.as_primitive::<Decimal128Type>())
    else {
        return Amount::ZERO;
    };
    let finer = u32::from((MONEY_SCALE - column.scale()).unsigned_abs());
    Amount::from_scaled(column.value(row) * 10_i128.pow(finer))
}
