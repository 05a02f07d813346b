//! B4: a model call above a model call in one trace.
//!
//! A framework, a gateway and an SDK each make a span of the same request, one inside the other: one call. An outer
//! span may also hold the sum of several requests (a roll-up), or only the last of them (an echo): its calls count,
//! not it. A tool or agent between the two means that a tool of the outer call made another call: two calls, unless
//! the outer one equals the sum. Everything that is not a model call itself is `aggregate.rs`.

use super::case::{Case, Class};
use super::reason::{Reason, billed};
use super::record::Signal;
use super::usage::{Totals, compatible};

/// A call somewhere below, seen from above.
#[derive(Clone, Copy)]
struct Below {
    call: usize,
    /// A tool or agent lies between.
    separated: bool,
}

/// Joins wrappers with what they wrap and excludes roll-ups and echoes.
pub(super) fn judge(case: &mut Case) {
    let mut found: Vec<Vec<Below>> = vec![Vec::new(); case.records.len()];
    let order: Vec<usize> = case.tree.bottom_up().collect();
    for index in order {
        let mut below: Vec<Below> = Vec::new();
        for child in case.tree.children(index) {
            let mut list = std::mem::take(&mut found[*child]);
            if list.len() > below.len() {
                std::mem::swap(&mut list, &mut below);
            }
            below.append(&mut list);
        }
        if case.class[index] == Class::Leaf {
            below = judge_one(case, index, below);
        } else if case.records[index].role.separates_calls() {
            below.iter_mut().for_each(|call| call.separated = true);
        }
        found[index] = below;
    }
}

/// Decides about the call `outer` above the calls `below`; returns the calls that are visible from further up.
fn judge_one(case: &mut Case, outer: usize, mut below: Vec<Below>) -> Vec<Below> {
    // Attempts that failed and charged nothing explain nothing.
    below.retain(|call| !case.group_failed(call.call));
    // One response id is one call, whatever lies between.
    below
        .iter_mut()
        .for_each(|call| call.separated &= !shares_id(case, outer, call.call));
    below.sort_unstable_by_key(|call| (case.group(call.call), call.separated));
    below.dedup_by_key(|call| case.group(call.call));
    // What the call logged of itself is not below it.
    below.retain(|call| !is_own_log(case, outer, call.call));
    let alone = Below {
        call: outer,
        separated: false,
    };
    let direct: Vec<usize> = below.iter().filter(|call| !call.separated).map(|call| call.call).collect();
    let own_group = case.group(outer);
    if below.is_empty() || (below.len() == 1 && case.group(below[0].call) == own_group) {
        return vec![alone];
    }

    let outer_reports = case.group_has_usage(outer);
    let reporting: Vec<usize> = direct.iter().copied().filter(|call| case.group_has_usage(*call)).collect();
    let settled = |mut calls: Vec<Below>| {
        calls.iter_mut().for_each(|call| call.separated = false);
        calls
    };
    if direct.is_empty() {
        let sum = sum(case, below.iter().map(|call| call.call));
        if outer_reports && case.group_totals(outer).equals(sum) && sum != Totals::default() {
            roll_up(case, outer, &below);
            return settled(below);
        }
        below.push(alone);
        return below;
    }
    if !outer_reports {
        match direct[..] {
            [only] => case.join(outer, only),
            _ => roll_up(case, outer, &below),
        }
        return settled(below);
    }
    if reporting.is_empty() {
        // The usage is known once, at the outer record: the silent inner ones are the same call.
        for call in &direct {
            case.join(outer, *call);
        }
        below.retain(|call| call.separated);
        below.push(alone);
        return below;
    }
    judge_reporting(case, outer, below, &reporting)
}

fn judge_reporting(case: &mut Case, outer: usize, below: Vec<Below>, reporting: &[usize]) -> Vec<Below> {
    let best = |case: &Case, index: usize| super::survivor::choose(case, index);
    let agrees = |case: &Case, call: usize| compatible(&case.records[best(case, outer)], &case.records[best(case, call)]);
    if let [only] = *reporting
        && below.iter().filter(|call| case.group_has_usage(call.call)).count() == 1
        && (agrees(case, only) || shares_id(case, outer, only))
    {
        case.join(outer, only);
        return below;
    }
    let own = case.group_totals(outer);
    let direct_sum = sum(case, reporting.iter().copied());
    let all = sum(case, below.iter().map(|call| call.call));
    let echoes = reporting
        .iter()
        .any(|call| agrees(case, *call) || shares_id(case, outer, *call));
    if own.equals(all) || own.covers(direct_sum) || echoes {
        roll_up(case, outer, &below);
        return below
            .into_iter()
            .map(|call| Below {
                separated: false,
                ..call
            })
            .collect();
    }
    case.note(outer, billed::ANCESTRY_UNEXPLAINED);
    let mut seen = below;
    seen.push(Below {
        call: outer,
        separated: false,
    });
    seen
}

fn is_own_log(case: &Case, outer: usize, call: usize) -> bool {
    let is_log = case.records[call].signal == Signal::Log && case.tree.parent(call) == Some(outer);
    is_log && case.group(call) == case.group(outer)
}

fn shares_id(case: &Case, outer: usize, call: usize) -> bool {
    let id = &case.records[outer].response_id;
    id.as_deref().is_some_and(super::identity::is_worth)
        && case
            .members(call)
            .iter()
            .any(|member| case.records[*member].response_id == *id)
}

fn sum(case: &Case, calls: impl Iterator<Item = usize>) -> Totals {
    calls.fold(Totals::default(), |sum, call| sum.add(case.group_totals(call)))
}

/// Excludes the whole group of `outer`: whoever reports the same call as a roll-up is a roll-up. An echo that shares
/// the id of a call below it is excluded alone.
fn roll_up(case: &mut Case, outer: usize, below: &[Below]) {
    let echo = below.iter().any(|call| case.group(call.call) == case.group(outer));
    let members = if echo { vec![outer] } else { case.members(outer).to_vec() };
    let explained = sum(case, below.iter().map(|call| call.call));
    let stands = below
        .iter()
        .map(|call| call.call)
        .min_by_key(|call| (case.records[*call].start_nano, *call));
    for member in members {
        let gap = Totals::of(&case.records[member])
            .beyond(explained)
            .filter(|_| case.records[member].has_usage());
        case.exclude(member, Reason::Aggregate, stands, gap);
    }
}
