//! `--forward`: everything goes on, and the backend can do nothing to ingest.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Kind;
use prost::Message;
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::support::{Collector, JSON, PROTOBUF, capture, chat, request_json, rows, until, value};

/// One request as a backend got it.
#[derive(Debug, Clone)]
struct Received {
    path: String,
    headers: String,
    body: Vec<u8>,
}

/// A backend that keeps what it gets and answers with the statuses it was given, then with 200.
struct Backend {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Backend {
    fn start(statuses: &'static [&'static str]) -> Self {
        Self::serve(TcpListener::bind("127.0.0.1:0").expect("a port"), statuses)
    }

    fn serve(listener: TcpListener, statuses: &'static [&'static str]) -> Self {
        let address = listener.local_addr().expect("an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&received);
        let answered = Arc::new(Mutex::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answered) = (Arc::clone(&kept), Arc::clone(&answered));
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
                    while let Some(request) = read(&mut reader) {
                        let mut answered = answered.lock().expect("a count");
                        let status = statuses.get(*answered).copied().unwrap_or("200 OK");
                        *answered += 1;
                        if status.starts_with("200") {
                            kept.lock().expect("requests").push(request);
                        }
                        answer(&stream, status);
                    }
                });
            }
        });
        Self { address, received }
    }

    fn received(&self) -> Vec<Received> {
        self.received.lock().expect("requests").clone()
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if head[before..].trim().is_empty() {
            break;
        }
    }
    let headers = head.to_lowercase();
    let length = headers
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))?
        .trim()
        .parse()
        .ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    if headers.contains("content-encoding: gzip") {
        let mut inflated = Vec::new();
        flate2::read::GzDecoder::new(&body[..]).read_to_end(&mut inflated).ok()?;
        body = inflated;
    }
    let path = head.split_whitespace().nth(1)?.to_owned();
    Some(Received { path, headers, body })
}

fn answer(mut stream: &TcpStream, status: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n");
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

fn collector(lake: &Path, backend: SocketAddr, more: &[&str]) -> Collector {
    let url = url(backend);
    let fixed = ["--commit-interval", "50ms", "--forward", &url];
    Collector::start_with(lake, &[&fixed, more].concat())
}

fn post_call(collector: &Collector, span: u64) {
    let body = request_json(&[chat(1, span, "acme", 1000, 100)]).to_string();
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
}

fn attributes(request: &Received) -> Vec<(String, Option<Kind>)> {
    let request = ExportTraceServiceRequest::decode(&request.body[..]).expect("protobuf");
    let span = &request.resource_spans[0].scope_spans[0].spans[0];
    let attributes = span.attributes.iter();
    attributes
        .map(|attribute| (attribute.key.clone(), attribute.value.clone().and_then(|value| value.value)))
        .collect()
}

#[test]
fn all_three_signals_go_on_by_http_and_only_calls_are_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let backend = Backend::start(&["503 Busy", "429 Slowly"]);
    let headers = ["--forward-headers", "authorization=Bearer%20of-the-backend,x-team=a"];
    let collector = collector(&lake, backend.address, &headers);
    let call = capture("otel-google-genai/cached_thoughts/traces_0001.binpb");
    // One resource with one empty schema URL: enough of a metric.
    let metrics = b"\x0a\x02\x1a\x00".to_vec();
    assert_eq!(collector.post("/v1/traces", PROTOBUF, &call).status, 200);
    let log = request_log();
    assert_eq!(collector.post("/v1/logs", PROTOBUF, &log).status, 200);
    assert_eq!(collector.post("/v1/metrics", PROTOBUF, &metrics).status, 200);
    until("the backend has all", || backend.received().len() == 3);
    assert!(collector.metric("marginlake_collector_forward_failures_total") >= 2);
    until("all is counted", || {
        collector.metric("marginlake_collector_forward_requests_total{outcome=\"sent\"}") == 3
    });
    collector.stop();
    let received = backend.received();
    let of = |path: &str| received.iter().find(|request| request.path == path).expect(path);
    assert_eq!(of("/v1/logs").body, log);
    assert_eq!(of("/v1/metrics").body, metrics);
    let traces = of("/v1/traces");
    assert!(
        traces.headers.contains("authorization: bearer of-the-backend") && traces.headers.contains("x-team: a"),
        "{}",
        traces.headers
    );
    let found = attributes(traces);
    let (before, added) = found.split_at(found.len() - 2);
    let original = Received {
        body: call,
        ..traces.clone()
    };
    assert_eq!(before, attributes(&original));
    let cost = value(&lake, "SELECT cost_usd FROM spans WHERE cost_usd IS NOT NULL");
    assert_eq!(cost, "0.047239375000");
    assert_eq!(added[0], ("gen_ai.usage.cost".into(), Some(Kind::DoubleValue(0.047239375))));
    assert_eq!(
        added[1],
        ("marginlake.cost_usd".into(), Some(Kind::StringValue("0.047239375".into())))
    );
}

/// One log record that reports no call.
fn request_log() -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    let record = LogRecord {
        severity_text: "INFO".into(),
        ..LogRecord::default()
    };
    let scope_logs = vec![ScopeLogs {
        log_records: vec![record],
        ..ScopeLogs::default()
    }];
    let resource_logs = vec![ResourceLogs {
        scope_logs,
        ..ResourceLogs::default()
    }];
    ExportLogsServiceRequest { resource_logs }.encode_to_vec()
}

#[test]
fn behind_grpc_another_collector_gets_the_same_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("first"), folder.path().join("second"));
    let backend = Collector::start(&second);
    let front = collector(&first, backend.grpc, &["--forward-protocol", "grpc"]);
    for span in 1..=20 {
        post_call(&front, span);
    }
    until("the backend has all", || {
        front.metric("marginlake_collector_forward_requests_total{outcome=\"sent\"}") == 20
    });
    front.stop();
    backend.stop();
    let query = "SELECT encode(span_id, 'hex') AS span, cost_usd, customer_id FROM spans ORDER BY 1";
    let found = rows(&first, query);
    assert_eq!(found.len(), 20);
    assert_eq!(found, rows(&second, query));
}

#[test]
fn a_dead_and_a_hanging_backend_neither_slow_nor_lose_anything() {
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dead = Closed::new();
    for backend in [hanging.local_addr().expect("an address"), dead.address()] {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = folder.path().join("lake");
        let config = config(folder.path(), "forward_timeout = \"200ms\"\n");
        let collector = collector(&lake, backend, &["--config", &config]);
        let started = std::time::Instant::now();
        for span in 1..=40 {
            post_call(&collector, span);
        }
        until("the lake has all", || {
            collector.metric("marginlake_collector_rows_committed_total") == 40
        });
        until("the backend was tried", || {
            collector.metric("marginlake_collector_forward_failures_total") > 0
        });
        assert_eq!(collector.get("/readyz").status, 200, "the lake is what matters");
        assert_eq!(
            collector.metric("marginlake_collector_forward_requests_total{outcome=\"sent\"}"),
            0
        );
        collector.stop();
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
        assert_eq!(value(&lake, "SELECT count(DISTINCT span_id) FROM spans"), 40);
    }
}

#[test]
fn a_restart_goes_on_where_the_backend_got_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let backend = Closed::new();
    let address = backend.address();
    let crashed = collector(&lake, address, &[]);
    for span in 1..=3 {
        post_call(&crashed, span);
    }
    until("the lake has all", || {
        crashed.metric("marginlake_collector_rows_committed_total") == 3
    });
    crashed.kill();
    let backend = Backend::serve(backend.listen(), &[]);
    let again = collector(&lake, address, &[]);
    until("the backend has what it lacked", || backend.received().len() == 3);
    until("it is known", || again.metric("marginlake_collector_forward_waiting") == 0);
    again.stop();
    let third = collector(&lake, address, &[]);
    post_call(&third, 4);
    until("the backend has the new one", || backend.received().len() >= 4);
    third.stop();
    let mut spans: Vec<Vec<u8>> = backend
        .received()
        .iter()
        .map(|request| ExportTraceServiceRequest::decode(&request.body[..]).expect("protobuf"))
        .map(|request| request.resource_spans[0].scope_spans[0].spans[0].span_id.clone())
        .collect();
    // A few are on their way at a time.
    spans.sort();
    let expected: Vec<Vec<u8>> = (1..=4u64).map(|span| span.to_be_bytes().to_vec()).collect();
    assert_eq!(spans, expected, "all, and after a clean stop nothing twice");
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 4);
}

#[test]
fn beyond_its_bound_the_oldest_is_forgotten_for_the_backend_and_never_for_the_lake() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let backend = Closed::new();
    let address = backend.address();
    let config = config(folder.path(), "forward_queue = \"2KiB\"\n");
    let collector = collector(&lake, address, &["--config", &config]);
    for span in 1..=16 {
        post_call(&collector, span);
        // One segment each: what is committed whole is closed.
        until("the lake has it", || {
            collector.metric("marginlake_collector_rows_committed_total") == span
        });
    }
    assert!(collector.metric("marginlake_collector_forward_queue_bytes") <= 2 << 10);
    let backend = Backend::serve(backend.listen(), &[]);
    post_call(&collector, 17);
    until("nothing waits", || {
        collector.metric("marginlake_collector_forward_waiting") == 0
    });
    let dropped = collector.metric("marginlake_collector_forward_requests_total{outcome=\"dropped\"}");
    let sent = collector.metric("marginlake_collector_forward_requests_total{outcome=\"sent\"}");
    assert!(dropped > 0 && sent > 0);
    assert_eq!(dropped + sent, 17, "each is sent or counted");
    assert_eq!(backend.received().len() as u64, sent);
    collector.stop();
    assert_eq!(value(&lake, "SELECT count(DISTINCT span_id) FROM spans"), Value::from(17));
}

/// A port that refuses connections until somebody listens on it, and that nobody else can take in the meantime.
struct Closed(Socket);

impl Closed {
    fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(&any.into()).expect("a port");
        Self(socket)
    }

    fn address(&self) -> SocketAddr {
        let address = self.0.local_addr().expect("an address");
        address.as_socket().expect("an IP address")
    }

    fn listen(self) -> TcpListener {
        self.0.listen(128).expect("it listens");
        self.0.into()
    }
}

fn config(folder: &Path, lines: &str) -> String {
    let path = folder.join("marginlake.toml");
    std::fs::write(&path, format!("[collect]\n{lines}")).expect("written");
    path.to_str().expect("a path").to_owned()
}
