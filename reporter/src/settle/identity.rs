//! B3: records of one call that share an id.
//!
//! The same response id with a compatible model and usage is one call, across traces, services and signals. An id is
//! worth nothing when it is short, or when one emitter gives it to calls that differ: stand-in servers and badly
//! configured gateways answer with a constant. Runs that are polled (`run_id` of Azure agents) repeat their usage on
//! every read. Records above one another in a trace are left to `ancestry.rs`, which knows roll-ups.

use std::collections::BTreeMap;

use super::case::Case;
use super::record::{Record, Text};
use super::usage::compatible;

/// Shorter ids are counters and names, not ids.
const SHORTEST_ID: usize = 8;
/// From this length on an id alone proves the call: emitters that disagree about its usage still speak of one call.
const PROVING_ID: usize = 20;

/// Whether an id can tell calls apart at all.
pub(super) fn is_worth(id: &str) -> bool {
    let distinct = id.bytes().collect::<std::collections::BTreeSet<_>>().len();
    id.len() >= SHORTEST_ID && distinct >= 4 && id.bytes().any(|byte| byte.is_ascii_digit())
}

/// Joins records with equal ids.
pub(super) fn join(case: &mut Case) {
    join_by(
        case,
        |record| record.response_id.clone().filter(|id| is_worth(id)),
        join_responses,
    );
    join_by(
        case,
        |record| record.run_id.clone().filter(|id| is_polled(record) && !id.is_empty()),
        join_polled_run,
    );
}

fn join_by(case: &mut Case, key: impl Fn(&Record) -> Option<Text>, join_same: impl Fn(&mut Case, &str, &[usize])) {
    let mut same: BTreeMap<Text, Vec<usize>> = BTreeMap::new();
    for index in case.leaves() {
        if let Some(key) = key(&case.records[index]) {
            same.entry(key).or_default().push(index);
        }
    }
    for (id, indexes) in same.into_iter().filter(|(_, indexes)| indexes.len() > 1) {
        join_same(case, &id, &indexes);
    }
}

fn join_responses(case: &mut Case, id: &str, indexes: &[usize]) {
    if is_constant(case, indexes) {
        return;
    }
    let first_of = |case: &Case, index: usize, others: &[usize]| {
        others.iter().copied().find(|other| {
            let (a, b) = (&case.records[*other], &case.records[index]);
            let unrelated = !case.tree.is_above(*other, index) && !case.tree.is_above(index, *other);
            unrelated && (id.len() >= PROVING_ID || (same_model(a, b) && compatible(a, b)))
        })
    };
    for (position, index) in indexes.iter().enumerate() {
        if let Some(other) = first_of(case, *index, &indexes[..position]) {
            case.join(other, *index);
        }
    }
}

/// One emitter gave the id to calls with different usage, neither of which stands above the other.
fn is_constant(case: &Case, indexes: &[usize]) -> bool {
    let mut by_scope: BTreeMap<(Option<&str>, super::record::Signal, Option<&str>), usize> = BTreeMap::new();
    for index in indexes {
        let record = &case.records[*index];
        if !record.has_usage() {
            continue;
        }
        let scope = (record.scope_name.as_deref(), record.signal, record.service_name.as_deref());
        match by_scope.get(&scope) {
            Some(first) => {
                let other = &case.records[*first];
                let related = case.tree.is_above(*first, *index) || case.tree.is_above(*index, *first);
                if !related && !compatible(other, record) {
                    return true;
                }
            }
            None => {
                by_scope.insert(scope, *index);
            }
        }
    }
    false
}

/// Azure agents repeat a run's usage on every span that reads the run.
pub(super) fn is_polled(record: &Record) -> bool {
    record
        .convention
        .as_deref()
        .is_some_and(|convention| convention.starts_with("azure") || convention.starts_with("az."))
        || record
            .scope_name
            .as_deref()
            .is_some_and(|scope| scope.starts_with("azure.ai"))
}

fn join_polled_run(case: &mut Case, _: &str, indexes: &[usize]) {
    for index in &indexes[1..] {
        case.join(indexes[0], *index);
    }
}

/// Whether two records can speak of one model: an alias and its dated version, with or without a provider's prefix.
pub(super) fn same_model(a: &Record, b: &Record) -> bool {
    let names = |record: &Record| {
        [record.response_model.clone(), record.request_model.clone()]
            .into_iter()
            .flatten()
            .map(|name| bare(&name))
            .collect::<Vec<_>>()
    };
    let (left, right) = (names(a), names(b));
    if left.is_empty() || right.is_empty() {
        return true;
    }
    left.iter()
        .any(|a| right.iter().any(|b| a.starts_with(b.as_str()) || b.starts_with(a.as_str())))
}

fn bare(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    // Bedrock: `us.anthropic.claude-…`.
    match name.rsplit_once("anthropic.") {
        Some((_, rest)) => rest.to_owned(),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_and_counters_are_no_ids() {
        for id in ["", "1", "resp-1", "00000000-0000-0000", "response", "xxxxxxxxxxxx"] {
            assert!(!is_worth(id), "{id}");
        }
        for id in ["chatcmpl-123", "msg_4aebd5ed743a53cf22455261", "resp_68af", "req_22455261"] {
            assert!(is_worth(id), "{id}");
        }
    }

    #[test]
    fn an_alias_and_its_dated_version_are_one_model() {
        assert_eq!(bare("us.anthropic.claude-sonnet-4-5-v1:0"), "claude-sonnet-4-5-v1:0");
        assert_eq!(bare("openai/gpt-4.1"), "gpt-4.1");
    }
}
