//! `spans`: one row per received span of any kind, and per usage-carrying log record; append-only.
//!
//! The collector never deduplicates: a redelivered span is two rows here and one row of `calls`.
//!
//! What follows from other columns is not written a second time: these are most of the bytes of a lake. `calls` and the
//! SQL session show times in nanoseconds and receipts whole.

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::calls::bucket_fields;
use super::{bigint, cost_lines, map, money, schema, text, texts, timestamp};

/// Columns of `spans`. Ids are raw bytes (16 and 8); the SQL session shows them as lower-case hex.
pub fn spans() -> SchemaRef {
    let mut fields = vec![
        // UTC day of the end; of the receipt where the times are impossible (`flags` has `clock`).
        Field::new("date", DataType::Date32, false),
        // `span` or `log`: see [`super::Signal`].
        Field::new("signal", DataType::Utf8, false),
        Field::new("trace_id", DataType::Binary, true),
        Field::new("span_id", DataType::Binary, true),
        Field::new("parent_span_id", DataType::Binary, true),
        // Logs only: what identifies the event beside its trace and span (event name, request id, sequence).
        text("event_key"),
        Field::new("start_time", timestamp(), true),
        Field::new("end_time", timestamp(), true),
        // Rows of older collectors only; now `start_nano` and `end_nano`.
        bigint("start_time_unix_nano"),
        bigint("end_time_unix_nano"),
        // The instant that prices are chosen by, where it is not the start: the receipt, where the times are impossible.
        bigint("priced_at_unix_nano"),
        Field::new("received_at", timestamp(), false),
        text("tenant"),
        text("service_name"),
        text("environment"),
        text("scope_name"),
        text("scope_version"),
        text("name"),
        // internal, server, client, producer, consumer.
        text("kind"),
        // unset, ok, error.
        text("status"),
        text("error_type"),
        // What the record is: see [`super::Role`].
        Field::new("role", DataType::Utf8, false),
        // The emitter profile that read the record.
        text("convention"),
        text("operation"),
        text("provider"),
        text("request_model"),
        text("response_model"),
        text("response_id"),
        text("server_address"),
        // An id shared by records of one run (thread run, session request) where the emitter has one.
        text("run_id"),
        Field::new("streaming", DataType::Boolean, true),
        texts("finish_reasons"),
        Field::new("time_to_first_token_ms", DataType::Float64, true),
        text("customer_id"),
        text("user_id"),
        text("conversation_id"),
        text("feature"),
        text("task_id"),
        text("agent_name"),
        text("prompt_name"),
        text("prompt_version"),
        // Dimension -> the attribute it came from.
        map("attribution_source", DataType::Utf8),
    ];
    fields.extend(bucket_fields());
    fields.extend([
        // Inclusive counts in the keys of the price catalogue; what the buckets cannot say stands here too.
        map("usage", DataType::Int64),
        // The emitter's usage attributes as sent.
        map("usage_raw", DataType::Utf8),
        // Request facts that change rates: service_tier, processing, speed, region...
        map("price_context", DataType::Utf8),
        text("usage_status"),
        text("price_status"),
        Field::new("list_cost_usd", money(), true),
        Field::new("cost_usd", money(), true),
        text("cost_source"),
        Field::new("reported_cost_usd", money(), true),
        // charge (a provider's or gateway's price), estimate, aggregate.
        text("reported_cost_kind"),
        // Written where `receipt_rates` and `receipt_quantities` cannot say it.
        cost_lines(),
        text("price_id"),
        text("catalogue_hash"),
        texts("flags"),
        // Attributes that the configuration keeps.
        map("tags", DataType::Utf8),
        // Nanoseconds of `start_time` and `end_time` beyond the microsecond, 0 to 999.
        bigint("start_nano"),
        bigint("end_nano"),
        // The receipt in two texts (`crate::receipt`): the rates repeat from row to row, the quantities do not.
        text("receipt_rates"),
        text("receipt_quantities"),
    ]);
    schema(fields)
}
