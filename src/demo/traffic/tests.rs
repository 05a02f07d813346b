use std::collections::BTreeMap;

use super::*;
use crate::demo::ledger::Ledger;
use crate::demo::month::{END, START};
use crate::demo::work::{Answer, Model, Service, Work};

const SMALL: Volume = Volume {
    chat_sessions: 300,
    documents: 100,
    insights: 60,
};

#[test]
fn a_second_month_is_the_same_month() {
    assert_eq!(generate(SMALL), generate(SMALL));
}

/// Figures in the README and in screenshots stay true; a new release of `rand` may not move them unnoticed.
#[test]
fn the_month_is_the_same_in_every_release() {
    let ledger = Ledger::of(&generate(Volume::MONTH));
    let tokens = ledger.tokens;
    let found = [
        ledger.spans,
        ledger.calls,
        tokens.input(),
        tokens.output(),
        tokens.cache_read,
        ledger.documents["aspen-law"],
    ];
    assert_eq!(found, [42_760, 20_413, 274_199_738, 9_446_143, 173_171_637, 826]);
}

#[test]
fn every_span_lies_in_the_month_and_in_its_parent() {
    for trace in generate(Volume::MONTH) {
        trace.root.visit(&mut |node| {
            assert!(START <= node.start && node.start < node.end && node.end < END);
            for child in &node.children {
                assert!(node.start <= child.start && child.end <= node.end);
            }
        });
    }
}

#[test]
fn response_ids_are_unique() {
    let mut seen = std::collections::BTreeSet::new();
    for trace in generate(Volume::MONTH) {
        trace.root.visit(&mut |node| {
            if let Work::Call {
                answer: Answer::Given { response_id, .. },
                ..
            } = &node.work
            {
                assert!(seen.insert(response_id.clone()));
            }
        });
    }
}

#[test]
fn the_month_has_everything_that_a_reader_should_see() {
    let ledger = Ledger::of(&generate(Volume::MONTH));
    assert!((40_000..50_000).contains(&ledger.spans), "{} spans", ledger.spans);
    assert_eq!(ledger.by_model.len(), 6);
    assert!(
        ledger.refused > 50
            && ledger.agents > 900
            && ledger.unattributed_calls > 50
            && ledger.takeovers > 100
            && ledger.unpriced_calls() > 50
    );
    assert!(ledger.tokens.cache_read > 0 && ledger.tokens.cache_write_5m > 0 && ledger.tokens.output_reasoning > 0);
}

/// Mooncake's sessions: 15, 35 and 49 % of the cost, at its $2.50 and $10 per million tokens.
#[test]
fn chat_sessions_are_as_unequal_as_the_trace_they_follow() {
    let mut by_session: BTreeMap<String, u64> = BTreeMap::new();
    for trace in generate(Volume::MONTH)
        .iter()
        .filter(|trace| trace.service == Service::SupportChat)
    {
        let tokens = trace.root.tokens();
        let session = trace.who.conversation.clone().expect("chats have one");
        *by_session.entry(session).or_default() += tokens.input() * 25 + tokens.output() * 100;
    }
    let mut costs: Vec<u64> = by_session.into_values().collect();
    costs.sort_unstable_by(|a, b| b.cmp(a));
    let total: u64 = costs.iter().sum();
    for (top_percent, expected) in [(1, 15), (5, 35), (10, 49)] {
        let share = costs[..costs.len() * top_percent / 100].iter().sum::<u64>() * 100 / total;
        assert!(
            share.abs_diff(expected) <= 5,
            "top {top_percent} %: {share} % is not {expected} %"
        );
    }
}

#[test]
fn no_prompt_reaches_a_long_context_tier() {
    for trace in generate(Volume::MONTH) {
        trace.root.visit(&mut |node| {
            if let Work::Call {
                model,
                answer: Answer::Given { tokens, .. },
            } = &node.work
            {
                assert!(*model == Model::InHouse || tokens.input() < 200_000);
            }
        });
    }
}
