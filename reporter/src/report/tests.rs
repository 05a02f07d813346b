//! Whole report runs over a lake on disk.

mod marts;
mod payers;
mod trust;
mod workbook;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use datafusion::prelude::SessionContext;
use marginlake_lake::{Lake, Table};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::synthetic::{Call, batch, call};
use super::{Computed, OutputFormat, ReportError, ReportOptions, ReportOutcome, compute, read_inputs, report};
use crate::close::Held;
use crate::marts::MARGIN_MARTS;
use crate::output::{TerminalStyle, terminal};
use crate::revenue::{Amount, RevenueInputs};
use crate::session::{empty_session, open_session, query};
use crate::shell::{Format, write_rows};

const REVENUE: &str = "customer_id,amount,currency,period_start,period_end,kind,line_id,feature
acme,310.00,USD,2026-01-01,2026-02-01,subscription,1,
acme,-31.00,USD,2026-01-10,,refund,2,
globex,62,USD,2026-01-01,2026-02-01,subscription,3,
globex,5,USD,2026-01-05,,usage,4,search
initech,93,USD,2026-01-01,2026-02-01,subscription,5,
,7,USD,2026-01-02,,one_off,6,
hooli,1000,SEK,2026-01-03,,one_off,7,
";

fn calls() -> Vec<Call> {
    let mut calls = vec![
        call("2026-01-02", "acme", "chat", "large", "10"),
        call("2026-01-03", "acme", "chat", "small", "1.5"),
        call("2026-01-20", "acme", "search", "small", "3.5"),
        call("2026-01-02", "globex", "chat", "large", "99.000000000001"),
        call("2026-01-04", "globex", "search", "mystery", ""),
        call("2026-01-05", "-", "chat", "large", "2"),
        call("2026-01-06", "freeloader", "-", "small", "0.25"),
    ];
    calls.push(Call {
        class: "other_cogs",
        ..call("2026-01-06", "acme", "search", "-", "0.5")
    });
    calls.push(Call {
        class: "not_cogs",
        ..call("2026-01-06", "acme", "chat", "large", "100")
    });
    calls
}

struct Setting {
    folder: TempDir,
    lake: Lake,
    /// Opening every table for every question would be most of these tests' time.
    session: Mutex<Option<SessionContext>>,
}

impl Setting {
    async fn new(calls: &[Call]) -> Setting {
        let folder = TempDir::new().unwrap();
        let lake = Lake::open(folder.path().join("lake").to_str().unwrap()).unwrap();
        lake.ensure(Table::Calls)
            .await
            .unwrap()
            .append(&[batch(calls)])
            .await
            .unwrap();
        let session = Mutex::new(None);
        Setting { folder, lake, session }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn options(&self, revenue: &str) -> ReportOptions {
        let files = vec![self.file("revenue.csv", revenue)];
        let out = Some(self.folder.path().join("out"));
        let as_of = Some("2026-02-01T06:00:00Z".parse().unwrap());
        ReportOptions {
            revenue: RevenueInputs {
                files,
                ..RevenueInputs::default()
            },
            out,
            as_of,
            ..ReportOptions::default()
        }
    }

    async fn run(&self, options: &ReportOptions) -> ReportOutcome {
        *self.session.lock().await = None;
        report(&self.lake, None, options, read_inputs(options).unwrap())
            .await
            .unwrap()
    }

    async fn sql(&self, sql: &str) -> String {
        let mut session = self.session.lock().await;
        if session.is_none() {
            *session = Some(open_session(&self.lake).await.unwrap());
        }
        csv(session.as_ref().unwrap(), sql).await
    }
}

/// Each margin mart beside what its SQL makes of the same facts.
async fn assert_marts_are_their_sql(session: &SessionContext, computed: &Computed) {
    for mart in &MARGIN_MARTS {
        let ours = computed.figures.sheet(mart.name).unwrap().whole().unwrap();
        let theirs = crate::marts::rows(session, mart.sql, &mart.schema()).await.unwrap();
        assert_eq!(ours, theirs, "{}", mart.name);
    }
}

async fn csv(session: &SessionContext, sql: &str) -> String {
    let mut text = Vec::new();
    write_rows(&query(session, sql).await.unwrap(), Format::Csv, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    text.lines().skip(1).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_mart_sums_to_the_lake_and_to_the_revenue() {
    let setting = Setting::new(&calls()).await;
    setting.run(&setting.options(REVENUE)).await;
    let cost = setting
        .sql("SELECT sum(cost_usd) FROM calls WHERE cost_class = 'model'")
        .await;
    let other = setting
        .sql("SELECT sum(cost_usd) FROM calls WHERE cost_class = 'other_cogs'")
        .await;
    let revenue = setting.sql("SELECT sum(report_amount) FROM revenue_daily").await;
    assert_eq!(revenue, "446.000000000000");
    for mart in MARGIN_MARTS.map(|mart| mart.name) {
        let sums = format!(
            "SELECT sum(revenue), sum(model_cost), sum(other_cogs), sum(calls), sum(unpriced_calls), sum(gross_margin) FROM {mart} WHERE currency = 'USD'"
        );
        assert_eq!(
            setting.sql(&sums).await,
            format!("{revenue},{cost},{other},7,1,329.249999999999"),
            "{mart}"
        );
        assert_eq!(
            setting
                .sql(&format!("SELECT sum(revenue) FROM {mart} WHERE currency = 'SEK'"))
                .await,
            "1000.000000000000",
            "{mart}"
        );
    }
    // Every day too: the same revenue and cost whichever way it is broken down.
    for mart in MARGIN_MARTS.map(|mart| mart.name) {
        let differing = format!(
            "SELECT count(*) FROM (SELECT date, currency, sum(revenue) AS r, sum(model_cost) AS c FROM {mart} GROUP BY 1, 2) AS m \
             FULL JOIN margin_daily AS d ON d.date = m.date AND d.currency = m.currency WHERE (d.revenue IS DISTINCT FROM m.r) OR (d.model_cost IS DISTINCT FROM m.c)"
        );
        assert_eq!(setting.sql(&differing).await, "0", "{mart}");
    }
}

#[tokio::test]
async fn what_is_not_known_has_rows_of_its_own() {
    let setting = Setting::new(&calls()).await;
    setting.run(&setting.options(REVENUE)).await;
    let by_customer = "SELECT customer_id, currency, sum(revenue) AS revenue, sum(model_cost) AS cost, sum(calls), sum(unpriced_calls) \
                       FROM margin_by_customer GROUP BY 1, 2 ORDER BY 1, 2";
    let expected = "(no rate),SEK,1000.000000000000,0.000000000000,0,0\n\
                    (unattributed),USD,0.000000000000,2.000000000000,1,0\n\
                    (unmatched),USD,7.000000000000,0.000000000000,0,0\n\
                    acme,USD,279.000000000000,15.000000000000,3,0\n\
                    freeloader,USD,0.000000000000,0.250000000000,1,0\n\
                    globex,USD,67.000000000000,99.000000000001,2,1\n\
                    initech,USD,93.000000000000,0.000000000000,0,0";
    assert_eq!(setting.sql(by_customer).await, expected);
    // acme's 279 by its cost of 11.5 for chat and 4 for search (3.5 and other COGS of 0.5).
    let by_feature = "SELECT feature, currency, sum(revenue), min(allocation_method), max(allocation_method) FROM margin_by_feature WHERE revenue <> 0 GROUP BY 1, 2 ORDER BY 1, 2";
    let expected = "(no rate),SEK,1000.000000000000,none,none\n\
                    (unallocated),USD,93.000000000000,none,none\n\
                    (unmatched),USD,7.000000000000,none,none\n\
                    chat,USD,269.000000000000,customer_month_cost_share,customer_month_cost_share\n\
                    search,USD,77.000000000000,customer_month_cost_share,mixed";
    assert_eq!(setting.sql(by_feature).await, expected);
    let mystery = "SELECT model_cost, calls, unpriced_calls, cost_status FROM margin_by_model WHERE model = 'mystery'";
    assert_eq!(setting.sql(mystery).await, "0.000000000000,1,1,unknown");
}

#[tokio::test]
async fn coverage_is_a_table_too() {
    let setting = Setting::new(&calls()).await;
    setting.run(&setting.options(REVENUE)).await;
    let sql = "SELECT \"check\", unit, covered_amount, total_amount, covered_pct FROM data_quality ORDER BY 1";
    let expected = "calls_priced,calls,6.000000000000,7.000000000000,85.714286\n\
                    calls_with_customer,calls,6.000000000000,7.000000000000,85.714286\n\
                    calls_with_feature,calls,6.000000000000,7.000000000000,85.714286\n\
                    calls_with_usage,calls,7.000000000000,7.000000000000,100.000000\n\
                    cost_attributed,USD,114.750000000001,116.750000000001,98.286938\n\
                    cost_with_revenue,USD,114.500000000001,116.750000000001,98.072805\n\
                    revenue_allocated,USD,346.000000000000,446.000000000000,77.578475\n\
                    revenue_matched,USD,439.000000000000,446.000000000000,98.430493\n\
                    revenue_with_rate,SEK,0.000000000000,1000.000000000000,0.000000\n\
                    revenue_with_usage,USD,346.000000000000,446.000000000000,77.578475\n\
                    tokens_priced,tokens,660.000000000000,770.000000000000,85.714286";
    assert_eq!(setting.sql(sql).await, expected);
    let units = "SELECT unit, units, units_with_unpriced_calls, p50_cost, below_zero, lost_amount FROM unit_costs";
    assert_eq!(setting.sql(units).await, "customer,3,1,15.500000000000,2,32.250000000001");
}

#[tokio::test]
async fn percentages_are_exact_and_unknown_without_revenue() {
    let setting = Setting::new(&calls()).await;
    setting.run(&setting.options(REVENUE)).await;
    let sql = "SELECT customer_id, gross_margin_pct FROM margin_by_customer WHERE date = DATE '2026-01-02' AND currency = 'USD' ORDER BY 1";
    assert_eq!(
        setting.sql(sql).await,
        "(unmatched),100.000000\nacme,0.000000\nglobex,-4850.000000\ninitech,100.000000"
    );
    let free = "SELECT count(*) FROM margin_by_customer WHERE revenue <= 0 AND gross_margin_pct IS NOT NULL";
    assert_eq!(setting.sql(free).await, "0");
}

#[tokio::test]
async fn the_same_inputs_give_the_same_bytes_and_rows() {
    let setting = Setting::new(&calls()).await;
    let options = setting.options(REVENUE);
    let first = setting.run(&options).await;
    let before = (
        bytes_below(&setting.folder.path().join("out")),
        setting.sql("SELECT * FROM margin_by_customer ORDER BY 1, 2, 3").await,
    );
    let second = setting.run(&options).await;
    let after = (
        bytes_below(&setting.folder.path().join("out")),
        setting.sql("SELECT * FROM margin_by_customer ORDER BY 1, 2, 3").await,
    );
    assert_eq!(before, after);
    assert_eq!(first.run_id, second.run_id);
    assert_eq!(
        terminal(&first.model, TerminalStyle::default()),
        terminal(&second.model, TerminalStyle::default())
    );
    assert_eq!(setting.sql("SELECT count(*) FROM run_manifest").await, "1");
    let names: Vec<&str> = before.0.keys().map(String::as_str).collect();
    for name in [
        "report.html",
        "report.md",
        "report.xlsx",
        "summary.txt",
        "report.json",
        "margin_by_customer.csv",
        "margin_daily.json",
        "alerts.json",
        "unit_costs.csv",
        "marts/data_quality.parquet",
        "marts/margin_by_model.parquet",
    ] {
        assert!(names.contains(&name), "{name} is missing from {names:?}");
    }
}

#[tokio::test]
async fn a_rerun_of_a_day_replaces_it_and_no_other() {
    let setting = Setting::new(&calls()).await;
    let options = setting.options(REVENUE);
    setting.run(&options).await;
    let without_globex: String = REVENUE
        .lines()
        .filter(|line| !line.starts_with("globex"))
        .map(|line| format!("{line}\n"))
        .collect();
    let day = "2026-01-02".parse().ok();
    setting
        .run(&ReportOptions {
            from: day,
            to: day,
            ..setting.options(&without_globex)
        })
        .await;
    let sql =
        "SELECT date, sum(revenue) FROM margin_daily WHERE currency = 'USD' AND date <= DATE '2026-01-03' GROUP BY 1 ORDER BY 1";
    assert_eq!(
        setting.sql(sql).await,
        "2026-01-01,15.000000000000\n2026-01-02,20.000000000000\n2026-01-03,15.000000000000"
    );
    let rows = setting
        .sql("SELECT count(*) FROM margin_by_customer WHERE date = DATE '2026-01-02' AND customer_id = 'globex' AND revenue <> 0")
        .await;
    assert_eq!(rows, "0");
}

#[tokio::test]
async fn days_that_only_an_earlier_run_knew_are_emptied_where_no_end_was_asked_for() {
    let setting = Setting::new(&[call("2026-01-02", "acme", "chat", "large", "1")]).await;
    let header = "customer_id,amount,currency,period_start,period_end\n";
    setting
        .run(&setting.options(&format!("{header}acme,4,USD,2026-01-01,2026-01-05\n")))
        .await;
    let shorter = setting.options(&format!("{header}acme,2,USD,2026-01-01,2026-01-03\n"));
    setting
        .run(&ReportOptions {
            from: "2026-01-02".parse().ok(),
            ..shorter
        })
        .await;
    let sql = "SELECT date, revenue FROM margin_daily ORDER BY 1";
    assert_eq!(setting.sql(sql).await, "2026-01-01,1.000000000000\n2026-01-02,1.000000000000");
}

#[tokio::test]
async fn a_days_allocation_does_not_depend_on_the_days_asked_for() {
    let setting = Setting::new(&calls()).await;
    setting.run(&setting.options(REVENUE)).await;
    let sql = "SELECT * FROM margin_by_feature WHERE date = DATE '2026-01-11' ORDER BY feature";
    let whole = setting.sql(sql).await;
    let day = "2026-01-11".parse().ok();
    setting
        .run(&ReportOptions {
            from: day,
            to: day,
            ..setting.options(REVENUE)
        })
        .await;
    assert_eq!(setting.sql(sql).await, whole);
}

#[tokio::test]
async fn a_refused_file_leaves_nothing_behind() {
    let setting = Setting::new(&calls()).await;
    let options =
        setting.options("customer_id,amount,currency,period_start,period_end\nacme,1,USD,2026-01-01,2026-02-01\nacme,1,US");
    let error = read_inputs(&options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "revenue.csv:3: column period_start: the file ends in a torn line: 3 fields where the header has 5"
    );
    assert!(!error.is_usage());
    assert!(!setting.folder.path().join("out").exists());
    assert!(setting.lake.table("revenue_lines").await.unwrap().is_none());
}

#[tokio::test]
async fn a_folder_that_is_not_ours_is_never_replaced() {
    let setting = Setting::new(&calls()).await;
    let options = setting.options(REVENUE);
    let out = options.out.clone().unwrap();
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.tex"), "years of work").unwrap();
    let error = read_inputs(&options).unwrap_err();
    assert!(matches!(error, ReportError::ForeignOut { .. }) && error.is_usage());
    assert!(out.join("thesis.tex").exists());
}

#[tokio::test]
async fn costs_are_converted_by_day_and_stay_in_usd_without_a_rate() {
    let setting = Setting::new(&calls()).await;
    let fx = setting.file("rates.csv", "Date,USD,SEK,\n2026-01-05,1.25,11,\n2026-01-03,1.1,10,\n");
    let options = ReportOptions {
        currency: "EUR".parse().unwrap(),
        fx: Some(fx),
        formats: vec![OutputFormat::Csv],
        ..setting.options(REVENUE)
    };
    setting.run(&options).await;
    // The calls of the 2nd come before the first rate.
    let sql = "SELECT customer_id, currency, sum(model_cost), sum(calls) FROM margin_by_customer WHERE model_cost <> 0 GROUP BY 1, 2 ORDER BY 1, 2";
    let expected = "(no rate),USD,109.000000000001,2\n(unattributed),EUR,1.600000000000,1\nacme,EUR,4.163636363636,2\nfreeloader,EUR,0.200000000000,1";
    assert_eq!(setting.sql(sql).await, expected);
    assert_eq!(
        setting
            .sql("SELECT report_amount FROM revenue_daily WHERE currency = 'SEK'")
            .await,
        "100.000000000000"
    );
    let lost = setting.sql("SELECT sum(amount) - (SELECT sum(revenue) FROM margin_daily WHERE currency = 'USD') FROM revenue_daily WHERE report_amount IS NULL").await;
    assert_eq!(lost, "0.000000000000");
}

#[tokio::test]
async fn empty_lakes_and_empty_files_say_so() {
    let setting = Setting::new(&[]).await;
    let header = "customer_id,amount,currency,period_start,period_end\n";
    let options = setting.options(header);
    let error = report(&setting.lake, None, &options, read_inputs(&options).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, ReportError::Nothing));
    let only_revenue = setting
        .run(&setting.options(&format!("{header}acme,5,USD,2026-01-01,\n")))
        .await;
    assert_eq!(only_revenue.model.totals()["gross_margin"], "5");
}

fn bytes_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for entry in fs::read_dir(current).unwrap().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else {
                let name = entry.path().strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                files.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]
    #[test]
    fn random_businesses_conserve_to_the_last_digit(
        lines in prop::collection::vec((0_u8..5, -10_i64.pow(14)..10_i64.pow(14), 0_i32..50, 0_i32..60, 0_u8..3, 0_u8..3), 1..25),
        calls in prop::collection::vec((0_u8..5, 0_u8..3, 0_u8..3, 0_i32..60, prop::option::of(0_i64..10_i64.pow(13))), 0..40),
    ) {
        let name = |prefix: &str, number: u8| if number == 0 { String::new() } else { format!("{prefix}{number}") };
        let mut revenue = String::from("customer_id,amount,currency,period_start,period_end,feature\n");
        let mut by_currency: BTreeMap<&str, Amount> = BTreeMap::new();
        for (customer, scaled, start, length, currency, feature) in lines {
            let currency = ["USD", "EUR", "SEK"][usize::from(currency)];
            let amount = Amount::from_scaled(scaled.into());
            *by_currency.entry(currency).or_default() += amount;
            let date = |day| crate::revenue::time::day_text(20_454 + day);
            revenue.push_str(&format!("{},{amount},{currency},{},{},{}\n", name("c", customer), date(start), date(start + length), name("f", feature)));
        }
        let calls: Vec<Call> = calls
            .into_iter()
            .map(|(customer, feature, model, day, cost)| {
                let key = |prefix, number| (number > 0).then(|| name(prefix, number));
                let cost = cost.map(|cost| Amount::from_scaled(cost.into()));
                Call { day: 20_454 + day, customer: key("c", customer), feature: key("f", feature), model: key("m", model), cost, ..call("2026-01-01", "-", "-", "-", "") }
            })
            .collect();
        let cost: Amount = calls.iter().filter_map(|call| call.cost).sum();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // In memory: a lake syncs a file for every day.
            let folder = TempDir::new().unwrap();
            let file = |name: &str, text: &str| { let path = folder.path().join(name); fs::write(&path, text).unwrap(); path };
            let fx = file("rates.csv", "Date,USD\n2025-12-01,1.1\n");
            let files = vec![file("revenue.csv", &revenue)];
            let session = empty_session();
            session.register_batch("calls", batch(&calls)).unwrap();
            let options = ReportOptions { fx: Some(fx), revenue: RevenueInputs { files, ..RevenueInputs::default() }, ..ReportOptions::default() };
            let computed = compute(&session, &options, read_inputs(&options).unwrap(), &Held::nothing(), &mut |_| {}).await.unwrap();
            assert_marts_are_their_sql(&session, &computed).await;
            session.register_table("revenue_daily", computed.revenue_daily.table(&session).await.unwrap()).unwrap();
            let native = csv(&session, "SELECT currency, sum(amount) FROM revenue_daily GROUP BY 1 ORDER BY 1").await;
            let expected: Vec<String> = by_currency.iter().map(|(currency, amount)| format!("{currency},{}", amount.rounded(12))).collect();
            assert_eq!(native, expected.join("\n"));
            let total = &computed.model.total;
            for lines in [&computed.model.by_customer, &computed.model.by_feature, &computed.model.by_model] {
                let ours = || lines.iter().filter(|line| line.currency == "USD").map(|line| &line.figures);
                assert_eq!(ours().map(|figures| figures.revenue).sum::<Amount>(), total.revenue);
                assert_eq!(ours().map(|figures| figures.model_cost).sum::<Amount>(), cost);
                let foreign: Amount = lines.iter().filter(|line| line.currency == "SEK").map(|line| line.figures.revenue).sum();
                assert_eq!(foreign, by_currency.get("SEK").copied().unwrap_or_default());
            }
        });
    }
}

/// Two months of a small business: flat plans, usage, free users, a whale, an unpriced model, evaluation.
fn business() -> (Vec<Call>, String) {
    let mut calls = Vec::new();
    let mut revenue = String::from("customer_id,amount,currency,period_start,period_end,kind,line_id,plan\n");
    let plans = [("free", "0"), ("team", "49"), ("business", "499"), ("enterprise", "4200")];
    for number in 0..24_u32 {
        let customer = format!(
            "{}-{:02}",
            ["acme", "globex", "initech", "umbrella", "hooli", "vandelay"][number as usize % 6],
            number
        );
        let (plan, price) = plans[(number as usize * 7 + 1) % 4];
        for (month, end) in [("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01")] {
            if plan != "free" {
                revenue.push_str(&format!(
                    "{customer},{price},USD,{month},{end},subscription,{customer}-{month},{plan}\n"
                ));
            }
        }
        for day in 0..59_u32 {
            let mix = (number * 31 + day * 17) % 23;
            // One customer on a flat plan uses thirty times what the others do, and everybody uses more in February.
            let weight = if number == 8 { 40 } else { 1 + number % 5 } + if day > 30 { 2 } else { 0 };
            let feature = ["support chat", "document search", "meeting notes"][(mix % 3) as usize];
            let model = ["gpt-5", "claude-sonnet-4-5", "gpt-5-mini", "in-house-13b"][(mix % 4) as usize];
            let cost = ["2.4", "1.9", "0.21", ""][(mix % 4) as usize];
            let cost = Amount::parse_major(cost)
                .ok()
                .map(|cost| Amount::from_scaled(cost.scaled() * i128::from(weight) + i128::from(mix)));
            let date = crate::revenue::time::day_text(20_454 + day as i32);
            let tokens = i64::from(weight) * 41_000 + i64::from(mix) * 977;
            let one = Call {
                cost,
                input: Some(tokens),
                user: (mix % 2 == 0).then(|| format!("{customer}/user-{}", mix % 5)),
                cached: Some(tokens / 3),
                output: Some(tokens / 9),
                ..call(&date, &customer, feature, model, "")
            };
            calls.push(one.clone());
            if mix == 3 {
                calls.push(Call {
                    customer: None,
                    ..one.clone()
                });
            }
            if mix % 5 == 0 {
                calls.push(Call {
                    class: "other_cogs",
                    model: None,
                    cost: Amount::parse_major("0.18").ok(),
                    ..one
                });
            }
        }
    }
    revenue.push_str("idle-corp,199,USD,2026-01-15,2026-02-15,subscription,idle,team\n,120,USD,2026-02-03,,one_off,walk-in,\nnordic,2500,SEK,2026-02-01,2026-03-01,subscription,nordic,business\n<b>&co,10,USD,2026-02-01,,one_off,escape,\n");
    (calls, revenue)
}

#[tokio::test]
async fn the_page_is_self_contained_and_escapes_what_comes_from_outside() {
    let (calls, revenue) = business();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("revenue.csv");
    fs::write(&file, revenue).unwrap();
    let session = empty_session();
    session.register_batch("calls", batch(&calls)).unwrap();
    let options = ReportOptions {
        revenue: RevenueInputs {
            files: vec![file],
            ..RevenueInputs::default()
        },
        ..ReportOptions::default()
    };
    let mut computed = compute(
        &session,
        &options,
        read_inputs(&options).unwrap(),
        &Held::nothing(),
        &mut |_| {},
    )
    .await
    .unwrap();
    computed.model.by_feature[0].key = "<b>&co".to_owned();
    // To look at it: MARGINLAKE_TEST_PAGE=some/folder cargo test -p marginlake-reporter the_page
    let out = std::env::var_os("MARGINLAKE_TEST_PAGE").map_or_else(|| folder.path().join("out"), PathBuf::from);
    let publication = crate::output::Publication::begin(&out, &OutputFormat::DEFAULT).unwrap();
    publication.finish(&computed.model, &computed.figures.sheets).unwrap();
    fs::write(out.join("report.txt"), terminal(&computed.model, TerminalStyle::default())).unwrap();
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for absent in ["<script", "http://", "https://", "<b>&co", "<link", "<img", "NaN"] {
        assert!(!page.contains(absent), "{absent}");
    }
    assert!(page.contains("&lt;b&gt;&amp;co"));
    let message = fs::read_to_string(out.join("summary.txt")).unwrap();
    assert!(message.starts_with("Margins ") && message.chars().count() <= 901, "{message}");
    // A picture has a description; a bar stands in the row of a table that says the same.
    assert_eq!(page.matches("role=\"img\"").count(), page.matches("<desc>").count());
    assert!(page.matches("<svg class=\"bar\"").count() == page.matches("<svg class=\"bar\" aria-hidden=\"true\"").count());
    let order = [
        "Can it be trusted",
        "What changed",
        "Who and what loses money",
        "By customer",
        "What a unit costs",
        "How this was made",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|heading| page.find(&format!("<h2>{heading}")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
}
