//! Arrow rows of `spans` (and of `calls`, which has the same columns) into [`Record`]s.
//!
//! Reads whatever columns a batch has: a column that was not asked for is NULL. Values of a type that the table does
//! not have are an error, not a guess.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, ListArray,
    MapArray, PrimitiveArray, RecordBatch, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Field, Float64Type, Int64Type, SchemaRef, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use marginlake_lake::receipt::compact;
use marginlake_lake::schema::BUCKETS;
use marginlake_lake::{ReceiptLine, Table};

use super::record::{Attributed, CostLine, Dimension, Kind, Millis, Pairs, Price, Record, Signal, Text};
use marginlake_lake::schema::Role;

/// Decodes batches; keeps the strings that repeat from row to row once.
pub struct Decoder {
    schema: SchemaRef,
    known: HashSet<Text>,
}

/// Repeating strings are few; a sender that makes them many gets them unshared.
const MOST_KNOWN: usize = 65_536;

impl Default for Decoder {
    fn default() -> Self {
        Decoder {
            schema: Table::Spans.schema(),
            known: HashSet::new(),
        }
    }
}

impl Decoder {
    /// All rows of `batch` in their order.
    pub fn decode(&mut self, batch: &RecordBatch) -> Result<Vec<Record>, ArrowError> {
        let columns = Columns::new(batch, &self.schema)?;
        Ok((0..batch.num_rows()).map(|row| self.row(&columns, row)).collect())
    }

    fn text(&mut self, value: &str) -> Text {
        if let Some(known) = self.known.get(value) {
            return Arc::clone(known);
        }
        let text: Text = value.into();
        if self.known.len() < MOST_KNOWN {
            self.known.insert(Arc::clone(&text));
        }
        text
    }

    fn shared(&mut self, column: &Option<StringArray>, row: usize) -> Option<Text> {
        let value = str_at(column, row)?;
        Some(self.text(value))
    }

    fn row(&mut self, columns: &Columns, row: usize) -> Record {
        let signal = str_at(&columns.signal, row).and_then(Signal::known).unwrap_or(Signal::Span);
        let kind = match str_at(&columns.kind, row) {
            Some("server") => Kind::Server,
            Some("client") => Kind::Client,
            Some("producer") => Kind::Producer,
            Some("consumer") => Kind::Consumer,
            _ => Kind::Internal,
        };
        let sources = self.pairs(&columns.attribution_source, row);
        let mut attribution: [Option<Attributed>; 9] = Default::default();
        for (dimension, column) in Dimension::ALL.into_iter().zip(&columns.attribution) {
            // Conversations and tasks hardly repeat; the rest does.
            let Some(value) = str_at(column, row) else { continue };
            let value = match dimension {
                Dimension::Conversation | Dimension::Task => value.into(),
                _ => self.text(value),
            };
            let source = sources.iter().flatten().find(|(name, _)| &**name == dimension.column());
            let source = source
                .and_then(|(_, source)| source.clone())
                .unwrap_or_else(|| self.text(dimension.column()));
            attribution[dimension as usize] = Some(Attributed { value, source });
        }
        let start_nano = nanos(&columns.start_nano, &columns.start_time, &columns.start_below_micros, row);
        Record {
            tenant: self.shared(&columns.tenant, row),
            trace_id: id_at(&columns.trace_id, row),
            span_id: id_at(&columns.span_id, row),
            signal,
            event_key: str_at(&columns.event_key, row).map(Into::into),
            parent_span_id: id_at(&columns.parent_span_id, row),
            date: value_at(&columns.date, row).unwrap_or(0),
            start_time: value_at(&columns.start_time, row),
            end_time: value_at(&columns.end_time, row),
            start_nano,
            end_nano: nanos(&columns.end_nano, &columns.end_time, &columns.end_below_micros, row),
            priced_at_nano: value_at(&columns.priced_at_nano, row).or(start_nano),
            service_name: self.shared(&columns.service_name, row),
            scope_name: self.shared(&columns.scope_name, row),
            scope_version: self.shared(&columns.scope_version, row),
            name: self.shared(&columns.name, row),
            kind,
            status_error: str_at(&columns.status, row) == Some("error"),
            error_type: self.shared(&columns.error_type, row),
            role: str_at(&columns.role, row).map_or(Role::Other, Role::parse),
            convention: self.shared(&columns.convention, row),
            operation: self.shared(&columns.operation, row),
            provider: self.shared(&columns.provider, row),
            request_model: self.shared(&columns.request_model, row),
            response_model: self.shared(&columns.response_model, row),
            response_id: str_at(&columns.response_id, row).map(Into::into),
            server_address: self.shared(&columns.server_address, row),
            run_id: str_at(&columns.run_id, row).map(Into::into),
            streaming: columns
                .streaming
                .as_ref()
                .filter(|column| column.is_valid(row))
                .map(|column| column.value(row)),
            finish_reasons: self.texts(&columns.finish_reasons, row),
            time_to_first_token_ms: value_at(&columns.time_to_first_token_ms, row).map(Millis),
            attribution,
            buckets: std::array::from_fn(|bucket| value_at(&columns.buckets[bucket], row)),
            usage: self.counts(&columns.usage, row),
            price_context: self.pairs(&columns.price_context, row),
            usage_status: self.shared(&columns.usage_status, row),
            price: Price {
                status: self.shared(&columns.price_status, row),
                list_cost_usd: value_at(&columns.list_cost_usd, row),
                cost_usd: value_at(&columns.cost_usd, row),
                cost_source: self.shared(&columns.cost_source, row),
                cost_lines: self
                    .receipt(columns, row)
                    .or_else(|| self.cost_lines(&columns.cost_lines, row)),
                price_id: self.shared(&columns.price_id, row),
                catalogue_hash: self.shared(&columns.catalogue_hash, row),
            },
            reported_cost_usd: value_at(&columns.reported_cost_usd, row),
            reported_cost_kind: self.shared(&columns.reported_cost_kind, row),
            flags: self
                .texts(&columns.flags, row)
                .unwrap_or_default()
                .into_iter()
                .flatten()
                .collect(),
            tags: self.pairs(&columns.tags, row),
        }
    }

    fn texts(&mut self, column: &Option<ListArray>, row: usize) -> Option<Vec<Option<Text>>> {
        let list = column.as_ref().filter(|column| column.is_valid(row))?.value(row);
        let list = list.as_string::<i32>();
        Some(
            (0..list.len())
                .map(|at| list.is_valid(at).then(|| self.text(list.value(at))))
                .collect(),
        )
    }

    fn pairs(&mut self, column: &Option<MapArray>, row: usize) -> Option<Pairs<Text>> {
        let map = column.as_ref().filter(|column| column.is_valid(row))?.value(row);
        let (keys, values) = (map.column(0).as_string::<i32>(), map.column(1).as_string::<i32>());
        let entry = |at: usize| {
            (
                self.text(keys.value(at)),
                values.is_valid(at).then(|| values.value(at).into()),
            )
        };
        let mut pairs: Pairs<Text> = (0..map.len()).map(entry).collect();
        pairs.sort_unstable();
        Some(pairs)
    }

    fn counts(&mut self, column: &Option<MapArray>, row: usize) -> Option<Pairs<i64>> {
        let map = column.as_ref().filter(|column| column.is_valid(row))?.value(row);
        let (keys, values) = (map.column(0).as_string::<i32>(), map.column(1).as_primitive::<Int64Type>());
        let entry = |at: usize| (self.text(keys.value(at)), values.is_valid(at).then(|| values.value(at)));
        let mut pairs: Pairs<i64> = (0..map.len()).map(entry).collect();
        pairs.sort_unstable();
        Some(pairs)
    }

    /// The receipt in two texts, as collectors write it now.
    fn receipt(&mut self, columns: &Columns, row: usize) -> Option<Vec<CostLine>> {
        let rates = str_at(&columns.receipt_rates, row)?;
        let lines = compact::read(rates, str_at(&columns.receipt_quantities, row)?)?;
        let line = |line: ReceiptLine<'_>| CostLine {
            unit: line.unit.map(|unit| self.text(unit)),
            quantity: line.quantity,
            rate: line.rate,
            per: line.per,
            multiplier: line.multiplier,
            amount: line.amount,
            price_id: line.price_id.map(|id| self.text(id)),
        };
        Some(lines.into_iter().map(line).collect())
    }

    fn cost_lines(&mut self, column: &Option<ListArray>, row: usize) -> Option<Vec<CostLine>> {
        let lines = column.as_ref().filter(|column| column.is_valid(row))?.value(row);
        let lines: &StructArray = lines.as_struct();
        let text = |name: &str| lines.column_by_name(name).map(|column| column.as_string::<i32>().clone());
        let decimal = |name: &str| {
            lines
                .column_by_name(name)
                .map(|column| column.as_primitive::<Decimal128Type>().clone())
        };
        let per = lines
            .column_by_name("per")
            .map(|column| column.as_primitive::<Int64Type>().clone());
        let (unit, price_id) = (text("unit"), text("price_id"));
        let (quantity, rate) = (decimal("quantity"), decimal("rate"));
        let (multiplier, amount) = (decimal("multiplier"), decimal("amount"));
        let line = |at: usize| CostLine {
            unit: self.shared(&unit, at),
            quantity: value_at(&quantity, at),
            rate: value_at(&rate, at),
            per: value_at(&per, at),
            multiplier: value_at(&multiplier, at),
            amount: value_at(&amount, at),
            price_id: self.shared(&price_id, at),
        };
        Some((0..lines.len()).map(line).collect())
    }
}

/// Nanoseconds as older collectors wrote them, or from the microseconds and what lies below.
fn nanos(
    whole: &Option<Int64Array>,
    micros: &Option<TimestampMicrosecondArray>,
    below: &Option<Int64Array>,
    row: usize,
) -> Option<i64> {
    value_at(whole, row).or_else(|| {
        let micros = value_at(micros, row)?.checked_mul(1_000)?;
        micros.checked_add(value_at(below, row)?)
    })
}

fn str_at(column: &Option<StringArray>, row: usize) -> Option<&str> {
    column
        .as_ref()
        .filter(|column| column.is_valid(row))
        .map(|column| column.value(row))
}

/// Bytes in `spans`, lower-case hex in `calls`; an id of the wrong length is no id.
fn id_at<const N: usize>(column: &Option<BinaryArray>, row: usize) -> Option<[u8; N]> {
    let bytes = column.as_ref().filter(|column| column.is_valid(row))?.value(row);
    if bytes.len() == N {
        return bytes.try_into().ok();
    }
    let mut id = [0; N];
    hex::decode_to_slice(bytes, &mut id).ok().map(|()| id)
}

fn value_at<T: ArrowPrimitiveType>(column: &Option<PrimitiveArray<T>>, row: usize) -> Option<T::Native> {
    column
        .as_ref()
        .filter(|column| column.is_valid(row))
        .map(|column| column.value(row))
}

struct Columns {
    signal: Option<StringArray>,
    trace_id: Option<BinaryArray>,
    span_id: Option<BinaryArray>,
    parent_span_id: Option<BinaryArray>,
    event_key: Option<StringArray>,
    date: Option<Date32Array>,
    start_time: Option<TimestampMicrosecondArray>,
    end_time: Option<TimestampMicrosecondArray>,
    start_nano: Option<Int64Array>,
    end_nano: Option<Int64Array>,
    priced_at_nano: Option<Int64Array>,
    start_below_micros: Option<Int64Array>,
    end_below_micros: Option<Int64Array>,
    tenant: Option<StringArray>,
    service_name: Option<StringArray>,
    scope_name: Option<StringArray>,
    scope_version: Option<StringArray>,
    name: Option<StringArray>,
    kind: Option<StringArray>,
    status: Option<StringArray>,
    error_type: Option<StringArray>,
    role: Option<StringArray>,
    convention: Option<StringArray>,
    operation: Option<StringArray>,
    provider: Option<StringArray>,
    request_model: Option<StringArray>,
    response_model: Option<StringArray>,
    response_id: Option<StringArray>,
    server_address: Option<StringArray>,
    run_id: Option<StringArray>,
    streaming: Option<BooleanArray>,
    finish_reasons: Option<ListArray>,
    time_to_first_token_ms: Option<Float64Array>,
    attribution: [Option<StringArray>; 9],
    attribution_source: Option<MapArray>,
    buckets: [Option<Int64Array>; 10],
    usage: Option<MapArray>,
    price_context: Option<MapArray>,
    usage_status: Option<StringArray>,
    price_status: Option<StringArray>,
    list_cost_usd: Option<Decimal128Array>,
    cost_usd: Option<Decimal128Array>,
    cost_source: Option<StringArray>,
    reported_cost_usd: Option<Decimal128Array>,
    reported_cost_kind: Option<StringArray>,
    cost_lines: Option<ListArray>,
    receipt_rates: Option<StringArray>,
    receipt_quantities: Option<StringArray>,
    price_id: Option<StringArray>,
    catalogue_hash: Option<StringArray>,
    flags: Option<ListArray>,
    tags: Option<MapArray>,
}

impl Columns {
    fn new(batch: &RecordBatch, schema: &SchemaRef) -> Result<Columns, ArrowError> {
        let column = |name: &str| column(batch, schema, name);
        let text = |name: &str| Ok::<_, ArrowError>(column(name)?.map(|array| array.as_string::<i32>().clone()));
        let bytes = |name: &str| Ok::<_, ArrowError>(column(name)?.map(|array| array.as_binary::<i32>().clone()));
        let count = |name: &str| Ok::<_, ArrowError>(column(name)?.map(|array| array.as_primitive::<Int64Type>().clone()));
        let time =
            |name: &str| Ok::<_, ArrowError>(column(name)?.map(|array| array.as_primitive::<TimestampMicrosecondType>().clone()));
        let money = |name: &str| Ok::<_, ArrowError>(column(name)?.map(|array| array.as_primitive::<Decimal128Type>().clone()));
        let list = |name: &str| Ok::<_, ArrowError>(column(name)?.map(|array| array.as_list::<i32>().clone()));
        let map = |name: &str| Ok::<_, ArrowError>(column(name)?.map(|array| array.as_map().clone()));
        let mut attribution: [Option<StringArray>; 9] = Default::default();
        for dimension in Dimension::ALL {
            attribution[dimension as usize] = text(dimension.column())?;
        }
        let mut buckets: [Option<Int64Array>; 10] = Default::default();
        for (bucket, name) in buckets.iter_mut().zip(BUCKETS) {
            *bucket = count(name)?;
        }
        Ok(Columns {
            signal: text("signal")?,
            trace_id: bytes("trace_id")?,
            span_id: bytes("span_id")?,
            parent_span_id: bytes("parent_span_id")?,
            event_key: text("event_key")?,
            date: column("date")?.map(|array| array.as_primitive::<Date32Type>().clone()),
            start_time: time("start_time")?,
            end_time: time("end_time")?,
            start_nano: count("start_time_unix_nano")?,
            end_nano: count("end_time_unix_nano")?,
            priced_at_nano: count("priced_at_unix_nano")?,
            start_below_micros: count("start_nano")?,
            end_below_micros: count("end_nano")?,
            tenant: text("tenant")?,
            service_name: text("service_name")?,
            scope_name: text("scope_name")?,
            scope_version: text("scope_version")?,
            name: text("name")?,
            kind: text("kind")?,
            status: text("status")?,
            error_type: text("error_type")?,
            role: text("role")?,
            convention: text("convention")?,
            operation: text("operation")?,
            provider: text("provider")?,
            request_model: text("request_model")?,
            response_model: text("response_model")?,
            response_id: text("response_id")?,
            server_address: text("server_address")?,
            run_id: text("run_id")?,
            streaming: column("streaming")?.map(|array| array.as_boolean().clone()),
            finish_reasons: list("finish_reasons")?,
            time_to_first_token_ms: column("time_to_first_token_ms")?.map(|array| array.as_primitive::<Float64Type>().clone()),
            attribution,
            attribution_source: map("attribution_source")?,
            buckets,
            usage: map("usage")?,
            price_context: map("price_context")?,
            usage_status: text("usage_status")?,
            price_status: text("price_status")?,
            list_cost_usd: money("list_cost_usd")?,
            cost_usd: money("cost_usd")?,
            cost_source: text("cost_source")?,
            reported_cost_usd: money("reported_cost_usd")?,
            reported_cost_kind: text("reported_cost_kind")?,
            cost_lines: list("cost_lines")?,
            receipt_rates: text("receipt_rates")?,
            receipt_quantities: text("receipt_quantities")?,
            price_id: text("price_id")?,
            catalogue_hash: text("catalogue_hash")?,
            flags: list("flags")?,
            tags: map("tags")?,
        })
    }
}

/// The column as the table's type: readers may hand out views and dictionaries of it.
fn column(batch: &RecordBatch, schema: &SchemaRef, name: &str) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(array) = batch.column_by_name(name) else {
        return Ok(None);
    };
    let wanted: &DataType = schema.field_with_name(name).map(Field::data_type)?;
    if array.data_type() == wanted {
        return Ok(Some(Arc::clone(array)));
    }
    arrow::compute::cast(array, wanted).map(Some)
}
