//! Bad input gets a clear answer and costs its neighbours nothing.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;

use crate::support::{Collector, JSON, PROTOBUF, chat, request_json, rows, value};

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[test]
fn every_refusal_has_its_status_and_the_server_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let malformed = collector.post("/v1/traces", PROTOBUF, b"\x0a\xff\xff\xff\xff\x0fgarbage");
    assert_eq!(malformed.status, 400);
    let status = Status::decode(&malformed.body[..]).expect("google.rpc.Status");
    assert_eq!(status.code, 3);
    assert!(!status.message.is_empty());

    let malformed = collector.post("/v1/traces", JSON, b"{\"resourceSpans\": [");
    assert_eq!(malformed.status, 400);
    let status: Value = serde_json::from_slice(&malformed.body).expect("JSON");
    assert_eq!(status["code"], 3);

    assert_eq!(collector.post("/v1/profiles", PROTOBUF, b"").status, 404);
    assert_eq!(collector.post("/", JSON, b"{}").status, 404);
    assert_eq!(collector.get("/v1/traces").status, 405);
    assert_eq!(collector.post("/v1/traces", "text/plain", b"hello").status, 415);
    assert_eq!(collector.post_encoded("/v1/traces", PROTOBUF, Some("br"), b"").status, 415);
    assert_eq!(
        collector
            .post_encoded("/v1/traces", PROTOBUF, Some("gzip"), b"not gzip")
            .status,
        400
    );
    let declared = "Content-Type: application/x-protobuf\r\nContent-Length: 4294967296\r\n";
    let too_large = collector
        .request("POST /v1/traces HTTP/1.1", declared, b"")
        .expect("an answer");
    assert_eq!(too_large.status, 413);
    let zeros = zstd::encode_all(&vec![0u8; 80 << 20][..], 1).expect("a frame");
    assert_eq!(
        collector.post_encoded("/v1/traces", PROTOBUF, Some("zstd"), &zeros).status,
        413
    );

    let body = request_json(&[chat(1, 1, "acme", 10, 1)]).to_string();
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
    collector.stop();
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 1);
}

fn span(trace_id: &[u8], span_id: &[u8]) -> Span {
    Span {
        trace_id: trace_id.to_vec(),
        span_id: span_id.to_vec(),
        name: "chat".into(),
        start_time_unix_nano: 1_790_000_000_000_000_000,
        end_time_unix_nano: 1_790_000_000_500_000_000,
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

#[tokio::test]
async fn spans_with_broken_ids_are_counted_and_their_neighbours_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let request = request(vec![
        span(&[1; 16], &[1; 8]),
        span(&[0; 16], &[2; 8]),
        span(&[1; 16], &[0; 8]),
        span(&[1; 15], &[3; 8]),
        span(&[1; 16], &[4; 9]),
        span(&[1; 16], &[]),
        span(&[1; 16], &[5; 8]),
    ]);
    let mut client = TraceServiceClient::connect(format!("http://{}", collector.grpc))
        .await
        .expect("connected");
    let answer = client.export(request.clone()).await.expect("accepted").into_inner();
    let partial = answer.partial_success.expect("partial success");
    assert_eq!(partial.rejected_spans, 5);
    assert!(partial.error_message.contains("trace id"), "{}", partial.error_message);

    let answer = collector.post("/v1/traces", PROTOBUF, &request.encode_to_vec());
    assert_eq!(answer.status, 200);
    collector.stop();
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 4);
}

#[test]
fn json_ids_of_the_wrong_length_are_rejected_one_by_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let mut short = chat(1, 2, "acme", 10, 1);
    short["traceId"] = "abcd".into();
    let mut empty = chat(1, 3, "acme", 10, 1);
    empty["spanId"] = "".into();
    let body = request_json(&[chat(1, 1, "acme", 10, 1), short, empty]).to_string();
    let answer = collector.post("/v1/traces", JSON, body.as_bytes());
    assert_eq!(answer.status, 200);
    let answer: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(answer["partialSuccess"]["rejectedSpans"], "2");
    collector.stop();
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 1);
}

#[tokio::test]
async fn malformed_grpc_is_an_invalid_argument() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(&folder.path().join("lake"));
    // A span name that is not UTF-8 cannot be built with a typed client: bytes of another message stand in.
    let mut client = TraceServiceClient::connect(format!("http://{}", collector.grpc))
        .await
        .expect("connected");
    let mut broken = request(vec![span(&[1; 16], &[1; 8])]);
    broken.resource_spans[0].schema_url = "x".into();
    client.export(broken).await.expect("a good request is accepted");
    let channel = tonic::transport::Channel::from_shared(format!("http://{}", collector.grpc)).expect("an address");
    let mut grpc = tonic::client::Grpc::new(channel.connect().await.expect("connected"));
    grpc.ready().await.expect("ready");
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
        .parse()
        .expect("a path");
    let codec = tonic_prost::ProstCodec::<Garbage, Garbage>::default();
    let garbage = Garbage {
        bytes: b"\xff\xff\xff".to_vec(),
    };
    let refused = grpc
        .unary(tonic::Request::new(garbage), path, codec)
        .await
        .expect_err("refused");
    assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused:?}");
    collector.stop();
}

/// Field 1 of the request holds bytes that are no `ResourceSpans`.
#[derive(Clone, PartialEq, Message)]
struct Garbage {
    #[prost(bytes = "vec", tag = "1")]
    bytes: Vec<u8>,
}

#[test]
fn impossible_times_are_kept_flagged_and_dated_by_the_receipt() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let mut spans = Vec::new();
    for (at, (start, end)) in [
        ("0", "0"),
        ("1790000000000000000", "1"),
        ("1000000000000000000", "1000000000000000001"),
        ("9000000000000000000", "9000000000000000001"),
        ("18446744073709551615", "18446744073709551615"),
    ]
    .iter()
    .enumerate()
    {
        let mut span = chat(1, at as u64 + 1, "acme", 1000, 100);
        span["startTimeUnixNano"] = (*start).into();
        span["endTimeUnixNano"] = (*end).into();
        spans.push(span);
    }
    let body = request_json(&spans).to_string();
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
    collector.stop();
    let kept = rows(
        &lake,
        "SELECT span_id FROM spans WHERE array_has(flags, 'clock') AND date = CAST(received_at AS DATE) AND cost_usd = 0.0035",
    );
    assert_eq!(kept.len(), 5, "{kept:?}");
}

#[test]
fn wrong_arguments_and_configuration_exit_with_2_and_say_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("marginlake.toml");
    std::fs::write(&config, "[collect]\ncommit_intervall = \"10s\"\n").expect("written");
    let config = config.to_str().expect("a path");
    let lake = folder.path().join("lake");
    let lake = lake.to_str().expect("a path");
    for (arguments, expected) in [
        (vec!["collect", "--lake", lake, "--commit-interval", "10"], "such as 10s"),
        (vec!["collect", "--lake", lake, "--config", config], "commit_intervall"),
        (vec!["collect", "--lake", lake, "--config", "missing.toml"], "missing.toml"),
        (vec!["report", "--lake", lake, "--currency", "dollars"], "ISO 4217"),
        (vec!["collect"], "--lake"),
    ] {
        let output = crate::support::attempt(&arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}
