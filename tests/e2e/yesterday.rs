//! `report --yesterday`, night after night: the same night again is the same report, and what came late restates its days.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{Days, NaiveDate, Utc};
use serde_json::{Value, json};

use crate::support::{Collector, JSON, chat, request_json, rows, run};

fn send(lake: &Path, calls: &[(u64, NaiveDate)]) {
    let collector = Collector::start(lake);
    let spans: Vec<Value> = calls
        .iter()
        .map(|(span, day)| {
            let start = day.and_hms_opt(12, 0, 0).expect("noon").and_utc().timestamp_nanos_opt();
            let start = start.expect("a time of this century") as u64;
            let mut call = chat(*span, *span, "acme", 1000, 100);
            call["startTimeUnixNano"] = start.to_string().into();
            call["endTimeUnixNano"] = (start + 500_000_000).to_string().into();
            call
        })
        .collect();
    let answer = collector.post("/v1/traces", JSON, request_json(&spans).to_string().as_bytes());
    assert_eq!(answer.status, 200);
    collector.stop();
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder)
        .expect("listed")
        .map(|entry| entry.expect("an entry").path());
    let files = entries.filter(|path| path.is_file());
    files
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("read"))
        })
        .collect()
}

/// The day before today, and whether all of it happened on one day: a test over midnight begins again.
fn on_one_day(mut test: impl FnMut(NaiveDate)) {
    loop {
        let today = Utc::now().date_naive();
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            test(today.checked_sub_days(Days::new(1)).expect("a day before today"));
        }));
        match done {
            _ if Utc::now().date_naive() != today => {}
            Ok(()) => return,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

#[test]
fn a_night_again_is_the_same_report_and_late_calls_restate_its_days() {
    on_one_day(|yesterday| {
        let before = yesterday.pred_opt().expect("a day");
        let long_ago = yesterday.checked_sub_days(Days::new(40)).expect("a day");
        let folder = tempfile::tempdir().expect("a folder");
        let (lake, out) = (folder.path().join("lake"), folder.path().join("out"));
        send(
            &lake,
            &[(1, long_ago), (2, before), (3, yesterday), (4, Utc::now().date_naive())],
        );
        let night = || {
            let [lake, out] = [&lake, &out].map(|path| path.to_str().expect("a path"));
            run(&["report", "--lake", lake, "--yesterday", "--days", "3", "--out", out]);
            (
                files(Path::new(out)),
                rows(
                    Path::new(lake),
                    "SELECT date, calls, model_cost FROM margin_daily ORDER BY date",
                ),
                rows(
                    Path::new(lake),
                    "SELECT date, measure, before_amount, after_amount FROM restated_days ORDER BY date, measure",
                ),
            )
        };
        let first = night();
        let days = |calls: [u64; 2]| {
            let cost = |calls: u64| format!("0.{:012}", calls * 3_500_000_000);
            Value::from(vec![
                json!({ "date": before.to_string(), "calls": calls[0], "model_cost": cost(calls[0]) }),
                json!({ "date": yesterday.to_string(), "calls": calls[1], "model_cost": cost(calls[1]) }),
            ])
        };
        assert_eq!(
            Value::from(first.1.clone()),
            days([1, 1]),
            "today and long ago are no part of the night"
        );
        assert!(first.2.is_empty());
        let again = night();
        assert!(first == again, "the same night again");

        send(&lake, &[(5, before)]);
        let late = night();
        assert_eq!(Value::from(late.1.clone()), days([2, 1]));
        let moved = |measure: &str, before_: &str, after: &str| json!({ "date": before.to_string(), "measure": measure, "before_amount": before_, "after_amount": after });
        assert_eq!(
            Value::from(late.2.clone()),
            Value::from(vec![
                moved("calls", "1.000000000000", "2.000000000000"),
                moved("model_cost", "0.003500000000", "0.007000000000"),
            ])
        );
        assert!(late == night(), "and that night again");
    });
}
