//! The last stage: priced records as columns of `spans`. Order and types are those of `marginlake_lake::schema::spans`.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    ArrayBuilder, ArrayRef, BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder,
    ListBuilder, MapBuilder, MapFieldNames, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field, SchemaRef};
use marginlake_lake::receipt::compact;
use marginlake_lake::schema::{BUCKETS, Dimension, MONEY_PRECISION, MONEY_SCALE};
use marginlake_lake::{ReceiptBuilder, ReceiptLine, Table};
use marginlake_pricing::Line;

use crate::normalise::Normalised;
use crate::price::Priced;
use crate::recognise::{Attribution, Flag, Recognised, Source, UsageAttribute};
use crate::record::{Identity, Origin};
use crate::wire::Value;

/// One row of `spans`, borrowed from the stages before.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'x, 'a> {
    pub(crate) origin: &'x Origin<'x>,
    pub(crate) identity: &'x Identity<'a>,
    pub(crate) normalised: &'x Normalised<'a>,
    pub(crate) priced: &'x Priced,
    /// The catalogue that was asked for the price.
    pub(crate) catalogue_hash: &'x str,
}

/// The finished rows of some requests.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) batch: RecordBatch,
    /// Rows that are calls.
    pub(crate) calls: u64,
    /// Rows with usage keys that no rule took.
    pub(crate) unrecognised: u64,
}

/// Attribution columns in schema order, `environment` apart.
const ATTRIBUTED: [Dimension; 8] = [
    Dimension::Customer,
    Dimension::User,
    Dimension::Conversation,
    Dimension::Feature,
    Dimension::Task,
    Dimension::Agent,
    Dimension::PromptName,
    Dimension::PromptVersion,
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
    rows: usize,
    calls: u64,
    unrecognised: u64,
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
            rows: 0,
            calls: 0,
            unrecognised: 0,
            schema,
        }
    }

    pub(crate) fn push(&mut self, row: &Row<'_, '_>) {
        let Row {
            origin,
            identity,
            normalised,
            priced,
            catalogue_hash,
        } = row;
        let (record, times) = (&normalised.record, &identity.times);
        self.rows += 1;
        self.calls += u64::from(record.role.is_leaf());
        self.unrecognised += u64::from(record.flags.has(Flag::UnrecognisedUsage));
        self.date.append_value(times.date);
        self.signal.append_value(record.signal.as_str());
        for (builder, id) in self
            .ids
            .iter_mut()
            .zip([identity.trace_id, identity.span_id, identity.parent_span_id])
        {
            builder.append_option(id);
        }
        self.event_key.append_option(record.event_key.as_deref());
        let instants = [times.start_unix_nano, times.end_unix_nano];
        for (builder, nanos) in self.times.iter_mut().zip(instants) {
            builder.append_option(nanos.map(micros));
        }
        for (builder, nanos) in self.below_micros.iter_mut().zip(instants) {
            builder.append_option(nanos.map(|nanos| nanos.rem_euclid(1_000)));
        }
        let priced_at = Some(times.priced_at_unix_nano).filter(|at| times.start_unix_nano != Some(*at));
        for (builder, nanos) in self.nanos.iter_mut().zip([None, None, priced_at]) {
            builder.append_option(nanos);
        }
        let received_at = i64::try_from(origin.received_at_unix_nano).unwrap_or(i64::MAX);
        self.received_at.append_value(micros(received_at));
        let texts = [
            origin.tenant,
            origin.service_name,
            attributed(record, Dimension::Environment),
            origin.scope_name,
            origin.scope_version,
            identity.name,
            identity.kind,
            identity.status.or(record.failed.then_some("error")),
            record.error_type.as_deref(),
            Some(record.role.as_str()),
            Some(record.convention()),
            record.operation,
            record.provider.as_deref(),
            record.request_model.as_deref(),
            record.response_model.as_deref(),
            record.response_id.as_deref(),
            record.server_address,
            record.run_id.as_deref(),
        ];
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        self.streaming.append_option(record.streaming);
        list(&mut self.finish_reasons, record.finish_reasons.iter().map(AsRef::as_ref));
        self.time_to_first_token_ms.append_option(record.time_to_first_token_ms);
        for (builder, dimension) in self.attributed.iter_mut().zip(ATTRIBUTED) {
            builder.append_option(attributed(record, dimension));
        }
        self.push_attribution_source(&record.attribution);
        for (builder, (_, bucket)) in self.buckets.iter_mut().zip(normalised.buckets.named()) {
            builder.append_option(bucket);
        }
        for (key, count) in normalised.usage.iter() {
            self.usage.keys().append_value(key);
            self.usage.values().append_value(count);
        }
        end(&mut self.usage, normalised.usage.is_empty());
        self.push_usage_raw(&record.usage_raw);
        text_map(
            &mut self.price_context,
            record.price_context.iter().map(|(name, value)| (name, value)),
        );
        self.usage_status
            .append_option(normalised.usage_status.map(|status| status.as_str()));
        self.price_status.append_option(priced.status);
        self.list_cost.append_option(priced.list_cost);
        self.cost.append_option(priced.cost);
        self.cost_source.append_option(priced.cost_source);
        self.reported_cost
            .append_option(record.reported_cost.map(|cost| cost.usd_e12));
        self.reported_cost_kind
            .append_option(record.reported_cost.map(|cost| cost.kind.as_str()));
        self.receipt(&priced.lines);
        self.price_id.append_option(priced.price_id.as_deref());
        self.catalogue_hash.append_option(priced.asked.then_some(catalogue_hash));
        list(
            &mut self.flags,
            record.flags.iter().chain(times.impossible.then_some("clock")),
        );
        text_map(&mut self.tags, record.tags.iter().map(|(key, value)| (key, value)));
    }

    fn push_attribution_source(&mut self, attribution: &Attribution<'_>) {
        let builder = &mut self.attribution_source;
        let mut empty = true;
        for (dimension, found) in attribution.iter() {
            builder.keys().append_value(dimension.column());
            match found.source {
                Source::Attribute(key) => builder.values().append_value(key),
                Source::Resource(key) => {
                    // A builder of texts takes whatever it is given.
                    let _ = builder
                        .values()
                        .write_str("resource:")
                        .and_then(|()| builder.values().write_str(key));
                    builder.values().append_value("");
                }
                ref source => {
                    let _ = write!(builder.values(), "{source}");
                    builder.values().append_value("");
                }
            }
            empty = false;
        }
        end(builder, empty);
    }

    fn push_usage_raw(&mut self, attributes: &[UsageAttribute<'_>]) {
        let builder = &mut self.usage_raw;
        for raw in attributes {
            builder.keys().append_value(raw.name());
            match raw.value {
                // By far the most.
                Value::Int(number) => builder.values().append_value(decimal(number, &mut [0; 20])),
                _ => builder.values().append_value(raw.text()),
            }
        }
        end(builder, attributes.is_empty());
    }

    /// Rows since the last [`Columns::finish`].
    pub(crate) fn rows(&self) -> usize {
        self.rows
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
    pub(crate) fn finish(&mut self) -> Rows {
        self.rows = 0;
        Rows {
            batch: self.batch(),
            calls: std::mem::take(&mut self.calls),
            unrecognised: std::mem::take(&mut self.unrecognised),
        }
    }

    fn batch(&mut self) -> RecordBatch {
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

fn attributed<'x>(record: &'x Recognised<'_>, dimension: Dimension) -> Option<&'x str> {
    record.attribution.get(dimension).map(|found| &*found.value)
}

/// The digits of a number, without the machinery that formats anything.
fn decimal(number: i64, digits: &mut [u8; 20]) -> &str {
    let mut rest = number.unsigned_abs();
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        start -= 1;
        digits[start] = b'-';
    }
    std::str::from_utf8(&digits[start..]).expect("digits are text")
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

fn list<'a>(builder: &mut ListBuilder<StringBuilder>, values: impl Iterator<Item = &'a str>) {
    let before = builder.values().len();
    values.for_each(|value| builder.values().append_value(value));
    builder.append(builder.values_ref().len() > before);
}

fn map<V: ArrayBuilder>(values: V) -> MapBuilder<StringBuilder, V> {
    let names = MapFieldNames {
        entry: "key_value".into(),
        key: "key".into(),
        value: "value".into(),
    };
    MapBuilder::new(Some(names), StringBuilder::new(), values)
}

fn text_map(
    builder: &mut MapBuilder<StringBuilder, StringBuilder>,
    entries: impl ExactSizeIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) {
    let empty = entries.len() == 0;
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(value);
    }
    end(builder, empty);
}

/// A map without entries is NULL: nothing was reported.
fn end<V: ArrayBuilder>(builder: &mut MapBuilder<StringBuilder, V>, empty: bool) {
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
    use crate::recognise::{AttributionConfig, Recogniser, ScopeContext};
    use crate::record::Record;
    use crate::wire::Attributes;
    use crate::wire::traces::Span;

    #[test]
    fn numbers_are_written_as_they_always_are() {
        for number in [0, 7, -7, 10, 1_234_567_890, i64::MAX, i64::MIN] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string());
        }
    }

    #[test]
    fn the_builders_follow_the_schema() {
        let recogniser = Recogniser::new(&AttributionConfig::default());
        let scope = ScopeContext::new(&recogniser, Attributes(&[]), "", "");
        let mut columns = Columns::new();
        for trace_id in [[1; 16], [2; 16]] {
            let mut span = Span::default();
            (span.trace_id, span.span_id) = (&trace_id, &[3; 8]);
            columns.push(&Row {
                origin: &Origin::default(),
                identity: &span.identity(5),
                normalised: &span.normalised(&scope).expect("a span gives a row"),
                priced: &Priced::default(),
                catalogue_hash: "",
            });
        }
        assert_eq!(columns.rows(), 2);
        let batch = columns.finish().batch;
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(batch.schema(), Table::Spans.schema());
        assert_eq!(columns.finish().batch.num_rows(), 0);
    }
}
