//! OTLP in every encoding ends as the same rows.

use std::io::Write;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::Value;

use crate::support::{Collector, JSON, PROTOBUF, capture, chat, request_json, rows, run, value};

const BODY: &str = "otel-google-genai/cached_thoughts/traces_0001.binpb";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

#[test]
fn the_same_body_in_every_encoding_gives_the_same_row() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let body = capture(BODY);
    let json = serde_json::to_vec(&ExportTraceServiceRequest::decode(&body[..]).expect("protobuf")).expect("JSON");
    let zstd = zstd::encode_all(&body[..], 1).expect("a frame");
    for (content_type, encoding, body) in [
        (PROTOBUF, None, body.clone()),
        (PROTOBUF, Some("gzip"), gzip(&body)),
        (PROTOBUF, Some("zstd"), zstd),
        (JSON, None, json.clone()),
        (JSON, Some("gzip"), gzip(&json)),
        ("application/json; charset=utf-8", Some("identity"), json),
    ] {
        let answer = collector.post_encoded("/v1/traces", content_type, encoding, &body);
        assert_eq!(answer.status, 200, "{content_type} {encoding:?}");
        assert!(
            answer
                .headers
                .contains(&format!("content-type: {}", content_type.split(';').next().expect("one")))
        );
    }
    collector.stop();
    let found = rows(
        &lake,
        "SELECT count(*) AS n, trace_id, response_model, input_uncached, cache_read, output_reasoning, cost_usd \
         FROM spans GROUP BY trace_id, response_model, input_uncached, cache_read, output_reasoning, cost_usd",
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["n"], 6);
    assert_eq!(found[0]["cache_read"], 16225);
    // 1329 x 1.25 + 16225 x 0.125 + 4355 x 10, per million (Gemini 2.5 Pro up to 200k tokens).
    assert_eq!(found[0]["cost_usd"], "0.047239375000");
}

#[tokio::test]
async fn grpc_takes_all_three_signals_plain_gzip_and_zstd() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let endpoint = format!("http://{}", collector.grpc);
    let body = capture(BODY);
    let mut client = TraceServiceClient::connect(endpoint.clone()).await.expect("connected");
    let request = ExportTraceServiceRequest::decode(&body[..]).expect("protobuf");
    let answer = client.export(request).await.expect("accepted");
    assert_eq!(answer.into_inner().partial_success, None);
    let zstd = zstd::encode_all(&body[..], 1).expect("a frame");
    for (encoding, message) in [
        ("gzip", gzip(&body)),
        ("gzip", [gzip(&body[..100]), gzip(&body[100..])].concat()),
        ("zstd", zstd),
    ] {
        assert_eq!(grpc(&collector, encoding, &message).await, "0", "{encoding}");
    }
    assert_eq!(
        grpc(&collector, "gzip", b"not gzip").await,
        "3",
        "bad data is an invalid argument"
    );
    let mut logs = LogsServiceClient::connect(endpoint).await.expect("connected");
    logs.export(ExportLogsServiceRequest::default()).await.expect("accepted");
    assert_eq!(
        collector.post("/v1/metrics", PROTOBUF, b"").status,
        200,
        "metrics are answered, not stored"
    );
    collector.stop();
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 4);
}

/// The `grpc-status` of one compressed message, sent frame by frame: a typed client would inflate nothing and hide the frame.
async fn grpc(collector: &Collector, encoding: &str, message: &[u8]) -> String {
    let mut frame = vec![1];
    frame.extend(u32::try_from(message.len()).expect("small").to_be_bytes());
    frame.extend(message);
    let client = Client::builder(TokioExecutor::new())
        .http2_only(true)
        .build_http::<Full<Bytes>>();
    let request = hyper::Request::post(format!(
        "http://{}/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        collector.grpc
    ))
    .header("content-type", "application/grpc+proto")
    .header("grpc-encoding", encoding)
    .header("te", "trailers")
    .body(Full::from(frame))
    .expect("a request");
    let answer = client.request(request).await.expect("an answer");
    let early = answer.headers().get("grpc-status").cloned();
    let collected = answer.into_body().collect().await.expect("a body");
    let late = collected.trailers().and_then(|trailers| trailers.get("grpc-status").cloned());
    early.or(late).expect("a status").to_str().expect("text").to_owned()
}

#[test]
fn a_redelivered_body_is_two_rows_of_spans_and_one_call() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let body = request_json(&[chat(1, 1, "acme", 1000, 100)]).to_string();
    for _ in 0..2 {
        assert_eq!(
            collector
                .post("/prefix/of/some/vendor/v1/traces", JSON, body.as_bytes())
                .status,
            200
        );
    }
    collector.stop();
    run(&["settle", "--lake", lake.to_str().expect("a path")]);
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 2);
    let calls = rows(
        &lake,
        "SELECT customer_id, service_name, cost_usd, records, trace_id FROM calls",
    );
    assert_eq!(calls.len(), 1, "{calls:?}");
    assert_eq!(calls[0]["customer_id"], "acme");
    assert_eq!(calls[0]["service_name"], "shop");
    // 1000 x 2.5 + 100 x 10, per million.
    assert_eq!(calls[0]["cost_usd"], "0.003500000000");
    assert_eq!(calls[0]["records"], 1, "a copy is not another record");
    assert_eq!(calls[0]["trace_id"], "00000000000000000000000000000001");
    let again = run(&["settle", "--lake", lake.to_str().expect("a path")]);
    assert_eq!(again, "nothing new to settle\n");
}

#[test]
fn prompts_never_reach_the_lake() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let secret = "the-secret-of-the-customer";
    let mut span = chat(1, 1, "acme", 10, 1);
    let attributes = span["attributes"].as_array_mut().expect("attributes");
    for key in [
        "gen_ai.input.messages",
        "gen_ai.output.messages",
        "llm.input_messages.0.message.content",
        "input.value",
    ] {
        attributes.push(serde_json::json!({ "key": key, "value": { "stringValue": secret } }));
    }
    let body = request_json(&[span]).to_string();
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
    collector.stop();
    let everything = run(&[
        "sql",
        "--lake",
        lake.to_str().expect("a path"),
        "SELECT * FROM spans",
        "--format",
        "ndjson",
    ]);
    assert!(everything.contains("acme") && !everything.contains(secret));
}

#[test]
fn health_readiness_and_metrics_are_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(&folder.path().join("lake"));
    assert_eq!(collector.get("/healthz").status, 200);
    assert_eq!(collector.get("/readyz").status, 200);
    let metrics = collector.get("/metrics");
    assert!(String::from_utf8_lossy(&metrics.body).contains("marginlake_collector_spans_total"));
    collector.stop();
}

#[test]
fn a_second_collector_with_the_same_state_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let lake_text = lake.to_str().expect("a path");
    let second = crate::support::attempt(&[
        "collect",
        "--lake",
        lake_text,
        "--grpc-addr",
        "127.0.0.1:0",
        "--http-addr",
        "127.0.0.1:0",
    ]);
    assert_eq!(second.status.code(), Some(1));
    let message = String::from_utf8_lossy(&second.stderr);
    assert!(message.contains("in use by another collector"), "{message}");
    let other = Collector::start_with(&lake, &["--collector-id", "other"]);
    for (at, collector) in [collector, other].into_iter().enumerate() {
        let body = request_json(&[chat(7, at as u64 + 1, "acme", 10, 1)]).to_string();
        assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
        collector.stop();
    }
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), Value::from(2));
}

#[test]
fn a_stop_right_after_the_ready_line_is_a_clean_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    for _ in 0..10 {
        Collector::start(&lake).stop();
    }
}
