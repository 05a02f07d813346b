//! Two instrumentations of one call that share neither trace path nor id.
//!
//! A framework that does not set the OpenTelemetry context leaves the SDK's span a root of its own. The pair is
//! provable only by all of this together: different instrumentation scopes, no scope in common between the two
//! groups, the same service (or one side is a gateway), the same model, equal usage with tokens on both sides, one
//! begun within the other and mostly inside it, and no two response ids that contradict. Calls that merely look alike
//! are told apart by matching one to one: two identical parallel calls, each seen twice, stay two.
//!
//! One of the two, or both, may tell less. LangChain loses the input of Anthropic's streams: the output must do.
//! Others forward Anthropic's raw input and know no cache: the uncached input must do. OpenInference's JavaScript packages lose the usage of a stream that LangChain reads, and where the provider was not
//! asked for usage nobody tells any. A silent call is another one by the same proofs, but for the usage.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::identity::same_model;
use super::record::Record;
use super::signals;
use super::survivor;
use super::usage::{Totals, same, same_but_cache, same_output};

/// Start and end in nanoseconds.
type Interval = (i64, i64);

/// How much later than a framework's span the SDK's may begin where only the beginnings relate them.
const BEGINNING_SLACK_NANOS: u64 = 50_000_000;

/// Whether two groups, of which the second begins within the first, report one call.
type Proof = fn(&Case, usize, usize) -> bool;

/// Joins pairs until none is left: a call may be seen by three.
pub(super) fn join(case: &mut Case) {
    for groups in alike(case, |totals| {
        let input = totals.input.filter(|tokens| *tokens > 0)?;
        Some((input, totals.output.unwrap_or(0)))
    }) {
        while join_once(case, &groups, &groups, is_provable) {}
    }
    for groups in alike(case, |totals| totals.output.filter(|tokens| *tokens > 0)) {
        while join_once(case, &groups, &groups, is_provable_by_output) {}
    }
    for groups in alike(case, |totals| totals.output.filter(|tokens| *tokens > 0)) {
        while join_once(case, &groups, &groups, is_provable_but_cache) {}
    }
    join_silent(case);
}

/// The standing groups that share a key of their usage, where there are several.
fn alike<K: Ord>(case: &Case, key: impl Fn(Totals) -> Option<K>) -> Vec<Vec<usize>> {
    let mut alike: BTreeMap<K, Vec<usize>> = BTreeMap::new();
    for group in case.standing_groups() {
        if let Some(key) = key(case.group_totals(group)) {
            alike.entry(key).or_default().push(group);
        }
    }
    alike.into_values().filter(|groups| groups.len() > 1).collect()
}

/// Joins calls that tell no usage: first with calls around them that tell theirs, then with such calls inside them,
/// then with one another.
fn join_silent(case: &mut Case) {
    let split = |case: &Case| -> (Vec<usize>, Vec<usize>) {
        let standing = case.standing_groups().into_iter();
        standing
            .filter(|group| !case.group_failed(*group))
            .partition(|group| case.group_has_usage(*group))
    };
    let (told, silent) = split(case);
    if silent.is_empty() {
        return;
    }
    while join_once(case, &told, &silent, is_same_but_silent) {}
    let (told, silent) = split(case);
    while join_once(case, &silent, &told, is_same_but_silent) {}
    let (_, silent) = split(case);
    while join_once(case, &silent, &silent, is_same_but_silent) {}
}

/// One round: a pair of sets of scopes that have none in common, one to one: a call that another instrumentation has
/// reported already takes no second one of it.
fn join_once(case: &mut Case, outer: &[usize], inner: &[usize], is_one: Proof) -> bool {
    let (outer, inner) = (by_scopes(case, outer), by_scopes(case, inner));
    for (left_scopes, left) in &outer {
        for (right_scopes, right) in &inner {
            if left_scopes.is_disjoint(right_scopes) && pair_up(case, left, right, is_one) {
                return true;
            }
        }
    }
    false
}

fn by_scopes(case: &Case, groups: &[usize]) -> BTreeMap<BTreeSet<Option<String>>, Vec<usize>> {
    let mut by_scopes: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for group in groups.iter().copied().filter(|group| case.group(*group) == *group) {
        by_scopes.entry(scopes(case, group)).or_default().push(group);
    }
    by_scopes
}

fn scopes(case: &Case, group: usize) -> BTreeSet<Option<String>> {
    case.members(group)
        .iter()
        .map(|member| case.records[*member].scope_name.as_deref().map(str::to_owned))
        .collect()
}

/// Greedy by the inner call's start, taking of the outer calls that hold it, or else most of it, the one that ends
/// first: the most pairs there can be.
fn pair_up(case: &mut Case, outer: &[usize], inner: &[usize], is_one: Proof) -> bool {
    let length = |(start, end): &Interval| end - start;
    // What one of the records of a group is inside of, all of them report.
    let intervals = |case: &Case, group: usize| -> Vec<Interval> {
        let members = case.members(group).iter();
        members.filter_map(|member| case.records[*member].interval()).collect()
    };
    let mut inner: Vec<(Interval, usize)> = inner
        .iter()
        .filter_map(|group| Some((intervals(case, *group).into_iter().min_by_key(length)?, *group)))
        .collect();
    inner.sort_unstable();
    let mut outer: Vec<(Interval, usize)> = outer
        .iter()
        .filter_map(|group| Some((intervals(case, *group).into_iter().max_by_key(length)?, *group)))
        .collect();
    outer.sort_unstable_by_key(|((start, end), group)| (*end, *start, *group));
    let mut pairs = Vec::new();
    for (inside, group) in inner {
        let find = |holds: fn(Interval, Interval) -> bool| {
            outer
                .iter()
                .position(|(around, other)| holds(*around, inside) && is_one(case, *other, group))
        };
        let told = |position: &usize| case.group_has_usage(group) && case.group_has_usage(outer[*position].1);
        let begun = || find(begin_as_one).filter(told);
        if let Some(position) = find(holds).or_else(|| find(holds_most)).or_else(begun) {
            pairs.push((outer.remove(position).1, group));
        }
    }
    for (outside, inside) in &pairs {
        case.join(*outside, *inside);
    }
    !pairs.is_empty()
}

fn holds(outer: Interval, inner: Interval) -> bool {
    outer.0 <= inner.0 && inner.1 <= outer.1
}

/// Whether `inner` begins within `outer` and at least half of it lies there. LiteLLM's own records are written when the
/// response has been logged, which is after the caller has it.
pub(super) fn holds_most(outer: Interval, inner: Interval) -> bool {
    let shared = outer.1.min(inner.1) - inner.0;
    outer.0 <= inner.0 && inner.0 <= outer.1 && shared >= (inner.1 - inner.0) - shared
}

/// Whether two calls begin together. Of a stream one library ends its span with the answer's head, another with its last
/// word: only equal usage may rely on this.
fn begin_as_one(outer: Interval, inner: Interval) -> bool {
    outer.0.abs_diff(inner.0) <= BEGINNING_SLACK_NANOS
}

fn is_provable(case: &Case, a: usize, b: usize) -> bool {
    let (left, right) = best(case, a, b);
    same(left, right) && is_possible(case, a, b)
}

fn is_provable_by_output(case: &Case, a: usize, b: usize) -> bool {
    let (left, right) = best(case, a, b);
    same_output(left, right) && is_possible(case, a, b)
}

fn is_provable_but_cache(case: &Case, a: usize, b: usize) -> bool {
    let (left, right) = best(case, a, b);
    same_but_cache(left, right) && is_possible(case, a, b)
}

/// Both must name the model, and a framework's wrapper, not a gateway, must stand around the inner one.
fn is_same_but_silent(case: &Case, a: usize, b: usize) -> bool {
    let (left, right) = best(case, a, b);
    let named = |record: &Record| record.request_model.is_some() || record.response_model.is_some();
    let alike = left.role == right.role && left.service_name == right.service_name;
    named(left) && named(right) && alike && is_possible(case, a, b)
}

fn best(case: &Case, a: usize, b: usize) -> (&Record, &Record) {
    let best = |group| &case.records[survivor::choose(case, group)];
    (best(a), best(b))
}

fn is_possible(case: &Case, a: usize, b: usize) -> bool {
    let (left, right) = best(case, a, b);
    let in_one_path = case.members(a).iter().any(|above| {
        case.members(b)
            .iter()
            .any(|below| case.tree.is_above(*above, *below) || case.tree.is_above(*below, *above))
    });
    let gateway = signals::is_gateway(left) != signals::is_gateway(right);
    !in_one_path && same_model(left, right) && (left.service_name == right.service_name || gateway) && !ids_contradict(case, a, b)
}

/// Both sides name a response of one kind, and not the same one. A gateway that writes ids of its own contradicts
/// nobody, and neither does a framework's run id a provider's.
fn ids_contradict(case: &Case, a: usize, b: usize) -> bool {
    let ids = |group: usize| -> BTreeSet<&str> {
        let told = |record: &&Record| !signals::is_gateway(record);
        let records = case.members(group).iter().map(|member| &case.records[*member]).filter(told);
        records.filter_map(|record| record.response_id.as_deref()).collect()
    };
    let (left, right) = (ids(a), ids(b));
    let kinds: BTreeSet<&str> = right.iter().map(|id| id_kind(id)).collect();
    left.is_disjoint(&right) && left.iter().any(|id| kinds.contains(id_kind(id)))
}

/// Who made an id, as far as its form tells.
fn id_kind(id: &str) -> &'static str {
    const KINDS: [&str; 7] = ["chatcmpl", "msg_", "resp_", "gen-", "req_", "lc_run", "run-"];
    KINDS.into_iter().find(|kind| id.starts_with(kind)).unwrap_or("other")
}
