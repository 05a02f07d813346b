//! `margin_*`: the columns that every margin mart has, around its own keys; and the revenue behind them by key.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{bigint, money, schema, text};

/// The common columns of a margin mart with the key columns `keys`, one row per day, currency and key.
///
/// `gross_margin = revenue - model_cost - other_cogs` and `contribution_margin = gross_margin - variable_cost`, over what
/// is known: where calls are unpriced the costs are lower bounds and the margins upper bounds, and `cost_status` says so.
/// They are not NULL, so that every mart sums to the same totals. `gross_margin_pct` is percent, NULL unless revenue is
/// positive.
pub fn margin_mart(keys: &[&str]) -> SchemaRef {
    let mut fields = vec![Field::new("date", DataType::Date32, false)];
    fields.extend(keys.iter().map(|key| text(key)));
    fields.extend([
        Field::new("currency", DataType::Utf8, false),
        Field::new("revenue", money(), false),
        // The part of `revenue` that is allocated to the key, not known of it.
        Field::new("revenue_allocated", money(), false),
        // How revenue came to this key: `direct`, the allocation's name, or `mixed`. NULL without revenue.
        text("allocation_method"),
        Field::new("model_cost", money(), false),
        Field::new("other_cogs", money(), false),
        Field::new("gross_margin", money(), false),
        Field::new("gross_margin_pct", DataType::Decimal128(38, 6), true),
        // Outside of COGS, inside of the contribution margin.
        Field::new("variable_cost", money(), false),
        Field::new("contribution_margin", money(), false),
        // Evaluation, development, internal use: shown, in no margin.
        Field::new("not_cogs_cost", money(), false),
        bigint("calls"),
        bigint("input_tokens"),
        bigint("output_tokens"),
        bigint("unpriced_calls"),
        // `known`, `lower_bound` (some calls have no price), `unknown` (none has), `no_usage`.
        text("cost_status"),
    ]);
    schema(fields)
}

/// `revenue_by_key`: what each dimension's keys earn on each day, known or allocated; the marts' revenue half.
pub fn revenue_by_key() -> SchemaRef {
    schema(vec![
        Field::new("date", DataType::Date32, false),
        // customer, feature, model...
        Field::new("dimension", DataType::Utf8, false),
        Field::new("key", DataType::Utf8, false),
        Field::new("currency", DataType::Utf8, false),
        Field::new("revenue", money(), false),
        Field::new("revenue_allocated", money(), false),
        Field::new("allocation_method", DataType::Utf8, false),
    ])
}

/// `data_quality`: the coverage of a report, one row per check, dated by the report's last day.
pub fn data_quality() -> SchemaRef {
    schema(vec![
        Field::new("date", DataType::Date32, false),
        Field::new("from_date", DataType::Date32, false),
        // calls_priced, revenue_matched...
        Field::new("check", DataType::Utf8, false),
        // `calls`, or the currency of the amounts.
        Field::new("unit", DataType::Utf8, false),
        Field::new("covered_amount", money(), false),
        Field::new("total_amount", money(), false),
        Field::new("covered_pct", DataType::Decimal128(38, 6), true),
    ])
}

/// `unit_costs`: how the cost of goods sold is spread over customers, users, conversations and tasks, over the days of a
/// report, dated by its last day. Percentiles are by nearest rank, over units of which some cost is known.
pub fn unit_costs() -> SchemaRef {
    let mut fields = vec![
        Field::new("date", DataType::Date32, false),
        Field::new("from_date", DataType::Date32, false),
        Field::new("unit", DataType::Utf8, false),
        Field::new("currency", DataType::Utf8, false),
        bigint("units"),
        bigint("units_with_unpriced_calls"),
    ];
    fields.extend(["mean_cost", "p50_cost", "p90_cost", "p95_cost", "p99_cost"].map(|name| Field::new(name, money(), false)));
    fields.extend(["top_1_pct", "top_5_pct", "top_10_pct"].map(|name| Field::new(name, DataType::Decimal128(38, 6), false)));
    fields.extend([bigint("below_zero"), Field::new("lost_amount", money(), false)]);
    schema(fields)
}
