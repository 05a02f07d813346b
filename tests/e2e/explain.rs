//! `explain` on the traps of double counting (`tests/fixtures/corpus/INDEX.md`): what a person reads, line by line.
//!
//! The captures go through the wire into one lake; the texts are kept in `tests/snapshots/explain/`, amounts of money
//! left out, since prices change. After a change that is meant: `MARGINLAKE_WRITE_SNAPSHOTS=1 cargo test --workspace
//! --test e2e explain`, and read the difference.

use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;

use crate::support::{Collector, PROTOBUF, fixtures, run};

/// A trap, and the capture that shows it.
const TRAPS: [&str; 29] = [
    "traceloop-anthropic/cached",
    "openinference-langchain/double_langchain_openai",
    "mixed-two-vendors/traceloop_plus_openinference_openai",
    "litellm-otel/anthropic_cached",
    "vercel-ai-sdk/generateText_chat_toolloop",
    "vercel-ai-sdk/error_retry_500",
    "vercel-ai-sdk-v5/generateText_chat_toolloop",
    "pydantic-ai-1.0/agent_loop",
    "strands-agents/bedrock_agent_loop",
    "logfire/double_pydanticai_openai",
    "otel-google-genai/tool_loop_afc",
    "otel-openai-v2/agent_loop_manual_aggregate",
    "otel-openai-v2/chat_stream_nousage",
    "handmade-otel-python/retransmit_duplicate",
    "handmade-otel-python/agent_only_no_children",
    "openlit/openai_chat_cached_reasoning",
    "openlit/openai_stream_nousage",
    "otel-google-genai/cached_thoughts",
    "traceloop-anthropic/stream_cached",
    "traceloop-bedrock/converse_cached",
    "litellm-otel/mock_response",
    "otel-openai-v2/chat_content_events",
    "openinference-smolagents/agent_loop",
    "google-adk-1/toolloop",
    "logfire-openai-agents/chat_completions",
    "langfuse/manual_generation_cost",
    "vercel-ai-sdk-v5/bedrock_generateText",
    "strands-agents/openai_agent_loop",
    "handmade-otel-python/agent_sum_over_children_grpc",
];

/// Sends a capture; the trace of its first span.
fn send(collector: &Collector, capture: &Path) -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(capture)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    let mut trace = None;
    for file in files {
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        let Some(signal) = ["traces", "logs"].into_iter().find(|signal| name.starts_with(signal)) else {
            continue;
        };
        let body = std::fs::read(&file).expect("read");
        assert_eq!(
            collector.post(&format!("/v1/{signal}"), PROTOBUF, &body).status,
            200,
            "{name}"
        );
        if signal == "traces" && trace.is_none() {
            let request = ExportTraceServiceRequest::decode(&*body).expect("OTLP");
            let span = &request.resource_spans[0].scope_spans[0].spans[0];
            trace = Some(span.trace_id.iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    trace.unwrap_or_else(|| panic!("{} has no span", capture.display()))
}

/// The text with every amount of US dollars as `#`.
fn without_amounts(text: &str) -> String {
    let words = text.split_inclusive(' ').collect::<Vec<_>>();
    let is_amount = |at: usize| {
        let amount = words[at].trim_end();
        let dollars = words
            .get(at + 1)
            .is_some_and(|next| next.trim_end_matches([';', ',', ' ', '\n']).starts_with("USD"));
        dollars && amount.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    (0..words.len())
        .map(|at| if is_amount(at) { "# " } else { words[at] })
        .collect()
}

#[test]
fn explain_reads_clearly_on_every_trap() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let traces: Vec<String> = TRAPS
        .iter()
        .map(|trap| send(&collector, &fixtures().join("corpus").join(trap)))
        .collect();
    collector.stop();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots/explain");
    let mut failures = Vec::new();
    for (trap, trace) in TRAPS.iter().zip(traces) {
        let text = without_amounts(&run(&["explain", "--lake", lake.to_str().expect("a path"), &trace]));
        let file = kept.join(format!("{}.txt", trap.replace('/', "--")));
        if std::env::var_os("MARGINLAKE_WRITE_SNAPSHOTS").is_some() {
            std::fs::create_dir_all(&kept).expect("made");
            std::fs::write(&file, &text).expect("written");
        }
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if text != expected {
            failures.push(format!("{trap}: {}\n{text}", file.display()));
        }
    }
    assert!(
        failures.is_empty(),
        "not as kept; if it is meant, set MARGINLAKE_WRITE_SNAPSHOTS=1:\n{}",
        failures.join("\n")
    );
}
