//! B2 and B7: records that sum or repeat the usage of others.
//!
//! Usage belongs to the deepest record that reports it. An agent, workflow, chain or step is billed only where
//! nothing below it reports and no call of the same session and time can be its own; otherwise it is excluded and
//! what its calls do not explain is shown as a gap, never as cost.

use std::collections::BTreeMap;

use super::case::{Case, Class};
use super::reason::Reason;
use super::record::{Signal, Text};
use super::usage::{Totals, compatible};
use marginlake_lake::schema::Role;

/// Decides about every aggregate, deepest first.
pub(super) fn judge(case: &mut Case) {
    let order: Vec<usize> = case
        .tree
        .bottom_up()
        .filter(|index| case.class[*index] == Class::Aggregate)
        .collect();
    let index_of = Reporting::new(case);
    for index in order {
        let below = reporting_below(case, index);
        if !below.is_empty() {
            exclude(case, index, &below);
            continue;
        }
        let beside = reporting_beside(case, index, &index_of);
        if !beside.is_empty() {
            exclude(case, index, &beside);
            continue;
        }
        if let Some(call) = echoed_above(case, index) {
            exclude(case, index, &[call]);
            continue;
        }
        case.orphans.push(index);
        absorb_silent(case, index);
    }
}

/// Calls and billed aggregates below `index` that report usage, one per call.
fn reporting_below(case: &Case, index: usize) -> Vec<usize> {
    let mut found: Vec<usize> = case
        .tree
        .below(index)
        .iter()
        .copied()
        .filter(|below| match case.class[*below] {
            Class::Leaf => case.group_has_usage(*below),
            Class::Aggregate => case.orphans.contains(below) && case.records[*below].has_usage(),
            Class::Free | Class::Plain => false,
        })
        .collect();
    found.sort_unstable_by_key(|below| case.group(*below));
    found.dedup_by_key(|below| case.group(*below));
    found
}

/// The calls that report usage, by what may tie them to an aggregate that no path leads to.
struct Reporting {
    by_session: BTreeMap<Text, Vec<usize>>,
    /// Calls below a span that has not arrived, and logs without a span, by trace.
    pathless_by_trace: BTreeMap<[u8; 16], Vec<usize>>,
}

impl Reporting {
    fn new(case: &Case) -> Reporting {
        let mut found = Reporting {
            by_session: BTreeMap::new(),
            pathless_by_trace: BTreeMap::new(),
        };
        for index in case.leaves().filter(|index| case.group_has_usage(*index)) {
            let record = &case.records[index];
            if let Some(session) = record.conversation_id() {
                found.by_session.entry(session.clone()).or_default().push(index);
            }
            let pathless = case.tree.is_detached(index) || (record.signal == Signal::Log && record.span_id.is_none());
            if let Some(trace) = record.trace_id.filter(|_| pathless) {
                found.pathless_by_trace.entry(trace).or_default().push(index);
            }
        }
        found
    }
}

/// Calls that may be the aggregate's although no path says so: in its session outside its trace, or in its trace
/// below a span that has not arrived, during its time.
fn reporting_beside(case: &Case, index: usize, reporting: &Reporting) -> Vec<usize> {
    let own = &case.records[index];
    let overlaps = |other: usize| match (own.interval(), case.records[other].interval()) {
        (Some((start, end)), Some((other_start, other_end))) => other_start <= end && start <= other_end,
        _ => false,
    };
    let in_session = own.conversation_id().and_then(|session| reporting.by_session.get(session));
    let elsewhere = in_session
        .into_iter()
        .flatten()
        .filter(|other| case.records[**other].trace_id != own.trace_id);
    let in_trace = own.trace_id.and_then(|trace| reporting.pathless_by_trace.get(&trace));
    let detached = in_trace
        .into_iter()
        .flatten()
        .filter(|other| case.tree.root(**other) != case.tree.root(index));
    let same_tenant = |other: &usize| case.records[*other].tenant == own.tenant;
    let mut found: Vec<usize> = elsewhere
        .chain(detached)
        .copied()
        .filter(same_tenant)
        .filter(|other| overlaps(*other))
        .collect();
    found.sort_unstable_by_key(|other| case.group(*other));
    found.dedup_by_key(|other| case.group(*other));
    found
}

fn exclude(case: &mut Case, index: usize, reporting: &[usize]) {
    // A roll-up below is explained by the calls that stand for it, which are in the list as well.
    let is_roll_up = |call: usize| {
        case.excluded[call]
            .as_ref()
            .is_some_and(|own| own.reason == Reason::Aggregate)
    };
    let calls = reporting.iter().copied().filter(|call| !is_roll_up(*call));
    let explained = calls.fold(Totals::default(), |sum, call| sum.add(case.group_totals(call)));
    let stands = reporting
        .iter()
        .copied()
        .filter(|call| case.stands(*call))
        .min_by_key(|call| (case.records[*call].start_nano, *call))
        .or_else(|| reporting.first().copied());
    let gap = Totals::of(&case.records[index]).beyond(explained);
    case.exclude(index, Reason::Aggregate, stands, gap);
}

/// The call above that this record only describes in more detail (a gateway's attempt below its request): the same
/// usage, and no tool or agent between them that could have made a call of its own.
fn echoed_above(case: &Case, index: usize) -> Option<usize> {
    let mut above = case.tree.parent(index)?;
    while case.class[above] != Class::Leaf {
        if matches!(case.records[above].role, Role::Tool | Role::Agent) {
            return None;
        }
        above = case.tree.parent(above)?;
    }
    let (call, echo) = (&case.records[above], &case.records[index]);
    (call.has_usage() && compatible(call, echo)).then_some(above)
}

/// The usage of records that tell none is part of the aggregate that is billed.
fn absorb_silent(case: &mut Case, index: usize) {
    let silent: Vec<usize> = case
        .tree
        .below(index)
        .iter()
        .copied()
        .filter(|below| case.class[*below] == Class::Leaf && case.excluded[*below].is_none())
        .filter(|below| !case.group_has_usage(*below) && !case.group_failed(*below))
        .collect();
    let totals: Vec<usize> = case
        .tree
        .below(index)
        .iter()
        .copied()
        .filter(|below| case.orphans.contains(below))
        .collect();
    for below in totals {
        case.orphans.retain(|orphan| *orphan != below);
        case.exclude(below, Reason::UsageInAggregate, Some(index), None);
    }
    for below in silent {
        for member in case.members(below).to_vec() {
            case.exclude(member, Reason::UsageInAggregate, Some(index), None);
        }
    }
}
