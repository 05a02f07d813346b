//! The last stage: priced records as columns of `spans`. Order and types are those of `marginlake_lake::schema::spans`.

mod sparse;

use std::fmt::Write;
use std::ops::AddAssign;
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

use self::sparse::{Builder, Sparse};
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
    pub(crate) counts: Counts,
}

/// What the collector tells of its rows: how many are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Rows that are calls.
    pub(crate) calls: u64,
    /// Rows with usage keys that no rule took.
    pub(crate) unrecognised: u64,
    /// Rows of records with a value that was too long to be read.
    pub(crate) too_long: u64,
}

impl Counts {
    fn count(&mut self, record: &Recognised<'_>) {
        let has = |flag| u64::from(record.flags.has(flag));
        self.calls += u64::from(record.role.is_leaf());
        self.unrecognised += has(Flag::UnrecognisedUsage);
        self.too_long += has(Flag::ValueTooLong) | has(Flag::PayloadTooLarge);
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.unrecognised += other.unrecognised;
        self.too_long += other.too_long;
    }
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

type Texts = Sparse<StringBuilder>;
type TextMap = Sparse<MapBuilder<StringBuilder, StringBuilder>>;

/// Builders for every column.
pub(crate) struct Columns {
    schema: SchemaRef,
    date: Sparse<Date32Builder>,
    signal: Texts,
    ids: [Sparse<BinaryBuilder>; 3],
    event_key: Texts,
    times: [Sparse<TimestampMicrosecondBuilder>; 2],
    /// start_time_unix_nano and end_time_unix_nano, which older collectors wrote, and priced_at_unix_nano.
    nanos: [Sparse<Int64Builder>; 3],
    received_at: Sparse<TimestampMicrosecondBuilder>,
    /// tenant, service_name, environment, scope_name, scope_version, name, kind, status, error_type, role, convention,
    /// operation, provider, request_model, response_model, response_id, server_address, run_id.
    texts: [Texts; 18],
    streaming: Sparse<BooleanBuilder>,
    finish_reasons: Sparse<ListBuilder<StringBuilder>>,
    time_to_first_token_ms: Sparse<Float64Builder>,
    attributed: [Texts; ATTRIBUTED.len()],
    attribution_source: TextMap,
    buckets: [Sparse<Int64Builder>; BUCKETS.len()],
    usage: Sparse<MapBuilder<StringBuilder, Int64Builder>>,
    usage_raw: TextMap,
    price_context: TextMap,
    usage_status: Texts,
    price_status: Texts,
    list_cost: Sparse<Decimal128Builder>,
    cost: Sparse<Decimal128Builder>,
    cost_source: Texts,
    reported_cost: Sparse<Decimal128Builder>,
    reported_cost_kind: Texts,
    cost_lines: Sparse<ReceiptBuilder>,
    price_id: Texts,
    catalogue_hash: Texts,
    flags: Sparse<ListBuilder<StringBuilder>>,
    tags: TextMap,
    /// start_nano and end_nano.
    below_micros: [Sparse<Int64Builder>; 2],
    /// receipt_rates and receipt_quantities.
    receipt: [Texts; 2],
    receipts: compact::Writer,
    rows: usize,
    counts: Counts,
}

impl Columns {
    pub(crate) fn new() -> Self {
        Self {
            schema: Table::Spans.schema(),
            date: Sparse::default(),
            signal: Sparse::default(),
            ids: Default::default(),
            event_key: Sparse::default(),
            times: [timestamps(), timestamps()],
            nanos: Default::default(),
            received_at: timestamps(),
            texts: Default::default(),
            streaming: Sparse::default(),
            finish_reasons: texts(),
            time_to_first_token_ms: Sparse::default(),
            attributed: Default::default(),
            attribution_source: map(StringBuilder::new()),
            buckets: Default::default(),
            usage: map(Int64Builder::new()),
            usage_raw: map(StringBuilder::new()),
            price_context: map(StringBuilder::new()),
            usage_status: Sparse::default(),
            price_status: Sparse::default(),
            list_cost: money(),
            cost: money(),
            cost_source: Sparse::default(),
            reported_cost: money(),
            reported_cost_kind: Sparse::default(),
            cost_lines: Sparse::default(),
            price_id: Sparse::default(),
            catalogue_hash: Sparse::default(),
            flags: texts(),
            tags: map(StringBuilder::new()),
            below_micros: Default::default(),
            receipt: Default::default(),
            receipts: compact::Writer::default(),
            rows: 0,
            counts: Counts::default(),
        }
    }

    pub(crate) fn push(&mut self, row: &Row<'_, '_>) {
        let at = self.rows;
        self.rows += 1;
        self.push_record(at, row);
        self.push_attribution(at, &row.normalised.record);
        self.push_usage(at, row.normalised);
        self.push_price(at, row.normalised, row.priced, row.catalogue_hash);
    }

    fn push_record(&mut self, at: usize, row: &Row<'_, '_>) {
        let Row { origin, identity, .. } = row;
        let (record, times) = (&row.normalised.record, &identity.times);
        self.counts.count(record);
        self.date.at(at).append_value(times.date);
        self.signal.at(at).append_value(record.signal.as_str());
        let ids = [identity.trace_id, identity.span_id, identity.parent_span_id];
        for (column, id) in self.ids.iter_mut().zip(ids) {
            if let Some(id) = id {
                column.at(at).append_value(id);
            }
        }
        put(&mut self.event_key, at, record.event_key.as_deref());
        let instants = [times.start_unix_nano, times.end_unix_nano];
        for ((micros, below), nanos) in self.times.iter_mut().zip(&mut self.below_micros).zip(instants) {
            if let Some(nanos) = nanos {
                micros.at(at).append_value(nanos.div_euclid(1_000));
                below.at(at).append_value(nanos.rem_euclid(1_000));
            }
        }
        if times.start_unix_nano != Some(times.priced_at_unix_nano) {
            self.nanos[2].at(at).append_value(times.priced_at_unix_nano);
        }
        let received_at = i64::try_from(origin.received_at_unix_nano).unwrap_or(i64::MAX);
        self.received_at.at(at).append_value(received_at.div_euclid(1_000));
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
        for (column, text) in self.texts.iter_mut().zip(texts) {
            put(column, at, text);
        }
        if let Some(streaming) = record.streaming {
            self.streaming.at(at).append_value(streaming);
        }
        list(&mut self.finish_reasons, at, record.finish_reasons.iter().map(AsRef::as_ref));
        if let Some(millis) = record.time_to_first_token_ms {
            self.time_to_first_token_ms.at(at).append_value(millis);
        }
        list(
            &mut self.flags,
            at,
            record.flags.iter().chain(times.impossible.then_some("clock")),
        );
        text_map(&mut self.tags, at, record.tags.iter().map(|(key, value)| (*key, &**value)));
    }

    fn push_attribution(&mut self, at: usize, record: &Recognised<'_>) {
        for (column, dimension) in self.attributed.iter_mut().zip(ATTRIBUTED) {
            put(column, at, attributed(record, dimension));
        }
        if !record.attribution.is_empty() {
            push_sources(self.attribution_source.at(at), &record.attribution);
        }
    }

    fn push_usage(&mut self, at: usize, normalised: &Normalised<'_>) {
        let record = &normalised.record;
        // Without a status there is no usage at all.
        if normalised.usage_status.is_some() {
            for (column, (_, bucket)) in self.buckets.iter_mut().zip(normalised.buckets.named()) {
                if let Some(count) = bucket {
                    column.at(at).append_value(count);
                }
            }
        }
        if !normalised.usage.is_empty() {
            let usage = self.usage.at(at);
            for (key, count) in normalised.usage.iter() {
                usage.keys().append_value(key);
                usage.values().append_value(count);
            }
            end(usage);
        }
        if !record.usage_raw.is_empty() {
            push_raw(self.usage_raw.at(at), &record.usage_raw);
        }
        let facts = record.price_context.iter().map(|(name, value)| (*name, &**value));
        text_map(&mut self.price_context, at, facts);
        put(
            &mut self.usage_status,
            at,
            normalised.usage_status.map(|status| status.as_str()),
        );
    }

    fn push_price(&mut self, at: usize, normalised: &Normalised<'_>, priced: &Priced, catalogue_hash: &str) {
        put(&mut self.price_status, at, priced.status);
        let reported = normalised.record.reported_cost;
        let money = [
            (&mut self.list_cost, priced.list_cost),
            (&mut self.cost, priced.cost),
            (&mut self.reported_cost, reported.map(|cost| cost.usd_e12)),
        ];
        for (column, amount) in money {
            if let Some(amount) = amount {
                column.at(at).append_value(amount);
            }
        }
        put(&mut self.cost_source, at, priced.cost_source);
        put(&mut self.reported_cost_kind, at, reported.map(|cost| cost.kind.as_str()));
        put(&mut self.price_id, at, priced.price_id.as_deref());
        put(&mut self.catalogue_hash, at, priced.asked.then_some(catalogue_hash));
        if priced.lines.is_empty() {
            return;
        }
        let lines: Vec<_> = priced.lines.iter().map(receipt_line).collect();
        match self.receipts.write(&lines) {
            Some((rates, quantities)) => {
                self.receipt[0].at(at).append_value(rates);
                self.receipt[1].at(at).append_value(quantities);
            }
            None => self.cost_lines.at(at).append(Some(lines)),
        }
    }

    /// Rows since the last [`Columns::finish`].
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows so far as one batch; the builders start anew.
    pub(crate) fn finish(&mut self) -> Rows {
        Rows {
            batch: self.batch(),
            counts: std::mem::take(&mut self.counts),
        }
    }

    fn batch(&mut self) -> RecordBatch {
        let rows = std::mem::take(&mut self.rows);
        let mut columns: Vec<ArrayRef> = vec![self.date.finish(rows), self.signal.finish(rows)];
        all(&mut self.ids, rows, &mut columns);
        columns.push(self.event_key.finish(rows));
        all(&mut self.times, rows, &mut columns);
        all(&mut self.nanos, rows, &mut columns);
        columns.push(self.received_at.finish(rows));
        all(&mut self.texts, rows, &mut columns);
        columns.push(self.streaming.finish(rows));
        columns.push(self.finish_reasons.finish(rows));
        columns.push(self.time_to_first_token_ms.finish(rows));
        all(&mut self.attributed, rows, &mut columns);
        columns.push(self.attribution_source.finish(rows));
        all(&mut self.buckets, rows, &mut columns);
        columns.push(self.usage.finish(rows));
        columns.push(self.usage_raw.finish(rows));
        columns.push(self.price_context.finish(rows));
        columns.push(self.usage_status.finish(rows));
        columns.push(self.price_status.finish(rows));
        columns.push(self.list_cost.finish(rows));
        columns.push(self.cost.finish(rows));
        columns.push(self.cost_source.finish(rows));
        columns.push(self.reported_cost.finish(rows));
        columns.push(self.reported_cost_kind.finish(rows));
        columns.push(self.cost_lines.finish(rows));
        columns.push(self.price_id.finish(rows));
        columns.push(self.catalogue_hash.finish(rows));
        columns.push(self.flags.finish(rows));
        columns.push(self.tags.finish(rows));
        all(&mut self.below_micros, rows, &mut columns);
        all(&mut self.receipt, rows, &mut columns);
        RecordBatch::try_new(Arc::clone(&self.schema), columns).expect("the builders follow the schema: tested below")
    }
}

fn all<B: Builder>(from: &mut [Sparse<B>], rows: usize, into: &mut Vec<ArrayRef>) {
    into.extend(from.iter_mut().map(|column| column.finish(rows)));
}

#[inline]
fn put(column: &mut Texts, at: usize, text: Option<&str>) {
    if let Some(text) = text {
        column.at(at).append_value(text);
    }
}

fn push_sources(builder: &mut MapBuilder<StringBuilder, StringBuilder>, attribution: &Attribution<'_>) {
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
    }
    end(builder);
}

fn push_raw(builder: &mut MapBuilder<StringBuilder, StringBuilder>, attributes: &[UsageAttribute<'_>]) {
    for raw in attributes {
        builder.keys().append_value(raw.name());
        match raw.value {
            // By far the most.
            Value::Int(number) => builder.values().append_value(itoa::Buffer::new().format(number)),
            _ => builder.values().append_value(raw.text()),
        }
    }
    end(builder);
}

fn attributed<'x>(record: &'x Recognised<'_>, dimension: Dimension) -> Option<&'x str> {
    record.attribution.get(dimension).map(|found| &*found.value)
}

fn timestamps() -> Sparse<TimestampMicrosecondBuilder> {
    Sparse::new(TimestampMicrosecondBuilder::new().with_timezone("UTC"))
}

fn money() -> Sparse<Decimal128Builder> {
    Sparse::new(Decimal128Builder::new().with_data_type(DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE)))
}

fn texts() -> Sparse<ListBuilder<StringBuilder>> {
    let element = Field::new("element", DataType::Utf8, true);
    Sparse::new(ListBuilder::new(StringBuilder::new()).with_field(element))
}

/// A list without elements is NULL.
fn list<'a>(column: &mut Sparse<ListBuilder<StringBuilder>>, at: usize, values: impl Iterator<Item = &'a str>) {
    let mut values = values.peekable();
    if values.peek().is_some() {
        let builder = column.at(at);
        values.for_each(|value| builder.values().append_value(value));
        builder.append(true);
    }
}

fn map<V: ArrayBuilder>(values: V) -> Sparse<MapBuilder<StringBuilder, V>> {
    let names = MapFieldNames {
        entry: "key_value".into(),
        key: "key".into(),
        value: "value".into(),
    };
    Sparse::new(MapBuilder::new(Some(names), StringBuilder::new(), values))
}

/// A map without entries is NULL: nothing was reported.
fn text_map<'x>(column: &mut TextMap, at: usize, entries: impl ExactSizeIterator<Item = (&'x str, &'x str)>) {
    if entries.len() == 0 {
        return;
    }
    let builder = column.at(at);
    for (key, value) in entries {
        builder.keys().append_value(key);
        builder.values().append_value(value);
    }
    end(builder);
}

/// Ends the entries of a row.
fn end<V: ArrayBuilder>(builder: &mut MapBuilder<StringBuilder, V>) {
    builder.append(true).expect("keys and values are appended together");
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
                normalised: &scope.span(&span),
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
