//! What other tools get wrong about revenue, each by name and through the real command.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::{attempt, rows, run};

/// What `revenue check` says of files.
fn check(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = written(folder.path(), files);
    let mut arguments = vec!["revenue", "check", &paths[0]];
    if paths.len() > 1 {
        arguments.push("--revenue");
        arguments.extend(paths[1..].iter().map(String::as_str));
    }
    run(&arguments)
}

fn written(folder: &Path, files: &[(&str, &str)]) -> Vec<String> {
    let write = |(name, text): &(&str, &str)| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    files.iter().map(write).collect()
}

#[track_caller]
fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|said| said.trim() == *line), "{line:?} is not in\n{text}");
    }
}

const BALANCE: &str = "balance_transaction_id,created_utc,created,available_on_utc,currency,gross,fee,net,reporting_category,source_id,description,customer_id,charge_id,invoice_id\n";

#[test]
fn two_partial_refunds_of_one_charge_are_both_taken_back() {
    let text = format!(
        "{BALANCE}txn_1,2026-01-05 10:00:00,,2026-01-07 00:00:00,usd,100.00,3.20,96.80,charge,ch_1,,cus_1,ch_1,\n\
         txn_2,2026-01-06 10:00:00,,2026-01-07 00:00:00,usd,-30.00,0,-30.00,refund,re_1,,cus_1,ch_1,\n\
         txn_3,2026-01-08 10:00:00,,2026-01-09 00:00:00,usd,-20.00,0,-20.00,refund,re_2,,cus_1,ch_1,\n"
    );
    says(
        &check(&[("balance.csv", &text)]),
        &["lines       3", "sum         100 USD one_off", "sum         -50 USD refund"],
    );
}

const LINES: &str = "id,invoice_id,amount,currency,period_start,period_end,proration,subscription_id,customer_id\n";

#[test]
fn a_jpy_invoice_is_in_yen_and_not_in_cents() {
    let text = format!("{LINES}il_1,in_1,5000,jpy,2026-01-01,2026-02-01,false,sub_1,cus_1\n");
    says(&check(&[("lines.csv", &text)]), &["sum         5000 JPY subscription"]);
}

#[test]
fn checkout_and_invoice_of_one_subscription_count_once() {
    let lines = format!("{LINES}il_1,in_1,2000,usd,2026-01-01,2026-02-01,false,sub_1,cus_1\n");
    let payments = "id,Created (UTC),Amount,Amount Refunded,Currency,Status,Customer ID,Invoice ID,Fee\n\
                    ch_1,2026-01-01 10:00,20.00,5.00,usd,Paid,cus_1,in_1,0.90\n";
    let expected = [
        "excluded  1 counted_by_finer_export",
        "sum         20 USD subscription",
        "sum         -5 USD refund",
    ];
    says(&check(&[("payments.csv", payments), ("lines.csv", &lines)]), &expected);
}

#[test]
fn shopify_continuation_rows_are_no_second_order() {
    let text = "Name,Email,Financial Status,Paid at,Currency,Subtotal,Shipping,Taxes,Total,Discount Code,Discount Amount,Created at,Lineitem quantity,Lineitem name,Lineitem price,Refunded Amount,Id\n\
        #1001,a@example.com,paid,2026-01-01 23:00:00 -0500,USD,100.00,0,22.00,122.00,,0.00,2026-01-01 23:00:00 -0500,1,Big,60.00,0.00,1\n\
        #1001,a@example.com,,,,,,,,,,,2,Small,20.00,,\n";
    let expected = ["excluded  1 continuation", "lines       1", "sum         100 USD one_off"];
    says(&check(&[("orders_export.csv", text)]), &expected);
}

#[test]
fn literal_nulls_and_5_1_25_dates_are_what_the_mapping_says() {
    let mapping = "name = \"own\"\ntitle = \"own shop\"\namount = [\"Total\"]\n[format]\nnull = [\"NULL\"]\ndates = [\"%m/%d/%y\"]\n\
                   [fields]\nline_id = \"Order\"\ncustomer = \"Customer\"\ncurrency = \"Currency|=EUR\"\nstart = \"Day\"\n";
    let text = "Order,Customer,Day,Total,Currency\nA,acme,5/1/25,10.50,NULL\nB,NULL,12/31/25,5,USD\n";
    let folder = tempfile::tempdir().expect("a folder");
    let paths = written(folder.path(), &[("own.csv", text), ("own.toml", mapping)]);
    let said = run(&["revenue", "check", &paths[0], "--revenue-mapping", &paths[1]]);
    let expected = [
        "sum         10.5 EUR (no kind)",
        "sum         5 USD (no kind)",
        "days        2025-05-01 to 2025-12-31",
        "unmatched   1 lines name no customer",
    ];
    says(&said, &expected);
}

/// A lake that a report with a leap year, a proration and a merge was written to.
fn reported() -> &'static Path {
    static LAKE: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, lake) = LAKE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let revenue = "customer_id,amount,currency,period_start,period_end,kind,line_id\n\
            leap,366,USD,2024-02-01T00:00:00+01:00,2025-02-01T00:00:00+01:00,subscription,annual\n\
            upgrade,31,USD,2024-03-01,2024-04-01,subscription,full\n\
            upgrade,-16,USD,2024-03-16,2024-04-01,subscription,unused\n\
            upgrade,48,USD,2024-03-16,2024-04-01,subscription,new\n\
            old-id,60,USD,2024-02-01,2024-04-01,subscription,merged\n";
        let map = "customer_id,source,source_customer_id,valid_from,valid_to\n\
                   before,,old-id,,2024-03-01\nafter,,old-id,2024-03-01,\n";
        let paths = written(folder.path(), &[("revenue.csv", revenue), ("map.csv", map)]);
        let lake = folder.path().join("lake");
        let arguments = [
            "report",
            "--lake",
            lake.to_str().expect("a path"),
            "--revenue",
            &paths[0],
            "--customer-map",
            &paths[1],
        ];
        run(&[&arguments[..], &["--from", "2024-03-14", "--to", "2024-03-17"]].concat());
        (folder, lake)
    });
    lake
}

fn one(query: &str) -> Value {
    rows(reported(), query).into_iter().next().expect("a row")
}

#[test]
fn an_annual_plan_over_a_leap_day_and_a_dst_change_has_366_equal_days() {
    // Midnight in Berlin is the evening before in UTC, in winter at both ends; summer time between them moves no day.
    let row = one(
        "SELECT count(*) AS days, count(DISTINCT date) AS dates, min(amount) AS least, max(amount) AS most, sum(amount) AS total, \
         min(CAST(date AS VARCHAR)) AS first, sum(CASE WHEN date IN (DATE '2024-02-29', DATE '2024-03-31') THEN 1 ELSE 0 END) AS special \
         FROM revenue_daily WHERE line_id = 'annual'",
    );
    assert_eq!(
        (&row["days"], &row["dates"], &row["special"]),
        (&366.into(), &366.into(), &2.into())
    );
    assert_eq!(
        (&row["least"], &row["most"]),
        (&"1.000000000000".into(), &"1.000000000000".into())
    );
    assert_eq!(
        (&row["total"], &row["first"]),
        (&"366.000000000000".into(), &"2024-01-31".into())
    );
}

#[test]
fn a_proration_pair_changes_the_days_behind_it_only() {
    let of_day = |day: &str| {
        one(&format!(
            "SELECT sum(revenue) AS revenue FROM margin_by_customer WHERE customer_id = 'upgrade' AND date = DATE '{day}'"
        ))
    };
    assert_eq!(of_day("2024-03-15")["revenue"], "1.000000000000");
    assert_eq!(of_day("2024-03-16")["revenue"], "3.000000000000");
}

#[test]
fn a_customer_merged_in_march_keeps_what_it_earned_before() {
    let found = rows(
        reported(),
        "SELECT customer_id, sum(amount) AS amount FROM revenue_daily WHERE line_id = 'merged' GROUP BY customer_id ORDER BY customer_id",
    );
    let shown: Vec<String> = found
        .iter()
        .map(|row| format!("{} {}", row["customer_id"], row["amount"]))
        .collect();
    assert_eq!(shown, ["\"after\" \"31.000000000000\"", "\"before\" \"29.000000000000\""]);
}

#[test]
fn a_revenue_file_with_a_torn_last_line_is_refused_whole_with_its_line_and_nothing_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "customer_id,amount,currency,period_start,period_end,kind\nacme,1,USD,2026-01-01,,one_off\nacme,2,USD,2026-0";
    let paths = written(folder.path(), &[("revenue.csv", text)]);
    let lake = folder.path().join("lake");
    let out = folder.path().join("out");
    let [lake_text, out_text] = [&lake, &out].map(|path| path.to_str().expect("a path"));
    let refused = attempt(&["report", "--lake", lake_text, "--revenue", &paths[0], "--out", out_text]);
    assert_eq!(refused.status.code(), Some(1));
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(message.contains("revenue.csv:3"), "{message}");
    assert!(!out.exists());
    for table in ["revenue_lines", "revenue_daily", "margin_daily", "run_manifest", "calls"] {
        assert!(!lake.join(table).exists(), "{table} was written");
    }
}
