//! Settle as a whole: the cases of the billing rules, and what must hold for any input.

mod cost_rules;
mod dsl;
mod explain;
mod lake;
mod properties;
mod rules;
mod spans_rows;

/// The rows of `spans` that say what `records` say.
pub(crate) fn spans_batch(records: &[super::Record]) -> arrow::array::RecordBatch {
    spans_rows::batch(records)
}
