//! Speed, errors and outcomes beside cost, costs as FOCUS rows, and a provider's bill beside them: from real spans.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::{Collector, JSON, attempt, chat, request_json, rows, run, span_json, value};

/// A chat of a conversation about support.
fn talk(trace: u64, span: u64, conversation: &str, more: &[(&str, Value)]) -> Value {
    let mut talk = chat(trace, span, "acme", 1000, 100);
    let attributes = talk["attributes"].as_array_mut().expect("attributes");
    let mut add = |key: &str, value: Value| attributes.push(json!({ "key": key, "value": value }));
    add("gen_ai.conversation.id", json!({ "stringValue": conversation }));
    add("gen_ai.response.id", json!({ "stringValue": format!("resp-{span}") }));
    add("feature", json!({ "stringValue": "support" }));
    more.iter().for_each(|(key, value)| add(key, value.clone()));
    talk
}

/// Two conversations: one that was refused once and then resolved, one that was abandoned. Three calls, each 0.0035 USD but for
/// the one that reads 400 tokens from a cache: 0.003.
fn lake() -> &'static Path {
    static LAKE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, lake) = LAKE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let lake = folder.path().join("lake");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.to_str().expect("a path").to_owned()
        };
        let config = "[attribution]\nkeep = [\"conversation.outcome\"]\n[outcomes]\nattribute = \"conversation.outcome\"\n";
        let config = file("marginlake.toml", config);
        let collector = Collector::start_with(&lake, &["--config", &config, "--commit-interval", "50ms"]);
        let first_token = |seconds: f64| ("gen_ai.response.time_to_first_chunk", json!({ "doubleValue": seconds }));
        let end = |trace, span, conversation: &str, outcome: &str| {
            let attributes = [
                ("gen_ai.conversation.id", conversation.into()),
                ("conversation.outcome", outcome.into()),
            ];
            let mut root = span_json(trace, span, &attributes);
            root["name"] = "conversation".into();
            root
        };
        let body = request_json(&[
            talk(1, 1, "c1", &[("error.type", json!({ "stringValue": "timeout" }))]),
            talk(
                1,
                2,
                "c1",
                &[
                    first_token(0.2),
                    ("gen_ai.usage.cache_read.input_tokens", json!({ "intValue": "400" })),
                ],
            ),
            end(1, 3, "c1", "resolved"),
            talk(2, 4, "c2", &[first_token(0.3)]),
            end(2, 5, "c2", "abandoned"),
        ]);
        assert_eq!(collector.post("/v1/traces", JSON, body.to_string().as_bytes()).status, 200);
        collector.stop();
        let revenue = file(
            "revenue.csv",
            "customer_id,amount,currency,period_start,period_end\nacme,3,USD,2026-09-21,2026-09-22\n",
        );
        let path = lake.to_str().expect("a path");
        run(&["report", "--lake", path, "--revenue", &revenue, "--config", &config]);
        (folder, lake)
    });
    lake
}

#[test]
fn speed_errors_retries_and_cache_stand_beside_cost() {
    let found = rows(
        lake(),
        "SELECT feature, calls, model_cost, p50_duration_ms, p95_duration_ms, calls_with_first_token, p50_time_to_first_token_ms, \
         p95_time_to_first_token_ms, error_calls, error_cost, retried_calls, retried_cost, cache_hit_pct FROM tradeoffs",
    );
    let expected = json!([{
        "feature": "support", "calls": 3, "model_cost": "0.010000000000", "p50_duration_ms": 500, "p95_duration_ms": 500,
        "calls_with_first_token": 2, "p50_time_to_first_token_ms": 200, "p95_time_to_first_token_ms": 300,
        "error_calls": 1, "error_cost": "0.003500000000", "retried_calls": 1, "retried_cost": "0.003500000000",
        "cache_hit_pct": "13.333333"
    }]);
    assert_eq!(Value::from(found), expected);
}

#[test]
fn outcomes_of_an_attribute_price_a_resolution_with_the_failures_before_it() {
    let found = rows(
        lake(),
        "SELECT unit, units, successes, abandoned, unknown, cost_of_abandoned, cost_per_success FROM outcome_costs",
    );
    let expected = json!([{
        "unit": "conversation", "units": 2, "successes": 1, "abandoned": 1, "unknown": 0,
        "cost_of_abandoned": "0.003500000000", "cost_per_success": "0.010000000000"
    }]);
    assert_eq!(Value::from(found), expected);
}

/// What FOCUS 1.2 wants on every row of a cost and usage dataset.
const NEVER_EMPTY: [&str; 19] = [
    "BilledCost",
    "BillingAccountId",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
    "ServiceSubcategory",
    "ChargeDescription",
    "PricingCurrency",
];

#[test]
fn costs_leave_as_focus_rows_that_sum_to_the_calls() {
    let path = lake().to_str().expect("a path");
    let arguments = [
        "focus",
        "--lake",
        path,
        "--from",
        "2026-09-21",
        "--to",
        "2026-09-21",
        "--format",
        "ndjson",
    ];
    let text = run(&arguments);
    let charges: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let scaled = |row: &Value, column: &str| -> i128 {
        row[column]
            .as_str()
            .expect("a decimal")
            .replace('.', "")
            .parse()
            .expect("digits")
    };
    let sum = |column: &str| charges.iter().map(|row| scaled(row, column)).sum::<i128>();
    assert_eq!(
        (sum("EffectiveCost"), sum("ListCost"), sum("BilledCost")),
        (10_000_000_000, 10_000_000_000, 0)
    );
    assert_eq!(value(lake(), "SELECT sum(cost_usd) FROM calls"), "0.010000000000");
    let meters: Vec<&str> = charges.iter().filter_map(|row| row["SkuMeter"].as_str()).collect();
    assert_eq!(meters.len(), 3, "{meters:?}");
    for charge in &charges {
        for column in NEVER_EMPTY {
            assert!(!charge[column].is_null() && charge[column] != "", "{column} of {charge}");
        }
        assert_eq!(charge.get("ChargeClass"), Some(&Value::Null));
        assert_eq!(
            charge["SkuPriceId"].is_null(),
            charge["PricingQuantity"].is_null(),
            "{charge}"
        );
        assert_eq!(
            (&charge["SkuId"], &charge["x_ConsumerId"]),
            (&"openai/gpt-4o-2024-08-06".into(), &"acme".into())
        );
        assert_eq!(charge["BillingPeriodEnd"], "2026-10-01T00:00:00Z");
    }
    let billed = run(&[&arguments[..7], &["--billed", "--format", "csv"]].concat());
    assert!(billed.starts_with("BilledCost,BillingAccountId"), "{billed}");
    assert!(billed.lines().nth(1).is_some_and(|row| row.starts_with("0.00")), "{billed}");
}

#[test]
fn a_bill_beside_the_lake_says_what_is_missing_and_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let bill = folder.path().join("bill.csv");
    let text =
        "date,provider,model,amount,currency,tokens\n2026-09-21,OpenAI,gpt-4o,0.04,USD,6600\n2026-09-21,OpenAI,o3,1.00,USD,\n";
    std::fs::write(&bill, text).expect("written");
    let [lake, bill] = [lake(), &bill].map(|path| path.to_str().expect("a path"));
    let rows = run(&["reconcile", "--lake", lake, "--bill", bill, "--format", "ndjson"]);
    let rows: Vec<Value> = rows.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let shown: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {} {}", row["model"], row["difference"], row["reason"]))
        .collect();
    assert_eq!(
        shown,
        [
            "\"gpt-4o\" \"0.030000000000\" \"missing_traffic\"",
            "\"o3\" \"1.000000000000\" \"not_seen\""
        ]
    );
    assert_eq!(
        (&rows[0]["lake_tokens"], &rows[0]["price_factor"]),
        (&3300.into(), &"4.000000000000".into())
    );
    let over = attempt(&["reconcile", "--lake", lake, "--bill", bill, "--fail-over", "5"]);
    assert_eq!(over.status.code(), Some(3));
    let said = String::from_utf8_lossy(&over.stdout).into_owned();
    assert!(
        said.contains("billed 1.04 USD, computed 0.01 USD, difference 1.03 USD (99.0 % of the bill)"),
        "{said}"
    );
}
