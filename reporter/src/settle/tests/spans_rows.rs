//! Records as rows of `spans`, as a collector would write them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, BooleanArray, Decimal128Array, RecordBatch};
use marginlake_lake::Table;
use marginlake_lake::schema::{MONEY_PRECISION, MONEY_SCALE};

use crate::settle::encode::{
    attribution_sources, common, cost_lines, count_map, counts, flags, floats, strings, text_map, texts, times,
};
use crate::settle::record::{Kind, Record};

pub(super) fn batch(records: &[Record]) -> RecordBatch {
    let all = || records.iter();
    let schema = Table::Spans.schema();
    let column = |name: &str| -> ArrayRef {
        match name {
            "trace_id" => bytes(all().map(|record| record.trace_id.as_ref().map(|id| &id[..]))),
            "span_id" => bytes(all().map(|record| record.span_id.as_ref().map(|id| &id[..]))),
            "parent_span_id" => bytes(all().map(|record| record.parent_span_id.as_ref().map(|id| &id[..]))),
            "start_time_unix_nano" => counts(all().map(|record| record.start_nano)),
            "end_time_unix_nano" => counts(all().map(|record| record.end_nano)),
            "priced_at_unix_nano" => counts(all().map(|record| record.priced_at_nano)),
            "start_nano" | "end_nano" => counts(all().map(|_| None)),
            "receipt_rates" | "receipt_quantities" => strings(all().map(|_| None)),
            "received_at" => times(all().map(|_| Some(1))),
            "scope_version" => strings(all().map(|record| record.scope_version.as_deref())),
            "kind" => strings(all().map(|record| Some(kind(record.kind)))),
            "status" => strings(all().map(|record| Some(if record.status_error { "error" } else { "unset" }))),
            "error_type" => strings(all().map(|record| record.error_type.as_deref())),
            "operation" => strings(all().map(|record| record.operation.as_deref())),
            "provider" => strings(all().map(|record| record.provider.as_deref())),
            "server_address" => strings(all().map(|record| record.server_address.as_deref())),
            "run_id" => strings(all().map(|record| record.run_id.as_deref())),
            "streaming" => Arc::new(BooleanArray::from_iter(all().map(|record| record.streaming))),
            "finish_reasons" => texts(all().map(|record| record.finish_reasons.as_deref())),
            "time_to_first_token_ms" => floats(all().map(|record| record.time_to_first_token_ms.map(|ms| ms.0))),
            "attribution_source" => attribution_sources(all()),
            "usage" => count_map(all().map(|record| record.usage.as_ref())),
            "usage_raw" => text_map(all().map(|_| None)),
            "price_context" => text_map(all().map(|record| record.price_context.as_ref())),
            "tags" => text_map(all().map(|record| record.tags.as_ref())),
            "usage_status" => strings(all().map(|record| record.usage_status.as_deref())),
            "price_status" => strings(all().map(|record| record.price.status.as_deref())),
            "list_cost_usd" => money(all().map(|record| record.price.list_cost_usd)),
            "cost_usd" => money(all().map(|record| record.price.cost_usd)),
            "cost_source" => strings(all().map(|record| record.price.cost_source.as_deref())),
            "reported_cost_kind" => strings(all().map(|record| record.reported_cost_kind.as_deref())),
            "cost_lines" => cost_lines(all().map(|record| record.price.cost_lines.as_deref())),
            "price_id" => strings(all().map(|record| record.price.price_id.as_deref())),
            "catalogue_hash" => strings(all().map(|record| record.price.catalogue_hash.as_deref())),
            "flags" => flags(all()),
            _ => common(name, &all).unwrap_or_else(|error| panic!("{name}: {error}")),
        }
    };
    let columns = schema.fields().iter().map(|field| column(field.name())).collect();
    RecordBatch::try_new(schema.clone(), columns).unwrap()
}

fn bytes<'a>(values: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
    Arc::new(BinaryArray::from_iter(values))
}

fn money(values: impl Iterator<Item = Option<i128>>) -> ArrayRef {
    let array: Decimal128Array = values.collect();
    Arc::new(array.with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE).unwrap())
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Internal => "internal",
        Kind::Server => "server",
        Kind::Client => "client",
        Kind::Producer => "producer",
        Kind::Consumer => "consumer",
    }
}
