//! Hostile attributes cost bounded memory on the whole way behind the log. A binary of its own, because it has an allocator
//! of its own.

use bytes::Bytes;
use marginlake_collector::DecodeBench;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList, any_value::Value,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

/// What one hostile span may take beside its body, whatever its size: room for a payload that is parsed (1 MiB at the most)
/// and for the columns.
const BOUND: u64 = 4 << 20;

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn text(text: impl Into<String>) -> AnyValue {
    any(Value::StringValue(text.into()))
}

fn pair(key: impl Into<String>, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(value),
        ..KeyValue::default()
    }
}

fn body(attributes: Vec<KeyValue>) -> Bytes {
    let known = [
        pair("openinference.span.kind", text("LLM")),
        pair("llm.model_name", text("gpt-4.1")),
        pair("llm.provider", text("openai")),
    ];
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![1; 8],
        attributes: known.into_iter().chain(attributes).collect(),
        ..Span::default()
    };
    let scope = InstrumentationScope {
        name: "openinference.instrumentation.openai".to_owned(),
        ..InstrumentationScope::default()
    };
    let spans = ScopeSpans {
        scope: Some(scope),
        spans: vec![span],
        ..ScopeSpans::default()
    };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![spans],
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec().into()
}

fn deep(levels: usize) -> AnyValue {
    (0..levels).fold(any(Value::IntValue(1)), |inner, level| {
        any(if level % 2 == 0 {
            Value::ArrayValue(ArrayValue { values: vec![inner] })
        } else {
            Value::KvlistValue(KeyValueList {
                values: vec![pair("input_tokens", inner)],
            })
        })
    })
}

#[test]
fn hostile_attributes_cost_bounded_memory() {
    let large = 10 << 20;
    let many = 100_000;
    let nested = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let repeated = format!(
        "{{\"usage\":{{{}\"prompt_tokens\":1}}}}",
        "\"prompt_tokens\":1,".repeat(50_000)
    );
    let reasons = ArrayValue {
        values: vec![text("stop"); 1_000_000],
    };
    let numbered = |index| pair(format!("llm.token_count.{index}"), any(Value::IntValue(index)));
    let again = |index| pair("llm.token_count.prompt", any(Value::IntValue(index)));
    let hostile: [(&str, Vec<KeyValue>); 9] = [
        ("a long id", vec![pair("user.id", text("u".repeat(large)))]),
        ("a long model", vec![pair("gen_ai.response.model", text("m".repeat(large)))]),
        (
            "a long payload",
            vec![pair("output.value", text(format!("{{\"a\":\"{}\"}}", "x".repeat(large))))],
        ),
        ("a deep payload", vec![pair("output.value", text(nested))]),
        ("a payload of many usages", vec![pair("output.value", text(repeated))]),
        ("many attributes", (0..many).map(numbered).collect()),
        ("one key, many times", (0..many).map(again).collect()),
        ("a deep value", vec![pair("llm.token_count.prompt", deep(60))]),
        (
            "many finish reasons",
            vec![pair("gen_ai.response.finish_reasons", any(Value::ArrayValue(reasons)))],
        ),
    ];
    let mut decoder = DecodeBench::new();
    decoder.decode(body(Vec::new()), &mut |_| {});
    for (what, attributes) in hostile {
        let body = body(attributes);
        let size = body.len();
        let used = allocation_counter::measure(|| decoder.decode(body, &mut |_| {}));
        assert!(
            used.bytes_max <= BOUND,
            "{what}: {} bytes for a body of {size}",
            used.bytes_max
        );
    }
}
