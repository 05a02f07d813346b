//! Two instrumentations of one call that share neither trace path nor id.
//!
//! A framework that does not set the OpenTelemetry context leaves the SDK's span a root of its own. The pair is
//! provable only by all of this together: different instrumentation scopes, no scope in common between the two
//! groups, the same service (or one side is a gateway), the same model, equal usage with tokens on both sides, one
//! interval inside the other, and no two response ids that contradict. Calls that merely look alike are told apart
//! by matching one to one: two identical parallel calls, each seen twice, stay two.
//!
//! Of the two the SDK's may tell nothing: OpenInference's JavaScript packages lose the usage of a stream that LangChain
//! reads. Such a silent call is the one around it by the same proofs, but for the usage.

use std::collections::{BTreeMap, BTreeSet};

use super::case::Case;
use super::identity::same_model;
use super::record::Record;
use super::signals;
use super::survivor;
use super::usage::{Totals, same};

/// Joins pairs until none is left: a call may be seen by three.
pub(super) fn join(case: &mut Case) {
    let mut alike: BTreeMap<(Option<i64>, i64), Vec<usize>> = BTreeMap::new();
    for group in case.standing_groups() {
        let best = &case.records[survivor::choose(case, group)];
        let totals = Totals::of(best);
        if totals.input.is_some_and(|tokens| tokens > 0) && best.interval().is_some() {
            alike
                .entry((totals.input, totals.output.unwrap_or(0)))
                .or_default()
                .push(group);
        }
    }
    for groups in alike.into_values().filter(|groups| groups.len() > 1) {
        while join_once(case, &groups) {}
    }
    join_silent(case);
}

/// Joins calls that tell no usage with calls around them that tell theirs, one to one for each set of scopes: a call
/// that another instrumentation has reported already takes no second one of it.
fn join_silent(case: &mut Case) {
    let (told, silent): (Vec<usize>, Vec<usize>) = case
        .standing_groups()
        .into_iter()
        .partition(|group| case.group_has_usage(*group));
    let mut by_scopes: BTreeMap<BTreeSet<Option<String>>, Vec<usize>> = BTreeMap::new();
    for group in silent.into_iter().filter(|group| !case.group_failed(*group)) {
        by_scopes.entry(scopes(case, group)).or_default().push(group);
    }
    for (silent_scopes, silent) in by_scopes {
        let around: Vec<usize> = told
            .iter()
            .copied()
            .filter(|group| silent_scopes.is_disjoint(&scopes(case, *group)))
            .collect();
        pair_up(case, &around, &silent, is_same_but_silent);
    }
}

/// One round: every pair of scope sets, each inner call with the tightest outer call that holds it.
fn join_once(case: &mut Case, groups: &[usize]) -> bool {
    let mut by_scopes: BTreeMap<BTreeSet<Option<String>>, Vec<usize>> = BTreeMap::new();
    for group in groups.iter().copied().filter(|group| case.group(*group) == *group) {
        by_scopes.entry(scopes(case, group)).or_default().push(group);
    }
    let sets: Vec<_> = by_scopes.into_iter().collect();
    for (left_scopes, left) in &sets {
        for (right_scopes, right) in &sets {
            if left_scopes.is_disjoint(right_scopes) && pair_up(case, left, right, is_provable) {
                return true;
            }
        }
    }
    false
}

fn scopes(case: &Case, group: usize) -> BTreeSet<Option<String>> {
    case.members(group)
        .iter()
        .map(|member| case.records[*member].scope_name.as_deref().map(str::to_owned))
        .collect()
}

/// Greedy by the inner call's start, taking the outer call that ends first: the most pairs there can be.
fn pair_up(case: &mut Case, outer: &[usize], inner: &[usize], is_one: fn(&Case, usize, usize) -> bool) -> bool {
    let interval = |case: &Case, group: usize| case.records[survivor::choose(case, group)].interval();
    let mut inner: Vec<_> = inner
        .iter()
        .filter_map(|group| Some((interval(case, *group)?, *group)))
        .collect();
    inner.sort_unstable();
    let mut outer: Vec<_> = outer
        .iter()
        .filter_map(|group| Some((interval(case, *group)?, *group)))
        .collect();
    outer.sort_unstable_by_key(|((start, end), group)| (*end, *start, *group));
    let mut pairs = Vec::new();
    for ((start, end), inside) in inner {
        let holds = |((outer_start, outer_end), group): &((i64, i64), usize)| {
            *outer_start <= start && end <= *outer_end && is_one(case, *group, inside)
        };
        if let Some(position) = outer.iter().position(holds) {
            pairs.push((outer.remove(position).1, inside));
        }
    }
    for (outside, inside) in &pairs {
        case.join(*outside, *inside);
    }
    !pairs.is_empty()
}

fn is_provable(case: &Case, a: usize, b: usize) -> bool {
    let (left, right) = best(case, a, b);
    same(left, right) && is_possible(case, a, b)
}

/// The silent one must itself name the model, and a framework's wrapper, not a gateway, must stand around it.
fn is_same_but_silent(case: &Case, a: usize, b: usize) -> bool {
    let (left, right) = best(case, a, b);
    let named = right.request_model.is_some() || right.response_model.is_some();
    let alike = left.role == right.role && left.service_name == right.service_name;
    named && alike && is_possible(case, a, b)
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
