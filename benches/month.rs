//! A month at scale through the real binary: collect, settle, report; wall time, processor time and peak memory of each.
//!
//! `cargo bench --workspace --profile dev --bench month -- --binary target/dist/marginlake --lake DIR --spans 10000000
//! --one-call-in 10`, and for the report `--one-call-in 1 --customers 100000 --revenue-lines 1000000`. A lake that is there already is settled and
//! reported again, not filled again. Linux only: memory is read from `/proc`. Figures: `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value::Value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 2026-10-01T00:00:00Z.
const MONTH_START_NANOS: u64 = 1_790_812_800_000_000_000;
const DAY_NANOS: u64 = 86_400_000_000_000;
const DAYS: u64 = 30;
const SPANS_A_BODY: usize = 512;
const SENDERS: usize = 4;
const MODELS: [(&str, &str); 4] = [
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-4.1"),
    ("anthropic", "claude-sonnet-4-5"),
    ("openai", "gpt-5"),
];

/// What to make.
struct Plan {
    lake: PathBuf,
    spans: u64,
    one_call_in: u32,
    customers: u32,
    revenue_lines: u32,
}

impl Plan {
    fn from_arguments() -> Plan {
        let number = |name: &str, default: u32| argument(name).map_or(default, |text| text.parse().expect("a whole number"));
        Plan {
            lake: argument("--lake").map_or_else(|| std::env::temp_dir().join("marginlake-month"), PathBuf::from),
            spans: u64::from(number("--spans", 200_000)),
            one_call_in: number("--one-call-in", 10),
            customers: number("--customers", 10_000),
            revenue_lines: number("--revenue-lines", 20_000),
        }
    }
}

/// The word after `name` on the command line.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

fn main() {
    let plan = Plan::from_arguments();
    let lake = plan.lake.to_str().expect("a path in UTF-8").to_owned();
    if !plan.lake.join("spans").is_dir() {
        collect(&plan);
    }
    measured("settle", &["settle", "--lake", &lake]);
    measured("settle again, nothing new", &["settle", "--lake", &lake]);
    let revenue = plan.lake.join("revenue.csv");
    write_revenue(&plan, &revenue);
    let (revenue, out) = (revenue.display().to_string(), plan.lake.join("report").display().to_string());
    let formats = "html,csv,json,md";
    measured(
        "report",
        &[
            "report",
            "--lake",
            &lake,
            "--revenue",
            &revenue,
            "--out",
            &out,
            "--format",
            formats,
        ],
    );
}

/// The binary that is measured: `--binary PATH`, so that a driver of any profile can measure a `dist` build.
fn marginlake(arguments: &[&str]) -> Command {
    let binary = argument("--binary").unwrap_or_else(|| env!("CARGO_BIN_EXE_marginlake").to_owned());
    let mut command = Command::new(binary);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command and prints what it took.
fn measured(what: &str, arguments: &[&str]) {
    let mut command = marginlake(arguments);
    let child = command.stdout(Stdio::null()).spawn().expect("the binary runs");
    report(what, child);
}

/// Waits for the end and prints what was taken.
fn report(what: &str, mut child: Child) {
    let started = Instant::now();
    let mut seen = Usage::default();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        seen = Usage::of(child.id()).unwrap_or(seen);
        std::thread::sleep(Duration::from_millis(20));
    };
    let wall = started.elapsed().as_secs_f64();
    let Usage { cpu_seconds, peak_mib } = seen;
    println!("{what}: {wall:.1} s wall, {cpu_seconds:.1} s processor, {peak_mib} MiB at the most, {status}");
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, Default)]
struct Usage {
    cpu_seconds: f64,
    peak_mib: u64,
}

impl Usage {
    fn of(process: u32) -> Option<Usage> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // After the name in brackets: user and system time are the 12th and 13th field, in hundredths of a second.
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
        Some(Usage {
            cpu_seconds: f64::from(ticks(11)? + ticks(12)?) / 100.0,
            peak_mib: peak.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? / 1024,
        })
    }
}

/// Fills the lake through the collector.
fn collect(plan: &Plan) {
    let lake = plan.lake.to_str().expect("a path in UTF-8");
    let addresses = ["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
    let mut command = marginlake(&[&["collect", "--lake", lake], &addresses[..]].concat());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut ready = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut ready)
        .expect("the ready line");
    let http = ready.trim().rsplit("http=").next().expect("an address").to_owned();
    let started = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(send(plan, &format!("http://{http}/v1/traces")));
    println!("sent {} spans in {:.1} s", plan.spans, started.elapsed().as_secs_f64());
    let signalled = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(signalled.expect("kill runs").success());
    report("collect, after the last request", child);
}

async fn send(plan: &Plan, url: &str) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut month = Month::new(plan);
    let mut sending = tokio::task::JoinSet::new();
    while let Some(body) = month.body() {
        if sending.len() >= SENDERS {
            sending.join_next().await.expect("a sender").expect("sent");
        }
        let request = hyper::Request::post(url)
            .header("content-type", "application/x-protobuf")
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let answer = client.request(request);
        sending.spawn(async move {
            let answer = answer.await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
            answer.into_body().collect().await.expect("a body");
        });
    }
    while let Some(done) = sending.join_next().await {
        done.expect("sent");
    }
}

/// Traces of 1 to 200 spans, short ones more often, spread over the month in order.
struct Month<'a> {
    plan: &'a Plan,
    random: ChaCha8Rng,
    made: u64,
    spans: [Vec<Span>; 2],
}

impl<'a> Month<'a> {
    fn new(plan: &'a Plan) -> Self {
        Self {
            plan,
            random: ChaCha8Rng::seed_from_u64(7),
            made: 0,
            spans: Default::default(),
        }
    }

    /// The next request; `None` when all spans are made.
    fn body(&mut self) -> Option<Vec<u8>> {
        while self.spans.iter().map(Vec::len).sum::<usize>() < SPANS_A_BODY && self.made < self.plan.spans {
            self.trace();
        }
        let [apps, calls] = std::mem::take(&mut self.spans);
        if apps.is_empty() && calls.is_empty() {
            return None;
        }
        let scope = |name: &str, spans| ScopeSpans {
            scope: Some(InstrumentationScope {
                name: name.to_owned(),
                version: "1.0".to_owned(),
                ..Default::default()
            }),
            spans,
            ..Default::default()
        };
        let request = ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: vec![text("service.name", "assistant")],
                    ..Default::default()
                }),
                scope_spans: vec![
                    scope("opentelemetry.instrumentation.asgi", apps),
                    scope("opentelemetry.instrumentation.openai_v2", calls),
                ],
                ..Default::default()
            }],
        };
        Some(request.encode_to_vec())
    }

    fn trace(&mut self) {
        let random = &mut self.random;
        let skew: f64 = random.random();
        let size = (1 + (skew * skew * skew * 200.0) as u64)
            .min(200)
            .min(self.plan.spans - self.made);
        let share = self.made as f64 / self.plan.spans as f64;
        let start = MONTH_START_NANOS + (share * (DAYS * DAY_NANOS) as f64) as u64;
        let trace_id: [u8; 16] = random.random();
        let ids: Vec<[u8; 8]> = (0..size).map(|_| random.random()).collect();
        // Few customers are large, as in life.
        let large: f64 = random.random();
        let customer = (large * large * f64::from(self.plan.customers)) as u32;
        for (at, id) in ids.iter().enumerate() {
            let parent = at
                .checked_sub(1)
                .map_or(Vec::new(), |last| ids[random.random_range(0..=last)].to_vec());
            let begin = start + at as u64 * 1_000_000;
            let mut span = Span {
                trace_id: trace_id.to_vec(),
                span_id: id.to_vec(),
                parent_span_id: parent,
                start_time_unix_nano: begin,
                end_time_unix_nano: begin + random.random_range(1_000_000..2_000_000_000),
                ..Default::default()
            };
            if at == 0 {
                span.attributes = whom(customer, random);
            }
            if random.random_ratio(1, self.plan.one_call_in) {
                span.name = "chat".to_owned();
                span.kind = 3;
                span.attributes.extend(call(random));
                self.spans[1].push(span);
            } else {
                span.name = "GET /v1/orders/{id}".to_owned();
                span.kind = 1;
                span.attributes
                    .extend([text("http.request.method", "GET"), number("http.response.status_code", 200)]);
                self.spans[0].push(span);
            }
        }
        self.made += size;
    }
}

fn whom(customer: u32, random: &mut ChaCha8Rng) -> Vec<KeyValue> {
    vec![
        text("customer.id", &format!("c-{customer}")),
        text("user.id", &format!("u-{customer}-{}", random.random_range(0..20))),
        text("session.id", &format!("s-{:016x}", random.random::<u64>())),
        text("feature", ["chat", "search", "summary", "agent"][random.random_range(0..4)]),
    ]
}

fn call(random: &mut ChaCha8Rng) -> Vec<KeyValue> {
    let (provider, model) = MODELS[random.random_range(0..MODELS.len())];
    let input = random.random_range(200..20_000);
    vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", provider),
        text("gen_ai.request.model", model),
        text("gen_ai.response.model", model),
        text("gen_ai.response.id", &format!("chatcmpl-{:016x}", random.random::<u64>())),
        number("gen_ai.usage.input_tokens", input),
        number("gen_ai.usage.cache_read.input_tokens", random.random_range(0..input)),
        number("gen_ai.usage.output_tokens", random.random_range(10..2_000)),
    ]
}

fn text(key: &str, value: &str) -> KeyValue {
    any(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: i64) -> KeyValue {
    any(key, Value::IntValue(value))
}

fn any(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..Default::default()
    }
}

/// Monthly plans, several lines a customer where there are more lines than customers.
fn write_revenue(plan: &Plan, path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("a file"));
    writeln!(file, "customer_id,amount,currency,period_start,period_end,plan,line_id").expect("written");
    for line in 0..plan.revenue_lines {
        let (customer, cents) = (line % plan.customers.max(1), 900 + line % 9_000);
        let (whole, part) = (cents / 100, cents % 100);
        writeln!(file, "c-{customer},{whole}.{part:02},USD,2026-10-01,2026-10-31,pro,l-{line}").expect("written");
    }
    file.flush().expect("written");
}
