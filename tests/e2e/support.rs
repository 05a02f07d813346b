//! A collector under test, a small HTTP client, and queries through `marginlake sql`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";

/// The binary with arguments; never reads the user's environment.
pub(crate) fn marginlake(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_marginlake"));
    command.args(arguments);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MARGINLAKE_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// Runs to the end and insists on success.
pub(crate) fn run(arguments: &[&str]) -> String {
    let output = marginlake(arguments).output().expect("the binary runs");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

/// Runs to the end, whatever comes of it.
pub(crate) fn attempt(arguments: &[&str]) -> Output {
    marginlake(arguments).output().expect("the binary runs")
}

/// Rows of a query.
pub(crate) fn rows(lake: &Path, query: &str) -> Vec<Value> {
    let lake = lake.to_str().expect("a path");
    let text = run(&["sql", "--lake", lake, query, "--format", "ndjson"]);
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The one value of a query with one row and one column.
pub(crate) fn value(lake: &Path, query: &str) -> Value {
    let rows = rows(lake, query);
    let object = rows.first().and_then(Value::as_object).expect("a row");
    object.values().next().cloned().expect("a column")
}

/// Asks again and again, until the answer is yes; far longer than anything here takes.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(started.elapsed().as_secs() < 60, "waited a minute until {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

/// A running collector; killed when dropped.
pub(crate) struct Collector {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Collector {
    /// Starts one that commits as often as tests need.
    pub(crate) fn start(lake: &Path) -> Self {
        Self::start_with(lake, &["--commit-interval", "50ms"])
    }

    pub(crate) fn start_with(lake: &Path, more: &[&str]) -> Self {
        Self::try_start(lake, more, &[]).expect("the ready line")
    }

    /// With more environment; `None` where it ends before it is ready.
    pub(crate) fn try_start(lake: &Path, more: &[&str], environment: &[(&str, &str)]) -> Option<Self> {
        let lake = lake.to_str().expect("a path");
        let fixed = [
            "collect",
            "--lake",
            lake,
            "--grpc-addr",
            "127.0.0.1:0",
            "--http-addr",
            "127.0.0.1:0",
        ];
        let mut command = marginlake(&[&fixed, more].concat());
        let child = command
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        Self::of(child.expect("the collector starts"))
    }

    /// One whose standard output is piped; `None` where it ends before it is ready.
    pub(crate) fn of(mut child: Child) -> Option<Self> {
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped"))
            .read_line(&mut line)
            .expect("the ready line");
        let part = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.and_then(|address| address.parse().ok())
        };
        let (Some(grpc), Some(http)) = (part("grpc="), part("http=")) else {
            let _ = child.kill();
            child.wait().expect("gone");
            return None;
        };
        Some(Self { grpc, http, child })
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("its state").is_none()
    }

    /// Waits until it ends of itself; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.child.wait().expect("it ends").code()
    }

    /// SIGKILL: what a crash is.
    pub(crate) fn kill(mut self) {
        self.kill_now();
    }

    /// SIGKILL, with its addresses still at hand.
    pub(crate) fn kill_now(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// Where it can be reached while others watch over its life.
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses {
            grpc: self.grpc,
            http: self.http,
        }
    }

    /// As [`Collector::stop`]; what it wrote to standard error, which must be piped.
    pub(crate) fn stop_and_hear(mut self) -> String {
        let mut stderr = self.child.stderr.take().expect("piped");
        self.stop();
        let mut said = String::new();
        stderr.read_to_string(&mut said).expect("text");
        said
    }

    /// SIGTERM: drains, commits, exits 0.
    pub(crate) fn stop(mut self) {
        let id = self.child.id().to_string();
        let signalled = Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
        assert!(signalled.success());
        let status = self.child.wait().expect("it ends");
        assert!(status.success(), "collect ended with {status}");
    }

    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Answer {
        self.post_encoded(path, content_type, None, body)
    }

    pub(crate) fn post_encoded(&self, path: &str, content_type: &str, encoding: Option<&str>, body: &[u8]) -> Answer {
        let mut headers = format!("Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
        if let Some(encoding) = encoding {
            headers.push_str(&format!("Content-Encoding: {encoding}\r\n"));
        }
        self.request(&format!("POST {path} HTTP/1.1"), &headers, body)
            .expect("an answer")
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path} HTTP/1.1"), "", b"").expect("an answer")
    }

    /// The value of one line of `/metrics`; 0 where there is none.
    pub(crate) fn metric(&self, line: &str) -> u64 {
        let text = String::from_utf8(self.get("/metrics").body).expect("text");
        let found = text.lines().find_map(|found| found.strip_prefix(line)?.strip_prefix(' '));
        found.map_or(0, |value| value.parse().expect("a number"))
    }

    pub(crate) fn request(&self, line: &str, headers: &str, body: &[u8]) -> std::io::Result<Answer> {
        self.addresses().request(line, headers, body)
    }
}

/// The addresses of a collector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Addresses {
    pub(crate) fn request(&self, line: &str, headers: &str, body: &[u8]) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(self.http)?;
        write!(stream, "{line}\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")?;
        // A refused body may be answered, and the connection closed, before all of it is sent.
        let sent = stream.write_all(body);
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        Answer::parse(&bytes).ok_or_else(|| {
            sent.and(read.map(drop))
                .err()
                .unwrap_or_else(|| std::io::Error::other("no answer"))
        })
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let headers = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let status = headers.split_whitespace().nth(1)?.parse().ok()?;
        Some(Self {
            status,
            headers,
            body: bytes[end + 4..].to_vec(),
        })
    }
}

/// The folder of fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("fixtures")
}

/// A recorded body.
pub(crate) fn capture(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join("corpus").join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A span for tests that need many or special ones, as OTLP JSON.
pub(crate) fn span_json(trace: u64, span: u64, attributes: &[(&str, Value)]) -> Value {
    let start = 1_790_000_000_000_000_000u64 + span * 1_000_000;
    let attributes: Vec<Value> = attributes
        .iter()
        .map(|(key, value)| {
            let value = match value {
                Value::String(text) => serde_json::json!({ "stringValue": text }),
                Value::Number(number) if number.is_i64() || number.is_u64() => {
                    serde_json::json!({ "intValue": number.to_string() })
                }
                other => serde_json::json!({ "doubleValue": other }),
            };
            serde_json::json!({ "key": key, "value": value })
        })
        .collect();
    serde_json::json!({
        "traceId": format!("{:032x}", u128::from(trace)),
        "spanId": format!("{span:016x}"),
        "name": "chat gpt-4o",
        "kind": 3,
        "startTimeUnixNano": start.to_string(),
        "endTimeUnixNano": (start + 500_000_000).to_string(),
        "attributes": attributes,
    })
}

/// A request body with `spans` under one scope.
pub(crate) fn request_json(spans: &[Value]) -> Value {
    serde_json::json!({ "resourceSpans": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "shop" } }] },
        "scopeSpans": [{ "scope": { "name": "opentelemetry.instrumentation.openai_v2" }, "spans": spans }],
    }]})
}

/// A plain chat call.
pub(crate) fn chat(trace: u64, span: u64, customer: &str, input: u64, output: u64) -> Value {
    span_json(
        trace,
        span,
        &[
            ("gen_ai.operation.name", "chat".into()),
            ("gen_ai.provider.name", "openai".into()),
            ("gen_ai.request.model", "gpt-4o".into()),
            ("gen_ai.response.model", "gpt-4o-2024-08-06".into()),
            ("gen_ai.usage.input_tokens", input.into()),
            ("gen_ai.usage.output_tokens", output.into()),
            ("customer.id", customer.into()),
        ],
    )
}
