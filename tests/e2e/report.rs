//! From spans and a revenue file to margins, each figure to the last digit.

use std::path::Path;

use serde_json::Value;

use crate::support::{Collector, JSON, attempt, chat, request_json, rows, run, value};

fn lake_with_calls(lake: &Path) {
    let collector = Collector::start(lake);
    let mut unknown = chat(9, 9, "acme", 1000, 100);
    unknown["attributes"].as_array_mut().expect("attributes").retain(|attribute| {
        !["gen_ai.request.model", "gen_ai.response.model"].contains(&attribute["key"].as_str().unwrap_or(""))
    });
    unknown["attributes"]
        .as_array_mut()
        .expect("attributes")
        .push(serde_json::json!({ "key": "gen_ai.request.model", "value": { "stringValue": "our-own-model-7" } }));
    let mut nobody = chat(4, 4, "x", 2000, 0);
    nobody["attributes"]
        .as_array_mut()
        .expect("attributes")
        .retain(|attribute| attribute["key"] != "customer.id");
    let body = request_json(&[
        chat(1, 1, "acme", 1000, 100),
        chat(2, 2, "globex", 4000, 200),
        nobody,
        unknown,
    ])
    .to_string();
    assert_eq!(collector.post("/v1/traces", JSON, body.as_bytes()).status, 200);
    collector.stop();
}

const REVENUE: &str = "customer_id,amount,currency,period_start,period_end,kind\n\
    acme,30.00,USD,2026-09-01,2026-10-01,subscription\n\
    acme,-1.50,USD,2026-09-21,2026-09-21,refund\n\
    initech,9.99,USD,2026-09-01,2026-10-01,subscription\n\
    ,5.00,USD,2026-09-15,2026-09-16,one_off\n";

#[test]
fn margins_join_revenue_and_every_unknown_is_a_row_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    lake_with_calls(&lake);
    let revenue = folder.path().join("revenue.csv");
    std::fs::write(&revenue, REVENUE).expect("written");
    let out = folder.path().join("out");
    let arguments = |out: &Path| {
        let paths = [&lake, &revenue, &out.to_path_buf()].map(|path| path.to_str().expect("a path").to_owned());
        [
            "report",
            "--lake",
            &paths[0],
            "--revenue",
            &paths[1],
            "--out",
            &paths[2],
            "--from",
            "2026-09-01",
            "--to",
            "2026-09-30",
        ]
        .map(str::to_owned)
    };
    let text = run(&arguments(&out).each_ref().map(String::as_str));
    assert!(
        text.contains("acme") && text.contains("(unmatched)") && text.contains("(unattributed)"),
        "{text}"
    );

    let by_customer = rows(
        &lake,
        "SELECT customer_id, sum(revenue) AS revenue, sum(model_cost) AS cost, sum(gross_margin) AS margin, \
         sum(unpriced_calls) AS unpriced, sum(calls) AS calls FROM margin_by_customer GROUP BY customer_id ORDER BY customer_id",
    );
    let row = |id: &str| {
        by_customer
            .iter()
            .find(|row| row["customer_id"] == id)
            .cloned()
            .unwrap_or(Value::Null)
    };
    assert_eq!(row("acme")["revenue"], "28.500000000000");
    assert_eq!(row("acme")["cost"], "0.003500000000");
    assert_eq!(row("acme")["margin"], "28.496500000000");
    assert_eq!(row("acme")["unpriced"], 1);
    assert_eq!(row("globex")["margin"], "-0.012000000000");
    assert_eq!(row("initech")["revenue"], "9.990000000000");
    assert_eq!(row("initech")["calls"], 0);
    assert_eq!(row("(unmatched)")["revenue"], "5.000000000000");
    assert_eq!(row("(unattributed)")["cost"], "0.005000000000");

    for mart in ["margin_by_customer", "margin_by_feature", "margin_by_model", "margin_daily"] {
        assert_eq!(
            value(&lake, &format!("SELECT sum(revenue) FROM {mart}")),
            "43.490000000000",
            "{mart}"
        );
        assert_eq!(
            value(&lake, &format!("SELECT sum(model_cost) FROM {mart}")),
            "0.020500000000",
            "{mart}"
        );
        assert_eq!(value(&lake, &format!("SELECT sum(calls) FROM {mart}")), 4, "{mart}");
    }
    assert_eq!(value(&lake, "SELECT sum(cost_usd) FROM calls"), "0.020500000000");
    assert_eq!(value(&lake, "SELECT sum(amount) FROM revenue_daily"), "43.490000000000");

    for (floor, code) in [("99", 0), ("99.99", 3)] {
        let with_floor = [&arguments(&out)[..], &["--fail-under-margin".to_owned(), floor.to_owned()]].concat();
        let ended = attempt(&with_floor.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(ended.status.code(), Some(code), "{floor}");
    }

    let again = folder.path().join("again");
    run(&arguments(&again).each_ref().map(String::as_str));
    assert_eq!(files(&out), files(&again), "the same inputs give the same bytes");
    assert!(files(&out).iter().any(|(name, _)| name.ends_with("report.html")));
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(
                files(&path)
                    .into_iter()
                    .map(|(name, bytes)| (format!("{}/{name}", path.display()), bytes)),
            );
        } else {
            found.push((
                path.file_name().expect("a name").to_string_lossy().into_owned(),
                std::fs::read(&path).expect("read"),
            ));
        }
    }
    found
        .iter_mut()
        .for_each(|(name, _)| *name = name.rsplit('/').next().unwrap_or_default().to_owned());
    found.sort();
    found
}

#[test]
fn a_revenue_file_with_a_bad_row_is_refused_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    lake_with_calls(&lake);
    let revenue = folder.path().join("revenue.csv");
    std::fs::write(
        &revenue,
        format!("{REVENUE}acme,12.x0,USD,2026-09-01,2026-10-01,subscription\n"),
    )
    .expect("written");
    let paths = [&lake, &revenue].map(|path| path.to_str().expect("a path").to_owned());
    let refused = attempt(&["report", "--lake", &paths[0], "--revenue", &paths[1]]);
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    for part in ["revenue.csv", "6", "amount", "12.x0"] {
        assert!(message.contains(part), "{part} in {message}");
    }
    for table in ["revenue_lines", "revenue_daily", "margin_daily", "run_manifest", "calls"] {
        assert!(!lake.join(table).exists(), "{table} was written");
    }
}

#[test]
fn revenue_check_says_how_well_a_file_and_the_lake_meet() {
    let folder = tempfile::tempdir().expect("a folder");
    let lake = folder.path().join("lake");
    lake_with_calls(&lake);
    let paths = [&lake, &folder.path().join("revenue.csv")].map(|path| path.to_str().expect("a path").to_owned());
    std::fs::write(&paths[1], REVENUE).expect("written");
    run(&["settle", "--lake", &paths[0]]);
    let text = run(&["revenue", "check", &paths[1], "--lake", &paths[0]]);
    for line in [
        "matched     28.5 of 43.49 USD (65.5 %) is of customers with calls",
        "no calls    9.99 USD initech",
        "no calls    5 USD (unmatched: names nobody)",
        "no revenue  0.01 USD globex",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}
