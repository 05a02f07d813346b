//! Every spelling on its own: a record that carries one key is read by that key.

use std::collections::BTreeMap;

use marginlake_lake::schema::Dimension;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span as SpanMessage;
use prost::Message;

use crate::recognise::attribution::{AttributionConfig, Told};
use crate::recognise::field::{BARE_SPELLINGS, Field, SPELLINGS};
use crate::recognise::gather::{Gathered, Reading};
use crate::recognise::keys::Keys;
use crate::recognise::{Recogniser, ScopeContext};
use crate::wire::Attributes;
use crate::wire::traces::Span;

fn span(pairs: &[(&str, Value)]) -> Vec<u8> {
    let attributes = pairs.iter().map(|(key, value)| KeyValue {
        key: (*key).to_owned(),
        value: Some(AnyValue {
            value: Some(value.clone()),
        }),
        ..KeyValue::default()
    });
    SpanMessage {
        attributes: attributes.collect(),
        ..SpanMessage::default()
    }
    .encode_to_vec()
}

#[test]
fn every_spelling_belongs_to_one_field_and_is_found_alone() {
    let keys = Keys::new(&AttributionConfig::default());
    let mut owners: BTreeMap<&str, Field> = BTreeMap::new();
    for (table, reading) in [(SPELLINGS, Reading::Namespaced), (BARE_SPELLINGS, Reading::WithBare)] {
        for (field, spelling) in table
            .iter()
            .flat_map(|(field, spellings)| spellings.iter().map(move |spelling| (*field, *spelling)))
        {
            assert_eq!(owners.insert(spelling, field), None, "{spelling} has two owners");
            let bytes = span(&[(spelling, Value::IntValue(7))]);
            let mut record = Span::default();
            record.decode(&bytes).expect("a span");
            let gathered = Gathered::new(&keys, record.attributes(), reading);
            assert!(gathered.has(field), "{spelling} is not read as {field:?}");
        }
    }
}

#[test]
fn every_key_of_a_dimension_tells_it_alone_and_is_named_as_its_source() {
    let recogniser = Recogniser::new(&AttributionConfig::default());
    for dimension in Dimension::ALL {
        for key in dimension.defaults() {
            let text = |text: &str| Value::StringValue(text.to_owned());
            let bytes = span(&[("gen_ai.operation.name", text("chat")), (key, text("somebody"))]);
            let mut record = Span::default();
            record.decode(&bytes).expect("a span");
            let context = ScopeContext::new(&recogniser, Attributes(&[]), "app", "");
            let normalised = context.span(&record);
            let told: Vec<_> = normalised.record.attribution.iter().collect();
            let found = told.iter().find(|(found, _)| *found == dimension);
            let (_, attributed) = found.unwrap_or_else(|| panic!("{key} does not tell {dimension:?}"));
            assert_eq!(
                (&*attributed.value, attributed.source.to_string()),
                ("somebody", (*key).to_owned())
            );
        }
    }
}

/// What a record says about a dimension, with its source.
fn told(dimension: Dimension, scope: &str, pairs: &[(&str, &str)]) -> Option<(String, String)> {
    let recogniser = Recogniser::new(&AttributionConfig::default());
    let pairs: Vec<_> = pairs
        .iter()
        .map(|(key, text)| (*key, Value::StringValue((*text).to_owned())))
        .collect();
    let bytes = span(&pairs);
    let mut record = Span::default();
    record.decode(&bytes).expect("a span");
    let context = ScopeContext::new(&recogniser, Attributes(&[]), scope, "");
    let normalised = context.span(&record);
    let found = normalised.record.attribution.get(dimension)?;
    Some((found.value.clone().into_owned(), found.source.to_string()))
}

#[test]
fn names_inside_metadata_are_read_with_their_escapes_undone() {
    let read = |dimension, key: &str, text: &str| told(dimension, "app", &[("gen_ai.operation.name", "chat"), (key, text)]);
    let some = |value: &str, source: &str| Some((value.to_owned(), source.to_owned()));
    for (dimension, key, text, expected) in [
        // Python escapes letters beyond ASCII.
        (
            Dimension::Customer,
            "metadata",
            r#"{"customer_id":"M\u00fcller"}"#,
            some("Müller", "metadata:customer_id"),
        ),
        (
            Dimension::User,
            "langfuse.user.id",
            r#""Ren\u00e9""#,
            some("René", "langfuse.user.id"),
        ),
        (
            Dimension::Customer,
            "metadata",
            r#"{"customer_id":7}"#,
            some("7", "metadata:customer_id"),
        ),
        (Dimension::Customer, "metadata", r#"{"customer_id":"\ud800"}"#, None),
        (
            Dimension::Task,
            "mastra.metadata.taskId",
            "t-1",
            some("t-1", "mastra.metadata.taskId"),
        ),
        (
            Dimension::Feature,
            "mastra.metadata.feature",
            "chat",
            some("chat", "mastra.metadata.feature"),
        ),
        (
            Dimension::PromptName,
            "mlflow.linkedPrompts",
            r#"[{"name":"greet","version":"3"}]"#,
            some("greet", "mlflow.linkedPrompts:name"),
        ),
        (
            Dimension::PromptVersion,
            "mlflow.linkedPrompts",
            r#"[{"name":"greet","version":"3"}]"#,
            some("3", "mlflow.linkedPrompts:version"),
        ),
    ] {
        assert_eq!(read(dimension, key, text), expected, "{key} {text}");
    }
}

#[test]
fn an_entity_of_traceloop_is_an_agent_where_its_kind_says_so() {
    let read = |kind: &str| {
        let pairs = [("traceloop.span.kind", kind), ("traceloop.entity.name", "planner")];
        told(Dimension::Agent, "opentelemetry.instrumentation.langchain", &pairs)
    };
    assert_eq!(
        read("agent"),
        Some(("planner".to_owned(), "traceloop.entity.name".to_owned()))
    );
    assert_eq!(read("tool"), None);
}
