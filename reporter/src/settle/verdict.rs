//! From findings to rows: the last step of settling a component.

use super::attribution::{self, Inherited};
use super::call::{Call, CostClass, Excluded, Granularity, Key, Settled};
use super::case::{Case, Class};
use super::reason::{Reason, billed};
use super::record::{Record, Signal};
use super::rules::Rules;
use super::signals;
use super::survivor;
use super::usage::Totals;

/// Writes the rows of a component that every rule has judged. `copies` are the redelivered records by winner.
pub(super) fn write(case: &Case, copies: Vec<Vec<Record>>, rules: &Rules, settled: &mut Settled) {
    let inherited = Inherited::new(case);
    // Per record: the call that stands for it, once the survivors are known.
    let mut counted = vec![0i64; case.records.len()];
    let mut excluded = Vec::new();
    for index in 0..case.records.len() {
        let Some(exclusion) = exclusion_of(case, index) else {
            if bills(case, index) {
                counted[index] += 1;
            }
            continue;
        };
        let stands = exclusion.1.map(|stands| final_stand(case, stands));
        if let Some(stands) = stands {
            counted[stands] += 1;
        }
        excluded.push((index, exclusion.0, stands, exclusion.2));
    }
    for (index, records) in counted.iter().enumerate() {
        if bills(case, index) {
            let mut call = call(case, &inherited, index, *records);
            rules.complete(&mut call, inherited.is_evaluation(case, index));
            settled.calls.push(call);
        } else if rules.has_costs() && case.class[index] != Class::Leaf {
            let with_attribution = Record {
                attribution: inherited.of(case, index),
                ..case.records[index].clone()
            };
            settled
                .calls
                .extend(rules.indirect(with_attribution, inherited.is_evaluation(case, index)));
        }
    }
    for (index, reason, stands, gap) in excluded {
        settled.excluded.push(excluded_row(
            &case.records[index],
            reason,
            stands.map(|s| Key::of(&case.records[s])),
            gap,
        ));
    }
    for (index, copies) in copies.into_iter().enumerate() {
        for copy in copies.iter().filter(|copy| copy.role.is_leaf() || copy.has_usage()) {
            let key = Key::of(&case.records[index]);
            settled
                .excluded
                .push(excluded_row(copy, Reason::Redelivered, Some(key), None));
        }
    }
}

fn bills(case: &Case, index: usize) -> bool {
    match case.class[index] {
        Class::Leaf => case.excluded[index].is_none() && survivor::choose(case, index) == index,
        Class::Aggregate => case.excluded[index].is_none(),
        Class::Free | Class::Plain => false,
    }
}

type Found = (Reason, Option<usize>, Option<(i64, i64)>);

/// Why `index` is not billed: by a rule, or because another record of its group stands for the call.
fn exclusion_of(case: &Case, index: usize) -> Option<Found> {
    if let Some(exclusion) = &case.excluded[index] {
        return Some((exclusion.reason, exclusion.stands, exclusion.gap));
    }
    if case.class[index] != Class::Leaf {
        return None;
    }
    let stands = survivor::choose(case, index);
    (stands != index).then(|| (duplicate_reason(case, index, stands), Some(stands), None))
}

fn duplicate_reason(case: &Case, index: usize, stands: usize) -> Reason {
    let (own, other) = (&case.records[index], &case.records[stands]);
    if own.signal != other.signal || own.signal == Signal::Log {
        return Reason::DuplicateSignal;
    }
    if case.tree.is_above(index, stands) || case.tree.is_above(stands, index) {
        return Reason::WrapperOf;
    }
    let same = |a: &Option<super::record::Text>, b: &Option<super::record::Text>| a.is_some() && a == b;
    if same(&own.response_id, &other.response_id) {
        return Reason::DuplicateResponse;
    }
    if same(&own.run_id, &other.run_id) && own.convention == other.convention {
        return Reason::ReRead;
    }
    if own.convention == other.convention && (signals::is_product(own) || own.has_flag(signals::USAGE_FOLLOWS)) {
        return Reason::DuplicateSignal;
    }
    Reason::DuplicateInstrumentation
}

/// Follows `stands` to a row of `calls`: a roll-up's first call may itself be a duplicate of another.
fn final_stand(case: &Case, first: usize) -> usize {
    let mut index = first;
    for _ in 0..case.records.len() {
        if case.class[index] == Class::Leaf {
            index = survivor::choose(case, index);
        }
        match case.excluded[index].as_ref().and_then(|exclusion| exclusion.stands) {
            Some(next) if next != index => index = next,
            _ => break,
        }
    }
    index
}

fn call(case: &Case, inherited: &Inherited, index: usize, records: i64) -> Call {
    let mut record = case.records[index].clone();
    record.attribution = inherited.of(case, index);
    let mut notes: Vec<&str> = Vec::new();
    let granularity = match case.class[index] {
        Class::Leaf => Granularity::Call,
        _ => Granularity::Aggregate,
    };
    if granularity == Granularity::Call {
        for member in case.members(index).iter().filter(|member| **member != index) {
            attribution::donate(&mut record, &case.records[*member]);
        }
        notes.extend(case.members(index).iter().flat_map(|member| &case.notes[*member]).copied());
    } else {
        notes.extend(&case.notes[index]);
    }
    notes.push(match granularity {
        Granularity::Call => billed::LEAF,
        Granularity::Aggregate => billed::ORPHAN_AGGREGATE,
    });
    finish_unknowns(&mut record, &mut notes);
    record.flags.extend(notes.into_iter().map(Into::into));
    record.flags.sort_unstable();
    record.flags.dedup();
    Call {
        record,
        granularity,
        cost_class: CostClass::Model,
        records,
    }
}

/// Unknown is never zero: a row without usage says so, and a cost stands only where its status allows one.
fn finish_unknowns(record: &mut Record, notes: &mut Vec<&str>) {
    let told = record.has_usage() || record.buckets.iter().any(Option::is_some);
    if !told {
        record.usage_status = Some("missing".into());
        notes.push(billed::USAGE_MISSING);
        if record.has_charge() {
            charge(record);
        } else {
            record.price.status = Some("no_usage".into());
        }
    } else if record.has_charge() && matches!(record.price.status.as_deref(), Some("unpriced" | "no_usage")) {
        charge(record);
    }
    let known = matches!(
        record.price.status.as_deref(),
        Some("priced" | "partial" | "free" | "reported")
    );
    if !known {
        record.price.cost_usd = None;
        record.price.cost_source = None;
    }
}

/// The provider's or gateway's own charge stands in where usage cannot be priced.
fn charge(record: &mut Record) {
    record.price.status = Some("reported".into());
    record.price.cost_usd = record.reported_cost_usd;
    record.price.cost_source = Some("charge".into());
}

fn excluded_row(record: &Record, reason: Reason, stands: Option<Key>, gap: Option<(i64, i64)>) -> Excluded {
    let totals = Totals::of(record);
    Excluded {
        record: record.clone(),
        reason,
        stands,
        input_tokens: totals.input,
        output_tokens: totals.output,
        gap,
    }
}
