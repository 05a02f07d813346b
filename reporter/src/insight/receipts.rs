//! What calls used and what it cost, by model and unit, from the receipts in `calls`.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use crate::revenue::Amount;

/// Model calls of one model, as far as their cost is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelUsage {
    /// Calls with a known cost.
    pub calls: i64,
    /// Their cost in USD.
    pub cost: Amount,
    /// Unit of the receipts -> quantity at scale 12, amount in USD.
    pub units: BTreeMap<String, (i128, Amount)>,
}

/// By model.
pub type Usage = BTreeMap<String, ModelUsage>;

/// Tokens that go to the model; what is left over is the answer or no token at all.
pub(super) fn is_input(unit: &str) -> bool {
    unit.starts_with("input_") || unit.starts_with("cache_")
}

pub(super) fn is_output(unit: &str) -> bool {
    unit.starts_with("output_")
}

/// A quantity of a receipt as a whole number.
pub(super) fn whole(quantity: i128) -> i128 {
    quantity / 10_i128.pow(12)
}

impl ModelUsage {
    /// The quantity of the units that `is` names, at scale 12.
    pub(super) fn quantity(&self, is: impl Fn(&str) -> bool) -> i128 {
        let units = self.units.iter().filter(|(unit, _)| is(unit));
        units.map(|(_, (quantity, _))| *quantity).sum()
    }

    /// What those units cost.
    pub(super) fn amount(&self, is: impl Fn(&str) -> bool) -> Amount {
        let units = self.units.iter().filter(|(unit, _)| is(unit));
        units.map(|(_, (_, amount))| *amount).sum()
    }

    pub(super) fn add(&mut self, other: &ModelUsage) {
        self.calls += other.calls;
        self.cost += other.cost;
        for (unit, (quantity, amount)) in &other.units {
            let sum = self.units.entry(unit.clone()).or_default();
            *sum = (sum.0 + quantity, sum.1 + *amount);
        }
    }
}

/// What the calls that `condition` selects used, by `key`: two expressions over the keys of `call_cells` and `receipts`.
pub async fn usage_by(session: &SessionContext, key: &str, condition: &str) -> Result<BTreeMap<String, Usage>, DataFusionError> {
    let mut found: BTreeMap<String, Usage> = BTreeMap::new();
    let totals = format!(
        "SELECT {key} AS key, model, sum(calls) - sum(unpriced_calls) AS calls, sum(model_cost_usd) AS cost \
         FROM call_cells WHERE {condition} GROUP BY 1, 2 HAVING sum(calls) > sum(unpriced_calls)"
    );
    for batch in session.sql(&totals).await?.collect().await? {
        let (keys, models) = (texts(&batch, 0)?, texts(&batch, 1)?);
        let (calls, costs) = (
            batch.column(2).as_primitive::<Int64Type>(),
            batch.column(3).as_primitive::<Decimal128Type>(),
        );
        for row in 0..batch.num_rows() {
            let usage = entry(&mut found, keys.value(row), models.value(row));
            usage.calls = calls.value(row);
            usage.cost = Amount::from_scaled(costs.value(row));
        }
    }
    let lines = format!(
        "SELECT {key} AS key, model, item AS unit, CAST(sum(quantity) AS DECIMAL(38, 12)) AS quantity, \
         CAST(sum(amount) AS DECIMAL(38, 12)) AS amount \
         FROM receipts WHERE cost_class = 'model' AND {condition} GROUP BY 1, 2, 3"
    );
    for batch in session.sql(&lines).await?.collect().await? {
        let (keys, models, units) = (texts(&batch, 0)?, texts(&batch, 1)?, texts(&batch, 2)?);
        let (quantities, amounts) = (
            batch.column(3).as_primitive::<Decimal128Type>(),
            batch.column(4).as_primitive::<Decimal128Type>(),
        );
        for row in 0..batch.num_rows() {
            let value = |column: &arrow::array::PrimitiveArray<Decimal128Type>| match column.is_valid(row) {
                true => column.value(row),
                false => 0,
            };
            let usage = entry(&mut found, keys.value(row), models.value(row));
            let line = (value(quantities), Amount::from_scaled(value(amounts)));
            usage.units.insert(units.value(row).to_owned(), line);
        }
    }
    Ok(found)
}

fn entry<'a>(found: &'a mut BTreeMap<String, Usage>, key: &str, model: &str) -> &'a mut ModelUsage {
    found.entry(key.to_owned()).or_default().entry(model.to_owned()).or_default()
}

fn texts(batch: &RecordBatch, column: usize) -> Result<StringArray, DataFusionError> {
    let plain = arrow::compute::cast(batch.column(column), &DataType::Utf8)?;
    Ok(plain.as_string::<i32>().clone())
}
