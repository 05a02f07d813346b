//! The comparison as rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use super::{Compared, Key};
use crate::output::percent;
use crate::revenue::Amount;

/// One row for each day, provider and model, in their order. Amounts in USD; `coverage_pct` is computed of billed.
pub fn rows_batch(rows: &BTreeMap<Key, Compared>) -> Result<RecordBatch, ArrowError> {
    let money = |of: &dyn Fn(&Compared) -> Option<Amount>| -> Result<ArrayRef, ArrowError> {
        let column = rows
            .values()
            .map(|row| of(row).map(Amount::scaled))
            .collect::<Decimal128Array>();
        Ok(Arc::new(column.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?))
    };
    let counts = |of: fn(&Compared) -> Option<i64>| -> ArrayRef { Arc::new(rows.values().map(of).collect::<Int64Array>()) };
    RecordBatch::try_from_iter([
        (
            "date",
            Arc::new(Date32Array::from_iter_values(rows.keys().map(|key| key.0))) as ArrayRef,
        ),
        (
            "provider",
            Arc::new(StringArray::from_iter_values(rows.keys().map(|key| key.1.as_str()))),
        ),
        (
            "model",
            Arc::new(StringArray::from_iter_values(rows.keys().map(|key| key.2.as_str()))),
        ),
        ("billed_cost", money(&|row| Some(row.billed_cost))?),
        ("lake_cost", money(&|row| Some(row.lake_cost))?),
        ("difference", money(&|row| Some(row.difference()))?),
        (
            "reason",
            Arc::new(StringArray::from_iter_values(rows.values().map(|row| row.reason().name()))),
        ),
        ("coverage_pct", money(&|row| percent(row.lake_cost, row.billed_cost))?),
        ("traffic_part", money(&Compared::traffic_part)?),
        ("price_part", money(&Compared::price_part)?),
        ("price_factor", money(&Compared::price_factor)?),
        ("billed_tokens", counts(|row| row.billed_tokens)),
        ("lake_tokens", counts(|row| Some(row.lake_tokens))),
        ("calls", counts(|row| Some(row.calls))),
        ("unpriced_calls", counts(|row| Some(row.unpriced_calls))),
    ])
}
