//! The vectors of the conventions, as far as one record decides them. Settling is tested end to end over the same file.

use std::collections::BTreeMap;

use marginlake_lake::schema::Role;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord as LogMessage;
use opentelemetry_proto::tonic::trace::v1::span::Event;
use opentelemetry_proto::tonic::trace::v1::{Span as SpanMessage, Status};
use prost::Message;
use serde::Deserialize;
use toml::Value as Toml;

use crate::normalise::Normalised;
use crate::recognise::{AttributionConfig, Recogniser, ScopeContext};
use crate::wire::Attributes;
use crate::wire::logs::LogRecord;
use crate::wire::traces::Span;

const VECTORS: &str = include_str!("../../../../tests/vectors/vectors.toml");

/// Vectors in which settle changes the usage of a record.
const SETTLED_OTHERWISE: &[(u32, &str)] = &[(45, "b"), (245, "b"), (245, "c"), (545, "b")];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    number: u32,
    claim: String,
    #[serde(rename = "note")]
    _note: Option<String>,
    #[serde(default)]
    span: Vec<SpanCase>,
    #[serde(default)]
    log: Vec<LogCase>,
    #[serde(default, rename = "metric")]
    _metric: Vec<Toml>,
    #[serde(default)]
    call: Vec<BTreeMap<String, Toml>>,
    #[serde(default)]
    excluded: Vec<BTreeMap<String, Toml>>,
}

#[derive(Deserialize)]
struct SpanCase {
    id: String,
    name: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    version: String,
    service: Option<String>,
    parent: Option<String>,
    status: Option<String>,
    #[serde(default)]
    events: Vec<EventCase>,
    attributes: BTreeMap<String, Toml>,
}

#[derive(Deserialize)]
struct EventCase {
    name: String,
    #[serde(default)]
    attributes: BTreeMap<String, Toml>,
}

#[derive(Deserialize)]
struct LogCase {
    id: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    version: String,
    service: Option<String>,
    #[serde(default)]
    event: String,
    body: Option<String>,
    attributes: BTreeMap<String, Toml>,
}

fn any(value: &Toml) -> AnyValue {
    let value = match value {
        Toml::String(text) => any_value::Value::StringValue(text.clone()),
        Toml::Integer(number) => any_value::Value::IntValue(*number),
        Toml::Float(number) => any_value::Value::DoubleValue(*number),
        Toml::Boolean(bit) => any_value::Value::BoolValue(*bit),
        Toml::Array(items) => any_value::Value::ArrayValue(ArrayValue {
            values: items.iter().map(any).collect(),
        }),
        other => panic!("no attribute value: {other}"),
    };
    AnyValue { value: Some(value) }
}

fn attributes<'a>(pairs: impl IntoIterator<Item = (&'a String, &'a Toml)>) -> Vec<KeyValue> {
    pairs
        .into_iter()
        .map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(any(value)),
            ..KeyValue::default()
        })
        .collect()
}

fn message(case: &SpanCase) -> Vec<u8> {
    SpanMessage {
        parent_span_id: case.parent.as_deref().unwrap_or("").as_bytes().to_vec(),
        name: case.name.clone().unwrap_or_else(|| case.id.clone()),
        kind: match case.kind.as_deref() {
            Some("internal") => 1,
            Some("server") => 2,
            None | Some("client") => 3,
            other => panic!("no span kind: {other:?}"),
        },
        status: case.status.as_deref().map(|status| Status {
            code: if status == "error" { 2 } else { 1 },
            ..Status::default()
        }),
        events: case.events.iter().map(event_message).collect(),
        attributes: attributes(&case.attributes),
        ..SpanMessage::default()
    }
    .encode_to_vec()
}

fn event_message(case: &EventCase) -> Event {
    Event {
        name: case.name.clone(),
        attributes: attributes(&case.attributes),
        ..Event::default()
    }
}

fn log_message(case: &LogCase) -> Vec<u8> {
    LogMessage {
        event_name: case.event.clone(),
        body: case.body.clone().map(|body| any(&Toml::String(body))),
        attributes: attributes(&case.attributes),
        ..LogMessage::default()
    }
    .encode_to_vec()
}

/// Calls `check` with the record of each span and log of a vector.
fn read(vector: &Vector, mut check: impl FnMut(&str, Option<&Normalised<'_>>)) {
    let recogniser = Recogniser::new(&AttributionConfig::default());
    let service = |service: &Option<String>| {
        let attribute = service.clone().map(Toml::String);
        let pairs = attribute
            .iter()
            .map(|value| ("service.name".to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>();
        // A span's message is the shortest way to borrowed attributes.
        SpanMessage {
            attributes: attributes(&pairs),
            ..SpanMessage::default()
        }
        .encode_to_vec()
    };
    for case in &vector.span {
        let (bytes, resource) = (message(case), service(&case.service));
        let (mut span, mut holder) = (Span::default(), Span::default());
        span.decode(&bytes).expect("a span");
        holder.decode(&resource).expect("a resource");
        let resource: Attributes<'_, '_> = holder.attributes();
        let context = ScopeContext::new(&recogniser, resource, &case.scope, &case.version);
        check(&case.id, Some(&context.span(&span)));
    }
    for case in &vector.log {
        let (bytes, resource) = (log_message(case), service(&case.service));
        let (mut record, mut holder) = (LogRecord::default(), Span::default());
        record.decode(&bytes).expect("a log record");
        holder.decode(&resource).expect("a resource");
        let context = ScopeContext::new(&recogniser, holder.attributes(), &case.scope, &case.version);
        check(&case.id, context.log(&record).as_ref());
    }
}

fn vectors() -> Vec<Vector> {
    toml::from_str::<File>(VECTORS).expect("the vectors are well formed").vector
}

/// What a call's row asks of its record; settle adds the rest.
fn call_differences(expected: &BTreeMap<String, Toml>, record: &Normalised<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |column: &str, ours: String, expected: String| {
        if ours != expected {
            differences.push(format!("{column} is {ours} instead of {expected}"));
        }
    };
    for (bucket, count) in record.buckets.named() {
        match expected.get(bucket) {
            Some(Toml::String(null)) if null == "NULL" => differ(bucket, format!("{count:?}"), "None".to_owned()),
            wanted => {
                let wanted = wanted.map_or(0, |count| count.as_integer().expect("a count"));
                differ(bucket, count.unwrap_or(0).to_string(), wanted.to_string());
            }
        }
    }
    let facts = &record.record;
    for (column, expected) in expected {
        let text = expected.as_str().unwrap_or_default().to_owned();
        match column.as_str() {
            "usage_status" => differ(
                column,
                record.usage_status.map_or("", |status| status.as_str()).to_owned(),
                text,
            ),
            "provider" => differ(column, facts.provider.as_deref().unwrap_or("").to_owned(), text),
            "reported_cost" => {
                let ours = facts.reported_cost.map_or(0, |cost| cost.usd_e12);
                let expected = crate::recognise::cost::decimal(&text).expect("a decimal");
                differ(column, ours.to_string(), expected.to_string());
            }
            "reported_cost_kind" => {
                differ(
                    column,
                    facts.reported_cost.map_or("", |cost| cost.kind.as_str()).to_owned(),
                    text,
                );
            }
            "flags" => {
                let flags: Vec<_> = facts.flags.iter().collect();
                for flag in expected.as_array().expect("flags") {
                    let flag = flag.as_str().expect("a flag");
                    let found = if flags.contains(&flag) { flag } else { "missing" };
                    differ("flags", found.to_owned(), flag.to_owned());
                }
            }
            "finish_reasons" => {
                let expected: Vec<_> = expected
                    .as_array()
                    .expect("reasons")
                    .iter()
                    .filter_map(Toml::as_str)
                    .collect();
                differ(column, format!("{:?}", facts.finish_reasons), format!("{expected:?}"));
            }
            "usage" => {
                let ours: BTreeMap<_, _> = record.usage.iter().collect();
                for (unit, count) in expected.as_table().expect("units") {
                    let ours = ours.get(unit.as_str()).copied().unwrap_or(0);
                    differ(unit, ours.to_string(), count.as_integer().expect("a count").to_string());
                }
            }
            _ => {}
        }
    }
    differences
}

/// Whether a record bears out why it is not billed, as far as it can alone.
fn bears_out(reason: &str, record: &Normalised<'_>) -> bool {
    let facts = &record.record;
    match reason {
        // A call above another record of itself is an aggregate by where it stands, whatever it calls.
        "aggregate" => facts.role.is_aggregate() || matches!(facts.role, Role::Llm | Role::Embedding),
        "free_operation" => matches!(facts.role, Role::TokenCounter | Role::Management),
        "cache_hit" => facts.cache_hit,
        "failed_no_usage" => facts.failed && record.usage.is_empty(),
        _ => true,
    }
}

#[test]
fn every_vector_is_there() {
    let mut numbers: Vec<_> = vectors()
        .iter()
        .map(|vector| vector.number)
        .filter(|number| *number <= 80)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=80).collect::<Vec<_>>());
}

#[test]
fn each_vectors_records_are_read_as_it_says() {
    let mut failures = String::new();
    for vector in vectors() {
        read(&vector, |id, record| {
            let of = |row: &BTreeMap<String, Toml>| row.get("of").and_then(Toml::as_str) == Some(id);
            let mut problems = Vec::new();
            if let Some(expected) = vector.call.iter().find(|row| of(row)) {
                match record {
                    Some(_) if SETTLED_OTHERWISE.contains(&(vector.number, id)) => {}
                    Some(record) => problems = call_differences(expected, record),
                    None => problems.push("gives no record".to_owned()),
                }
            }
            if let (Some(expected), Some(record)) = (vector.excluded.iter().find(|row| of(row)), record) {
                let reason = expected["reason"].as_str().expect("a reason");
                if !bears_out(reason, record) {
                    problems.push(format!("is {:?}, which does not bear out {reason}", record.record.role));
                }
            }
            for problem in problems {
                failures.push_str(&format!("vector {} ({}): {id}: {problem}\n", vector.number, vector.claim));
            }
        });
    }
    assert!(failures.is_empty(), "\n{failures}");
}
