//! Every gated case of the public sample, digit for digit.

use std::fs;

use marginlake_pricing::{Amount, Catalogue, Status, record};
use serde_json::Value;

use crate::fixtures::fixture;

#[test]
fn every_gated_case_of_the_public_sample_is_met() {
    let text = fs::read_to_string(fixture("public_sample.jsonl")).expect("the sample");
    let (mut gated, mut failures) = (0, Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        let answer = record::answer(Catalogue::embedded(), line);
        let got = answer.cost_usd.map(|cost| cost.to_string());
        let expected = case["expected_cost"].as_str();
        let passes = match case["gate"].as_str().expect("a gate") {
            "exact" | "alias" => got.as_deref() == expected,
            "unpriced" => got.is_none() && answer.status == Status::Unpriced,
            "invalid" => got.is_none() && answer.status == Status::Invalid,
            "seed_only" | "info" => expected.is_none() || got.as_deref() == expected,
            other => panic!("unknown gate {other}"),
        };
        gated += 1;
        if !passes {
            failures.push(format!(
                "{}: expected {expected:?}, got {got:?} {:?}",
                case["id"], answer.reasons
            ));
        }
    }
    assert_eq!(gated, 660);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn receipts_of_the_sample_have_the_expected_lines_and_add_up() {
    let text = fs::read_to_string(fixture("public_sample.jsonl")).expect("the sample");
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        if case["gate"] != "exact" {
            continue;
        }
        let answer = record::answer(Catalogue::embedded(), line);
        let sum = answer
            .components
            .iter()
            .try_fold(Amount::ZERO, |sum, part| sum.checked_add(part.amount));
        assert_eq!(sum, answer.cost_usd, "{}", case["id"]);
        let mut expected: Vec<String> = case["components"]
            .as_array()
            .expect("components")
            .iter()
            .map(|part| {
                let text = |name: &str| part[name].as_str().expect("text").to_owned();
                format!("{} {} at {}", text("quantity"), text("usage_key"), text("rate"))
            })
            .collect();
        let describe = |part: &record::Component| format!("{} {} at {}", part.quantity, part.usage_key, part.rate);
        let mut got: Vec<String> = answer.components.iter().map(describe).collect();
        expected.sort();
        got.sort();
        assert_eq!(got, expected, "{}", case["id"]);
    }
}
