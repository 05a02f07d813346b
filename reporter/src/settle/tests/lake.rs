//! The driver over a real lake: what it writes equals settling everything at once, however the rows came in.

use arrow::util::pretty::pretty_format_batches;
use marginlake_lake::{Lake, Table};
use proptest::prelude::*;

use super::dsl::*;
use super::properties::any_records;
use super::spans_rows;
use crate::session;
use crate::settle::driver::{SettleOptions, SettleOutcome, run};
use crate::settle::record::{Dimension, Record};
use crate::settle::{NoCatalogue, encode, settle};

const RESPONSE: &str = "chatcmpl-69fa54d9c9e8e6ed";
const DAY_MS: i64 = 86_400_000;

struct Fixture {
    lake: Lake,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        Fixture {
            lake: Lake::open(folder.path().to_str().unwrap()).unwrap(),
            _folder: folder,
        }
    }

    async fn append(&self, records: &[Record]) {
        let mut spans = self.lake.ensure(Table::Spans).await.unwrap();
        spans.append(&[spans_rows::batch(records)]).await.unwrap();
    }

    async fn settle(&self) -> SettleOutcome {
        run(&self.lake, SettleOptions::default(), &NoCatalogue).await.unwrap()
    }

    async fn versions(&self) -> Vec<i64> {
        let mut versions = Vec::new();
        for table in [Table::Calls, Table::CallsExcluded, Table::Restatements] {
            versions.push(self.lake.table(table.name()).await.unwrap().unwrap().version());
        }
        versions
    }

    async fn rows(&self, query: &str) -> String {
        let session = session::open_session(&self.lake).await.unwrap();
        pretty_format_batches(&session::query(&session, query).await.unwrap())
            .unwrap()
            .to_string()
    }

    async fn everything(&self) -> (Vec<String>, Vec<String>) {
        let lines = |table: String| {
            let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        (
            lines(self.rows("select * from calls").await),
            lines(self.rows("select * from calls_excluded").await),
        )
    }
}

fn at_once(records: &[Record]) -> (Vec<String>, Vec<String>) {
    let settled = settle(records.to_vec(), &NoCatalogue);
    let lines = |batch| {
        let table = pretty_format_batches(&[batch]).unwrap().to_string();
        let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    (
        lines(encode::calls(&settled.calls).unwrap()),
        lines(encode::excluded(&settled.excluded).unwrap()),
    )
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn records(built: &[Built]) -> Vec<Record> {
    built.iter().map(|one| one.0.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]

    #[test]
    fn batches_and_days_change_nothing((mut records, cuts) in any_records().prop_flat_map(|records| {
        let count = records.len();
        (Just(records), proptest::collection::vec((0..3usize, 0..3i64), count))
    })) {
        for (record, (_, day)) in records.iter_mut().zip(&cuts) {
            record.date += *day as i32;
        }
        let fixture = Fixture::new();
        runtime().block_on(async {
            for batch in 0..3 {
                let part: Vec<Record> = records
                    .iter()
                    .zip(&cuts)
                    .filter(|(_, (own, _))| *own == batch)
                    .map(|(record, _)| record.clone())
                    .collect();
                if !part.is_empty() {
                    fixture.append(&part).await;
                    fixture.settle().await;
                }
            }
            assert_eq!(fixture.everything().await, at_once(&records));
        });
    }
}

#[tokio::test]
async fn nothing_new_commits_nothing() {
    let fixture = Fixture::new();
    fixture.append(&records(&[llm("a").usage(100, 20)])).await;
    assert!(fixture.settle().await.committed);
    let versions = fixture.versions().await;
    let again = fixture.settle().await;
    assert!(!again.committed);
    assert_eq!(fixture.versions().await, versions);
}

#[tokio::test]
async fn without_spans_the_tables_exist_and_are_empty() {
    let fixture = Fixture::new();
    assert_eq!(fixture.settle().await, SettleOutcome::default());
    assert!(fixture.rows("select count(*) as n from calls").await.contains("| 0 |"));
}

#[tokio::test]
async fn days_without_new_rows_keep_their_files() {
    let fixture = Fixture::new();
    fixture
        .append(&records(&[
            llm("a").usage(100, 20),
            llm("b").trace("u").at(DAY_MS, DAY_MS + 9).usage(7, 7),
        ]))
        .await;
    fixture.settle().await;
    let files = |lake: Lake| async move { lake.table("calls").await.unwrap().unwrap().files().unwrap() };
    let before = files(fixture.lake.clone()).await;
    fixture
        .append(&records(&[llm("c").trace("v").at(DAY_MS, DAY_MS + 9).usage(8, 8)]))
        .await;
    fixture.settle().await;
    let after = files(fixture.lake.clone()).await;
    assert_eq!((before.len(), after.len()), (2, 2));
    assert_eq!(before[0], after[0]);
    assert_ne!(before[1], after[1]);
}

#[tokio::test]
async fn an_aggregate_is_replaced_by_calls_that_come_later_and_restated() {
    let fixture = Fixture::new();
    let agent = agent("g").usage(1000, 200).has(Dimension::Customer, "acme", "customer.id");
    fixture.append(&records(&[agent])).await;
    fixture.settle().await;
    fixture.append(&records(&[llm("a").under("g").usage(600, 100)])).await;
    assert_eq!(fixture.settle().await.restatements, 2);
    let calls = fixture.rows("select span_id, cost_usd from calls").await;
    assert!(calls.contains("7.000000000000") && !calls.contains("12.0000"), "{calls}");
    let moved = fixture
        .rows("select customer_id, model, before, after, reason from restatements order by model")
        .await;
    assert!(
        moved.contains("| acme        | gpt-4.1 |                 | 7.000000000000 | replaced_by_later_records |"),
        "{moved}"
    );
    assert!(moved.contains("| acme        |         | 12.000000000000 |"), "{moved}");
}

#[tokio::test]
async fn a_settled_call_keeps_its_price() {
    let fixture = Fixture::new();
    fixture.append(&records(&[llm("a").usage(600, 100)])).await;
    fixture.settle().await;
    // As after a repricing: the table has another price than the span.
    let mut calls = fixture.lake.table("calls").await.unwrap().unwrap();
    let mut moved = settle(records(&[llm("a").usage(600, 100)]), &NoCatalogue);
    moved.calls[0].record.price.cost_usd = Some(1);
    calls.replace_all(&[encode::calls(&moved.calls).unwrap()], &[]).await.unwrap();
    fixture.append(&records(&[agent("g").under("a")])).await;
    assert_eq!(fixture.settle().await.restatements, 0);
    assert!(fixture.rows("select cost_usd from calls").await.contains("0.000000000001"));
}

#[tokio::test]
async fn a_run_that_died_before_its_last_commit_is_done_again() {
    let fixture = Fixture::new();
    fixture
        .append(&records(&[agent("g").usage(5, 5), llm("a").under("g").usage(5, 5)]))
        .await;
    fixture.settle().await;
    let whole = fixture.everything().await;
    // `calls` as it was before the run, `calls_excluded` as after it.
    std::fs::remove_dir_all(fixture._folder.path().join("calls")).unwrap();
    fixture.settle().await;
    assert_eq!(fixture.everything().await, whole);
}

#[tokio::test]
async fn asked_for_days_are_settled_again() {
    let fixture = Fixture::new();
    let all = records(&[llm("a").usage(600, 100).response(RESPONSE)]);
    fixture.append(&all).await;
    fixture.settle().await;
    let day = chrono::NaiveDate::from_epoch_days(all[0].date).unwrap();
    let options = SettleOptions {
        from: Some(day),
        to: Some(day),
        ..SettleOptions::default()
    };
    let outcome = run(&fixture.lake, options, &NoCatalogue).await.unwrap();
    assert_eq!((outcome.components, outcome.calls, outcome.committed), (1, 1, true));
}

#[tokio::test]
async fn other_rules_settle_everything_again_and_say_what_moved() {
    let fixture = Fixture::new();
    fixture
        .append(&records(&[tool("x"), llm("a").under("x").usage(600, 100)]))
        .await;
    fixture.settle().await;
    let with = |price: &str| SettleOptions {
        rules: std::sync::Arc::new(super::cost_rules::rules(&format!(
            "[[cost_rule]]\nid = 'r'\nper = 'call'\nprice = '{price}'\nmatch = {{ role = 'tool' }}\n"
        ))),
        ..SettleOptions::default()
    };
    // Calls, restatements and whether anything was committed, for each run in turn.
    let one = || with("0.001");
    let two = || with("0.002");
    for (options, expected) in [
        (one(), (2, 0, true)),
        (one(), (0, 0, false)),
        (two(), (2, 1, true)),
        (one(), (2, 1, true)),
        (SettleOptions::default(), (1, 1, true)),
        (SettleOptions::default(), (0, 0, false)),
    ] {
        let outcome = run(&fixture.lake, options, &NoCatalogue).await.unwrap();
        assert_eq!((outcome.calls, outcome.restatements, outcome.committed), expected);
    }
    let rows = fixture.rows("SELECT count(*) AS n FROM restatements").await;
    assert!(rows.contains("| 3 "), "{rows}");
}

/// The first columns of a table, as a release wrote them that did not know the last `younger` ones.
fn older(table: Table, younger: usize) -> (arrow::datatypes::SchemaRef, Vec<usize>) {
    let schema = table.schema();
    let known: Vec<usize> = (0..schema.fields().len() - younger).collect();
    (schema.project(&known).unwrap().into(), known)
}

#[tokio::test]
async fn a_lake_of_an_older_release_is_settled_read_maintained_and_written_on() {
    let (first, second) = (
        records(&[agent("g").usage(5, 5), llm("a").under("g").usage(5, 5)]),
        records(&[llm("b").trace("u").usage(7, 7)]),
    );
    let third = records(&[llm("c").trace("v").usage(8, 8)]);
    // `start_nano`, `end_nano` and the two texts of the receipt came last; a release in between knew some of them.
    for younger in 1..=4 {
        let fixture = Fixture::new();
        let (schema, known) = older(Table::Spans, younger);
        let mut spans = fixture.lake.ensure_named("spans", &schema, &["date"]).await.unwrap();
        for records in [&first, &second] {
            let batch = spans_rows::batch(records).project(&known).unwrap();
            spans.append(&[batch]).await.unwrap();
        }
        fixture.settle().await;
        let all = [first.clone(), second.clone()].concat();
        assert_eq!(fixture.everything().await, at_once(&all), "{younger} columns short");
        let count = "select count(*) as n, count(span_id) as ids, min(start_time_unix_nano) as start from spans";
        let read = fixture.rows(count).await;
        assert!(read.contains("| 3 | 3"), "{read}");

        let options = marginlake_lake::MaintainOptions {
            retain: std::time::Duration::from_secs(86_400),
            now: "2100-01-01T00:00:00Z".parse().unwrap(),
            pinned: std::collections::BTreeMap::new(),
        };
        marginlake_lake::maintain(&fixture.lake, &options).await.unwrap();
        assert_eq!(fixture.rows(count).await, read, "after maintenance");
        assert!(!fixture.settle().await.committed, "nothing new after maintenance");

        // A collector of this release opens it.
        fixture.append(&third).await;
        fixture.settle().await;
        let all = [all, third.clone()].concat();
        assert_eq!(fixture.everything().await, at_once(&all), "written on");
    }
}

#[tokio::test]
async fn calls_of_an_older_release_get_the_younger_columns() {
    let fixture = Fixture::new();
    let (schema, _) = older(Table::Calls, 2);
    fixture.lake.ensure_named("calls", &schema, &["date"]).await.unwrap();
    let all = records(&[llm("a").usage(100, 20)]);
    fixture.append(&all).await;
    fixture.settle().await;
    assert_eq!(fixture.everything().await, at_once(&all));
}
