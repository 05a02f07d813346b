//! `calls_excluded`: each record that carries usage or claims to be a call and was not billed, and why.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::{bigint, money, schema, text, timestamp};

/// Columns of `calls_excluded`. Ids are lower-case hex; `stands_*` name the call that stands for the record.
pub fn calls_excluded() -> SchemaRef {
    schema(vec![
        Field::new("date", DataType::Date32, false),
        Field::new("start_time", timestamp(), true),
        text("trace_id"),
        text("span_id"),
        Field::new("signal", DataType::Utf8, false),
        text("event_key"),
        text("tenant"),
        text("service_name"),
        text("scope_name"),
        text("name"),
        text("convention"),
        Field::new("role", DataType::Utf8, false),
        text("request_model"),
        text("response_model"),
        text("response_id"),
        // aggregate, wrapper_of, duplicate_signal, redelivered, failed_no_usage, cache_hit, free_operation, ...
        Field::new("reason", DataType::Utf8, false),
        text("stands_trace_id"),
        text("stands_span_id"),
        text("stands_event_key"),
        // The record's own totals, for audit.
        bigint("input_tokens"),
        bigint("output_tokens"),
        // What an aggregate reports beyond what its leaves explain: shown, never billed.
        bigint("gap_input_tokens"),
        bigint("gap_output_tokens"),
        Field::new("reported_cost_usd", money(), true),
    ])
}
