//! What the OTLP specification says about servers and no other test of ours already shows: `docs/otlp.md` has the table.

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::{Value, json};

use crate::support::{Collector, JSON, PROTOBUF, capture, chat, request_json, rows, until, value};

const BODY: &str = "otel-google-genai/cached_thoughts/traces_0001.binpb";

#[tokio::test]
async fn a_request_without_telemetry_succeeds_for_every_signal() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(&folder.path().join("lake"));
    for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
        let answer = collector.post(path, PROTOBUF, b"");
        assert_eq!(
            (answer.status, answer.body.len()),
            (200, 0),
            "{path}: nothing is set in the answer"
        );
        let answer = collector.post(path, JSON, b"{}");
        assert_eq!((answer.status, &answer.body[..]), (200, &b"{}"[..]), "{path}");
    }
    let endpoint = format!("http://{}", collector.grpc);
    let mut traces = TraceServiceClient::connect(endpoint.clone()).await.expect("connected");
    let answer = traces.export(ExportTraceServiceRequest::default()).await.expect("success");
    assert_eq!(answer.into_inner().partial_success, None);
    let mut logs = LogsServiceClient::connect(endpoint.clone()).await.expect("connected");
    let answer = logs.export(ExportLogsServiceRequest::default()).await.expect("success");
    assert_eq!(answer.into_inner().partial_success, None);
    let mut metrics = MetricsServiceClient::connect(endpoint).await.expect("connected");
    let answer = metrics.export(ExportMetricsServiceRequest::default()).await.expect("success");
    assert_eq!(answer.into_inner().partial_success, None);
    collector.stop();
}

#[tokio::test]
async fn http_1_and_http_2_are_served_on_both_addresses() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    for address in [collector.grpc, collector.http] {
        for http2 in [false, true] {
            let client = Client::builder(TokioExecutor::new())
                .http2_only(http2)
                .build_http::<Full<Bytes>>();
            let request = hyper::Request::post(format!("http://{address}/v1/traces"))
                .header("content-type", PROTOBUF)
                .body(Full::from(capture(BODY)))
                .expect("a request");
            let answer = client.request(request).await.expect("an answer");
            assert_eq!(answer.status(), 200, "{address} {http2}");
            answer.into_body().collect().await.expect("a body");
        }
    }
    collector.stop();
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 4);
}

#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(&folder.path().join("lake"));
    let service = "opentelemetry.proto.collector.trace.v1.TraceService";
    for method in [format!("{service}/Nothing"), "some.other.Service/Export".to_owned()] {
        let client = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build_http::<Full<Bytes>>();
        let request = hyper::Request::post(format!("http://{}/{method}", collector.grpc))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::from(vec![0; 5]))
            .expect("a request");
        let answer = client.request(request).await.expect("an answer");
        assert_eq!(answer.status(), 200, "{method}: gRPC has its own status");
        let headers = answer.headers().clone();
        let trailers = answer.into_body().collect().await.expect("a body").trailers().cloned();
        let status = headers
            .get("grpc-status")
            .or(trailers.as_ref().and_then(|trailers| trailers.get("grpc-status")));
        assert_eq!(status.expect("a status"), "12", "{method}");
    }
    collector.stop();
}

#[test]
fn what_a_newer_sender_adds_is_ignored() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let mut body = capture(BODY);
    prost::encoding::bytes::encode(999, &b"a field of the future".to_vec(), &mut body);
    assert_eq!(collector.post("/v1/traces", PROTOBUF, &body).status, 200);
    let mut span = chat(1, 1, "acme", 10, 1);
    span["aFieldOfTheFuture"] = json!({ "deep": [1, null, "x"] });
    let mut request = request_json(&[span]);
    request["another"] = json!(true);
    assert_eq!(collector.post("/v1/traces", JSON, request.to_string().as_bytes()).status, 200);
    collector.stop();
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 2);
}

#[test]
fn json_is_read_as_the_mapping_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    // Ids in either case, enums as integers, 64-bit integers as strings or numbers, defaults left out.
    let span = |id: &str, start: Value, tokens: Value| {
        json!({
            "traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": id, "name": "chat", "kind": 3,
            "startTimeUnixNano": start.clone(), "endTimeUnixNano": start, "status": { "code": 2 },
            "attributes": [
                { "key": "gen_ai.operation.name", "value": { "stringValue": "chat" } },
                { "key": "gen_ai.response.model", "value": { "stringValue": "gpt-4o-2024-08-06" } },
                { "key": "gen_ai.usage.input_tokens", "value": { "intValue": tokens } },
                { "key": "gen_ai.usage.output_tokens", "value": { "intValue": "1" } },
            ],
        })
    };
    let spans = [
        span("EEE19B7EC3C1B174", "1790000000000000001".into(), "7".into()),
        span("eee19b7ec3c1b175", 1_790_000_000_000_000_001u64.into(), 7.into()),
    ];
    assert_eq!(
        collector
            .post("/v1/traces", JSON, request_json(&spans).to_string().as_bytes())
            .status,
        200
    );
    collector.stop();
    let found = rows(&lake, "SELECT trace_id, kind, status, start_time, input_uncached FROM spans");
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0]["trace_id"], "5b8efff798038103d269b633813fc60c");
    assert_eq!((&found[0]["kind"], &found[0]["status"]), (&"client".into(), &"error".into()));
    assert_eq!(found[0]["input_uncached"], 7);
}

#[test]
fn partial_success_is_written_as_the_request_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(&folder.path().join("lake"));
    let mut zero = chat(1, 2, "acme", 10, 1);
    zero["traceId"] = "0".repeat(32).into();
    let request = request_json(&[chat(1, 1, "acme", 10, 1), zero]);
    let typed: ExportTraceServiceRequest = serde_json::from_value(request.clone()).expect("a request");
    let answer = collector.post("/v1/traces", PROTOBUF, &typed.encode_to_vec());
    assert!(
        answer.headers.contains("content-type: application/x-protobuf"),
        "{}",
        answer.headers
    );
    let response = opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse::decode(&answer.body[..]);
    let partial = response.expect("a response").partial_success.expect("partial success");
    assert_eq!(partial.rejected_spans, 1);
    let answer = collector.post("/v1/traces", JSON, request.to_string().as_bytes());
    assert!(
        answer.headers.contains("content-type: application/json"),
        "{}",
        answer.headers
    );
    let response: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(response["partialSuccess"]["rejectedSpans"], "1");
    assert_eq!(response["partialSuccess"]["errorMessage"], partial.error_message);
    assert!(partial.error_message.contains("1 of 2 spans") && partial.error_message.contains("the trace id is zero (1)"));
    assert_eq!(
        collector.metric("marginlake_collector_spans_rejected_total{reason=\"the trace id is zero\"}"),
        2
    );
    collector.stop();
}

#[test]
fn malformed_bodies_of_every_signal_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(&folder.path().join("lake"));
    for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
        assert_eq!(collector.post(path, PROTOBUF, b"\x0a\xff\xff").status, 400, "{path}");
        assert_eq!(collector.post(path, JSON, b"[1]").status, 400, "{path}");
        assert_eq!(
            collector.post(path, JSON, b"{\"a\":\"\xff\xfe\"}").status,
            400,
            "{path}: not UTF-8"
        );
    }
    collector.stop();
}

#[test]
fn attributes_beyond_the_limit_are_counted_and_the_call_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let mut call = chat(1, 1, "acme", 1000, 100);
    let attributes = call["attributes"].as_array_mut().expect("attributes");
    // What it is stands first and its usage last, with a long conversation between.
    let usage = attributes.split_off(4);
    for message in 0..5000 {
        attributes
            .push(json!({ "key": format!("llm.input_messages.{message}.message.role"), "value": { "stringValue": "user" } }));
    }
    attributes.extend(usage);
    let total = attributes.len();
    let answer = collector.post("/v1/traces", JSON, request_json(&[call]).to_string().as_bytes());
    assert_eq!(answer.status, 200);
    let response: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(response["partialSuccess"]["rejectedSpans"], "0", "a warning");
    let message = response["partialSuccess"]["errorMessage"].as_str().expect("a message");
    assert!(message.contains(&format!("{} attributes", total - 4096)), "{message}");
    assert_eq!(
        collector.metric("marginlake_collector_attributes_dropped_total"),
        (total - 4096) as u64
    );
    collector.stop();
    assert_eq!(value(&lake, "SELECT cost_usd FROM spans"), "0.003500000000");
}

#[test]
fn values_that_are_too_long_to_be_names_are_counted_and_their_rows_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let long = "c".repeat(1025);
    let mut in_metadata = chat(1, 3, "acme", 1000, 100);
    let attributes = in_metadata["attributes"].as_array_mut().expect("attributes");
    attributes
        .push(json!({ "key": "metadata", "value": { "stringValue": json!({ "tenant_id": long, "note": long }).to_string() } }));
    attributes.retain(|attribute| attribute["key"] != "customer.id");
    let mut of_no_dimension = chat(1, 4, "acme", 1000, 100);
    let attributes = of_no_dimension["attributes"].as_array_mut().expect("attributes");
    attributes.push(json!({ "key": "metadata", "value": { "stringValue": json!({ "note": long }).to_string() } }));
    let calls = [
        chat(1, 1, &long, 1000, 100),
        chat(1, 2, &long[1..], 1000, 100),
        in_metadata,
        of_no_dimension,
    ];
    let answer = collector.post("/v1/traces", JSON, request_json(&calls).to_string().as_bytes());
    assert_eq!(answer.status, 200);
    until("all is committed", || {
        collector.metric("marginlake_collector_rows_committed_total") == 4
    });
    assert_eq!(collector.metric("marginlake_collector_values_dropped_total"), 2);
    collector.stop();
    let flagged = "SELECT count(*) FROM spans WHERE array_has(flags, 'value_too_long') AND customer_id IS NULL";
    assert_eq!(value(&lake, flagged), 2);
    assert_eq!(value(&lake, "SELECT count(*) FROM spans WHERE customer_id IS NOT NULL"), 2);
}
