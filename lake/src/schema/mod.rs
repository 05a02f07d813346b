//! The tables of the lake, one file per table: names, columns, types, partitions.
//!
//! These schemas are the contract between collector and reporter, and with every SQL engine that reads the lake.
//! Columns are only ever added; a column keeps its name, type and meaning for ever.

mod calls;
mod calls_excluded;
mod closed_periods;
mod marts;
mod restatements;
mod revenue_daily;
mod revenue_lines;
mod run_manifest;
mod spans;
mod vocabulary;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};

pub use calls::{BUCKETS, calls};
pub use calls_excluded::calls_excluded;
pub use closed_periods::closed_periods;
pub use marts::{
    bill_lines, cash_and_accrual, cash_daily, cost_by_key, customer_segments, data_quality, estimates, margin_mart,
    outcome_costs, outcomes, outliers, plan_economics, pnl_daily, restated_days, revenue_by_key, seat_economics, subscribers,
    tradeoffs, unit_costs, unmatched_customers,
};
pub use restatements::restatements;
pub use revenue_daily::revenue_daily;
pub use revenue_lines::revenue_lines;
pub use run_manifest::run_manifest;
pub use spans::spans;
pub use vocabulary::{Dimension, Role, Signal};

/// Digits of every money column: `Decimal128(38, 12)`, in the currency that the column or its neighbour names.
pub const MONEY_PRECISION: u8 = 38;
/// Decimal places of every money column.
pub const MONEY_SCALE: i8 = 12;
/// Decimal places of the amounts inside a receipt (`cost_lines.amount`): count x rate per million stays exact,
/// so that the lines sum to the unrounded cost, which rounds once to [`MONEY_SCALE`].
pub const LINE_AMOUNT_SCALE: i8 = 18;

/// The partition column of `spans`, `calls`, `calls_excluded`, `revenue_daily` and the marts: a UTC day.
pub const DATE: &str = "date";

pub(crate) fn money() -> DataType {
    DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE)
}

/// UTC microseconds, the only timestamp that Delta and all its readers share.
pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

pub(crate) fn text(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

pub(crate) fn bigint(name: &str) -> Field {
    Field::new(name, DataType::Int64, true)
}

pub(crate) fn texts(name: &str) -> Field {
    Field::new(
        name,
        DataType::List(Arc::new(Field::new("element", DataType::Utf8, true))),
        true,
    )
}

/// A map whose entries are spelled as Delta and Spark spell them (`key_value`, `key`, `value`).
pub(crate) fn map(name: &str, value: DataType) -> Field {
    let entries = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", value, true),
    ]);
    Field::new(
        name,
        DataType::Map(Arc::new(Field::new("key_value", DataType::Struct(entries), false)), false),
        true,
    )
}

/// The receipt of a cost: one element per line, in the order of the calculation.
/// `quantity` counts `unit`s, `rate` is USD per `per` units, `multiplier` is all factors together,
/// `amount` is USD and exact to 18 places.
pub(crate) fn cost_lines() -> Field {
    let line = Fields::from(vec![
        text("unit"),
        Field::new("quantity", money(), true),
        Field::new("rate", money(), true),
        bigint("per"),
        Field::new("multiplier", money(), true),
        Field::new("amount", DataType::Decimal128(MONEY_PRECISION, LINE_AMOUNT_SCALE), true),
        text("price_id"),
    ]);
    Field::new(
        "cost_lines",
        DataType::List(Arc::new(Field::new("element", DataType::Struct(line), true))),
        true,
    )
}

pub(crate) fn schema(fields: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(fields))
}

/// Every table that has a fixed schema, with its partition columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// One row per received span or usage-carrying log record; written by collectors only.
    Spans,
    /// One row per billable event; written by settle.
    Calls,
    /// Each record that was not billed, with its reason and what stands for it.
    CallsExcluded,
    /// Normalised revenue lines with their source file and line.
    RevenueLines,
    /// Accruals: one row per revenue line and day.
    RevenueDaily,
    /// One row per report run: inputs, versions, hashes, policies.
    RunManifest,
    /// What a later run changed in an earlier figure.
    Restatements,
    /// Which months are closed.
    ClosedPeriods,
    /// What settle found for closed days after they were closed: shown, and not in `calls` until the month is reopened.
    CallsLate,
}

impl Table {
    /// All fixed tables.
    pub const ALL: [Table; 9] = [
        Table::Spans,
        Table::Calls,
        Table::CallsExcluded,
        Table::RevenueLines,
        Table::RevenueDaily,
        Table::RunManifest,
        Table::Restatements,
        Table::ClosedPeriods,
        Table::CallsLate,
    ];

    /// The folder below the lake's root and the name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Table::Spans => "spans",
            Table::Calls => "calls",
            Table::CallsExcluded => "calls_excluded",
            Table::RevenueLines => "revenue_lines",
            Table::RevenueDaily => "revenue_daily",
            Table::RunManifest => "run_manifest",
            Table::Restatements => "restatements",
            Table::ClosedPeriods => "closed_periods",
            Table::CallsLate => "calls_late",
        }
    }

    /// All columns, partition columns included.
    pub fn schema(self) -> SchemaRef {
        match self {
            Table::Spans => spans(),
            Table::Calls => calls(),
            Table::CallsExcluded => calls_excluded(),
            Table::RevenueLines => revenue_lines(),
            Table::RevenueDaily => revenue_daily(),
            Table::RunManifest => run_manifest(),
            Table::Restatements => restatements(),
            Table::ClosedPeriods => closed_periods(),
            Table::CallsLate => calls(),
        }
    }

    /// The columns by which files are laid out in folders.
    pub fn partition_columns(self) -> &'static [&'static str] {
        match self {
            Table::Spans | Table::Calls | Table::CallsExcluded | Table::CallsLate | Table::RevenueDaily => &[DATE],
            Table::RevenueLines | Table::RunManifest | Table::Restatements | Table::ClosedPeriods => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_no_float_money(path: &str, data_type: &DataType) {
        let is_money = ["cost", "amount", "revenue", "margin", "rate", "price", "usd"]
            .iter()
            .any(|word| path.contains(word))
            && !path.ends_with("_pct");
        match data_type {
            DataType::Float16 | DataType::Float32 | DataType::Float64 => assert!(!is_money, "{path} is money in a float"),
            DataType::List(inner) => assert_no_float_money(path, inner.data_type()),
            DataType::Map(inner, _) => assert_no_float_money(path, inner.data_type()),
            DataType::Struct(fields) => {
                fields
                    .iter()
                    .for_each(|field| assert_no_float_money(&format!("{path}.{}", field.name()), field.data_type()));
            }
            _ => {}
        }
    }

    #[test]
    fn no_column_of_money_is_a_float() {
        let marts = [
            ("mart", margin_mart(&["customer_id"])),
            ("revenue_by_key", revenue_by_key()),
            ("cost_by_key", cost_by_key()),
            ("pnl_daily", pnl_daily()),
            ("data_quality", data_quality()),
            ("unit_costs", unit_costs()),
            ("unmatched_customers", unmatched_customers()),
            ("cash_and_accrual", cash_and_accrual()),
            ("cash_daily", cash_daily()),
            ("subscribers", subscribers()),
            ("seat_economics", seat_economics()),
            ("customer_segments", customer_segments()),
            ("plan_economics", plan_economics()),
            ("outcome_costs", outcome_costs()),
            ("tradeoffs", tradeoffs()),
            ("outliers", outliers()),
            ("estimates", estimates()),
            ("bill_lines", bill_lines()),
            ("restated_days", restated_days()),
        ];
        for (table, schema) in Table::ALL.iter().map(|t| (t.name(), t.schema())).chain(marts) {
            for field in schema.fields() {
                assert_no_float_money(&format!("{table}.{}", field.name()), field.data_type());
            }
        }
    }

    #[test]
    fn partition_columns_are_columns() {
        for table in Table::ALL {
            for column in table.partition_columns() {
                assert!(table.schema().field_with_name(column).is_ok(), "{}.{column}", table.name());
            }
        }
    }
}
