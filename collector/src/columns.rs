//! The last stage: priced records as columns of `spans`. Order and types are those of `marginlake_lake::schema::spans`.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, ListBuilder,
    MapBuilder, MapFieldNames, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use marginlake_lake::receipt::compact;
use marginlake_lake::schema::{BUCKETS, MONEY_PRECISION, MONEY_SCALE};
use marginlake_lake::{ReceiptBuilder, ReceiptLine, Table};
use marginlake_pricing::Line;

/// One row of `spans`, borrowed from the stages before.
#[derive(Debug, Default)]
pub(crate) struct Row<'a> {
    /// Days since the epoch.
    pub(crate) date: i32,
    pub(crate) signal: &'static str,
    pub(crate) trace_id: Option<&'a [u8]>,
    pub(crate) span_id: Option<&'a [u8]>,
    pub(crate) parent_span_id: Option<&'a [u8]>,
    pub(crate) event_key: Option<&'a str>,
    pub(crate) start_unix_nano: Option<i64>,
    pub(crate) end_unix_nano: Option<i64>,
    pub(crate) priced_at_unix_nano: i64,
    pub(crate) received_at_unix_nano: i64,
    pub(crate) tenant: Option<&'a str>,
    pub(crate) service_name: Option<&'a str>,
    pub(crate) scope_name: Option<&'a str>,
    pub(crate) scope_version: Option<&'a str>,
    pub(crate) name: Option<&'a str>,
    pub(crate) kind: Option<&'static str>,
    pub(crate) status: Option<&'static str>,
    pub(crate) error_type: Option<&'a str>,
    pub(crate) role: &'static str,
    pub(crate) convention: &'static str,
    pub(crate) operation: Option<&'a str>,
    pub(crate) provider: Option<&'a str>,
    pub(crate) request_model: Option<&'a str>,
    pub(crate) response_model: Option<&'a str>,
    pub(crate) response_id: Option<&'a str>,
    pub(crate) server_address: Option<&'a str>,
    pub(crate) run_id: Option<&'a str>,
    pub(crate) streaming: Option<bool>,
    pub(crate) finish_reasons: Vec<&'a str>,
    pub(crate) time_to_first_token_ms: Option<f64>,
    /// Column, value, source.
    pub(crate) attribution: Vec<(&'static str, &'a str, String)>,
    pub(crate) buckets: [Option<i64>; BUCKETS.len()],
    pub(crate) usage: Vec<(&'a str, i64)>,
    pub(crate) usage_raw: Vec<(String, String)>,
    pub(crate) price_context: Vec<(&'a str, &'a str)>,
    pub(crate) usage_status: Option<&'static str>,
    pub(crate) price_status: Option<&'static str>,
    pub(crate) list_cost: Option<i128>,
    pub(crate) cost: Option<i128>,
    pub(crate) cost_source: Option<&'static str>,
    pub(crate) reported_cost: Option<i128>,
    pub(crate) reported_cost_kind: Option<&'static str>,
    pub(crate) cost_lines: &'a [Line],
    pub(crate) price_id: Option<&'a str>,
    pub(crate) catalogue_hash: Option<&'a str>,
    pub(crate) flags: Vec<&'a str>,
    pub(crate) tags: Vec<(&'a str, &'a str)>,
}

/// The finished rows of some requests.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    /// Rows that carry usage of a call.
    pub(crate) calls: u64,
    /// Rows with usage keys that no rule took.
    pub(crate) unrecognised: u64,
}

/// Attribution columns in schema order, `environment` apart.
const ATTRIBUTED: [&str; 8] = [
    "customer_id",
    "user_id",
    "conversation_id",
    "feature",
    "task_id",
    "agent_name",
    "prompt_name",
    "prompt_version",
];

/// Builders for every column.
pub(crate) struct Columns {
    schema: SchemaRef,
    date: Date32Builder,
    signal: StringBuilder,
    ids: [BinaryBuilder; 3],
    event_key: StringBuilder,
    times: [TimestampMicrosecondBuilder; 2],
    /// start_time_unix_nano and end_time_unix_nano, which older collectors wrote, and priced_at_unix_nano.
    nanos: [Int64Builder; 3],
    received_at: TimestampMicrosecondBuilder,
    /// tenant, service_name, environment, scope_name, scope_version, name, kind, status, error_type, role, convention,
    /// operation, provider, request_model, response_model, response_id, server_address, run_id.
    texts: [StringBuilder; 18],
    streaming: BooleanBuilder,
    finish_reasons: ListBuilder<StringBuilder>,
    time_to_first_token_ms: Float64Builder,
    attributed: [StringBuilder; ATTRIBUTED.len()],
    attribution_source: MapBuilder<StringBuilder, StringBuilder>,
    buckets: [Int64Builder; BUCKETS.len()],
    usage: MapBuilder<StringBuilder, Int64Builder>,
    usage_raw: MapBuilder<StringBuilder, StringBuilder>,
    price_context: MapBuilder<StringBuilder, StringBuilder>,
    usage_status: StringBuilder,
    price_status: StringBuilder,
    list_cost: Decimal128Builder,
    cost: Decimal128Builder,
    cost_source: StringBuilder,
    reported_cost: Decimal128Builder,
    reported_cost_kind: StringBuilder,
    cost_lines: ReceiptBuilder,
    price_id: StringBuilder,
    catalogue_hash: StringBuilder,
    flags: ListBuilder<StringBuilder>,
    tags: MapBuilder<StringBuilder, StringBuilder>,
    /// start_nano and end_nano.
    below_micros: [Int64Builder; 2],
    /// receipt_rates and receipt_quantities.
    receipt: [StringBuilder; 2],
    rates: String,
    quantities: String,
}

impl Columns {
    pub(crate) fn new() -> Self {
        let schema = Table::Spans.schema();
        Self {
            date: Date32Builder::new(),
            signal: StringBuilder::new(),
            ids: Default::default(),
            event_key: StringBuilder::new(),
            times: [timestamps(), timestamps()],
            nanos: Default::default(),
            received_at: timestamps(),
            texts: Default::default(),
            streaming: BooleanBuilder::new(),
            finish_reasons: texts(),
            time_to_first_token_ms: Float64Builder::new(),
            attributed: Default::default(),
            attribution_source: map(StringBuilder::new()),
            buckets: Default::default(),
            usage: map(Int64Builder::new()),
            usage_raw: map(StringBuilder::new()),
            price_context: map(StringBuilder::new()),
            usage_status: StringBuilder::new(),
            price_status: StringBuilder::new(),
            list_cost: money(),
            cost: money(),
            cost_source: StringBuilder::new(),
            reported_cost: money(),
            reported_cost_kind: StringBuilder::new(),
            cost_lines: ReceiptBuilder::default(),
            price_id: StringBuilder::new(),
            catalogue_hash: StringBuilder::new(),
            flags: texts(),
            tags: map(StringBuilder::new()),
            below_micros: Default::default(),
            receipt: Default::default(),
            rates: String::new(),
            quantities: String::new(),
            schema,
        }
    }

    pub(crate) fn push(&mut self, row: &Row<'_>) {
        self.date.append_value(row.date);
        self.signal.append_value(row.signal);
        for (builder, id) in self.ids.iter_mut().zip([row.trace_id, row.span_id, row.parent_span_id]) {
            builder.append_option(id);
        }
        self.event_key.append_option(row.event_key);
        for (builder, nanos) in self.times.iter_mut().zip([row.start_unix_nano, row.end_unix_nano]) {
            builder.append_option(nanos.map(micros));
        }
        let priced_at = Some(row.priced_at_unix_nano).filter(|at| row.start_unix_nano != Some(*at));
        for (builder, nanos) in self.nanos.iter_mut().zip([None, None, priced_at]) {
            builder.append_option(nanos);
        }
        for (builder, nanos) in self.below_micros.iter_mut().zip([row.start_unix_nano, row.end_unix_nano]) {
            builder.append_option(nanos.map(|nanos| nanos.rem_euclid(1_000)));
        }
        self.received_at.append_value(micros(row.received_at_unix_nano));
        let texts = [
            row.tenant,
            row.service_name,
            attributed(row, "environment"),
            row.scope_name,
            row.scope_version,
            row.name,
            row.kind,
            row.status,
            row.error_type,
            Some(row.role),
            Some(row.convention),
            row.operation,
            row.provider,
            row.request_model,
            row.response_model,
            row.response_id,
            row.server_address,
            row.run_id,
        ];
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        self.streaming.append_option(row.streaming);
        list(&mut self.finish_reasons, &row.finish_reasons);
        self.time_to_first_token_ms.append_option(row.time_to_first_token_ms);
        for (builder, column) in self.attributed.iter_mut().zip(ATTRIBUTED) {
            builder.append_option(attributed(row, column));
        }
        let sources = row.attribution.iter().map(|(column, _, source)| (*column, source.as_str()));
        text_map(&mut self.attribution_source, sources);
        for (builder, bucket) in self.buckets.iter_mut().zip(row.buckets) {
            builder.append_option(bucket);
        }
        for (key, count) in &row.usage {
            self.usage.keys().append_value(key);
            self.usage.values().append_value(*count);
        }
        end(&mut self.usage, row.usage.is_empty());
        text_map(
            &mut self.usage_raw,
            row.usage_raw.iter().map(|(key, text)| (key.as_str(), text.as_str())),
        );
        text_map(&mut self.price_context, row.price_context.iter().copied());
        self.usage_status.append_option(row.usage_status);
        self.price_status.append_option(row.price_status);
        self.list_cost.append_option(row.list_cost);
        self.cost.append_option(row.cost);
        self.cost_source.append_option(row.cost_source);
        self.reported_cost.append_option(row.reported_cost);
        self.reported_cost_kind.append_option(row.reported_cost_kind);
        self.receipt(row.cost_lines);
        self.price_id.append_option(row.price_id);
        self.catalogue_hash.append_option(row.catalogue_hash);
        list(&mut self.flags, &row.flags);
        text_map(&mut self.tags, row.tags.iter().copied());
    }

    fn receipt(&mut self, lines: &[Line]) {
        let [rates, quantities] = &mut self.receipt;
        let is_compact = compact::write(lines.iter().map(receipt_line), &mut self.rates, &mut self.quantities);
        if lines.is_empty() || !is_compact {
            rates.append_null();
            quantities.append_null();
        } else {
            rates.append_value(&self.rates);
            quantities.append_value(&self.quantities);
        }
        self.cost_lines.append((!is_compact).then(|| lines.iter().map(receipt_line)));
    }

    /// The rows so far as one batch; the builders start anew.
    pub(crate) fn finish(&mut self) -> RecordBatch {
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.date.finish()), Arc::new(self.signal.finish())];
        columns.extend(self.ids.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.event_key.finish()));
        columns.extend(self.times.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.extend(self.nanos.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.received_at.finish()));
        columns.extend(self.texts.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.streaming.finish()));
        columns.push(Arc::new(self.finish_reasons.finish()));
        columns.push(Arc::new(self.time_to_first_token_ms.finish()));
        columns.extend(
            self.attributed
                .iter_mut()
                .map(|builder| Arc::new(builder.finish()) as ArrayRef),
        );
        columns.push(Arc::new(self.attribution_source.finish()));
        columns.extend(self.buckets.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        columns.push(Arc::new(self.usage.finish()));
        columns.push(Arc::new(self.usage_raw.finish()));
        columns.push(Arc::new(self.price_context.finish()));
        columns.push(Arc::new(self.usage_status.finish()));
        columns.push(Arc::new(self.price_status.finish()));
        columns.push(Arc::new(self.list_cost.finish()));
        columns.push(Arc::new(self.cost.finish()));
        columns.push(Arc::new(self.cost_source.finish()));
        columns.push(Arc::new(self.reported_cost.finish()));
        columns.push(Arc::new(self.reported_cost_kind.finish()));
        columns.push(Arc::new(self.cost_lines.finish()));
        columns.push(Arc::new(self.price_id.finish()));
        columns.push(Arc::new(self.catalogue_hash.finish()));
        columns.push(Arc::new(self.flags.finish()));
        columns.push(Arc::new(self.tags.finish()));
        columns.extend(
            self.below_micros
                .iter_mut()
                .map(|builder| Arc::new(builder.finish()) as ArrayRef),
        );
        columns.extend(self.receipt.iter_mut().map(|builder| Arc::new(builder.finish()) as ArrayRef));
        RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("the builders follow the schema: tested below")
    }
}

fn attributed<'a>(row: &Row<'a>, column: &str) -> Option<&'a str> {
    row.attribution
        .iter()
        .find(|(name, _, _)| *name == column)
        .map(|(_, value, _)| *value)
}

fn micros(nanos: i64) -> i64 {
    nanos.div_euclid(1_000)
}

fn timestamps() -> TimestampMicrosecondBuilder {
    TimestampMicrosecondBuilder::new().with_timezone("UTC")
}

fn money() -> Decimal128Builder {
    Decimal128Builder::new().with_data_type(DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE))
}

fn texts() -> ListBuilder<StringBuilder> {
    ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true))
}

fn list(builder: &mut ListBuilder<StringBuilder>, values: &[&str]) {
    for value in values {
        builder.values().append_value(value);
    }
    builder.append(!values.is_empty());
}

fn map<V: arrow::array::ArrayBuilder>(values: V) -> MapBuilder<StringBuilder, V> {
    let names = MapFieldNames {
        entry: "key_value".into(),
        key: "key".into(),
        value: "value".into(),
    };
    MapBuilder::new(Some(names), StringBuilder::new(), values)
}

fn text_map<'a>(builder: &mut MapBuilder<StringBuilder, StringBuilder>, entries: impl Iterator<Item = (&'a str, &'a str)>) {
    let mut empty = true;
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(value);
        empty = false;
    }
    end(builder, empty);
}

/// A map without entries is NULL: nothing was reported.
fn end<V: arrow::array::ArrayBuilder>(builder: &mut MapBuilder<StringBuilder, V>, empty: bool) {
    builder.append(!empty).expect("keys and values are appended together");
}

fn receipt_line(line: &Line) -> ReceiptLine<'_> {
    ReceiptLine {
        unit: Some(line.usage_key),
        quantity: Some(line.quantity.to_scale_12()),
        rate: Some(line.rate.to_scale_12()),
        per: Some(line.per),
        multiplier: Some(line.multiplier.to_scale_12()),
        amount: Some(line.amount.to_scale_18()),
        price_id: Some(&line.price_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builders_follow_the_schema() {
        let mut columns = Columns::new();
        columns.push(&Row {
            signal: "span",
            role: "other",
            convention: "generic",
            ..Row::default()
        });
        let full = Row {
            signal: "span",
            role: "llm",
            convention: "generic",
            trace_id: Some(&[1; 16]),
            usage: vec![("input_tokens", 1)],
            usage_raw: vec![("k".into(), "v".into())],
            price_context: vec![("speed", "fast")],
            flags: vec!["clock"],
            tags: vec![("team", "a")],
            attribution: vec![
                ("customer_id", "acme", "customer.id".into()),
                ("environment", "prod", "resource".into()),
            ],
            finish_reasons: vec!["stop"],
            cost: Some(5),
            ..Row::default()
        };
        columns.push(&full);
        let batch = columns.finish();
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(batch.schema(), Table::Spans.schema());
        assert_eq!(columns.finish().num_rows(), 0);
    }
}
