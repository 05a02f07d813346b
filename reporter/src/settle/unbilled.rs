//! Requests that cost nothing: failed attempts without usage, a gateway's cache hits, free operations.

use std::collections::BTreeMap;

use super::case::{Case, Class};
use super::identity::is_worth;
use super::reason::Reason;
use super::record::Text;

/// The collector's note on an answer from a gateway's own cache.
const CACHE_HIT: &str = "cache_hit";

/// Excludes free operations, cache hits and failed attempts without usage.
pub(super) fn judge(case: &mut Case) {
    let mut by_response: BTreeMap<Text, usize> = BTreeMap::new();
    for index in case.leaves() {
        if let Some(id) = case.records[index].response_id.as_ref().filter(|id| is_worth(id)) {
            by_response.entry(id.clone()).or_insert(index);
        }
    }
    for index in 0..case.records.len() {
        if case.class[index] == Class::Free {
            let stands = case.records[index]
                .response_id
                .as_ref()
                .and_then(|id| by_response.get(id))
                .copied();
            case.exclude(index, Reason::FreeOperation, stands, None);
        }
    }
    for group in case.standing_groups() {
        let members = case.members(group).to_vec();
        let reason = if members.iter().any(|member| case.records[*member].has_flag(CACHE_HIT)) {
            Reason::CacheHit
        } else if case.group_failed(group) && !members.iter().any(|member| case.records[*member].has_charge()) {
            Reason::FailedNoUsage
        } else {
            continue;
        };
        for member in members {
            case.exclude(member, reason, None, None);
        }
    }
}
