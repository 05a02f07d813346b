//! Every capture of real libraries through the real wire and the real lake: the calls that the model server billed, as far
//! as the telemetry can tell (`best_possible_from_telemetry` of each `truth.json`; see tests/fixtures/corpus/README.md).

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Collector, JSON, PROTOBUF, fixtures, rows, run};

/// What one call must show. `None` is a bucket that must be NULL; a zero may be NULL: not reported, and nothing there.
#[derive(Debug, Clone, PartialEq)]
struct Expected {
    input_uncached: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    /// Only the total of the input is known.
    unsplit: bool,
}

/// Limits of what telemetry can tell, each explained in docs/conventions.md: the truth is not in the capture, or rules of
/// ours read more from it than its exact figures.
const LIMITS: [(&str, &str); 3] = [
    ("litellm-otel/mock_response", "a mock answer that nothing marks as such"),
    (
        "openlit/openai_stream_nousage",
        "estimates of tokens that nothing marks as such",
    ),
    (
        "traceloop-google-genai/plain_cached_thoughts",
        "reasoning is inferred from the total (rule N4)",
    ),
];

fn scenarios() -> Vec<PathBuf> {
    let folders = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_dir())
            .collect()
    };
    let mut found: Vec<PathBuf> = folders(&fixtures().join("corpus"))
        .iter()
        .flat_map(|library| folders(library))
        .collect();
    found.sort();
    found
}

/// A call that no record carries is not invented.
fn is_carried(call: &Value) -> bool {
    call["billable"] == true && call["carrier_spans"].as_array().is_some_and(|spans| !spans.is_empty())
        || call["best_possible_from_telemetry"]["input_uncached"].is_i64()
}

fn expected(truth: &Value) -> Vec<Expected> {
    let calls = truth["calls"].as_array().expect("calls");
    calls
        .iter()
        .filter(|call| is_carried(call))
        .map(|call| {
            let best = &call["best_possible_from_telemetry"];
            let total = best["input_total_unsplit"].as_i64();
            Expected {
                input_uncached: total.or(best["input_uncached"].as_i64()),
                cache_read: if total.is_some() { None } else { best["cache_read"].as_i64() },
                cache_write: best["cache_write"].as_i64(),
                output: best["output"].as_i64(),
                reasoning: best["reasoning"].as_i64(),
                unsplit: total.is_some(),
            }
        })
        .collect()
}

fn matches(expected: &Expected, call: &Value) -> bool {
    let sum = |names: &[&str]| -> Option<i64> {
        let values: Vec<i64> = names.iter().filter_map(|name| call[*name].as_i64()).collect();
        (!values.is_empty()).then(|| values.iter().sum())
    };
    let same = |expected: Option<i64>, found: Option<i64>| match expected {
        Some(0) => found.unwrap_or(0) == 0,
        other => other == found,
    };
    same(expected.input_uncached, sum(&["input_uncached"]))
        && same(expected.cache_read, sum(&["cache_read"]))
        && same(expected.cache_write, sum(&["cache_write_5m", "cache_write_1h"]))
        && same(expected.output, sum(&["output_text", "output_reasoning"]))
        && same(expected.reasoning, sum(&["output_reasoning"]))
        && (!expected.unsplit || call["usage_status"] == "assumed")
}

/// What is wrong with one scenario, if anything.
fn judge(scenario: &Path) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let mut files: Vec<PathBuf> = std::fs::read_dir(scenario)
        .expect("listed")
        .map(|entry| entry.expect("one").path())
        .collect();
    files.sort();
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(signal) = ["traces", "logs", "metrics"]
            .into_iter()
            .find(|signal| name.starts_with(signal))
        else {
            continue;
        };
        let content_type = if name.ends_with(".json") { JSON } else { PROTOBUF };
        let body = std::fs::read(&file).expect("read");
        let answer = collector.post(&format!("/v1/{signal}"), content_type, &body);
        if answer.status != 200 {
            return Some(format!("{name} was answered with {}", answer.status));
        }
    }
    collector.stop();
    run(&["settle", "--lake", lake.to_str().expect("a path")]);
    let truth = std::fs::read(scenario.join("truth.json")).expect("truth.json");
    let mut calls = rows(&lake, "SELECT * FROM calls");
    let mut missing = Vec::new();
    let truth: Value = serde_json::from_slice(&truth).expect("JSON");
    for expected in expected(&truth) {
        match calls.iter().position(|call| matches(&expected, call)) {
            Some(at) => drop(calls.remove(at)),
            None => missing.push(expected),
        }
    }
    // A call without usage that the truth could not find in the telemetry either.
    let unseen = truth["calls"].as_array().expect("calls").iter();
    let mut unseen = unseen.filter(|call| call["billable"] == true && !is_carried(call)).count();
    calls.retain(|call| {
        let is_unseen = call["usage_status"] == "missing" && unseen > 0;
        unseen -= usize::from(is_unseen);
        !is_unseen
    });
    if missing.is_empty() && calls.is_empty() {
        return None;
    }
    let shown: Vec<String> = calls
        .iter()
        .map(|call| {
            let columns = [
                "name",
                "convention",
                "input_uncached",
                "cache_read",
                "output_text",
                "output_reasoning",
                "usage_status",
            ];
            columns.map(|column| format!("{column}={}", call[column])).join(" ")
        })
        .collect();
    Some(format!("missing {missing:?}\n    beyond the truth {shown:#?}"))
}

#[test]
fn every_capture_gives_the_calls_that_were_billed() {
    let scenarios = scenarios();
    assert!(scenarios.len() > 50, "only {} captures found", scenarios.len());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failures = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(scenario) = scenarios.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
                    let name = scenario.iter().rev().take(2).collect::<Vec<_>>();
                    let name = format!("{}/{}", name[1].to_string_lossy(), name[0].to_string_lossy());
                    let wrong = judge(scenario);
                    let limit = LIMITS.iter().find(|(limited, _)| *limited == name);
                    match (wrong, limit) {
                        (Some(wrong), None) => failures.lock().expect("no panic").push(format!("{name}:\n    {wrong}")),
                        (None, Some((_, why))) => {
                            failures
                                .lock()
                                .expect("no panic")
                                .push(format!("{name} is no longer limited ({why}): remove it"));
                        }
                        _ => {}
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().expect("no panic");
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        scenarios.len(),
        failures.join("\n")
    );
}
