//! Spring AI below 2: inside a tool loop each call reports the usage of all calls so far.
//!
//! A call that follows a sibling which stopped for tools, and reports at least as much on both sides, holds the sum:
//! the difference is its own. Its price is computed again, which is why this rule takes a pricer. Every other
//! emitter is left as reported; the collector flags suspicion (`possible_cumulative`).
//!
//! The spans seldom name Spring AI and its version: an application of Spring Boot sends them under the scope of Boot,
//! whose version 3 goes with Spring AI 1. That is likely and no proof, and an application may run the loop itself, in
//! which case nothing is summed. There the framework's own tool span must stand between the calls, and the difference
//! must be a prompt that grew, as a loop's does.
//!
//! The sum of Spring AI 1 has no cache counts, even where the calls had (its `UsageCalculator` makes a plain usage of
//! three numbers). What is left of the input is then not known to be free of cached tokens and says so.

use std::collections::BTreeMap;

use marginlake_lake::schema::Role;

use super::case::{Case, Class};
use super::reason::billed;
use super::record::{Record, Signal, bucket};
use super::usage::Totals;

/// Computes the price of a record whose usage settle changed.
pub trait Reprice {
    /// Sets `record.price` by its buckets, usage, model and moment.
    fn reprice(&self, record: &mut Record);
}

/// For tests and tools that have no catalogue: a changed record has no known price.
pub struct NoCatalogue;

impl Reprice for NoCatalogue {
    fn reprice(&self, record: &mut Record) {
        record.price = super::record::Price {
            status: Some("unpriced".into()),
            ..Default::default()
        };
    }
}

/// Replaces cumulative usage by its differences.
pub(super) fn resolve(case: &mut Case, pricer: &dyn Reprice) {
    let mut loops: BTreeMap<(usize, Option<[u8; 16]>), Vec<usize>> = BTreeMap::new();
    for index in case.leaves().filter(|index| Emitter::of(&case.records[*index]).is_some()) {
        let parent = case.tree.parent(index).unwrap_or(usize::MAX);
        loops.entry((parent, case.records[index].trace_id)).or_default().push(index);
    }
    for mut calls in loops.into_values() {
        calls.retain(|call| case.class[*call] == Class::Leaf && case.records[*call].has_usage());
        calls.sort_unstable_by_key(|call| (case.records[*call].start_nano, *call));
        let as_reported: Vec<Record> = calls.iter().map(|call| case.records[*call].clone()).collect();
        let mut before_own = None;
        for (pair, call) in as_reported.windows(2).zip(calls.iter().skip(1)) {
            let [before, now] = pair else { continue };
            let prompt = before_own.take().or(before.buckets[bucket::INPUT_UNCACHED]);
            let own = own_usage(now, before).filter(|own| {
                stopped_for_tools(before)
                    && match Emitter::of(now) {
                        Some(Emitter::Sums) => true,
                        Some(Emitter::LikelySums) => grew(own, prompt, before) && tool_between(case, before, now),
                        None => false,
                    }
            });
            let Some(mut own) = own else { continue };
            before_own = own.buckets[bucket::INPUT_UNCACHED];
            pricer.reprice(&mut own);
            case.records[*call] = own;
            case.note(*call, billed::CUMULATIVE_RESOLVED);
        }
    }
}

/// What is known of an emitter's habit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Emitter {
    /// The scope or the profile says Spring AI below 2.
    Sums,
    /// Spring Boot 3, which Spring AI 1 runs on.
    LikelySums,
}

impl Emitter {
    fn of(record: &Record) -> Option<Emitter> {
        match record.convention.as_deref() {
            Some("spring_ai_1") => return Some(Emitter::Sums),
            Some("spring_ai_boot_3") => return Some(Emitter::LikelySums),
            _ => {}
        }
        let spring = |text: &Option<super::record::Text>| {
            let bare = text
                .as_deref()
                .unwrap_or_default()
                .to_ascii_lowercase()
                .replace(['.', '-', '_', ' '], "");
            bare.contains("springai") || bare.contains("springframeworkai")
        };
        let below_2 = record.scope_version.as_deref().is_some_and(|version| {
            let major = version
                .trim_start_matches('v')
                .split('.')
                .next()
                .and_then(|major| major.parse::<u32>().ok());
            major.is_some_and(|major| major < 2)
        });
        (record.signal == Signal::Span && below_2 && (spring(&record.scope_name) || spring(&record.convention)))
            .then_some(Emitter::Sums)
    }
}

fn stopped_for_tools(record: &Record) -> bool {
    record
        .finish_reasons
        .iter()
        .flatten()
        .flatten()
        .any(|reason| reason.to_ascii_lowercase().contains("tool"))
}

/// Whether a tool of the framework ran between the two calls.
fn tool_between(case: &Case, before: &Record, now: &Record) -> bool {
    let springs = |record: &Record| record.convention.as_deref().is_some_and(|id| id.starts_with("spring_ai"));
    case.records.iter().any(|record| {
        record.role == Role::Tool
            && record.trace_id == now.trace_id
            && springs(record)
            && (before.start_nano..=now.start_nano).contains(&record.start_nano)
    })
}

/// Whether the difference is as large as the prompt before it, which it repeats. Where a cache was read or written,
/// the part beside the cache may be of any size.
fn grew(own: &Record, prompt: Option<i64>, before: &Record) -> bool {
    cached(before) > 0 || own.buckets[bucket::INPUT_UNCACHED] >= prompt
}

fn cached(record: &Record) -> i64 {
    [bucket::CACHE_READ, bucket::CACHE_WRITE_5M, bucket::CACHE_WRITE_1H]
        .into_iter()
        .filter_map(|index| record.buckets[index])
        .fold(0, i64::saturating_add)
}

/// `now` without what `before` reports; `None` where it reports less.
fn own_usage(now: &Record, before: &Record) -> Option<Record> {
    let mut own = now.clone();
    if cached(before) > 0 && cached(now) == 0 {
        let earlier = Totals {
            input: summed_input(before),
            ..Totals::of(before)
        };
        let (input, _) = beyond(now, earlier)?;
        own.buckets[bucket::INPUT_UNCACHED] = Some(input);
        subtract(&mut own.buckets[bucket::OUTPUTS], &before.buckets[bucket::OUTPUTS]);
        subtract_usage(&mut own, before);
        for (_, count) in own.usage.iter_mut().flatten().filter(|(key, _)| &**key == "input_tokens") {
            *count = Some(input);
        }
        own.usage_status = Some("assumed".into());
        if !own.has_flag("cache_unknown") {
            own.flags.push("cache_unknown".into());
        }
    } else {
        beyond(now, Totals::of(before))?;
        subtract(&mut own.buckets, &before.buckets);
        subtract_usage(&mut own, before);
    }
    Some(own)
}

/// What of a call's input goes into the sum: the provider's own input count, which in Anthropic's and Bedrock's
/// leaves cached tokens out.
fn summed_input(record: &Record) -> Option<i64> {
    match record.provider.as_deref() {
        Some("anthropic" | "aws.bedrock") => record.buckets[bucket::INPUT_UNCACHED],
        _ => Totals::of(record).input,
    }
}

/// Input and output beyond earlier ones; `None` where either is less.
fn beyond(now: &Record, earlier: Totals) -> Option<(i64, i64)> {
    let now = Totals::of(now);
    now.covers(earlier).then(|| now.beyond(earlier).unwrap_or((0, 0)))
}

fn subtract(own: &mut [Option<i64>], before: &[Option<i64>]) {
    for (own, earlier) in own.iter_mut().zip(before) {
        if let (Some(own), Some(earlier)) = (own.as_mut(), earlier) {
            *own = own.saturating_sub(*earlier).max(0);
        }
    }
}

fn subtract_usage(own: &mut Record, before: &Record) {
    let earlier = |key: &str| {
        let entry = before.usage.iter().flatten().find(|(name, _)| &**name == key);
        entry.and_then(|(_, count)| *count).unwrap_or(0)
    };
    for (key, count) in own.usage.iter_mut().flatten() {
        if let Some(count) = count {
            *count = count.saturating_sub(earlier(key)).max(0);
        }
    }
}
