//! Who and what a call was for: own attributes, then its ancestors', then its duplicates', then the resource's.
//!
//! The value nearest to the call wins, and its source is kept: the attribute's name, with `ancestor:` or
//! `duplicate:` before it where another record had it. Mapping files (`user → customer`) come after settle.

use super::case::Case;
use super::record::{Attributed, Dimension, Record};

/// The attribution of the call that `survivor` stands for.
pub(super) fn of(case: &Case, survivor: usize) -> [Option<Attributed>; 9] {
    Dimension::ALL.map(|dimension| find(case, survivor, dimension))
}

fn find(case: &Case, survivor: usize, dimension: Dimension) -> Option<Attributed> {
    let value = |index: usize| case.records[index].attributed(dimension);
    let own = |index: usize| value(index).filter(|found| !found.from_resource());
    let others = || {
        case.members(survivor)
            .iter()
            .copied()
            .filter(move |member| *member != survivor)
    };
    let above = |index: usize| case.tree.ancestors(index).find_map(own);

    if let Some(found) = own(survivor) {
        return Some(found.clone());
    }
    if let Some(found) = above(survivor) {
        return Some(prefixed("ancestor", found));
    }
    if let Some(found) = others().find_map(own).or_else(|| others().find_map(above)) {
        return Some(prefixed("duplicate", found));
    }
    let inherited = || {
        case.tree
            .ancestors(survivor)
            .find_map(value)
            .map(|found| prefixed("ancestor", found))
    };
    let donated = || others().find_map(value).map(|found| prefixed("duplicate", found));
    value(survivor).cloned().or_else(inherited).or_else(donated)
}

fn prefixed(relation: &str, found: &Attributed) -> Attributed {
    Attributed {
        value: found.value.clone(),
        source: format!("{relation}:{}", found.source).into(),
    }
}

/// What the survivor lacks beside attribution and a duplicate tells: names, models, times, and a price where the
/// survivor's model is unknown to the catalogue.
pub(super) fn donate(survivor: &mut Record, duplicate: &Record) {
    fn fill<T: Clone>(own: &mut Option<T>, other: &Option<T>) {
        if own.is_none() {
            own.clone_from(other);
        }
    }
    if duplicate.has_charge() && !survivor.has_charge() {
        survivor.reported_cost_usd = duplicate.reported_cost_usd;
        survivor.reported_cost_kind.clone_from(&duplicate.reported_cost_kind);
    }
    if !is_priced(survivor) && is_priced(duplicate) && super::usage::compatible(survivor, duplicate) {
        survivor.price = duplicate.price.clone();
        survivor.provider.clone_from(&duplicate.provider);
        survivor.response_model.clone_from(&duplicate.response_model);
    }
    fill(&mut survivor.provider, &duplicate.provider);
    fill(&mut survivor.request_model, &duplicate.request_model);
    fill(&mut survivor.response_model, &duplicate.response_model);
    fill(&mut survivor.response_id, &duplicate.response_id);
    fill(&mut survivor.server_address, &duplicate.server_address);
    fill(&mut survivor.streaming, &duplicate.streaming);
    fill(&mut survivor.finish_reasons, &duplicate.finish_reasons);
    fill(&mut survivor.time_to_first_token_ms, &duplicate.time_to_first_token_ms);
    fill(&mut survivor.reported_cost_usd, &duplicate.reported_cost_usd);
    fill(&mut survivor.reported_cost_kind, &duplicate.reported_cost_kind);
    if let Some(tags) = &duplicate.tags {
        let own = survivor.tags.get_or_insert_default();
        for (key, value) in tags {
            if !own.iter().any(|(name, _)| name == key) {
                own.push((key.clone(), value.clone()));
            }
        }
        own.sort_unstable();
    }
}

fn is_priced(record: &Record) -> bool {
    matches!(record.price.status.as_deref(), Some("priced" | "partial" | "free"))
}
