//! What outcomes say about models: who resolves how much, and what a resolution costs.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use crate::revenue::Amount;

/// Units with a known outcome below which a share says little.
const ENOUGH: i64 = 30;

/// A model in a feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quality {
    pub(super) model: String,
    /// Conversations or tasks that were resolved.
    pub(super) successes: i64,
    /// In percent of those with a known outcome.
    pub(super) success_pct: Amount,
    /// All cost of those with a known outcome for each success, in the report's currency.
    pub(super) cost_per_success: Amount,
}

/// By feature; of conversations where they tell anything, else of tasks.
pub(super) async fn quality(session: &SessionContext, currency: &str) -> Result<BTreeMap<String, Vec<Quality>>, DataFusionError> {
    let mut found: BTreeMap<String, (String, Vec<Quality>)> = BTreeMap::new();
    for rows in session.table("outcome_costs").await?.collect().await? {
        for (feature, unit, quality) in read(&rows, currency)? {
            let entry = found.entry(feature).or_insert_with(|| (unit.clone(), Vec::new()));
            // The mart is in the order of its units.
            if entry.0 == unit {
                entry.1.push(quality);
            }
        }
    }
    Ok(found.into_iter().map(|(feature, (_, models))| (feature, models)).collect())
}

fn read(rows: &RecordBatch, currency: &str) -> Result<Vec<(String, String, Quality)>, DataFusionError> {
    let column = |name: &str, data_type: &DataType| {
        let column = rows.column_by_name(name);
        let missing = || DataFusionError::Internal(format!("outcome_costs has no column {name}"));
        Ok::<_, DataFusionError>(cast(column.ok_or_else(missing)?, data_type)?)
    };
    let money = DataType::Decimal128(38, 12);
    let [features, units, models, currencies] =
        ["feature", "unit", "model", "currency"].map(|name| column(name, &DataType::Utf8));
    let [successes, all, unknown] = ["successes", "units", "unknown"].map(|name| column(name, &DataType::Int64));
    let [shares, costs] = ["success_pct", "cost_per_success"].map(|name| column(name, &money));
    let (features, units, models, currencies) = (features?, units?, models?, currencies?);
    let (successes, all, unknown, shares, costs) = (successes?, all?, unknown?, shares?, costs?);
    let text = |column: &arrow::array::ArrayRef, row: usize| column.as_string::<i32>().value(row).to_owned();
    let count = |column: &arrow::array::ArrayRef, row: usize| column.as_primitive::<Int64Type>().value(row);
    let amount =
        |column: &arrow::array::ArrayRef, row: usize| Amount::from_scaled(column.as_primitive::<Decimal128Type>().value(row));
    let is_enough = |row: &usize| {
        currencies.as_string::<i32>().value(*row) == currency
            && count(&all, *row) - count(&unknown, *row) >= ENOUGH
            && shares.is_valid(*row)
            && costs.is_valid(*row)
    };
    let read = |row: usize| {
        let quality = Quality {
            model: text(&models, row),
            successes: count(&successes, row),
            success_pct: amount(&shares, row),
            cost_per_success: amount(&costs, row),
        };
        (text(&features, row), text(&units, row), quality)
    };
    Ok((0..rows.num_rows()).filter(is_enough).map(read).collect())
}
