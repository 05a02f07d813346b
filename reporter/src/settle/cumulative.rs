//! Spring AI below 2: inside a tool loop each call reports the usage of all calls so far.
//!
//! A call that follows a sibling which stopped for tools, and reports at least as much on both sides, holds the sum:
//! the difference is its own. Its price is computed again, which is why this rule takes a pricer. Every other
//! emitter is left as reported; the collector flags suspicion (`possible_cumulative`).

use std::collections::BTreeMap;

use super::case::{Case, Class};
use super::reason::billed;
use super::record::{Record, Signal};
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
    for index in case.leaves().filter(|index| is_cumulative_emitter(&case.records[*index])) {
        let parent = case.tree.parent(index).unwrap_or(usize::MAX);
        loops.entry((parent, case.records[index].trace_id)).or_default().push(index);
    }
    for mut calls in loops.into_values() {
        calls.retain(|call| case.class[*call] == Class::Leaf && case.records[*call].has_usage());
        calls.sort_unstable_by_key(|call| (case.records[*call].start_nano, *call));
        let as_reported: Vec<Record> = calls.iter().map(|call| case.records[*call].clone()).collect();
        for (pair, call) in as_reported.windows(2).zip(calls.iter().skip(1)) {
            let [before, now] = pair else { continue };
            if stopped_for_tools(before) && Totals::of(now).covers(Totals::of(before)) {
                subtract(&mut case.records[*call], before);
                pricer.reprice(&mut case.records[*call]);
                case.note(*call, billed::CUMULATIVE_RESOLVED);
            }
        }
    }
}

fn is_cumulative_emitter(record: &Record) -> bool {
    let spring = |text: &Option<super::record::Text>| {
        let bare = text
            .as_deref()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .replace(['.', '-', '_', ' '], "");
        bare.contains("springai") || bare.contains("springframeworkai")
    };
    if record.convention.as_deref() == Some("spring_ai_1") {
        return true;
    }
    let below_2 = record.scope_version.as_deref().is_some_and(|version| {
        let major = version
            .trim_start_matches('v')
            .split('.')
            .next()
            .and_then(|major| major.parse::<u32>().ok());
        major.is_some_and(|major| major < 2)
    });
    record.signal == Signal::Span && below_2 && (spring(&record.scope_name) || spring(&record.convention))
}

fn stopped_for_tools(record: &Record) -> bool {
    record
        .finish_reasons
        .iter()
        .flatten()
        .flatten()
        .any(|reason| reason.to_ascii_lowercase().contains("tool"))
}

fn subtract(record: &mut Record, before: &Record) {
    for (own, earlier) in record.buckets.iter_mut().zip(before.buckets) {
        if let (Some(own), Some(earlier)) = (own.as_mut(), earlier) {
            *own = own.saturating_sub(earlier).max(0);
        }
    }
    let earlier = |key: &str| {
        let entry = before.usage.iter().flatten().find(|(name, _)| &**name == key);
        entry.and_then(|(_, count)| *count).unwrap_or(0)
    };
    for (key, count) in record.usage.iter_mut().flatten() {
        if let Some(count) = count {
            *count = count.saturating_sub(earlier(key)).max(0);
        }
    }
}
