//! Closed months stay what they are, and what would move them is shown.

use arrow::util::pretty::pretty_format_batches;
use chrono::NaiveDate;
use marginlake_lake::{Lake, Table};
use marginlake_pricing::{Catalogue, Overrides};

use super::{CloseError, CloseOptions, CloseOutcome, Month, close, late_note, reopen, verify};
use crate::report::{self, ReportOptions};
use crate::reprice::{self, Mode, RepriceOptions};
use crate::revenue::{Amount, RevenueInputs};
use crate::session;
use crate::settle::driver::{SettleOptions, SettleOutcome, run};
use crate::settle::record::{Attributed, Dimension, Record, Signal};
use crate::settle::{CataloguePricer, Reprice};
use marginlake_lake::schema::Role;

/// 2026-10-20T12:00:00Z.
const OCTOBER: i64 = 1_792_497_600_000_000_000;
const DAY: i64 = 86_400_000_000_000;

fn span(id: u8, at: i64, input: i64) -> Record {
    let mut record = Record::empty(Signal::Span, Role::Llm);
    record.tenant = Some("".into());
    record.trace_id = Some([id; 16]);
    record.span_id = Some([id; 8]);
    record.provider = Some("openai".into());
    record.request_model = Some("gpt-4.1".into());
    record.priced_at_nano = Some(at);
    record.start_time = Some(at / 1000);
    record.end_time = Some(at / 1000 + 1);
    record.start_nano = Some(at);
    record.end_nano = Some(at + 1000);
    record.date = i32::try_from(at / DAY).unwrap();
    record.usage_status = Some("reported".into());
    record.buckets[0] = Some(input);
    record.buckets[6] = Some(40);
    record.usage = Some(vec![("input_tokens".into(), Some(input)), ("output_tokens".into(), Some(40))]);
    record.attribution[Dimension::Customer as usize] = Some(Attributed {
        value: "acme".into(),
        source: "own".into(),
    });
    CataloguePricer::new(Catalogue::embedded()).reprice(&mut record);
    record
}

struct Books {
    lake: Lake,
    folder: tempfile::TempDir,
}

impl Books {
    async fn new(records: &[Record]) -> Books {
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open(folder.path().to_str().unwrap()).unwrap();
        let books = Books { lake, folder };
        books.receive(records).await;
        books.settle().await;
        books
    }

    async fn receive(&self, records: &[Record]) {
        let mut spans = self.lake.ensure(Table::Spans).await.unwrap();
        spans.append(&[crate::settle::tests::spans_batch(records)]).await.unwrap();
    }

    async fn settle(&self) -> SettleOutcome {
        let pricer = CataloguePricer::new(Catalogue::embedded());
        run(&self.lake, SettleOptions::default(), &pricer).await.unwrap()
    }

    async fn close(&self) -> Result<CloseOutcome, CloseError> {
        close(&self.lake, &options()).await
    }

    async fn rows(&self, query: &str) -> String {
        let session = session::open_session(&self.lake).await.unwrap();
        pretty_format_batches(&session::query(&session, query).await.unwrap())
            .unwrap()
            .to_string()
    }

    async fn october(&self) -> String {
        self.rows("select date, trace_id, usage, cost_usd from calls where date < '2026-11-01' order by 1, 2")
            .await
    }
}

fn options() -> CloseOptions {
    CloseOptions {
        month: "2026-10".parse().unwrap(),
        reason: Some("late spans of the batch job".to_owned()),
        recorded_at: 1_793_000_000_000_000,
    }
}

fn dearer() -> Catalogue {
    let price = r#"{"price": [{"provider": "openai", "model": "gpt-4.1", "rates": {"input_mtok": "3"}, "source": "letter"}]}"#;
    let overrides: Overrides = serde_json::from_str(price).unwrap();
    Catalogue::embedded().with_overrides(&overrides).unwrap()
}

#[tokio::test]
async fn a_closed_month_is_exported_with_a_hash_once() {
    let books = Books::new(&[span(1, OCTOBER, 250), span(2, OCTOBER + 20 * DAY, 250)]).await;
    let first = books.close().await.unwrap();
    assert_eq!(
        (first.committed, first.standing.revision, first.manifest.totals.calls),
        (true, 1, 1)
    );
    assert_eq!(first.manifest.totals.cost_usd["model"], "0.000820000000");
    assert_eq!(first.manifest.files[0].path, "calls/2026-10-20.parquet");
    let again = books.close().await.unwrap();
    assert_eq!(
        (again.committed, &again.standing, &again.manifest),
        (false, &first.standing, &first.manifest)
    );
    let month: Month = "2026-10".parse().unwrap();
    assert_eq!(verify(&books.lake, month).await.unwrap(), first.manifest);
    let file = books
        .folder
        .path()
        .join(&first.standing.folder)
        .join("calls/2026-10-20.parquet");
    std::fs::write(&file, b"other").unwrap();
    let error = verify(&books.lake, month).await.unwrap_err().to_string();
    assert!(error.contains("calls/2026-10-20.parquet was changed"), "{error}");
}

#[tokio::test]
async fn the_same_month_has_the_same_hash_in_another_lake() {
    let mut hashes = Vec::new();
    for order in [[1, 2], [2, 1]] {
        let spans = order.map(|id| span(id, OCTOBER, 250));
        hashes.push(Books::new(&spans).await.close().await.unwrap().standing.sha256);
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[tokio::test]
async fn late_spans_of_a_closed_month_are_shown_and_not_merged() {
    let books = Books::new(&[span(1, OCTOBER, 250)]).await;
    let closed = books.close().await.unwrap();
    let before = books.october().await;
    // A new call, more usage of the old one, and a call of the open month.
    books
        .receive(&[span(2, OCTOBER, 100), span(1, OCTOBER, 900), span(3, OCTOBER + 20 * DAY, 10)])
        .await;
    let settled = books.settle().await;
    assert_eq!(settled.late, 2);
    assert_eq!(books.october().await, before);
    assert!(books.rows("select count(*) as n from calls").await.contains("| 2 |"));
    assert!(books.rows("select count(*) as n from restatements").await.contains("| 0 |"));
    let late = books.rows("select trace_id, cost_usd from calls_late order by 1").await;
    assert!(late.contains("0.002120000000") && late.contains("0.000520000000"), "{late}");
    // A reader of the month's report is told, and one of the next month's is not.
    let note = late_note(&books.lake, "2026-10-01", "2026-10-31").await.unwrap();
    assert!(note.is_some_and(|note| note.starts_with("2 calls came or changed after their month was closed")));
    assert_eq!(late_note(&books.lake, "2026-11-01", "2026-11-30").await.unwrap(), None);
    // Nothing new: the late rows stay, and nothing is committed.
    let again = books.settle().await;
    assert_eq!((again.committed, again.late), (false, 0));
    assert_eq!(
        verify(&books.lake, "2026-10".parse().unwrap()).await.unwrap(),
        closed.manifest
    );
}

#[tokio::test]
async fn a_redelivered_span_of_a_closed_month_is_not_late() {
    let books = Books::new(&[span(1, OCTOBER, 250)]).await;
    books.close().await.unwrap();
    books.receive(&[span(1, OCTOBER, 250)]).await;
    assert_eq!(books.settle().await.late, 0);
}

#[tokio::test]
async fn a_reopened_month_takes_in_what_waited_as_a_restatement() {
    let books = Books::new(&[span(1, OCTOBER, 250)]).await;
    let first = books.close().await.unwrap();
    books.receive(&[span(2, OCTOBER, 100), span(1, OCTOBER, 900)]).await;
    books.settle().await;
    reopen(&books.lake, &options()).await.unwrap();
    let early = books.close().await.unwrap_err();
    assert!(matches!(early, CloseError::Unsettled(_)), "{early}");
    books.settle().await;
    assert!(books.rows("select count(*) as n from calls_late").await.contains("| 0 |"));
    let moved = books.rows("select before, after from restatements").await;
    assert!(moved.contains("0.000820000000"), "{moved}");
    let second = books.close().await.unwrap();
    assert_eq!((second.standing.revision, second.committed), (2, true));
    assert_eq!(second.manifest.restates.as_deref(), Some(first.standing.sha256.as_str()));
    assert_eq!(second.restated.len(), 1);
    let line = &second.restated[0];
    assert_eq!((line.before, line.after), (Some(820_000_000), Some(2_640_000_000)));
    assert!(
        line.reason.contains("late spans of the batch job; 1 -> 2 calls"),
        "{}",
        line.reason
    );
    // Both revisions are there.
    for standing in [&first.standing, &second.standing] {
        assert!(books.folder.path().join(&standing.folder).join("manifest.json").exists());
    }
    let rows = books
        .rows("select sequence, state, revision from closed_periods order by 1")
        .await;
    assert!(rows.contains("reopened") && rows.matches("closed ").count() >= 2, "{rows}");
}

#[tokio::test]
async fn reprice_tells_what_would_move_in_a_closed_month_and_leaves_it() {
    let books = Books::new(&[span(1, OCTOBER, 250), span(2, OCTOBER + 20 * DAY, 250)]).await;
    books.close().await.unwrap();
    let before = books.october().await;
    let options = RepriceOptions {
        from: NaiveDate::from_ymd_opt(2026, 10, 1).unwrap(),
        to: NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
        prices_as_of_unix_nano: None,
        mode: Mode::Write,
    };
    let outcome = reprice::run(&books.lake, &dearer(), options).await.unwrap();
    assert_eq!((outcome.moved, outcome.held, outcome.closed.lines().len()), (1, 1, 1));
    assert_eq!(books.october().await, before);
    assert!(books.rows("select count(*) as n from restatements").await.contains("| 1 |"));
}

#[tokio::test]
async fn an_empty_month_and_one_with_unsettled_spans_are_refused() {
    let books = Books::new(&[span(1, OCTOBER + 20 * DAY, 250)]).await;
    assert!(matches!(books.close().await, Err(CloseError::Empty(_))));
    books.receive(&[span(2, OCTOBER, 100)]).await;
    assert!(matches!(books.close().await, Err(CloseError::Unsettled(_))));
    assert!(matches!(reopen(&books.lake, &options()).await, Err(CloseError::NotClosed(_))));
}

#[tokio::test]
async fn a_report_keeps_the_marts_of_a_closed_month_and_moves_the_others() {
    let books = Books::new(&[span(1, OCTOBER, 250), span(2, OCTOBER + 20 * DAY, 250)]).await;
    let earn = async |october: &str| {
        let path = books.folder.path().join("revenue.csv");
        let text = format!(
            "customer_id,amount,currency,period_start,period_end\nacme,{october},USD,2026-10-01,2026-11-01\n\
             acme,{october},USD,2026-11-01,2026-12-01\n"
        );
        std::fs::write(&path, text).unwrap();
        let options = ReportOptions {
            revenue: RevenueInputs {
                files: vec![path],
                ..Default::default()
            },
            ..Default::default()
        };
        let inputs = report::read_inputs(&options).unwrap();
        let model = report::report(&books.lake, None, &options, inputs).await.unwrap().model;
        let rows = books
            .rows("select date_trunc('month', date) as month, sum(revenue) as revenue from margin_daily group by 1 order by 1")
            .await;
        (rows, model)
    };
    let (first, _) = earn("310").await;
    assert!(first.contains("2026-10-01T00:00:00 | 310.000"), "{first}");
    let closed = books.close().await.unwrap();
    assert_eq!(closed.manifest.totals.margin["USD"]["revenue"], "310.000000000000");
    assert!(
        closed
            .manifest
            .files
            .iter()
            .any(|file| file.path == "margin_by_customer.parquet")
    );
    let (second, model) = earn("620").await;
    assert!(second.contains("2026-10-01T00:00:00 | 310.000"), "{second}");
    assert!(second.contains("2026-11-01T00:00:00 | 620.000"), "{second}");
    // The page's own totals and what is found follow what was closed, and it says so.
    let revenue = Amount::parse_major("930").unwrap();
    assert_eq!(model.total.revenue, revenue);
    assert_eq!(model.by_customer[0].figures.revenue, revenue);
    let closed = "2026-10 is closed and keeps the figures";
    assert!(
        model.warnings.iter().any(|warning| warning.starts_with(closed)),
        "{:?}",
        model.warnings
    );
    reopen(&books.lake, &options()).await.unwrap();
    let (third, model) = earn("620").await;
    assert!(!model.warnings.iter().any(|warning| warning.contains("is closed")));
    assert!(third.contains("2026-10-01T00:00:00 | 620.000"), "{third}");
    let again = books.close().await.unwrap();
    assert_eq!(again.manifest.totals.margin["USD"]["revenue"], "620.000000000000");
    assert!(again.restated.is_empty(), "no cost moved");
}

#[tokio::test]
async fn days_of_a_closed_month_that_nobody_asked_for_stay_as_they_are_and_out_of_the_report() {
    let days = [OCTOBER, OCTOBER + DAY, OCTOBER + 20 * DAY];
    let books = Books::new(&[span(1, days[0], 250), span(2, days[1], 250), span(3, days[2], 250)]).await;
    let report = async |from: Option<&str>| {
        let path = books.folder.path().join("revenue.csv");
        std::fs::write(
            &path,
            "customer_id,amount,currency,period_start,period_end\nacme,31,USD,2026-10-01,2026-11-01\n",
        )
        .unwrap();
        let options = ReportOptions {
            revenue: RevenueInputs {
                files: vec![path],
                ..Default::default()
            },
            from: from.map(|day| day.parse().unwrap()),
            ..Default::default()
        };
        let inputs = report::read_inputs(&options).unwrap();
        report::report(&books.lake, None, &options, inputs).await.unwrap().model
    };
    let tables = ["margin_daily", "margin_by_customer", "revenue_by_key", "data_quality"];
    let counted = async || {
        let mut rows = Vec::new();
        for table in tables {
            let of = format!("select date, count(*) as n from {table} where date < '2026-11-01' group by 1 order by 1");
            rows.push(books.rows(&of).await);
        }
        rows
    };
    report(None).await;
    books.close().await.unwrap();
    let before = counted().await;
    // A later month, and a part of the closed one.
    assert_eq!(report(Some("2026-11-01")).await.total.revenue, Amount::ZERO);
    assert_eq!(counted().await, before);
    let of_two_weeks = report(Some("2026-10-18")).await;
    assert_eq!(of_two_weeks.total.revenue, Amount::parse_major("14").unwrap());
    assert_eq!(counted().await, before);
}
