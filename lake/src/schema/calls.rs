//! `calls`: one row per billable event. Whoever sums `cost_usd` by `cost_class`, in any engine, gets the truth.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{bigint, cost_lines, map, money, schema, text, texts, timestamp};

/// The disjoint token buckets, in column order. NULL is not reported, 0 is reported as zero.
pub const BUCKETS: [&str; 10] = [
    "input_uncached",
    "cache_read",
    "cache_write_5m",
    "cache_write_1h",
    "input_audio",
    "input_image",
    "output_text",
    "output_reasoning",
    "output_audio",
    "output_image",
];

pub(super) fn bucket_fields() -> impl Iterator<Item = Field> {
    BUCKETS.into_iter().map(bigint)
}

/// Columns of `calls`. Ids are lower-case hex.
pub fn calls() -> SchemaRef {
    let mut fields = vec![
        Field::new("date", DataType::Date32, false),
        Field::new("start_time", timestamp(), true),
        Field::new("end_time", timestamp(), true),
        bigint("priced_at_unix_nano"),
        text("trace_id"),
        text("span_id"),
        // `span` or `log`, and for logs what identifies the event: with the ids the key of the row.
        Field::new("signal", DataType::Utf8, false),
        text("event_key"),
        text("tenant"),
        text("service_name"),
        text("environment"),
        text("scope_name"),
        text("scope_version"),
        text("name"),
        text("convention"),
        Field::new("role", DataType::Utf8, false),
        // `call`, or `aggregate` where only a roll-up was reported.
        Field::new("granularity", DataType::Utf8, false),
        // model, other_cogs, variable, not_cogs.
        Field::new("cost_class", DataType::Utf8, false),
        text("provider"),
        text("request_model"),
        text("response_model"),
        text("response_id"),
        text("server_address"),
        text("customer_id"),
        text("user_id"),
        text("conversation_id"),
        text("feature"),
        text("task_id"),
        text("agent_name"),
        text("prompt_name"),
        text("prompt_version"),
        // Dimension -> where it came from (own attribute, ancestor, resource, mapping, duplicate).
        map("attribution_source", DataType::Utf8),
        Field::new("streaming", DataType::Boolean, true),
        text("error_type"),
        texts("finish_reasons"),
        Field::new("duration_ms", DataType::Float64, true),
        Field::new("time_to_first_token_ms", DataType::Float64, true),
    ];
    fields.extend(bucket_fields());
    fields.extend([
        map("usage", DataType::Int64),
        text("usage_status"),
        map("price_context", DataType::Utf8),
        text("price_status"),
        Field::new("list_cost_usd", money(), true),
        Field::new("cost_usd", money(), true),
        text("cost_source"),
        Field::new("reported_cost_usd", money(), true),
        cost_lines(),
        text("price_id"),
        text("catalogue_hash"),
        texts("flags"),
        map("tags", DataType::Utf8),
        // How many records of `spans` this call stands for, itself included.
        bigint("records"),
    ]);
    schema(fields)
}
