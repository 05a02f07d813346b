//! What must hold for any records: no order, no copy and no batch changes a verdict, and no token is billed twice.

use proptest::prelude::*;

use super::dsl::*;
use crate::settle::record::{Dimension, Kind, Record, Signal};
use crate::settle::{NoCatalogue, settle};
use marginlake_lake::schema::Role;

const ROLES: [Role; 10] = [
    Role::Llm,
    Role::Llm,
    Role::Llm,
    Role::Embedding,
    Role::Agent,
    Role::Chain,
    Role::Step,
    Role::Tool,
    Role::Management,
    Role::Other,
];

/// Small pools, so that ids, parents, sessions and usage meet often.
fn any_record() -> impl Strategy<Value = Built> {
    let shape = (0..ROLES.len(), 0..12usize, 0..12usize, 0..3usize, any::<bool>());
    let facts = (0..4i64, 0..4i64, 0..6usize, 0..3usize, 0..4usize);
    let time = (0..400i64, 1..300i64, 0..10usize);
    (shape, facts, time).prop_map(
        |((role, id, parent, trace, is_log), (input, output, response, session, scope), (start, length, odd))| {
            let names: Vec<String> = (0..12).map(|n| format!("s{n}")).collect();
            let signal = if is_log && odd == 0 { Signal::Log } else { Signal::Span };
            let mut built = record(signal, ROLES[role], &names[id])
                .trace(["t", "u", "v"][trace])
                .at(start, start + length)
                .model("gpt-4.1")
                .scope(["a", "b", "litellm", "spring.ai"][scope], ["1", "0.1"][scope % 2])
                .service("app");
            if parent > 2 {
                built = built.under(&names[parent]);
            }
            if input + output > 0 {
                built = built.usage(input * 100, output * 10);
            }
            if response > 2 {
                built = built.response(["chatcmpl-69fa54d9c9e8e6ed", "msg_4aebd5ed743a53cf", "resp_12"][response - 3]);
            }
            if session > 0 {
                built = built.session(["s1", "s2"][session - 1]);
            }
            match odd {
                1 => built.failed(),
                2 => built.flag("cache_hit"),
                3 => built.kind(Kind::Client).finish("tool_calls"),
                4 => built.has(Dimension::Customer, "acme", "customer.id"),
                5 => built.convention("claude_code"),
                6 => built.convention("azure_ai_agents").run("r1"),
                _ => built,
            }
        },
    )
}

pub(super) fn any_records() -> impl Strategy<Value = Vec<Record>> {
    proptest::collection::vec(any_record(), 1..24).prop_map(|built| built.into_iter().map(|one| one.0).collect())
}

fn cost(records: Vec<Record>) -> i128 {
    settle(records, &NoCatalogue)
        .calls
        .iter()
        .filter_map(|call| call.record.price.cost_usd)
        .sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn order_changes_nothing((records, shuffled) in any_records().prop_flat_map(|records| {
        (Just(records.clone()), Just(records).prop_shuffle())
    })) {
        prop_assert_eq!(settle(records, &NoCatalogue), settle(shuffled, &NoCatalogue));
    }

    #[test]
    fn copies_change_no_call((records, copies) in any_records().prop_flat_map(|records| {
        let count = records.len();
        (Just(records), proptest::collection::vec(0..count, 1..6))
    })) {
        let mut doubled = records.clone();
        doubled.extend(copies.into_iter().map(|index| records[index].clone()));
        prop_assert_eq!(settle(records, &NoCatalogue).calls, settle(doubled, &NoCatalogue).calls);
    }

    #[test]
    fn every_claiming_record_is_one_row(records in any_records()) {
        let claims = records.iter().filter(|record| record.role.is_leaf() || record.has_usage()).count();
        let settled = settle(records, &NoCatalogue);
        prop_assert_eq!(settled.calls.len() + settled.excluded.len(), claims);
    }

    #[test]
    fn no_more_is_billed_than_was_reported(records in any_records()) {
        let reported: i128 = records.iter().filter_map(|record| record.price.cost_usd).sum();
        prop_assert!(cost(records) <= reported);
    }

    #[test]
    fn a_span_without_usage_changes_no_cost(records in any_records(), at in 0..400i64) {
        let plain = span(Role::Other, "plain").trace("t").at(at, at + 50);
        let mut more = records.clone();
        more.push(plain.0);
        prop_assert_eq!(cost(records), cost(more));
    }

    #[test]
    fn what_stands_for_a_record_is_a_call(records in any_records()) {
        let settled = settle(records, &NoCatalogue);
        for row in settled.excluded.iter().filter(|row| row.reason.as_str() != "redelivered") {
            let Some(stands) = &row.stands else { continue };
            let billed = settled.calls.iter().any(|call| crate::settle::call::Key::of(&call.record) == *stands);
            let excluded = settled.excluded.iter().any(|other| {
                crate::settle::call::Key::of(&other.record) == *stands && other.stands.is_none()
            });
            prop_assert!(billed || excluded, "{row:?}");
        }
    }
}
