//! prost as the oracle: the walk accepts exactly what prost accepts and shows the same records, on every body of the corpus, on
//! bodies whose fields are shuffled, repeated and split, and on bodies that were damaged.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue as ProstKeyValue, KeyValueList};
use prost::Message;

use crate::wire::WireError;
use crate::wire::check::{self, Values};
use crate::wire::logs::{LogRecord, resource_logs};
use crate::wire::traces::{Span, resource_spans};
use crate::wire::value::{Attributes, Value};

/// Keys, each with its value as prost writes it.
type Pairs = Vec<(String, Vec<u8>)>;

/// Everything that is read of a record, with values as prost writes them (so that NaN equals NaN).
#[derive(Debug, PartialEq, Eq)]
struct Record {
    resource: Pairs,
    scope: (String, String, Pairs),
    ids: [Vec<u8>; 3],
    text: String,
    numbers: [i64; 4],
    body: Vec<u8>,
    attributes: Pairs,
    events: Vec<(String, Pairs)>,
}

/// What differs between the walk and prost on a body of spans.
pub(crate) fn compare_traces(body: &[u8]) -> Result<(), String> {
    let prost = ExportTraceServiceRequest::decode(body);
    let checked = check::traces(body, |_| {});
    let Some((request, split)) = verdict(prost, checked)? else {
        return Ok(());
    };
    let expected = of_prost_traces(&request);
    // What comes in pieces is put together before it is logged.
    let whole = request.encode_to_vec();
    same(&of_traces(if split { &whole } else { body })?, &expected)
}

/// What differs between the walk and prost on a body of log records.
pub(crate) fn compare_logs(body: &[u8]) -> Result<(), String> {
    let prost = ExportLogsServiceRequest::decode(body);
    let Some((request, split)) = verdict(prost, check::logs(body, |_| {}))? else {
        return Ok(());
    };
    let expected = of_prost_logs(&request);
    let whole = request.encode_to_vec();
    same(&of_logs(if split { &whole } else { body })?, &expected)
}

fn verdict<M>(prost: Result<M, prost::DecodeError>, checked: Result<Values, WireError>) -> Result<Option<(M, bool)>, String> {
    match (prost, checked) {
        (Ok(request), Ok(checked)) => Ok(Some((request, checked == Values::Split))),
        (Err(_), Err(_)) => Ok(None),
        (Ok(_), Err(error)) => Err(format!("prost accepts what the walk refuses: {error}")),
        (Err(error), Ok(_)) => Err(format!("the walk accepts what prost refuses: {error}")),
    }
}

fn same(ours: &[Record], expected: &[Record]) -> Result<(), String> {
    match ours == expected {
        true => Ok(()),
        false => Err(format!("the walk shows\n{ours:?}\nand prost\n{expected:?}")),
    }
}

fn value(value: Value<'_>) -> AnyValue {
    let value = match value {
        Value::Empty => None,
        Value::Text(text) => Some(Any::StringValue(text.into())),
        Value::Bool(bit) => Some(Any::BoolValue(bit)),
        Value::Int(number) => Some(Any::IntValue(number)),
        Value::Double(number) => Some(Any::DoubleValue(number)),
        Value::Bytes(bytes) => Some(Any::BytesValue(bytes.into())),
        Value::Array(list) => Some(Any::ArrayValue(ArrayValue {
            values: list.iter().map(self::value).collect(),
        })),
        Value::Map(entries) => Some(Any::KvlistValue(KeyValueList {
            values: entries
                .iter()
                .map(|entry| ProstKeyValue {
                    key: entry.key.into(),
                    value: Some(self::value(entry.value)),
                    ..ProstKeyValue::default()
                })
                .collect(),
        })),
    };
    AnyValue { value }
}

/// As the views show it: no value is an empty one, and what only profiles use is none.
fn normal(value: Option<&AnyValue>) -> AnyValue {
    let value = match value.and_then(|value| value.value.clone()) {
        Some(Any::ArrayValue(array)) => Some(Any::ArrayValue(ArrayValue {
            values: array.values.iter().map(|value| normal(Some(value))).collect(),
        })),
        Some(Any::KvlistValue(list)) => Some(Any::KvlistValue(KeyValueList {
            values: list
                .values
                .iter()
                .map(|entry| ProstKeyValue {
                    key: entry.key.clone(),
                    value: Some(normal(entry.value.as_ref())),
                    ..ProstKeyValue::default()
                })
                .collect(),
        })),
        Some(Any::StringValueStrindex(_)) => None,
        other => other,
    };
    AnyValue { value }
}

fn ours(attributes: Attributes<'_, '_>) -> Pairs {
    attributes
        .iter()
        .map(|attribute| (attribute.key.to_owned(), value(attribute.value).encode_to_vec()))
        .collect()
}

fn prosts(attributes: &[ProstKeyValue]) -> Pairs {
    attributes
        .iter()
        .map(|attribute| (attribute.key.clone(), normal(attribute.value.as_ref()).encode_to_vec()))
        .collect()
}

fn of_traces(body: &[u8]) -> Result<Vec<Record>, String> {
    let failed = |error: WireError| format!("the walk accepts what the views refuse: {error}");
    let mut records = Vec::new();
    for resource in resource_spans(body) {
        let resource = resource.map_err(failed)?;
        for scope in resource.scopes() {
            let scope = scope.map_err(failed)?;
            for record in &scope.records {
                let mut span = Span::default();
                span.decode(record).map_err(failed)?;
                records.push(Record {
                    resource: ours(resource.resource()),
                    scope: (scope.name.into(), scope.version.into(), ours(scope.attributes())),
                    ids: [span.trace_id, span.span_id, span.parent_span_id].map(Vec::from),
                    text: span.name.into(),
                    numbers: [
                        span.kind.into(),
                        span.start_unix_nano as i64,
                        span.end_unix_nano as i64,
                        span.status_code.into(),
                    ],
                    body: Vec::new(),
                    attributes: ours(span.attributes()),
                    events: span
                        .events()
                        .map(|event| (event.name.into(), ours(event.attributes())))
                        .collect(),
                });
            }
        }
    }
    Ok(records)
}

fn of_prost_traces(request: &ExportTraceServiceRequest) -> Vec<Record> {
    let mut records = Vec::new();
    for resource in &request.resource_spans {
        for group in &resource.scope_spans {
            let scope = group.scope.clone().unwrap_or_default();
            for span in &group.spans {
                records.push(Record {
                    resource: prosts(resource.resource.as_ref().map_or(&[], |resource| &resource.attributes)),
                    scope: (scope.name.clone(), scope.version.clone(), prosts(&scope.attributes)),
                    ids: [&span.trace_id, &span.span_id, &span.parent_span_id].map(Vec::clone),
                    text: span.name.clone(),
                    numbers: [
                        span.kind.into(),
                        span.start_time_unix_nano as i64,
                        span.end_time_unix_nano as i64,
                        span.status.as_ref().map_or(0, |status| status.code.into()),
                    ],
                    body: Vec::new(),
                    attributes: prosts(&span.attributes),
                    events: span
                        .events
                        .iter()
                        .map(|event| (event.name.clone(), prosts(&event.attributes)))
                        .collect(),
                });
            }
        }
    }
    records
}

fn of_logs(body: &[u8]) -> Result<Vec<Record>, String> {
    let failed = |error: WireError| format!("the walk accepts what the views refuse: {error}");
    let mut records = Vec::new();
    for resource in resource_logs(body) {
        let resource = resource.map_err(failed)?;
        for scope in resource.scopes() {
            let scope = scope.map_err(failed)?;
            for record in &scope.records {
                let mut log = LogRecord::default();
                log.decode(record).map_err(failed)?;
                records.push(Record {
                    resource: ours(resource.resource()),
                    scope: (scope.name.into(), scope.version.into(), ours(scope.attributes())),
                    ids: [log.trace_id, log.span_id, &[]].map(Vec::from),
                    text: log.event_name.into(),
                    numbers: [log.time_unix_nano as i64, log.observed_time_unix_nano as i64, 0, 0],
                    body: value(log.body).encode_to_vec(),
                    attributes: ours(log.attributes()),
                    events: Vec::new(),
                });
            }
        }
    }
    Ok(records)
}

fn of_prost_logs(request: &ExportLogsServiceRequest) -> Vec<Record> {
    let mut records = Vec::new();
    for resource in &request.resource_logs {
        for group in &resource.scope_logs {
            let scope = group.scope.clone().unwrap_or_default();
            for log in &group.log_records {
                records.push(Record {
                    resource: prosts(resource.resource.as_ref().map_or(&[], |resource| &resource.attributes)),
                    scope: (scope.name.clone(), scope.version.clone(), prosts(&scope.attributes)),
                    ids: [log.trace_id.clone(), log.span_id.clone(), Vec::new()],
                    text: log.event_name.clone(),
                    numbers: [log.time_unix_nano as i64, log.observed_time_unix_nano as i64, 0, 0],
                    body: normal(log.body.as_ref()).encode_to_vec(),
                    attributes: prosts(&log.attributes),
                    events: Vec::new(),
                });
            }
        }
    }
    records
}
