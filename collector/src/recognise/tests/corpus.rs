//! Every capture of `tests/fixtures/corpus`: what one record can tell of a call is told, and nothing else.
//!
//! A capture's `truth.json` says what the provider billed and what of it the telemetry holds
//! (`best_possible_from_telemetry`). Counting each call once is settle's, and tested end to end.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use marginlake_lake::schema::Role;

use crate::normalise::{Normalised, UsageStatus};
use crate::recognise::{AttributionConfig, Recogniser, ScopeContext};
use crate::wire::logs::{LogRecord, resource_logs};
use crate::wire::traces::{Span, resource_spans};

/// Captures that no reading of their own records can get right, with the reason.
const KNOWN_LIMITS: &[(&str, &str)] = &[
    (
        "openlit/openai_stream_nousage",
        "the library's own estimate stands where usage belongs, unmarked",
    ),
    ("litellm-otel/mock_response", "a mocked response looks like a call"),
];

/// Captures with records that tell nothing of calls that others tell: settle joins them.
const SILENT_BESIDE_TOLD: &[&str] = &[
    "gemini-cli/print_json",
    "mastra/anthropic_toolloop",
    "openinference-js/double_langchain_openai_stream",
];

/// Captures whose wrong or partial records stand beside a right one; settle picks the right one.
const WRONG_BESIDE_RIGHT: &[(&str, &str)] = &[
    (
        "traceloop-anthropic/stream_cached",
        "one token too many in the output of the second record",
    ),
    (
        "mixed-two-vendors/traceloop_plus_openinference_openai",
        "a streamed record without reasoning",
    ),
    (
        "gemini-cli/print_json",
        "the details event leaves thinking out; settle prefers the product's own",
    ),
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/corpus")
}

fn captures() -> Vec<(String, PathBuf)> {
    let folders = |path: &Path| {
        let mut found: Vec<PathBuf> = fs::read_dir(path)
            .expect("the corpus is part of the repository")
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir())
            .collect();
        found.sort();
        found
    };
    let name = |path: &Path| path.file_name().expect("a folder has a name").to_string_lossy().into_owned();
    folders(&corpus())
        .iter()
        .flat_map(|library| {
            let library_name = name(library);
            folders(library)
                .into_iter()
                .map(move |capture| (format!("{library_name}/{}", name(&capture)), capture))
        })
        .collect()
}

/// The figures of one record that the truth speaks of.
#[derive(Debug, Clone)]
#[expect(dead_code, reason = "name and convention are there to be read in a failure")]
struct Figures {
    name: String,
    convention: &'static str,
    role: Role,
    uncached: Option<i64>,
    cache_read: Option<i64>,
    cache_write: Option<i64>,
    one_hour: Option<i64>,
    output: Option<i64>,
    reasoning: Option<i64>,
    status: Option<UsageStatus>,
    flags: Vec<&'static str>,
}

impl Figures {
    fn of(name: &str, normalised: &Normalised<'_>) -> Self {
        let buckets = &normalised.buckets;
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0) + b.unwrap_or(0)),
        };
        Self {
            name: name.to_owned(),
            convention: normalised.record.convention(),
            role: normalised.record.role,
            uncached: buckets.input_uncached,
            cache_read: buckets.cache_read,
            cache_write: sum(buckets.cache_write_5m, buckets.cache_write_1h),
            one_hour: buckets.cache_write_1h,
            output: buckets.output_text.map(|text| text + buckets.output_reasoning.unwrap_or(0)),
            reasoning: buckets.output_reasoning,
            status: normalised.usage_status,
            flags: normalised.record.flags.iter().collect(),
        }
    }

    fn has_usage(&self) -> bool {
        self.uncached.is_some() || self.output.is_some()
    }

    /// Why this record does not carry a call as well as its telemetry could; empty when it does.
    fn differences(&self, call: &Json) -> Vec<String> {
        let best = &call["best_possible_from_telemetry"];
        let mut differences = Vec::new();
        let mut check = |figure: &str, ours: Option<i64>, truth: Option<i64>, inferred: Option<i64>| {
            let equal = match truth {
                // Not reported and reported as zero both fit a true zero.
                Some(0) => ours.unwrap_or(0) == 0,
                // What the telemetry does not state may be computed from what it does, if it is right and marked.
                None => ours.is_none() || self.status == Some(UsageStatus::Inferred) && ours == inferred,
                truth => ours == truth,
            };
            if !equal {
                differences.push(format!("{figure}: {ours:?} instead of {truth:?}"));
            }
        };
        let disjoint = |figure: &str| call["disjoint"][figure].as_i64();
        let unsplit = best["input_total_unsplit"].as_i64();
        check(
            "input_uncached",
            self.uncached,
            unsplit.or(best["input_uncached"].as_i64()),
            None,
        );
        check("cache_read", self.cache_read, best["cache_read"].as_i64(), None);
        check("cache_write", self.cache_write, best["cache_write"].as_i64(), None);
        check("output", self.output, best["output"].as_i64(), disjoint("output"));
        check("reasoning", self.reasoning, best["reasoning"].as_i64(), disjoint("reasoning"));
        if unsplit.is_some() && self.status != Some(UsageStatus::Assumed) {
            differences.push(format!("status {:?} for an undivided input", self.status));
        }
        if self.cache_write.is_some() && !self.flags.contains(&"ttl_default") {
            let hour = disjoint("cache_write_1h").unwrap_or(0);
            if self.one_hour.unwrap_or(0) != hour {
                differences.push(format!("cache_write_1h: {:?} instead of {hour}", self.one_hour));
            }
        }
        differences
    }
}

fn records(folder: &Path) -> Vec<Figures> {
    let recogniser = Recogniser::new(&AttributionConfig::default());
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a capture is a folder")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.file_name().expect("a file has a name").to_string_lossy().into_owned();
        let body = fs::read(&file).expect("a capture's file is readable");
        let body = if name.ends_with(".json") && name != "truth.json" {
            protobuf(&name, &body)
        } else {
            body
        };
        if name.starts_with("traces") {
            let mut span = Span::default();
            for group in resource_spans(&body) {
                let group = group.expect("captures are well formed");
                for scope in group.scopes() {
                    let scope = scope.expect("captures are well formed");
                    let context = ScopeContext::new(&recogniser, group.resource(), scope.name, scope.version);
                    for message in &scope.records {
                        span.decode(message).expect("captures are well formed");
                        found.push(Figures::of(span.name, &context.span(&span)));
                    }
                }
            }
        } else if name.starts_with("logs") {
            let mut record = LogRecord::default();
            for group in resource_logs(&body) {
                let group = group.expect("captures are well formed");
                for scope in group.scopes() {
                    let scope = scope.expect("captures are well formed");
                    let context = ScopeContext::new(&recogniser, group.resource(), scope.name, scope.version);
                    for message in &scope.records {
                        record.decode(message).expect("captures are well formed");
                        if let Some(normalised) = context.log(&record) {
                            found.push(Figures::of("log", &normalised));
                        }
                    }
                }
            }
        }
    }
    found
}

fn protobuf(name: &str, json: &[u8]) -> Vec<u8> {
    use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use prost::Message;
    fn read<T: serde::de::DeserializeOwned>(json: &[u8]) -> T {
        serde_json::from_slice(json).expect("captures are well formed")
    }
    if name.starts_with("logs") {
        return read::<ExportLogsServiceRequest>(json).encode_to_vec();
    }
    assert!(name.starts_with("traces"), "metrics are no records: {name}");
    read::<ExportTraceServiceRequest>(json).encode_to_vec()
}

fn truth(folder: &Path) -> Vec<Json> {
    let text = fs::read(folder.join("truth.json")).expect("every capture has a truth");
    let truth: Json = serde_json::from_slice(&text).expect("the truth is JSON");
    truth["calls"].as_array().cloned().unwrap_or_default()
}

/// Whether the telemetry holds anything of a call.
fn is_told(call: &Json) -> bool {
    let best = &call["best_possible_from_telemetry"];
    call["billable"] == true
        && ["input_uncached", "output", "input_total_unsplit"]
            .iter()
            .any(|figure| best[*figure].as_i64().is_some_and(|count| count > 0))
}

#[test]
fn every_call_is_carried_by_a_record_with_all_that_its_telemetry_tells() {
    let mut failures = String::new();
    let mut calls = 0;
    for (name, folder) in captures() {
        if KNOWN_LIMITS.iter().any(|(limit, _)| *limit == name) {
            continue;
        }
        let records = records(&folder);
        for call in truth(&folder).iter().filter(|call| is_told(call)) {
            calls += 1;
            let differences: Vec<_> = records
                .iter()
                .filter(|record| record.has_usage())
                .map(|record| (record.differences(call), record))
                .collect();
            let Some((least, nearest)) = differences.iter().min_by_key(|(differences, _)| differences.len()) else {
                failures.push_str(&format!("{name}: no record with usage\n"));
                continue;
            };
            if !least.is_empty() {
                failures.push_str(&format!("{name}: {least:?} in {nearest:?}\n"));
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(calls > 100, "the corpus has calls: {calls}");
}

#[test]
fn no_leaf_tells_of_a_call_that_was_not_made() {
    let mut failures = String::new();
    for (name, folder) in captures() {
        if KNOWN_LIMITS.iter().chain(WRONG_BESIDE_RIGHT).any(|(limit, _)| *limit == name) {
            continue;
        }
        let calls = truth(&folder);
        for record in records(&folder)
            .iter()
            .filter(|record| record.role.is_leaf() && record.has_usage())
        {
            let fits = calls.iter().any(|call| {
                // Records of logs and wrappers may know less than the best one, but nothing else.
                let known = |ours: Option<i64>, figure: &str| {
                    ours.is_none() || ours == call["disjoint"][figure].as_i64() || ours == Some(0)
                };
                let input = record.status == Some(UsageStatus::Assumed) || known(record.uncached, "input_uncached");
                input
                    && known(record.cache_read, "cache_read")
                    && known(record.output, "output")
                    && known(record.reasoning, "reasoning")
            });
            if !fits {
                failures.push_str(&format!("{name}: {record:?}\n"));
            }
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn helpers_and_announcements_are_no_calls() {
    for (name, folder) in captures() {
        if KNOWN_LIMITS.iter().any(|(limit, _)| *limit == name) || SILENT_BESIDE_TOLD.contains(&&*name) {
            continue;
        }
        let calls = truth(&folder);
        let silent = calls.iter().filter(|call| call["billable"] != true || !is_told(call)).count();
        let without_usage = records(&folder)
            .iter()
            // A stream whose usage comes with the next record is joined with it by settle.
            .filter(|record| record.role.is_leaf() && !record.has_usage() && !record.flags.contains(&"usage_follows"))
            .count();
        assert!(
            without_usage <= silent,
            "{name}: {without_usage} leaves without usage, {silent} calls without any"
        );
    }
}
