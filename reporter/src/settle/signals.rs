//! B6: products that report one call in several signals or events, and which of them counts.
//!
//! A log record written in the context of a model call's span is that call once more. Products that emit several
//! kinds of records outside any common span are named in [`PRODUCTS`]; one entry is all that a new one needs. Spans
//! of other libraries around the same call are the business of `identity.rs`, `ancestry.rs` and `matching.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, Class};
use super::record::{Kind, Record, Signal, Text, bucket};
use super::usage::Totals;

/// A product whose records of one call differ in completeness.
struct Product {
    /// Start of `spans.convention`.
    convention: &'static str,
    /// Part of the event key or name of the record that is complete. Empty: any record of the signal.
    canonical: &'static str,
    /// The signal of the complete record.
    signal: Signal,
}

/// Sources: Claude Code and Gemini CLI write their logs with caches and thoughts, their spans without; Codex writes the
/// same numbers in both, its log below the turn's span as often as below the call's; OpenRouter broadcasts a root span with the charge beside one span per attempt.
const PRODUCTS: [Product; 4] = [
    Product {
        convention: "claude_code",
        canonical: "",
        signal: Signal::Log,
    },
    Product {
        convention: "gemini_cli",
        canonical: "api_response",
        signal: Signal::Log,
    },
    Product {
        convention: "codex",
        canonical: "",
        signal: Signal::Span,
    },
    Product {
        convention: "openrouter",
        canonical: "LLM Generation",
        signal: Signal::Span,
    },
];

/// The event that OTel instrumentations write beside the span of the same call.
const DETAILS_EVENT: &str = "operation.details";

/// Conventions of gateways: they see calls of clients in other services and processes.
const GATEWAYS: [&str; 6] = ["litellm", "envoy", "kong", "cloudflare", "openrouter", "vllm"];

/// Logs are written when the call ends, by clocks that agree: allow for the writing itself.
pub(super) const WRITING_SLACK_NANOS: i64 = 5_000_000_000;

/// Whether the record is one of a product whose records are paired by session.
pub(super) fn is_product(record: &Record) -> bool {
    PRODUCTS.iter().any(|product| is_convention(record, product.convention))
}

fn is_convention(record: &Record, prefix: &str) -> bool {
    record
        .convention
        .as_deref()
        .is_some_and(|convention| convention.replace('-', "_").starts_with(prefix))
}

fn is_named(record: &Record, part: &str) -> bool {
    [&record.event_key, &record.name]
        .into_iter()
        .flatten()
        .any(|text| text.contains(part))
}

/// Higher for the record that a product's profile prefers, lower for the one that never adds anything.
pub(super) fn preference(record: &Record) -> i8 {
    if record.signal == Signal::Log && is_named(record, DETAILS_EVENT) {
        return -1;
    }
    match PRODUCTS.iter().find(|product| is_convention(record, product.convention)) {
        Some(product) => i8::from(is_canonical(record, product)),
        None => 0,
    }
}

fn is_canonical(record: &Record, product: &Product) -> bool {
    record.signal == product.signal && (product.canonical.is_empty() || is_named(record, product.canonical))
}

/// Whether the record is the view of a gateway between client and provider.
pub(super) fn is_gateway(record: &Record) -> bool {
    GATEWAYS.iter().any(|gateway| is_convention(record, gateway))
}

/// Whether the record is the view of a model server, which loses to any client.
pub(super) fn is_engine(record: &Record) -> bool {
    record.kind == Kind::Server || is_convention(record, "vllm")
}

/// Joins records of one call that a product reports more than once.
pub(super) fn join(case: &mut Case) {
    join_logs_to_their_span(case);
    join_followed(case);
    for product in &PRODUCTS {
        join_product(case, product);
    }
}

/// One log of a kind per span is the span's own call. Several of a kind are several calls inside one span: they stay
/// below it and `ancestry.rs` decides.
fn join_logs_to_their_span(case: &mut Case) {
    let mut kinds: BTreeMap<(usize, Option<Text>, Option<Text>), Vec<usize>> = BTreeMap::new();
    for index in case.leaves().filter(|index| case.records[*index].signal == Signal::Log) {
        let Some(span) = case.tree.parent(index) else { continue };
        let record = &case.records[index];
        kinds
            .entry((span, record.convention.clone(), record.name.clone()))
            .or_default()
            .push(index);
    }
    let mut first_of_span: BTreeMap<usize, usize> = BTreeMap::new();
    for ((span, _, _), logs) in kinds {
        let [log] = logs[..] else { continue };
        if case.class[span] == Class::Leaf {
            case.join(span, log);
        } else if let Some(first) = first_of_span.get(&span) {
            // Two kinds of events about one call, written inside a span that is not a call itself.
            if close(&case.records[*first], &case.records[log]).is_some() {
                case.join(*first, log);
            }
        } else {
            first_of_span.insert(span, log);
        }
    }
}

/// The collector's note on a call whose emitter sends the usage with a later record.
pub(super) const USAGE_FOLLOWS: &str = "usage_follows";
/// What Logfire calls that record.
const FOLLOWER: &str = "streaming response from";

/// Joins a streamed call with the record that brings its usage: the first of its emitter, beside it, after it.
fn join_followed(case: &mut Case) {
    type Beside = (usize, Option<[u8; 16]>, Option<Text>);
    let mut streams: BTreeMap<Beside, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    for index in case.leaves() {
        let record = &case.records[index];
        let follows = record.name.as_deref().is_some_and(|name| name.starts_with(FOLLOWER));
        let announces = !follows && record.has_flag(USAGE_FOLLOWS) && !record.has_usage();
        if announces || follows {
            let parent = case.tree.parent(index).unwrap_or(usize::MAX);
            let (announced, followers) = streams
                .entry((parent, record.trace_id, record.scope_name.clone()))
                .or_default();
            if announces { announced } else { followers }.push(index);
        }
    }
    for (mut announced, mut followers) in streams.into_values() {
        announced.sort_unstable_by_key(|index| (case.records[*index].start_nano, *index));
        followers.sort_unstable_by_key(|index| (case.records[*index].start_nano, *index));
        for call in announced {
            let own = &case.records[call];
            let brings = |follower: &usize| {
                let other = &case.records[*follower];
                own.start_nano <= other.start_nano && super::identity::same_model(own, other)
            };
            if let Some(at) = followers.iter().position(brings) {
                case.join(call, followers.remove(at));
            }
        }
    }
}

/// Pairs each lesser record of a product with one complete record of the same session or trace, one to one per kind.
/// A lesser record may tell no usage at all (Gemini CLI's spans). Without a partner it stands: its complete record
/// may have been lost.
fn join_product(case: &mut Case, product: &Product) {
    let (mut complete, mut lesser) = (Vec::new(), Vec::new());
    for index in case.leaves() {
        let record = &case.records[index];
        if !is_convention(record, product.convention) {
            continue;
        }
        match (is_canonical(record, product), record.has_usage()) {
            (true, true) => complete.push(index),
            (false, usage) if usage || !record.failed() => lesser.push(index),
            _ => {}
        }
    }
    let mut pairs = Vec::new();
    for less in lesser {
        for full in &complete {
            let (a, b) = (&case.records[*full], &case.records[less]);
            if !share_context(a, b) {
                continue;
            }
            if let Some(score) = close(a, b) {
                let distance = a.end_nano.unwrap_or(0).abs_diff(b.end_nano.unwrap_or(0));
                pairs.push((score, distance, less, *full));
            }
        }
    }
    pairs.sort_unstable();
    let mut taken = BTreeSet::new();
    for (_, _, less, full) in pairs {
        // One group holds one complete record: two would be two calls.
        let has_one = |case: &Case| complete.iter().any(|full| case.group(*full) == case.group(less));
        let kind = (full, case.records[less].signal, case.records[less].name.clone());
        if !has_one(case) && taken.insert(kind) {
            case.join(less, full);
        }
    }
}

fn share_context(a: &Record, b: &Record) -> bool {
    let timed = a.interval().is_some() && b.interval().is_some();
    let session = timed && a.conversation_id().is_some() && a.conversation_id() == b.conversation_id();
    let run = a.run_id.as_deref().is_some_and(super::identity::is_worth) && a.run_id == b.run_id;
    session || run || (a.trace_id.is_some() && a.trace_id == b.trace_id)
}

/// How well two records of one product agree, best first; `None` when they cannot be one call.
fn close(a: &Record, b: &Record) -> Option<u8> {
    if a.response_id.is_some() && b.response_id.is_some() && a.response_id != b.response_id {
        return None;
    }
    if let (Some((a_start, a_end)), Some((b_start, b_end))) = (a.interval(), b.interval())
        && (a_start.saturating_sub(WRITING_SLACK_NANOS) > b_end || b_start.saturating_sub(WRITING_SLACK_NANOS) > a_end)
    {
        return None;
    }
    if !a.has_usage() || !b.has_usage() {
        return super::identity::same_model(a, b).then_some(3);
    }
    let (left, right) = (Totals::of(a), Totals::of(b));
    let text = |record: &Record| record.buckets[bucket::OUTPUT_TEXT];
    match (left.input == right.input, left.output == right.output || text(a) == text(b)) {
        (true, true) => Some(0),
        (true, false) => Some(1),
        (false, true) => Some(2),
        (false, false) => None,
    }
}
