//! Spans a second on the way that every acknowledged body goes: wire, recognition, normalisation, price, columns.
//!
//! `cargo bench -p marginlake-collector --profile dist --bench decode [FOLDER]`: bodies are made here, five of eight spans an
//! LLM call, or read from a folder (`*.binpb`). The time is that of one thread (`docs/performance.md` has the figures).

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use marginlake_collector::DecodeBench;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

const SPANS: u64 = 512;
/// 2026-11-01T00:00:00Z.
const START: u64 = 1_793_491_200_000_000_000;

fn text(key: &str, value: impl Into<String>) -> KeyValue {
    any(key, any_value::Value::StringValue(value.into()))
}

fn int(key: &str, value: u64) -> KeyValue {
    any(key, any_value::Value::IntValue(value as i64))
}

fn any(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn call(number: u64) -> Vec<KeyValue> {
    let (provider, model, address) = [
        ("openai", "gpt-4.1-2025-04-14", "api.openai.com"),
        ("anthropic", "claude-sonnet-4-5-20250929", "api.anthropic.com"),
        ("gcp.gemini", "gemini-2.5-pro", "generativelanguage.googleapis.com"),
    ][number as usize % 3];
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", provider),
        text("gen_ai.request.model", model),
        text("gen_ai.response.model", model),
        text("gen_ai.response.id", format!("resp-{number:024x}")),
        text("server.address", address),
        int("server.port", 443),
        int("gen_ai.request.max_tokens", 1024),
        int("gen_ai.usage.input_tokens", 500 + number * 37 % 9_000),
        int("gen_ai.usage.output_tokens", 20 + number * 91 % 900),
        int("gen_ai.usage.cache_read.input_tokens", number * 13 % 400),
    ]
}

fn tool(number: u64) -> Vec<KeyValue> {
    vec![
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", "get_weather"),
        text("gen_ai.tool.call.id", format!("call_{number:020x}")),
    ]
}

fn span(number: u64) -> Span {
    let mut attributes = if number % 8 < 5 { call(number) } else { tool(number) };
    attributes.extend([
        text("user.id", format!("user-{}", number % 97)),
        text("gen_ai.conversation.id", format!("conv-{:016x}", number / 6)),
        text("app.customer.id", format!("cust_{:04}", number % 31)),
    ]);
    Span {
        trace_id: (u128::from(number / 6) + 1).to_be_bytes().to_vec(),
        span_id: (number + 1).to_be_bytes().to_vec(),
        name: "chat".to_owned(),
        kind: 3,
        start_time_unix_nano: START + number * 1_234_567,
        end_time_unix_nano: START + number * 1_234_567 + 987_654_321,
        attributes,
        ..Span::default()
    }
}

fn body(number: u64) -> Bytes {
    let scope = ScopeSpans {
        scope: Some(InstrumentationScope {
            name: "opentelemetry.instrumentation.openai_v2".to_owned(),
            version: "2.3b0".to_owned(),
            ..InstrumentationScope::default()
        }),
        spans: (number * SPANS..(number + 1) * SPANS).map(span).collect(),
        ..ScopeSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![scope],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec().into()
}

fn read(folder: PathBuf) -> Vec<Bytes> {
    let entries = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|end| end == "binpb"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| std::fs::read(path).expect("a body").into())
        .collect()
}

fn main() {
    let folder = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let bodies = folder.map_or_else(|| (0..16).map(body).collect(), |folder| read(folder.into()));
    let mut decoder = DecodeBench::new();
    let mut best = f64::MAX;
    for _ in 0..5 {
        let (start, mut rows) = (Instant::now(), 0);
        while start.elapsed() < Duration::from_millis(500) {
            for body in &bodies {
                decoder.decode(body.clone(), &mut |batch| rows += batch.num_rows());
            }
        }
        best = best.min(start.elapsed().as_nanos() as f64 / rows.max(1) as f64);
    }
    println!("{best:.0} ns a span, {:.0} spans/s", 1e9 / best);
}
