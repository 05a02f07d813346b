//! What goes on is what came, but for the costs of calls.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::wal::Compression;

fn annotator() -> Annotator {
    Annotator::new(&AttributionConfig::default(), Catalogue::embedded(), 64 << 20)
}

fn entry(body: Vec<u8>) -> Entry {
    Entry {
        received_at_unix_nano: 1_790_000_000_000_000_000,
        signal: Signal::Traces,
        encoding: Encoding::Protobuf,
        compression: Compression::Identity,
        tenant: None,
        body: Bytes::from(body),
    }
}

/// Every recorded body of the corpus.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/corpus");
    let mut bodies = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for found in std::fs::read_dir(&folder).expect("the corpus") {
            let path = found.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "binpb")
                && path
                    .file_name()
                    .is_some_and(|name| name.to_string_lossy().starts_with("traces"))
            {
                bodies.push((path.display().to_string(), std::fs::read(&path).expect("a body")));
            }
        }
    }
    bodies
}

/// Takes the attributes away again that forwarding adds.
fn without_costs(mut request: ExportTraceServiceRequest, before: &ExportTraceServiceRequest) -> (ExportTraceServiceRequest, u64) {
    let mut added = 0;
    for (resource, resource_before) in request.resource_spans.iter_mut().zip(&before.resource_spans) {
        for (scope, scope_before) in resource.scope_spans.iter_mut().zip(&resource_before.scope_spans) {
            for (span, span_before) in scope.spans.iter_mut().zip(&scope_before.spans) {
                for more in &span.attributes[span_before.attributes.len()..] {
                    assert!([COST, EXACT_COST].contains(&more.key.as_str()), "{}", more.key);
                }
                added += (span.attributes.len() - span_before.attributes.len()) as u64;
                span.attributes.truncate(span_before.attributes.len());
            }
        }
    }
    (request, added)
}

#[test]
fn real_bodies_go_on_unchanged_but_for_the_costs_of_calls() {
    let annotator = annotator();
    let (mut annotated, mut unchanged) = (0, 0);
    for (path, body) in corpus() {
        let sent = annotator.annotate(&entry(body.clone())).expect("readable");
        let before = ExportTraceServiceRequest::decode(&body[..]).expect("protobuf");
        let after = ExportTraceServiceRequest::decode(&sent[..]).unwrap_or_else(|error| panic!("{path}: {error}"));
        let (stripped, added) = without_costs(after, &before);
        assert_eq!(stripped, before, "{path}");
        if added == 0 {
            assert_eq!(sent, body, "{path}: nothing to add, so not one byte may change");
            unchanged += 1;
        } else {
            annotated += 1;
        }
    }
    assert!(annotated > 20 && unchanged > 0, "{annotated} {unchanged}");
}

fn call(attributes: &[(&str, Kind)]) -> Vec<u8> {
    use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
    let attributes = attributes.iter().map(|(key, value)| KeyValue {
        key: (*key).into(),
        value: Some(AnyValue {
            value: Some(value.clone()),
        }),
        ..KeyValue::default()
    });
    let span = Span {
        trace_id: vec![1; 16],
        span_id: vec![2; 8],
        name: "chat".into(),
        start_time_unix_nano: 1_790_000_000_000_000_000,
        end_time_unix_nano: 1_790_000_001_000_000_000,
        attributes: attributes.collect(),
        ..Span::default()
    };
    let scope_spans = vec![ScopeSpans {
        spans: vec![span],
        ..ScopeSpans::default()
    }];
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    };
    request.encode_to_vec()
}

fn costs(body: Vec<u8>) -> Vec<(String, Option<Kind>)> {
    let sent = annotator().annotate(&entry(body)).expect("readable");
    let request = ExportTraceServiceRequest::decode(&sent[..]).expect("protobuf");
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    let ours = span
        .attributes
        .iter()
        .filter(|attribute| [COST, EXACT_COST].contains(&attribute.key.as_str()));
    ours.map(|attribute| (attribute.key.clone(), attribute.value.clone().and_then(|value| value.value)))
        .collect()
}

fn gpt_4o() -> Vec<(&'static str, Kind)> {
    vec![
        ("gen_ai.operation.name", Kind::StringValue("chat".into())),
        ("gen_ai.provider.name", Kind::StringValue("openai".into())),
        ("gen_ai.response.model", Kind::StringValue("gpt-4o-2024-08-06".into())),
        ("gen_ai.usage.input_tokens", Kind::IntValue(1000)),
        ("gen_ai.usage.output_tokens", Kind::IntValue(100)),
    ]
}

#[test]
fn a_call_carries_its_cost_as_a_double_and_as_exact_text() {
    // 1000 x 2.5 + 100 x 10, per million.
    let expected = [
        (COST.to_owned(), Some(Kind::DoubleValue(0.0035))),
        (EXACT_COST.to_owned(), Some(Kind::StringValue("0.0035".into()))),
    ];
    assert_eq!(costs(call(&gpt_4o())), expected);
}

#[test]
fn an_emitters_own_figure_stays_and_an_unknown_cost_is_none() {
    let mut attributes = gpt_4o();
    attributes.push((COST, Kind::DoubleValue(1.0)));
    let found = costs(call(&attributes));
    assert_eq!(found[0], (COST.to_owned(), Some(Kind::DoubleValue(1.0))));
    assert_eq!(found[1], (EXACT_COST.to_owned(), Some(Kind::StringValue("0.0035".into()))));
    let mut unknown = gpt_4o();
    unknown[2].1 = Kind::StringValue("a-model-that-nobody-knows".into());
    assert_eq!(costs(call(&unknown)), []);
}

#[test]
fn costs_are_written_without_trailing_zeros() {
    for (e12, text) in [
        (0, "0"),
        (3_500_000_000, "0.0035"),
        (2_000_000_000_000, "2"),
        (1, "0.000000000001"),
        (-1_500_000_000_000, "-1.5"),
    ] {
        assert_eq!(decimal(e12), text);
    }
}

proptest! {
    /// Whatever stands around the spans, in whatever order and encoding, stays as it was.
    #[test]
    fn fields_that_we_do_not_know_are_kept_byte_by_byte(
        unknown in proptest::collection::vec((16u32..200, any::<Vec<u8>>()), 0..4),
        before in any::<bool>(),
    ) {
        let mut strange = Vec::new();
        for (number, bytes) in &unknown {
            prost::encoding::bytes::encode(*number, bytes, &mut strange);
        }
        let known = call(&gpt_4o());
        let body = if before { [strange.clone(), known].concat() } else { [known, strange.clone()].concat() };
        let sent = annotator().annotate(&entry(body.clone())).expect("readable");
        prop_assert!(sent.len() > body.len());
        if before {
            prop_assert!(sent.starts_with(&strange));
        } else {
            prop_assert!(sent.ends_with(&strange));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = annotator().annotate(&entry(bytes));
    }
}
