//! Costs that are not tokens, by rule, over the real wire: searches, seconds of a machine, credits and a person's time become
//! rows of their own beside the model's calls, for whom the model's calls are.

use serde_json::{Value, json};

use crate::support::{Collector, JSON, chat, request_json, rows, run, span_json, value};

const RULES: &str = r#"
[[cost_rule]]
id = "vector-db"
price = "0.0004"
per = "call"
as = "retriever"
match = { name = "pinecone.*" }

[[cost_rule]]
id = "credits"
price = "0.008"
per = "unit"
unit = "search.credits"
match = { role = "tool", attributes = { "search.vendor" = "tavily" } }

[[cost_rule]]
id = "gpu"
price = "0.0007"
per = "second"
match = { name = "rerank locally" }

[[cost_rule]]
id = "review"
price = "36"
per = "hour"
match = { name = "human review" }

[[cost_class]]
class = "not_cogs"
match = { attributes = { "run.by" = "eval*" } }
"#;

/// A span of half a second under the call's parent.
fn work(span: u64, name: &str, attributes: &[(&str, Value)]) -> Value {
    let mut work = span_json(1, span, attributes);
    work["name"] = name.into();
    work["kind"] = 1.into();
    work["parentSpanId"] = format!("{:016x}", 1).into();
    work
}

#[test]
fn costs_by_rule_stand_beside_the_models_and_are_for_the_same_customer() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let config = folder.path().join("marginlake.toml");
    std::fs::write(&config, RULES).expect("written");
    let config = config.to_str().expect("a path");
    // Nothing names the attributes that the rules ask for but the rules.
    let collector = Collector::start_with(&lake, &["--config", config, "--commit-interval", "50ms"]);
    let mut root = span_json(1, 1, &[("customer.id", "acme".into()), ("feature", "support".into())]);
    root["name"] = "answer".into();
    let tool = ("gen_ai.operation.name", json!("execute_tool"));
    let vendor = |name: &str| ("search.vendor", json!(name));
    let mut call = chat(1, 2, "acme", 1000, 100);
    call["parentSpanId"] = format!("{:016x}", 1).into();
    let body = request_json(&[
        root,
        call,
        work(3, "pinecone.query", &[]),
        work(4, "search", &[tool.clone(), vendor("tavily"), ("search.credits", 3.into())]),
        // How many is not told: the cost is not known, and not zero.
        work(5, "search", &[tool.clone(), vendor("tavily")]),
        // No rule is about this vendor.
        work(6, "search", &[tool, vendor("other"), ("search.credits", 3.into())]),
        work(7, "rerank locally", &[]),
        work(8, "human review", &[]),
        work(9, "pinecone.upsert", &[("run.by", "eval-7".into())]),
    ]);
    assert_eq!(collector.post("/v1/traces", JSON, body.to_string().as_bytes()).status, 200);
    collector.stop();
    let path = lake.to_str().expect("a path");
    run(&["settle", "--lake", path, "--config", config]);

    let found = rows(
        &lake,
        "SELECT right(span_id, 1) AS span, role, cost_class, cast(cost_usd AS text) AS cost, price_status, customer_id, feature \
         FROM calls ORDER BY span_id",
    );
    let row = |span: &str, role: &str, class: &str, cost: Option<&str>| {
        let status = if cost.is_some() { "priced" } else { "unpriced" };
        json!({ "span": span, "role": role, "cost_class": class, "cost": cost, "price_status": status, "customer_id": "acme", "feature": "support" })
    };
    let expected = [
        row("2", "llm", "model", Some("0.003500000000")),
        row("3", "retriever", "other_cogs", Some("0.000400000000")),
        row("4", "tool", "other_cogs", Some("0.024000000000")),
        row("5", "tool", "other_cogs", None),
        row("7", "other", "other_cogs", Some("0.000350000000")),
        row("8", "human_review", "other_cogs", Some("0.005000000000")),
        row("9", "retriever", "not_cogs", Some("0.000400000000")),
    ];
    assert_eq!(Value::from(found), Value::from(expected.to_vec()));

    let receipt = "SELECT cost_lines[1]['price_id'] AS id FROM calls WHERE role = 'human_review'";
    assert_eq!(value(&lake, receipt), "review");
    let trace = format!("{:032x}", 1);
    let shown = run(&["explain", &trace, "--lake", path, "--config", config]);
    assert!(shown.contains("human review") && shown.contains("0.005"), "{shown}");
}
