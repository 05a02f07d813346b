//! `margin_*`: the columns that every margin mart has, around its own keys.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{bigint, money, schema, text};

/// The common columns of a margin mart with the key columns `keys`, one row per day, currency and key.
/// `gross_margin = revenue - model_cost - other_cogs`; `gross_margin_pct` is percent, NULL unless revenue is positive.
pub fn margin_mart(keys: &[&str]) -> SchemaRef {
    let mut fields = vec![Field::new("date", DataType::Date32, false)];
    fields.extend(keys.iter().map(|key| text(key)));
    fields.extend([
        Field::new("currency", DataType::Utf8, false),
        Field::new("revenue", money(), false),
        // How revenue came to this key: `direct`, or the allocation's name.
        text("allocation_method"),
        Field::new("model_cost", money(), false),
        Field::new("other_cogs", money(), false),
        Field::new("gross_margin", money(), false),
        Field::new("gross_margin_pct", DataType::Decimal128(38, 6), true),
        bigint("calls"),
        bigint("input_tokens"),
        bigint("output_tokens"),
        bigint("unpriced_calls"),
    ]);
    schema(fields)
}
