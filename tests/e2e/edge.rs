//! The collector's command line and its word about itself: configuration, identity, durability, telemetry, the end.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Collector, JSON, attempt, chat, marginlake, request_json, rows, run, until, value};

fn path(path: &Path) -> &str {
    path.to_str().expect("a path")
}

fn post(collector: &Collector, span: u64) {
    let body = request_json(&[chat(1, span, "acme", 10, 1)]).to_string();
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
}

#[test]
fn the_configuration_in_force_is_printed_with_origins_and_without_secrets() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("marginlake.toml");
    let written = "[collect]\nmax_log = \"1GiB\"\nforward = \"http://backend:4318\"\n\
                   forward_headers = \"authorization=Bearer hush\"\n\n[attribution]\ncustomer = [\"shop.id\"]\n";
    std::fs::write(&file, written).expect("written");
    let mut command = marginlake(&["collect", "--print-config", "--config", path(&file), "--commit-interval=1s"]);
    command.env("MARGINLAKE_DURABILITY", "interval=50ms");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://watcher:4317");
    let output = command.output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "commit_interval = \"1s\"  # --commit-interval".to_owned(),
        "durability = \"interval=50ms\"  # environment, MARGINLAKE_DURABILITY".to_owned(),
        format!("max_log = \"1GiB\"  # {}, [collect] max_log", path(&file)),
        "max_body = \"32MiB\"  # default".to_owned(),
        "#keys_file  # not set".to_owned(),
        "telemetry_endpoint = \"http://watcher:4317\"  # environment, OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(),
        "customer = [\"shop.id\"]".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(text.contains("authorization=(redacted)") && !text.contains("hush"), "{text}");
    // What is printed is a configuration again, and says the same.
    let again = folder.path().join("again.toml");
    std::fs::write(&again, &text).expect("written");
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split("  # ").next().unwrap_or_default().to_owned())
            .collect()
    };
    let second = run(&["collect", "--print-config", "--config", path(&again)]);
    assert_eq!(values(&second), values(&text));
}

#[test]
fn bad_values_are_refused_by_name_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    for (more, named) in [
        (vec!["--durability", "sometimes"], "--durability"),
        (vec!["--forward", "backend:4318"], "forward"),
        (
            vec!["--forward", "http://b", "--forward-protocol", "carrier-pigeon"],
            "forward_protocol",
        ),
        (vec!["--grpc-addr", "nowhere"], "such as 127.0.0.1:4317"),
    ] {
        let output = attempt(&[vec!["collect", "--lake", path(&lake)], more].concat());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains(named), "{named}: {message}");
    }
    assert!(!lake.exists());
}

#[test]
fn with_an_interval_what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let more = ["--durability", "interval=20ms", "--commit-interval", "50ms"];
    let collector = Collector::start_with(&lake, &more);
    for span in 1..=50 {
        post(&collector, span);
    }
    collector.kill();
    let again = Collector::start_with(&lake, &more);
    post(&again, 51);
    again.stop();
    assert_eq!(value(&lake, "SELECT count(DISTINCT span_id) FROM spans"), 51);
    assert_eq!(value(&lake, "SELECT count(*) FROM spans"), 51);
}

#[test]
fn two_collectors_with_one_id_are_refused_also_from_different_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let start = |state: &Path, id: &str| {
        let more = ["--state-dir", path(state), "--collector-id", id, "--commit-interval", "50ms"];
        Collector::start_with(&lake, &more)
    };
    let first = start(&one, "edge");
    let other = start(&folder.path().join("three"), "another");
    let arguments = [
        "collect",
        "--lake",
        path(&lake),
        "--state-dir",
        path(&two),
        "--collector-id",
        "edge",
    ];
    let addresses = ["--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0"];
    let refused = attempt(&[&arguments[..], &addresses[..]].concat());
    let message = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{message}");
    assert!(
        message.contains("\"edge\" is in use") && message.contains("--collector-id"),
        "{message}"
    );
    post(&first, 1);
    post(&other, 2);
    // A crash does not keep a collector out of its own name.
    first.kill();
    let again = start(&one, "edge");
    post(&again, 3);
    again.stop();
    // After a clean stop the name is free for whoever asks; a new folder is a new log with an epoch of its own.
    let moved = start(&two, "edge");
    post(&moved, 4);
    moved.stop();
    other.stop();
    assert_eq!(value(&lake, "SELECT count(DISTINCT span_id) FROM spans"), 4);
}

#[test]
fn the_end_says_what_was_done() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let arguments = [
        "collect",
        "--lake",
        path(&lake),
        "--grpc-addr",
        "127.0.0.1:0",
        "--http-addr",
        "127.0.0.1:0",
    ];
    let child = marginlake(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let collector = Collector::of(child).expect("the ready line");
    for span in 1..=3 {
        post(&collector, span);
    }
    assert_eq!(collector.post("/v1/traces", JSON, b"no json").status, 400);
    let said = collector.stop_and_hear();
    let expected = "3 spans and log records accepted, 0 rejected, 1 requests refused; 3 rows stored; 0 requests left in the log";
    assert!(said.contains(expected), "{said}");
}

#[test]
fn metrics_say_why_and_how_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(&folder.path().join("lake"));
    post(&collector, 1);
    assert_eq!(collector.post("/v1/traces", JSON, b"no json").status, 400);
    assert_eq!(collector.post("/v1/traces", "text/plain", b"x").status, 415);
    until("the lake has it", || {
        collector.metric("marginlake_collector_rows_committed_total") == 1
    });
    for (line, expected) in [
        ("marginlake_collector_spans_total{outcome=\"acknowledged\"}", 1),
        ("marginlake_collector_requests_refused_total{reason=\"bad_data\"}", 1),
        (
            "marginlake_collector_requests_refused_total{reason=\"unsupported_media_type\"}",
            1,
        ),
        ("marginlake_collector_log_requests", 0),
        ("marginlake_collector_log_lag_seconds", 0),
        ("marginlake_collector_commit_duration_seconds_count", 1),
    ] {
        assert_eq!(collector.metric(line), expected, "{line}");
    }
    let answer = collector.get("/metrics");
    assert!(
        answer.headers.contains("content-type: text/plain; version=0.0.4"),
        "{}",
        answer.headers
    );
    collector.stop();
}

#[test]
fn the_collector_reports_about_itself_to_others_and_never_to_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let (watched, watching) = (folder.path().join("watched"), folder.path().join("watching"));
    let backend = Collector::start(&watching);
    let endpoint = format!("http://{}", backend.grpc);
    let more = ["--commit-interval", "50ms", "--telemetry-endpoint", &endpoint];
    let collector = Collector::start_with(&watched, &more);
    post(&collector, 1);
    until("the lake has it", || {
        collector.metric("marginlake_collector_rows_committed_total") == 1
    });
    collector.stop();
    backend.stop();
    let found = rows(&watching, "SELECT DISTINCT service_name, name, role, usage_status FROM spans");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["service_name"], &found[0]["name"]),
        (&Value::from("marginlake"), &Value::from("commit"))
    );
    assert_eq!(found[0]["usage_status"], Value::Null, "it costs nothing");
    assert_eq!(value(&watched, "SELECT count(*) FROM spans"), 1, "nothing of its own");
}
