//! The user's rules: classes, costs that are not tokens, customers of users.

use proptest::prelude::*;

use super::dsl::*;
use crate::settle::record::{Dimension, Record};
use crate::settle::rules::RulesConfig;
use crate::settle::{Call, NoCatalogue, Rules, Settled, settle_by_rules};
use marginlake_lake::schema::Role;

pub(super) fn rules(text: &str) -> Rules {
    let config: RulesConfig = toml::from_str(text).expect("a configuration");
    Rules::new(&config, None).expect("rules")
}

fn run_with(rules: &Rules, records: &[Built]) -> Settled {
    settle_by_rules(records.iter().map(|built| built.0.clone()).collect(), &NoCatalogue, rules)
}

fn of<'a>(settled: &'a Settled, wanted: &str) -> Option<&'a Call> {
    settled.calls.iter().find(|call| name(call.record.span_id, None) == wanted)
}

fn tag(built: Built, key: &str, value: &str) -> Built {
    built.with(|record| record.tags = Some(vec![(key.into(), Some(value.into()))]))
}

#[test]
fn a_rule_prices_calls_units_seconds_and_hours_exactly() {
    let cases: [(&str, Built, Option<i128>); 7] = [
        ("per = 'call'\nprice = '0.0004'", tool("x"), Some(400_000_000)),
        // 1.5 credits at 0.008.
        (
            "per = 'unit'\nunit = 'n'\nprice = '0.008'",
            tag(tool("x"), "n", "1.5"),
            Some(12_000_000_000),
        ),
        ("per = 'unit'\nunit = 'n'\nprice = '0.008'", tool("x"), None),
        ("per = 'unit'\nunit = 'n'\nprice = '0.008'", tag(tool("x"), "n", "-1"), None),
        // 250 ms.
        ("per = 'second'\nprice = '0.002'", tool("x").at(0, 250), Some(500_000_000)),
        // Half a picodollar goes to the even neighbour: 2.5 to 2.
        ("per = 'second'\nprice = '0.000000000005'", tool("x").at(0, 500), Some(2)),
        // 90 seconds of a person at 40 an hour.
        ("per = 'hour'\nprice = '40'", tool("x").at(0, 90_000), Some(1_000_000_000_000)),
    ];
    for (rule, record, expected) in cases {
        let rules = rules(&format!("[[cost_rule]]\nid = 'r'\nmatch = {{ role = 'tool' }}\n{rule}\n"));
        let settled = run_with(&rules, &[record, llm("a").under("x").usage(10, 1)]);
        let call = of(&settled, "x").unwrap_or_else(|| panic!("{rule} makes no row"));
        assert_eq!(call.record.price.cost_usd, expected, "{rule}");
        assert_eq!(call.cost_class.as_str(), "other_cogs", "{rule}");
        assert!(call.record.buckets.iter().all(Option::is_none), "{rule}");
        let status = if expected.is_some() { "priced" } else { "unpriced" };
        assert_eq!(call.record.price.status.as_deref(), Some(status), "{rule}");
        if let Some(cost) = expected.filter(|cost| *cost > 2) {
            let line = &call.record.price.cost_lines.as_ref().expect("a receipt")[0];
            assert_eq!(
                (line.price_id.as_deref(), line.amount),
                (Some("r"), Some(cost * 1_000_000)),
                "{rule}"
            );
        }
        let model = of(&settled, "a").expect("the model call");
        assert_eq!(model.cost_class.as_str(), "model");
    }
}

#[test]
fn hours_of_a_person_are_human_review() {
    let rules = rules("[[cost_rule]]\nid = 'r'\nper = 'hour'\nprice = '40'\nmatch = { name = 'review*' }\n");
    let settled = run_with(&rules, &[span(Role::Other, "review").at(0, 1_000)]);
    assert_eq!(settled.calls[0].record.role.as_str(), "human_review");
}

#[test]
fn a_rule_holds_in_its_days_only() {
    // Records start at 2026-09-21T14:13:20Z.
    for (from, to, rows) in [
        ("2026-09-21", "2026-09-22", 1),
        ("2026-09-22", "2026-09-23", 0),
        ("2026-09-20", "2026-09-21", 0),
    ] {
        let rules = rules(&format!(
            "[[cost_rule]]\nid = 'r'\nper = 'call'\nprice = '1'\nvalid_from = '{from}'\nvalid_to = '{to}'\nmatch = {{ role = 'tool' }}\n"
        ));
        assert_eq!(run_with(&rules, &[tool("x")]).calls.len(), rows, "{from} to {to}");
    }
}

#[test]
fn a_known_price_is_never_charged_twice_and_an_unknown_one_is_filled_in_place() {
    let rules = rules("[[cost_rule]]\nid = 'r'\nper = 'call'\nprice = '0.001'\nmatch = { role = ['llm', 'rerank'] }\n");
    let settled = run_with(&rules, &[llm("a").usage(10, 1), span(Role::Rerank, "b")]);
    assert_eq!(settled.calls.len(), 2);
    assert_eq!(of(&settled, "a").unwrap().record.price.cost_usd, Some(110_000_000_000));
    assert_eq!(of(&settled, "a").unwrap().cost_class.as_str(), "model");
    assert_eq!(of(&settled, "b").unwrap().record.price.cost_usd, Some(1_000_000_000));
    assert_eq!(of(&settled, "b").unwrap().cost_class.as_str(), "other_cogs");
}

#[test]
fn a_rules_row_inherits_whom_it_was_for() {
    let rules = rules("[[cost_rule]]\nid = 'r'\nper = 'call'\nprice = '1'\nmatch = { role = 'tool', customer = 'ac*' }\n");
    let settled = run_with(
        &rules,
        &[
            agent("g").has(Dimension::Customer, "acme", "customer.id"),
            tool("x").under("g"),
        ],
    );
    let customer = of(&settled, "x")
        .expect("a row")
        .record
        .attributed(Dimension::Customer)
        .cloned();
    assert_eq!(customer.map(|found| found.value), Some("acme".into()));
}

#[test]
fn development_is_not_cost_of_goods_unless_a_rule_says_so() {
    let call = |environment: &str| {
        llm("a")
            .usage(1, 1)
            .has(Dimension::Environment, environment, "resource:deployment.environment")
    };
    let none = Rules::default();
    let staging = rules("[[cost_class]]\nclass = 'not_cogs'\nmatch = { environment = ['staging', 'ci'] }\n");
    let all = rules("[[cost_class]]\nclass = 'model'\nmatch = { environment = '*' }\n");
    let cases = [
        (&none, "production", "model"),
        (&none, "development", "not_cogs"),
        (&none, "Test", "not_cogs"),
        (&none, "staging", "model"),
        (&staging, "staging", "not_cogs"),
        (&staging, "development", "not_cogs"),
        (&all, "development", "model"),
    ];
    for (rules, environment, class) in cases {
        let settled = run_with(rules, &[call(environment)]);
        assert_eq!(settled.calls[0].cost_class.as_str(), class, "{environment}");
    }
}

#[test]
fn a_users_customer_is_looked_up_by_day_and_asked_last() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    std::fs::write(
        &file,
        "user_id,customer_id,valid_from,valid_to\nu,old,,2026-09-21\nu,new,2026-09-21,\n",
    )
    .unwrap();
    let rules = Rules::new(&RulesConfig::default(), Some(&file)).unwrap();
    let user = |built: Built| built.has(Dimension::User, "u", "user.id");
    let settled = run_with(
        &rules,
        &[
            user(llm("a").usage(1, 1)),
            user(llm("b").usage(2, 2)).has(Dimension::Customer, "own", "resource:customer.id"),
        ],
    );
    let customer = |name: &str| {
        let found = of(&settled, name).unwrap().record.attributed(Dimension::Customer).unwrap();
        (found.value.to_string(), found.source.to_string())
    };
    assert_eq!(customer("a"), ("new".to_owned(), "mapping".to_owned()));
    assert_eq!(customer("b"), ("own".to_owned(), "resource:customer.id".to_owned()));
}

#[test]
fn rules_that_cannot_be_followed_are_refused_with_the_reason() {
    let cases = [
        ("price = 'ten'\nper = 'call'\nmatch = { role = 'tool' }", "price"),
        ("price = '-1'\nper = 'call'\nmatch = { role = 'tool' }", "price"),
        ("price = '1'\nper = 'unit'\nmatch = { role = 'tool' }", "unit"),
        ("price = '1'\nper = 'call'\nmatch = {}", "matches everything"),
        (
            "price = '1'\nper = 'call'\nas = 'wizard'\nmatch = { role = 'tool' }",
            "wizard",
        ),
    ];
    for (text, reason) in cases {
        let config: RulesConfig = toml::from_str(&format!("[[cost_rule]]\nid = 'r'\n{text}\n")).unwrap();
        let error = Rules::new(&config, None).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains("\"r\""), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    std::fs::write(&file, "user_id,customer_id,valid_from,valid_to\nu,a,,\nu,b,2026-01-01,\n").unwrap();
    let error = Rules::new(&RulesConfig::default(), Some(&file)).unwrap_err().to_string();
    assert!(error.contains("line 3"), "{error}");
}

proptest! {
    #[test]
    fn rules_for_tools_move_no_model_call(records in super::properties::any_records()) {
        let rules = rules("[[cost_rule]]\nid = 'r'\nper = 'second'\nprice = '0.01'\nmatch = { role = ['tool', 'agent'] }\n");
        let records: Vec<Record> = records;
        let plain = settle_by_rules(records.clone(), &NoCatalogue, &Rules::default());
        let mut priced = settle_by_rules(records, &NoCatalogue, &rules);
        priced.calls.retain(|call| !call.record.has_flag("cost_rule"));
        let mut plain_calls = plain.calls;
        // Orphan aggregates without a known cost are filled in place.
        plain_calls.retain(|call| call.record.price.cost_usd.is_some());
        priced.calls.retain(|call| call.record.price.cost_usd.is_some());
        prop_assert_eq!(plain_calls, priced.calls);
    }
}
