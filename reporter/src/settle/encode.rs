//! [`Call`]s and [`Excluded`] records into Arrow rows of `calls` and `calls_excluded`.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayBuilder, ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, ListBuilder,
    MapBuilder, MapFieldNames, RecordBatch, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use marginlake_lake::schema::{BUCKETS, MONEY_PRECISION, MONEY_SCALE};
use marginlake_lake::{ReceiptBuilder, ReceiptLine, Table};

use super::call::{Call, Excluded};
use super::record::{CostLine, Dimension, Pairs, Record, Text};

/// One batch of `calls`, a row for each of `calls` in their order.
pub fn calls(calls: &[Call]) -> Result<RecordBatch, ArrowError> {
    let records = || calls.iter().map(|call| &call.record);
    let schema = Table::Calls.schema();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name().as_str();
        columns.push(match name {
            "granularity" => strings(calls.iter().map(|call| Some(call.granularity.as_str()))),
            "cost_class" => strings(calls.iter().map(|call| Some(call.cost_class.as_str()))),
            "records" => counts(calls.iter().map(|call| Some(call.records))),
            "duration_ms" => floats(records().map(duration_ms)),
            "priced_at_unix_nano" => counts(records().map(|record| record.priced_at_nano)),
            "provider" => strings(records().map(|record| record.provider.as_deref())),
            "server_address" => strings(records().map(|record| record.server_address.as_deref())),
            "scope_version" => strings(records().map(|record| record.scope_version.as_deref())),
            "streaming" => {
                let mut builder = BooleanBuilder::new();
                records().for_each(|record| builder.append_option(record.streaming));
                done(builder)
            }
            "error_type" => strings(records().map(error_type)),
            "finish_reasons" => texts(records().map(|record| record.finish_reasons.as_deref())),
            "time_to_first_token_ms" => floats(records().map(|record| record.time_to_first_token_ms.map(|ms| ms.0))),
            "attribution_source" => attribution_sources(records()),
            "usage" => count_map(records().map(|record| record.usage.as_ref())),
            "price_context" => text_map(records().map(|record| record.price_context.as_ref())),
            "tags" => text_map(records().map(|record| record.tags.as_ref())),
            "usage_status" => strings(records().map(|record| record.usage_status.as_deref())),
            "price_status" => strings(records().map(|record| record.price.status.as_deref())),
            "list_cost_usd" => money(records().map(|record| record.price.list_cost_usd))?,
            "cost_usd" => money(records().map(|record| record.price.cost_usd))?,
            "cost_source" => strings(records().map(|record| record.price.cost_source.as_deref())),
            "price_id" => strings(records().map(|record| record.price.price_id.as_deref())),
            "catalogue_hash" => strings(records().map(|record| record.price.catalogue_hash.as_deref())),
            "cost_lines" => cost_lines(records().map(|record| record.price.cost_lines.as_deref())),
            "flags" => flags(records()),
            _ => common(name, &records)?,
        });
    }
    RecordBatch::try_new(schema, columns)
}

/// One batch of `calls_excluded`, a row for each of `excluded` in their order.
pub fn excluded(excluded: &[Excluded]) -> Result<RecordBatch, ArrowError> {
    let records = || excluded.iter().map(|row| &row.record);
    let stands = || excluded.iter().map(|row| row.stands.as_ref());
    let schema = Table::CallsExcluded.schema();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let name = field.name().as_str();
        columns.push(match name {
            "reason" => strings(excluded.iter().map(|row| Some(row.reason.as_str()))),
            "stands_trace_id" => ids(stands().map(|key| key.and_then(|key| key.trace_id))),
            "stands_span_id" => ids(stands().map(|key| key.and_then(|key| key.span_id))),
            "stands_event_key" => strings(stands().map(|key| key.and_then(|key| key.event_key.as_deref()))),
            "input_tokens" => counts(excluded.iter().map(|row| row.input_tokens)),
            "output_tokens" => counts(excluded.iter().map(|row| row.output_tokens)),
            "gap_input_tokens" => counts(excluded.iter().map(|row| row.gap.map(|gap| gap.0))),
            "gap_output_tokens" => counts(excluded.iter().map(|row| row.gap.map(|gap| gap.1))),
            _ => common(name, &records)?,
        });
    }
    RecordBatch::try_new(schema, columns)
}

/// The columns that both tables take from the record as it is.
pub(super) fn common<'a, I: Iterator<Item = &'a Record>>(name: &str, records: &dyn Fn() -> I) -> Result<ArrayRef, ArrowError> {
    if let Some(bucket) = BUCKETS.iter().position(|bucket| *bucket == name) {
        return Ok(counts(records().map(|record| record.buckets[bucket])));
    }
    if let Some(dimension) = Dimension::ALL.into_iter().find(|dimension| dimension.column() == name) {
        return Ok(strings(
            records().map(|record| record.attributed(dimension).map(|found| &*found.value)),
        ));
    }
    Ok(match name {
        "date" => {
            let mut builder = Date32Builder::new();
            records().for_each(|record| builder.append_value(record.date));
            done(builder)
        }
        "start_time" => times(records().map(|record| record.start_time)),
        "end_time" => times(records().map(|record| record.end_time)),
        "trace_id" => ids(records().map(|record| record.trace_id)),
        "span_id" => ids(records().map(|record| record.span_id)),
        "signal" => strings(records().map(|record| Some(record.signal.as_str()))),
        "event_key" => strings(records().map(|record| record.event_key.as_deref())),
        "tenant" => strings(records().map(|record| record.tenant.as_deref())),
        "service_name" => strings(records().map(|record| record.service_name.as_deref())),
        "scope_name" => strings(records().map(|record| record.scope_name.as_deref())),
        "name" => strings(records().map(|record| record.name.as_deref())),
        "convention" => strings(records().map(|record| record.convention.as_deref())),
        "role" => strings(records().map(|record| Some(record.role.as_str()))),
        "request_model" => strings(records().map(|record| record.request_model.as_deref())),
        "response_model" => strings(records().map(|record| record.response_model.as_deref())),
        "response_id" => strings(records().map(|record| record.response_id.as_deref())),
        "reported_cost_usd" => money(records().map(|record| record.reported_cost_usd))?,
        _ => return Err(ArrowError::SchemaError(format!("no rule fills column {name}"))),
    })
}

/// Builders keep up to twice what they need; these rows may wait in memory by the million.
pub(super) fn done(mut builder: impl ArrayBuilder) -> ArrayRef {
    let mut array = builder.finish();
    array.shrink_to_fit();
    array
}

pub(crate) fn strings<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    values.for_each(|value| builder.append_option(value));
    done(builder)
}

fn ids<const N: usize>(values: impl Iterator<Item = Option<[u8; N]>>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    values.for_each(|value| builder.append_option(value.map(hex::encode)));
    done(builder)
}

pub(super) fn counts(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let mut builder = Int64Builder::new();
    values.for_each(|value| builder.append_option(value));
    done(builder)
}

pub(super) fn floats(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    let mut builder = Float64Builder::new();
    values.for_each(|value| builder.append_option(value));
    done(builder)
}

pub(super) fn times(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let mut builder = TimestampMicrosecondBuilder::new().with_timezone("UTC");
    values.for_each(|value| builder.append_option(value));
    done(builder)
}

pub(crate) fn money(values: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef, ArrowError> {
    let mut builder = Decimal128Builder::new().with_precision_and_scale(MONEY_PRECISION, MONEY_SCALE)?;
    values.for_each(|value| builder.append_option(value));
    Ok(done(builder))
}

pub(super) fn texts<'a>(lists: impl Iterator<Item = Option<&'a [Option<Text>]>>) -> ArrayRef {
    let mut builder = list_of_text();
    for list in lists {
        list.unwrap_or_default()
            .iter()
            .for_each(|text| builder.values().append_option(text.as_deref()));
        builder.append(list.is_some());
    }
    done(builder)
}

pub(super) fn flags<'a>(records: impl Iterator<Item = &'a Record>) -> ArrayRef {
    let mut builder = list_of_text();
    for record in records {
        record.flags.iter().for_each(|flag| builder.values().append_value(flag));
        builder.append(true);
    }
    done(builder)
}

fn list_of_text() -> ListBuilder<StringBuilder> {
    ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true))
}

/// Entries as `lake::schema` spells them.
fn entry_names() -> Option<MapFieldNames> {
    let [entry, key, value] = ["key_value", "key", "value"].map(str::to_owned);
    Some(MapFieldNames { entry, key, value })
}

pub(super) fn text_map<'a>(maps: impl Iterator<Item = Option<&'a Pairs<Text>>>) -> ArrayRef {
    let mut builder = MapBuilder::new(entry_names(), StringBuilder::new(), StringBuilder::new());
    for map in maps {
        for (key, value) in map.into_iter().flatten() {
            builder.keys().append_value(key);
            builder.values().append_option(value.as_deref());
        }
        builder.append(map.is_some()).expect("a key was appended with each value");
    }
    done(builder)
}

pub(super) fn count_map<'a>(maps: impl Iterator<Item = Option<&'a Pairs<i64>>>) -> ArrayRef {
    let mut builder = MapBuilder::new(entry_names(), StringBuilder::new(), Int64Builder::new());
    for map in maps {
        for (key, value) in map.into_iter().flatten() {
            builder.keys().append_value(key);
            builder.values().append_option(*value);
        }
        builder.append(map.is_some()).expect("a key was appended with each value");
    }
    done(builder)
}

pub(super) fn attribution_sources<'a>(records: impl Iterator<Item = &'a Record>) -> ArrayRef {
    let mut builder = MapBuilder::new(entry_names(), StringBuilder::new(), StringBuilder::new());
    for record in records {
        for dimension in Dimension::ALL {
            if let Some(found) = record.attributed(dimension) {
                builder.keys().append_value(dimension.column());
                builder.values().append_value(&found.source);
            }
        }
        builder.append(true).expect("a key was appended with each value");
    }
    done(builder)
}

pub(crate) fn cost_lines<'a>(receipts: impl Iterator<Item = Option<&'a [CostLine]>>) -> ArrayRef {
    let mut builder = ReceiptBuilder::default();
    for receipt in receipts {
        builder.append(receipt.map(|lines| lines.iter().map(line)));
    }
    let mut array: ArrayRef = Arc::new(builder.finish());
    array.shrink_to_fit();
    array
}

fn line(line: &CostLine) -> ReceiptLine<'_> {
    ReceiptLine {
        unit: line.unit.as_deref(),
        quantity: line.quantity,
        rate: line.rate,
        per: line.per,
        multiplier: line.multiplier,
        amount: line.amount,
        price_id: line.price_id.as_deref(),
    }
}

/// A failure without a name of its own is still a failure.
fn error_type(record: &Record) -> Option<&str> {
    record.error_type.as_deref().or(record.status_error.then_some("error"))
}

/// Milliseconds; the only floats here are durations.
fn duration_ms(record: &Record) -> Option<f64> {
    record.interval().map(|(start, end)| (end - start) as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settle::call::{CostClass, Granularity, Key};
    use crate::settle::reason::Reason;
    use crate::settle::record::{Attributed, Price, Signal};
    use marginlake_lake::schema::Role;

    fn record() -> Record {
        let mut record = Record::empty(Signal::Span, Role::Llm);
        record.trace_id = Some([0xab; 16]);
        record.span_id = Some([1; 8]);
        record.usage = Some(vec![("input_tokens".into(), Some(5))]);
        record.attribution[0] = Some(Attributed {
            value: "acme".into(),
            source: "customer.id".into(),
        });
        record.price = Price {
            cost_usd: Some(42),
            cost_lines: Some(vec![CostLine {
                unit: Some("token".into()),
                amount: Some(7),
                ..Default::default()
            }]),
            ..Default::default()
        };
        record
    }

    #[test]
    fn rows_have_exactly_the_tables_columns() {
        let call = Call {
            record: record(),
            granularity: Granularity::Call,
            cost_class: CostClass::Model,
            records: 1,
        };
        let batch = calls(&[call.clone(), call]).unwrap();
        assert_eq!((batch.num_rows(), batch.schema()), (2, Table::Calls.schema()));
        let row = Excluded {
            record: record(),
            reason: Reason::Aggregate,
            stands: Some(Key {
                trace_id: None,
                span_id: Some([2; 8]),
                event_key: None,
            }),
            input_tokens: Some(5),
            output_tokens: None,
            gap: None,
        };
        assert_eq!(excluded(&[row]).unwrap().schema(), Table::CallsExcluded.schema());
    }
}
