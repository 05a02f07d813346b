//! Spans a second through recognition and normalisation, from decoded spans, one in three an LLM call.
//!
//! `cargo bench -p marginlake-collector --profile dist --bench recognise`. The target is 1.5 million on one core
//! (`docs/performance.md` has the measured figure).

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use marginlake_collector::recognise::{AttributionConfig, Recogniser, ScopeContext};
use marginlake_collector::wire::Attributes;
use marginlake_collector::wire::traces::Span;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::trace::v1::Span as Message;
use prost::Message as _;

fn text(key: &str, value: &str) -> KeyValue {
    any(key, any_value::Value::StringValue(value.to_owned()))
}

fn int(key: &str, value: i64) -> KeyValue {
    any(key, any_value::Value::IntValue(value))
}

fn any(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// A chat, a tool and an HTTP request, as a traced application sends them.
fn messages() -> [Vec<u8>; 3] {
    let chat = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4.1"),
        text("gen_ai.response.model", "gpt-4.1-2025-04-14"),
        text("gen_ai.response.id", "chatcmpl-3539d4d2c23513493888233f"),
        text("server.address", "api.openai.com"),
        int("server.port", 443),
        int("gen_ai.request.max_tokens", 1024),
        int("gen_ai.usage.input_tokens", 2006),
        int("gen_ai.usage.output_tokens", 300),
        int("gen_ai.usage.cache_read.input_tokens", 1920),
        text("openai.response.service_tier", "default"),
        text("user.id", "user-77"),
        text("gen_ai.conversation.id", "conv-2024-77"),
    ];
    let tool = vec![
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", "get_weather"),
        text("gen_ai.tool.call.id", "call_47900789aaa66173534b"),
    ];
    let http = vec![
        text("http.request.method", "POST"),
        text("url.path", "/v1/orders"),
        text("http.route", "/v1/orders"),
        int("http.response.status_code", 200),
        text("server.address", "shop.example"),
        text("customer.id", "acme"),
    ];
    [chat, tool, http].map(|attributes| {
        Message {
            name: "span".to_owned(),
            kind: 3,
            attributes,
            ..Message::default()
        }
        .encode_to_vec()
    })
}

fn main() {
    let messages = messages();
    let recogniser = Recogniser::new(&AttributionConfig::default());
    let spans = messages.each_ref().map(|message| {
        let mut span = Span::default();
        span.decode(message).expect("prost writes what we read");
        span
    });
    for scope in ["opentelemetry.instrumentation.genai.openai", "some.app"] {
        let context = ScopeContext::new(&recogniser, Attributes(&[]), scope, "1.3b0");
        let mut best = 0.0f64;
        for _ in 0..5 {
            let (start, mut count) = (Instant::now(), 0u64);
            while start.elapsed() < Duration::from_millis(500) {
                for _ in 0..1000 {
                    for span in &spans {
                        black_box(context.span(black_box(span)));
                    }
                }
                count += 3000;
            }
            best = best.max(count as f64 / start.elapsed().as_secs_f64());
        }
        println!("{scope}: {best:.0} spans/s");
    }
}
