//! Usage that no rule takes is neither billed nor passed over in silence: its emitter and its keys are named.

use crate::support::{Collector, JSON, rows, run, until};

#[test]
fn settle_names_the_emitter_and_the_keys_that_no_rule_took() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"acme.llm","version":"7.1"},"spans":[{
        "traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"ask","kind":3,
        "startTimeUnixNano":"1764000000000000000","endTimeUnixNano":"1764000001000000000",
        "attributes":[{"key":"acme.prompt_tokens","value":{"intValue":"17"}}]}]}]}]}"#;
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
    until("the scope is counted", || {
        collector.metric("marginlake_collector_unknown_scopes_total{scope=\"acme.llm\"}") == 1
    });
    collector.stop();
    let said = run(&["settle", "--lake", lake.to_str().expect("a path")]);
    let sentence = "1 records of acme.llm 7.1 carry usage that no rule takes (keys: acme.prompt_tokens): they are not billed";
    assert!(said.contains(sentence), "{said}");
    assert!(rows(&lake, "SELECT * FROM calls").is_empty());
}
