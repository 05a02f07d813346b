//! Who and what a call was for: own attributes, then its ancestors', then its duplicates', then the resource's.
//!
//! The value nearest to the call wins, and its source is kept: the attribute's name, with `ancestor:` or
//! `duplicate:` before it where another record had it. Mapping files (`user → customer`) come after settle.

use super::case::Case;
use super::record::{Attributed, Dimension, Record};
use marginlake_lake::schema::Role;

/// For every record and dimension, the nearest record above it that has a value: found once, top down, since depth
/// is the sender's choice.
pub(super) struct Inherited {
    /// Values of a record's own attributes.
    own: Vec<[Option<u32>; 9]>,
    /// Values of any kind, the resource's too.
    any: Vec<[Option<u32>; 9]>,
    below_evaluator: Vec<bool>,
}

impl Inherited {
    pub(super) fn new(case: &Case) -> Inherited {
        let count = case.records.len();
        let mut inherited = Inherited {
            own: vec![[None; 9]; count],
            any: vec![[None; 9]; count],
            below_evaluator: vec![false; count],
        };
        for index in case.tree.top_down() {
            let Some(parent) = case.tree.parent(index) else { continue };
            for dimension in Dimension::ALL {
                let slot = dimension as usize;
                let value = case.records[parent].attributed(dimension);
                let own = value.filter(|value| !value.from_resource());
                inherited.own[index][slot] = own.map(|_| parent as u32).or(inherited.own[parent][slot]);
                inherited.any[index][slot] = value.map(|_| parent as u32).or(inherited.any[parent][slot]);
            }
            let judges = case.records[parent].role == Role::Evaluator;
            inherited.below_evaluator[index] = judges || inherited.below_evaluator[parent];
        }
        inherited
    }

    /// Whether the record is part of a judgement about quality.
    pub(super) fn is_evaluation(&self, case: &Case, index: usize) -> bool {
        case.records[index].role == Role::Evaluator || self.below_evaluator[index]
    }

    /// The attribution of the call that `survivor` stands for.
    pub(super) fn of(&self, case: &Case, survivor: usize) -> [Option<Attributed>; 9] {
        Dimension::ALL.map(|dimension| self.find(case, survivor, dimension))
    }

    fn find(&self, case: &Case, survivor: usize, dimension: Dimension) -> Option<Attributed> {
        let slot = dimension as usize;
        let value = |index: usize| case.records[index].attributed(dimension);
        let own = |index: usize| value(index).filter(|found| !found.from_resource());
        let above = |table: &Vec<[Option<u32>; 9]>, index: usize| table[index][slot].and_then(|found| value(found as usize));
        let others = || {
            case.members(survivor)
                .iter()
                .copied()
                .filter(move |member| *member != survivor)
        };

        if let Some(found) = own(survivor) {
            return Some(found.clone());
        }
        if let Some(found) = above(&self.own, survivor) {
            return Some(prefixed("ancestor", found));
        }
        if let Some(found) = others()
            .find_map(own)
            .or_else(|| others().find_map(|other| above(&self.own, other)))
        {
            return Some(prefixed("duplicate", found));
        }
        let inherited = || above(&self.any, survivor).map(|found| prefixed("ancestor", found));
        let donated = || others().find_map(value).map(|found| prefixed("duplicate", found));
        value(survivor).cloned().or_else(inherited).or_else(donated)
    }
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
