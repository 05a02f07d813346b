//! The lake is plain Delta: an engine that is not ours reads the same rows.

use std::process::Command;

use crate::support::{Collector, JSON, chat, request_json, run};

/// Leaves without the interpreter's clean-up: some builds of the package abort in it, after all is read and printed.
const SCRIPT: &str = "
import os, sys
from deltalake import DeltaTable
table = DeltaTable(sys.argv[1]).to_pyarrow_table(columns=['span_id', 'cost_usd', 'input_uncached'])
print(table.num_rows, sum(table['cost_usd'].to_pylist()), sum(table['input_uncached'].to_pylist()), flush=True)
os._exit(0)
";

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn another_delta_reader_sees_the_same_calls() {
    let available = Command::new("python3").args(["-c", "import deltalake, pyarrow"]).output();
    if !available.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: the Python packages deltalake and pyarrow are not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    let collector = Collector::start(&lake);
    let body = request_json(&[chat(1, 1, "acme", 1000, 100), chat(2, 2, "acme", 2000, 100)]).to_string();
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
    collector.stop();
    run(&["settle", "--lake", lake.to_str().expect("a path")]);
    let calls = lake.join("calls");
    let output = Command::new("python3")
        .args(["-c", SCRIPT, calls.to_str().expect("a path")])
        .output()
        .expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "2 0.009500000000 3000");
}
