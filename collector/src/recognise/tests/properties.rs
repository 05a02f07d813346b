//! Properties over any attributes: recognition never panics, buckets are never negative and sum to the totals.

use marginlake_lake::schema::Role;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::trace::v1::{Span as SpanMessage, Status};
use proptest::prelude::*;
use prost::Message;

use crate::normalise::{UsageKey, UsageStatus};
use crate::recognise::field::{BARE_SPELLINGS, SPELLINGS};
use crate::recognise::payload::scan::MAX_BYTES;
use crate::recognise::{AttributionConfig, Flag, Recogniser, ScopeContext, profiles};
use crate::wire::Attributes;
use crate::wire::traces::Span;

fn keys() -> Vec<&'static str> {
    SPELLINGS
        .iter()
        .chain(BARE_SPELLINGS)
        .flat_map(|(_, spellings)| spellings.iter().copied())
        .chain([
            "gen_ai.aggregated_usage.input_tokens",
            "customer.id",
            "metadata",
            "user.id",
            "other.tokens",
        ])
        .collect()
}

fn scalar() -> impl Strategy<Value = any_value::Value> {
    prop_oneof![
        4 => (0i64..5000).prop_map(any_value::Value::IntValue),
        1 => any::<i64>().prop_map(any_value::Value::IntValue),
        1 => prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(0), Just(-1)].prop_map(any_value::Value::IntValue),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(-0.0), any::<f64>()].prop_map(any_value::Value::DoubleValue),
        1 => any::<bool>().prop_map(any_value::Value::BoolValue),
        2 => "[ -~]{0,40}".prop_map(any_value::Value::StringValue),
        1 => "[\\{\\[\"':,0-9a-z_\\\\\\}\\]]{0,60}".prop_map(any_value::Value::StringValue),
        2 => prop_oneof![
            Just("LLM"), Just("AGENT"), Just("chat"), Just("generation"), Just("ai.generateText.doGenerate"), Just("anthropic"),
            Just("gcp.gemini"), Just("x_ai"), Just(r#"{"input":5,"output":3,"input_cached_tokens":900}"#),
            Just(r#"{"prompt_tokens":50,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":900}}"#),
            Just(r#"{"usage":{"prompt_tokens":7,"\ud800":1,"model":"\udc00\ud800"}}"#), Just(r#"{"model":"\u00"#),
            Just(r#"{"anthropic":{"usage":{"input_tokens":9223372036854775807,"cache_read_input_tokens":9223372036854775807}}}"#),
        ].prop_map(|text| any_value::Value::StringValue(text.to_owned())),
        1 => prop::collection::vec(any::<u8>(), 0..8).prop_map(any_value::Value::BytesValue),
    ]
}

fn value() -> impl Strategy<Value = AnyValue> {
    scalar()
        .prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(|items| any_value::Value::ArrayValue(ArrayValue {
                    values: items.into_iter().map(|value| AnyValue { value: Some(value) }).collect(),
                })),
                prop::collection::vec(("[a-z.]{0,6}", inner), 0..4).prop_map(|items| any_value::Value::KvlistValue(
                    KeyValueList {
                        values: items
                            .into_iter()
                            .map(|(key, value)| pair(&key, AnyValue { value: Some(value) }))
                            .collect(),
                    }
                )),
            ]
        })
        .prop_map(|value| AnyValue { value: Some(value) })
}

fn pair(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

fn scopes() -> Vec<&'static str> {
    let mut scopes = vec!["", "some.app"];
    for profile in profiles() {
        for pattern in profile.scopes {
            if let super::super::profile::Pattern::Is(scope) | super::super::profile::Pattern::Starts(scope) = pattern {
                scopes.push(scope);
            }
        }
    }
    scopes
}

fn check(scope: &str, name: &str, status: i32, attributes: Vec<KeyValue>) {
    let message = SpanMessage {
        name: name.to_owned(),
        status: Some(Status {
            code: status,
            ..Status::default()
        }),
        attributes,
        ..SpanMessage::default()
    };
    let bytes = message.encode_to_vec();
    let recogniser = Recogniser::new(&AttributionConfig {
        keep: vec!["*".to_owned()],
        ..AttributionConfig::default()
    });
    let context = ScopeContext::new(&recogniser, Attributes(&[]), scope, "1.0");
    let mut span = Span::default();
    span.decode(&bytes).expect("prost writes what we read");
    let normalised = context.span(&span);

    let buckets = normalised.buckets;
    let sum = |counts: &[Option<i64>]| counts.iter().map(|count| i128::from(count.unwrap_or(0))).sum::<i128>();
    for (name, count) in buckets.named() {
        assert!(count.unwrap_or(0) >= 0, "{name} is negative");
    }
    let input = sum(&[
        buckets.input_uncached,
        buckets.cache_read,
        buckets.cache_write_5m,
        buckets.cache_write_1h,
        buckets.input_audio,
        buckets.input_image,
    ]);
    let output = sum(&[
        buckets.output_text,
        buckets.output_reasoning,
        buckets.output_audio,
        buckets.output_image,
    ]);
    if let Some(total) = normalised.usage.get(UsageKey::Input) {
        // Cached audio and images are counted with the cache.
        let cached_parts = sum(&[
            normalised.usage.get(UsageKey::CacheImageRead),
            normalised.usage.get(UsageKey::CacheAudioRead),
        ]);
        assert!(
            input == i128::from(total) || cached_parts > 0 && input <= i128::from(total),
            "{input} of {total}: {buckets:?}"
        );
    }
    if let Some(total) = normalised.usage.get(UsageKey::Output) {
        assert_eq!(output, i128::from(total), "{buckets:?}");
    }
    if normalised.usage_status.is_none_or(|status| status == UsageStatus::Missing) {
        assert_eq!(buckets, Default::default());
    }
    assert!(
        normalised
            .record
            .tags
            .iter()
            .all(|(key, _)| !super::super::field::is_content(key))
    );
}

proptest! {
    #[test]
    fn any_attributes_give_buckets_that_add_up(
        scope in prop::sample::select(scopes()),
        name in prop_oneof![Just("llm_request"), Just("raw_gen_ai_request"), Just("chat gpt-4.1"), Just("call_llm")],
        status in 0i32..3,
        pairs in prop::collection::vec((prop::sample::select(keys()), value()), 0..24),
    ) {
        check(scope, name, status, pairs.into_iter().map(|(key, value)| pair(key, value)).collect());
    }

    #[test]
    fn any_counts_give_buckets_that_add_up(
        scope in prop::sample::select(scopes()),
        counts in prop::collection::vec((prop::sample::select(keys()), prop_oneof![0i64..50, 0i64..5000, Just(i64::MAX)]), 1..10),
        provider in prop::sample::select(vec!["openai", "anthropic", "gcp.gemini", "x_ai", "aws.bedrock", "perplexity"]),
    ) {
        let text = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
        let int = |number| AnyValue { value: Some(any_value::Value::IntValue(number)) };
        let mut attributes = vec![pair("gen_ai.operation.name", text("chat")), pair("gen_ai.provider.name", text(provider))];
        attributes.extend(counts.into_iter().map(|(key, count)| pair(key, int(count))));
        check(scope, "chat", 0, attributes);
    }
}

#[test]
fn hostile_sizes_are_bounded() {
    let text = |text: String| AnyValue {
        value: Some(any_value::Value::StringValue(text)),
    };
    let mut deep = AnyValue {
        value: Some(any_value::Value::IntValue(1)),
    };
    for _ in 0..60 {
        deep = AnyValue {
            value: Some(any_value::Value::ArrayValue(ArrayValue { values: vec![deep] })),
        };
    }
    let mut attributes = vec![
        pair("openinference.span.kind", text("LLM".to_owned())),
        pair("output.value", text(format!("{{\"a\":\"{}\"", "x".repeat(MAX_BYTES + 10)))),
        pair("gen_ai.usage.input_tokens", deep),
        pair("user.id", text("u".repeat(10 << 20))),
    ];
    attributes.extend((0..100_000).map(|index| pair(&format!("noise.{index}"), text("n".to_owned()))));
    let bytes = SpanMessage {
        attributes,
        ..SpanMessage::default()
    }
    .encode_to_vec();
    let recogniser = Recogniser::new(&AttributionConfig::default());
    let context = ScopeContext::new(&recogniser, Attributes(&[]), "openinference.instrumentation.openai", "1");
    let mut span = Span::default();
    span.decode(&bytes).expect("prost writes what we read");
    let record = context.span(&span).record;
    assert!(record.flags.has(Flag::PayloadTooLarge) && record.flags.has(Flag::InvalidCount));
    assert!(record.flags.has(Flag::ValueTooLong));
    assert!(record.attribution.iter().next().is_none(), "an id of ten megabytes is no id");
    assert_eq!(record.role, Role::Llm);
}
