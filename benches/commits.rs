//! A month of small commits through the real binary: how long a commit takes, how long the table takes to open, and how much
//! memory collector and maintenance need, as the log of the table grows and after each night.
//!
//! `cargo bench --workspace --profile dev --bench commits -- --binary target/dist/marginlake --lake DIR --days 30 --commits 8640`:
//! one commit every ten seconds makes 8,640 a day. Each body is sent when the one before is committed. Files are as old as the
//! run, so that nothing is forgotten as older than the retention: day 7 shows what a lake stays at that keeps seven days, day 30
//! an upper bound. Linux only: memory is read from `/proc`. Figures: `docs/performance.md`.

#![expect(clippy::print_stdout, reason = "a bench reports on standard output")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const DAY_NANOS: u128 = 86_400_000_000_000;

/// The word after `name` on the command line.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

/// The binary that is measured.
fn marginlake(arguments: &[&str]) -> Command {
    let binary = argument("--binary").unwrap_or_else(|| env!("CARGO_BIN_EXE_marginlake").to_owned());
    let mut command = Command::new(binary);
    command.args(arguments).stdin(Stdio::null()).stderr(Stdio::null());
    command
}

/// One connection that is kept.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn request(&mut self, head: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "{head} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes()).expect("sent");
        let mut answer = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).expect("a line");
            if let Some(length) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                answer = length.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; answer];
        self.stream.read_exact(&mut body).expect("a body");
        String::from_utf8_lossy(&body).into_owned()
    }

    fn committed(&mut self) -> u64 {
        let metrics = self.request("GET /metrics", "");
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("marginlake_collector_rows_committed_total "));
        line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }
}

fn span(number: u64, at: u128) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"scope":{{"name":"opentelemetry.instrumentation.openai_v2"}},"spans":[{{"traceId":"{number:032x}","spanId":"{number:016x}","name":"chat","kind":3,"startTimeUnixNano":"{at}","endTimeUnixNano":"{at}","attributes":[{{"key":"gen_ai.operation.name","value":{{"stringValue":"chat"}}}},{{"key":"gen_ai.provider.name","value":{{"stringValue":"openai"}}}},{{"key":"gen_ai.request.model","value":{{"stringValue":"gpt-4o"}}}},{{"key":"gen_ai.usage.input_tokens","value":{{"intValue":"100"}}}}]}}]}}]}}]}}"#
    )
}

fn collector(lake: &str) -> (Child, Connection) {
    let addresses = [
        "--grpc-addr",
        "127.0.0.1:0",
        "--http-addr",
        "127.0.0.1:0",
        "--commit-interval",
        "1ms",
    ];
    let mut child = marginlake(&[&["collect", "--lake", lake], &addresses[..]].concat())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the collector starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped"))
        .read_line(&mut line)
        .expect("the ready line");
    let http = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("http="))
        .expect("an address");
    let stream = TcpStream::connect(http).expect("connected");
    stream.set_nodelay(true).expect("set");
    let stream = BufReader::new(stream);
    (child, Connection { stream })
}

/// The largest that a process has been, in MiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

/// Wall time and peak memory of a command.
fn timed(arguments: &[&str]) -> (Duration, u64) {
    let began = Instant::now();
    let mut child = marginlake(arguments).stdout(Stdio::null()).spawn().expect("the binary runs");
    let mut most = 0;
    while child.try_wait().expect("a child").is_none() {
        most = most.max(peak(child.id()));
        std::thread::sleep(Duration::from_millis(5));
    }
    (began.elapsed(), most)
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

fn main() {
    let number = |name: &str, default: u64| argument(name).map_or(default, |text| text.parse().expect("a whole number"));
    let (days, commits) = (number("--days", 30), number("--commits", 8640));
    let folder = argument("--lake").map_or_else(|| std::env::temp_dir().join("marginlake-commits"), PathBuf::from);
    let lake = folder.to_str().expect("a path in UTF-8");
    let count = ["sql", "--lake", lake, "SELECT count(*) FROM spans"];
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let mut sent = 0;
    println!(
        "day | commit p50, p99, ms | files in the log | count(*) before, after maintenance, ms | its memory, MiB | maintain, s, MiB | collector, MiB"
    );
    for day in 0..days {
        let at = now - DAY_NANOS * u128::from(days - day);
        let (mut child, mut connection) = collector(lake);
        let mut latencies = Vec::new();
        for committed in 1..=commits {
            sent += 1;
            let began = Instant::now();
            connection.request("POST /v1/traces", &span(sent, at));
            while connection.committed() < committed {}
            latencies.push(began.elapsed().as_micros());
        }
        let collector_mib = peak(child.id());
        child.kill().expect("killed");
        child.wait().expect("gone");
        latencies.sort_unstable();
        let share = |share: usize| latencies[(latencies.len() - 1) * share / 100] as f64 / 1000.0;
        let (before, memory) = timed(&count);
        let (maintain, maintain_mib) = timed(&["maintain", "--lake", lake]);
        let (after, _) = timed(&count);
        println!(
            "{} | {:.1}, {:.1} | {} | {}, {} | {memory} | {:.1}, {maintain_mib} | {collector_mib}",
            day + 1,
            share(50),
            share(99),
            files(&folder.join("spans/_delta_log")),
            before.as_millis(),
            after.as_millis(),
            maintain.as_secs_f64(),
        );
    }
}
