//! Acknowledged means durable: never lost, never twice, whatever is killed when.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::{Collector, JSON, chat, request_json, rows, run, value};

/// Sends bodies of three spans each until one is not answered; the ids of the spans that were acknowledged.
fn load(collector: &Collector, from: u64, bodies: u64, acknowledged: &mut BTreeSet<String>) {
    for body in from..from + bodies {
        let ids: Vec<u64> = (0..3).map(|span| body * 3 + span + 1).collect();
        let spans: Vec<Value> = ids.iter().map(|id| chat(body + 1, *id, "acme", 100 + id, 10)).collect();
        let answer = collector.post("/v1/traces", JSON, request_json(&spans).to_string().as_bytes());
        if answer.status == 200 {
            acknowledged.extend(ids.iter().map(|id| format!("{id:016x}")));
        }
    }
}

fn stored(lake: &Path) -> Vec<String> {
    let rows = rows(lake, "SELECT span_id FROM spans ORDER BY span_id");
    rows.iter()
        .map(|row| row["span_id"].as_str().expect("an id").to_owned())
        .collect()
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_over_kills() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let mut acknowledged = BTreeSet::new();
    // Commits that never come, commits all the time, and commits now and then: every mix of logged and committed.
    for (round, interval) in ["1h", "1ms", "40ms", "1h", "5ms"].iter().enumerate() {
        let collector = Collector::start_with(&lake, &["--commit-interval", interval]);
        load(&collector, round as u64 * 20, 20, &mut acknowledged);
        collector.kill();
    }
    Collector::start(&lake).stop();
    let stored = stored(&lake);
    assert_eq!(stored.iter().cloned().collect::<BTreeSet<_>>(), acknowledged);
    assert_eq!(stored.len(), acknowledged.len(), "a span was stored twice");
}

#[test]
fn a_wiped_state_folder_loses_nothing_new() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let state = folder.path().join("state");
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        let state_dir = state.to_str().expect("a path");
        let collector = Collector::start_with(&lake, &["--commit-interval", "20ms", "--state-dir", state_dir]);
        load(&collector, round * 5, 5, &mut acknowledged);
        collector.stop();
        std::fs::remove_dir_all(&state).expect("wiped");
    }
    assert_eq!(stored(&lake), acknowledged.iter().cloned().collect::<Vec<_>>(), "each once");
    assert_eq!(acknowledged.len(), 45);
}

#[test]
fn a_kill_in_the_middle_changes_no_figure() {
    let folder = tempfile::tempdir().expect("a folder");
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    let collector = Collector::start(&whole);
    load(&collector, 0, 30, &mut BTreeSet::new());
    collector.stop();

    let collector = Collector::start_with(&broken, &["--commit-interval", "10ms"]);
    load(&collector, 0, 15, &mut BTreeSet::new());
    collector.kill();
    let collector = Collector::start(&broken);
    load(&collector, 15, 15, &mut BTreeSet::new());
    collector.stop();

    for lake in [&whole, &broken] {
        run(&["settle", "--lake", lake.to_str().expect("a path")]);
    }
    let query = "SELECT count(*) AS calls, sum(cost_usd) AS cost, sum(input_uncached) AS tokens FROM calls";
    assert_eq!(rows(&whole, query), rows(&broken, query));
    // Tokens: 100 + id for ids 1 to 90; cost: tokens x 2.5 + 90 x 10 x 10, per million.
    assert_eq!(value(&whole, "SELECT sum(cost_usd) FROM calls"), "0.041737500000");
}
