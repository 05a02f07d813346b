//! Bills as they are really written: the specification's own examples, anonymised cloud bills, a spreadsheet.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{BillConfig, BillFile, Bills};
use crate::allocate::cost::CostPools;
use crate::marts::Window;
use crate::report::ReportError;
use crate::revenue::fx::Rates;
use crate::revenue::time::{Moment, TimeFormat};
use crate::revenue::{Amount, Currency, Loaded};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/focus").join(name)
}

fn configs(text: &str) -> Vec<BillConfig> {
    #[derive(serde::Deserialize)]
    struct File {
        #[serde(default)]
        bill: Vec<BillConfig>,
    }
    toml::from_str::<File>(text).unwrap().bill
}

fn read(config: &str, files: &[PathBuf]) -> Result<Bills, ReportError> {
    let files: Vec<BillFile> = files
        .iter()
        .map(|path| BillFile {
            id: None,
            path: path.clone(),
        })
        .collect();
    Bills::read(&configs(config), &files, &mut Loaded::default())
}

fn refusal(config: &str, files: &[PathBuf]) -> String {
    read(config, files).unwrap_err().to_string()
}

fn csv(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().prefix("bill").suffix(".csv").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn always() -> Window {
    Window { from: 0, to: 60_000 }
}

/// Sums by bill and currency over all days.
fn sums(bills: &Bills) -> BTreeMap<(String, String), String> {
    let mut sums: BTreeMap<(String, String), Amount> = BTreeMap::new();
    for (key, _, amount, _) in bills.in_days(always(), &Rates::default(), Currency::USD).rows() {
        *sums.entry((bills.bills[key].id.clone(), "USD".into())).or_default() += amount;
    }
    sums.into_iter().map(|(key, amount)| (key, amount.to_string())).collect()
}

fn usd(bill: &str, amount: &str) -> ((String, String), String) {
    ((bill.into(), "USD".into()), amount.into())
}

#[test]
fn a_real_bill_keeps_every_digit_of_its_effective_cost() {
    let bills = read("", &[fixture("focus_sample.csv")]).unwrap();
    assert_eq!(sums(&bills), BTreeMap::from([usd("focus_sample", "14.97651418586")]));
    let bills = read(
        "[[bill]]\nid = \"cloud\"\ncost = \"billed\"\n",
        &[fixture("focus_sample.csv")],
    )
    .unwrap();
    assert_eq!(sums(&bills), BTreeMap::from([usd("cloud", "20.52022672899")]));
}

#[test]
fn what_looks_like_a_mistake_is_said() {
    let warnings = read("", &[fixture("focus_sample.csv")]).unwrap().report.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("AI and Machine Learning"), "{warnings:?}");
    assert!(warnings[1].contains("an EffectiveCost of 0"), "{warnings:?}");
}

#[test]
fn each_row_belongs_to_the_first_bill_that_matches() {
    let config = "[[bill]]\nid = \"compute\"\ncost = \"billed\"\nmatch = { ServiceCategory = \"Compute\" }\n\
                  [[bill]]\nid = \"tagged\"\ncost = \"billed\"\nmatch = { \"Tags.environment\" = [\"dev\", \"prod*\"] }\n\
                  [[bill]]\nid = \"rest\"\ncost = \"billed\"\nmatch = { ProviderName = \"*\" }\n";
    let bills = read(config, &[fixture("focus_sample.csv")]).unwrap();
    let sums = sums(&bills);
    assert_eq!(sums.len(), 3, "{sums:?}");
    let total: Amount = sums.values().map(|amount| Amount::parse_major(amount).unwrap()).sum();
    assert_eq!(total.to_string(), "20.52022672899");
}

#[test]
fn rows_that_no_bill_takes_are_counted() {
    let config = "[[bill]]\nid = \"sqs\"\nmatch = { ServiceName = \"Amazon Simple Queue*\" }\n";
    let bills = read(config, &[fixture("focus_sample.csv")]).unwrap();
    let lines = bills.report.lines();
    assert!(
        lines.last().unwrap().contains("rows are left out, no bill matches them"),
        "{lines:?}"
    );
}

#[test]
fn the_specifications_own_examples_are_read() {
    for (name, expected) in [
        // Byte order mark, m/d/yy, "$10,100.00 ".
        ("simple_saas_agreements_c.csv", "35800"),
        // A purchase of tokens is no cost until they are used.
        ("virtual_currency_pricing_model_a1.csv", "0"),
        ("virtual_currency_pricing_model_a2.csv", "1230"),
        // An annual fee from April to March.
        ("simple_saas_agreements_b.csv", "50000"),
    ] {
        let bills = read("[[bill]]\nid = \"saas\"\n", &[fixture(name)]).unwrap();
        assert_eq!(sums(&bills), BTreeMap::from([usd("saas", expected)]), "{name}");
    }
    // The examples of commitments have no currency of their own.
    let name = "commitment_discount_usage_scenario_3.csv";
    let bills = read("[[bill]]\nid = \"saas\"\ncurrency = \"USD\"\n", &[fixture(name)]).unwrap();
    assert_eq!(sums(&bills), BTreeMap::from([usd("saas", "1")]));
    assert_eq!(
        refusal("[[bill]]\nid = \"saas\"\n", &[fixture(name)]),
        "commitment_discount_usage_scenario_3.csv:1: column BillingCurrency: is missing: add it, or give the bill saas a currency in [[bill]]"
    );
}

#[test]
fn a_spreadsheet_is_a_bill_too() {
    let file = csv("service,amount,currency,period_start,period_end,customer_id,cost_class\n\
         Pinecone,310.00,USD,2026-01-01,2026-02-01,,\n\
         Stripe fees,2.90,USD,2026-01-05,,acme,variable\n");
    let bills = read("", &[file.path().to_owned()]).unwrap();
    let days = bills.in_days(always(), &Rates::default(), Currency::USD);
    assert_eq!(days.rows().count(), 32);
    let mut pools = CostPools::default();
    bills.pool(&days, &mut pools);
    let day = |text| Moment::parse(text, TimeFormat::Iso).unwrap().day();
    assert_eq!(pools.days(), Some((day("2026-01-01"), day("2026-01-31"))));
}

#[test]
fn fixed_amounts_fall_due_in_the_days_that_are_reported() {
    let config = "[[bill]]\nid = \"review\"\namount = \"3100\"\nevery = \"month\"\nfrom = \"2026-01-01\"\n\
                  [[bill]]\nid = \"once\"\namount = \"10\"\nfrom = \"2026-01-30\"\nuntil = \"2026-02-04\"\n\
                  [[bill]]\nid = \"daily\"\namount = \"1\"\nevery = \"day\"\nuntil = \"2026-01-03\"\n";
    let bills = read(config, &[]).unwrap();
    let day = |text| Moment::parse(text, TimeFormat::Iso).unwrap().day();
    let window = Window {
        from: day("2025-12-31"),
        to: day("2026-01-31"),
    };
    let mut sums: BTreeMap<&str, Amount> = BTreeMap::new();
    for (bill, _, amount, _) in bills.in_days(window, &Rates::default(), Currency::USD).rows() {
        *sums.entry(&bills.bills[bill].id).or_default() += amount;
    }
    let sums: Vec<(&str, String)> = sums.into_iter().map(|(bill, sum)| (bill, sum.to_string())).collect();
    assert_eq!(
        sums,
        [
            ("daily", "3".to_owned()),
            ("once", "4".to_owned()),
            ("review", "3100".to_owned())
        ]
    );
}

#[test]
fn mistakes_are_named_with_their_place() {
    let file = csv("amount,currency,period_start,period_end\n1.000,00;x,USD,2026-01-01,\n");
    let text = refusal("", &[file.path().to_owned()]);
    assert!(text.contains(":2: "), "{text}");
    let file = csv("amount,currency,period_start,period_end\n12,USD,soon,\n12,XXQ,2026-01-01,\n12,USD,2026-02-01,2026-01-01\n");
    let text = refusal("", &[file.path().to_owned()]);
    for part in [
        ":2: column period_start: \"soon\"",
        ":3: column currency: \"XXQ\"",
        ":4: column period_end: \"2026-01-01\" ends before",
    ] {
        assert!(text.contains(part), "{text}");
    }
    let file = csv("cost,when\n1,2\n");
    assert!(refusal("", &[file.path().to_owned()]).contains(":1: column amount: is missing: a bill is a FOCUS file"));
    for (config, expected) in [
        ("id = \"x\"\namount = \"5\"", "[[bill]] x: an amount needs from and until"),
        ("id = \"x\"\nevery = \"day\"", "[[bill]] x: every belongs to an amount"),
        ("id = \"\"", "[[bill]] : has no id"),
        (
            "id = \"x\"\ncurrency = \"dollars\"",
            "[[bill]] x: currency is not an ISO 4217",
        ),
        ("id = \"x\"\nover = {}", "[[bill]] x: over says nothing"),
        ("id = \"x\"\n[[bill]]\nid = \"x\"", "[[bill]] x: stands twice"),
    ] {
        let text = refusal(&format!("[[bill]]\n{config}\n"), &[]);
        assert!(text.starts_with(expected), "{text}");
    }
}
